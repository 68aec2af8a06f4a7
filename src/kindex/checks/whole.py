"""Check a whole catalogue: which rows pass, and every row that does not, with its rule, value and origin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks import images, items, links
from kindex.checks.run import Failure, Outcome, check
from kindex.checks.text import UNWRITABLE, mended, text_columns
from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.params import CheckParams
from kindex.core.watch import Watch

if TYPE_CHECKING:
    import pandas as pd

CASCADE = "its item was refused"


@dataclass
class Checked:
    """`passed` are the tables without the refused rows; `entries` are of the schema `QUARANTINE`."""

    passed: dict[str, pa.Table] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def check_catalogue(
    catalogue: Catalogue, limits: CheckParams, bounds: dict[str, tuple[int, int]], origin: str, watch: Watch
) -> Checked:
    """Images before items before links: an image item needs its image, and a link needs its items."""
    checked, most = Checked(), limits.max_text_characters
    whole = {name: mended(table) for name, table in catalogue.tables.items()}
    all_items, unwritable = whole["items"]
    if "images" in whole:
        table, flaws = whole["images"]
        encoded = watch.progress((image.as_py() for image in table["image"]), "decode", table.num_rows, "image")
        frame = images.prepare(table, flaws, all_items, encoded)
        shape = images.expected_shape(limits.image_shape, frame["shape"])
        _apply(checked, "images", table, frame, check(images.suite(shape, most, bounds.get("images")), frame), origin)
    valid_images = checked.passed["images"]["id"].combine_chunks() if "images" in whole else None
    frame = items.prepare(all_items, unwritable, valid_images)
    suite = items.suite(text_columns(all_items), most, bounds.get("items"))
    _apply(checked, "items", all_items, frame, check(suite, frame), origin)
    if "images" in whole:
        _drop_images_without_item(checked, whole["images"][0], origin)
    if "links" in whole:
        table, flaws = whole["links"]
        frame = links.prepare(table, flaws, all_items, checked.passed["items"])
        _apply(checked, "links", table, frame, check(links.suite(most, bounds.get("links")), frame), origin)
    return checked


def _apply(checked: Checked, name: str, table: pa.Table, frame: "pd.DataFrame", outcome: Outcome, origin: str) -> None:
    """Divide `table` by the outcome of its suite."""
    keep_N = np.ones(table.num_rows, bool)
    for failure in outcome.failures:
        keep_N[list(failure.rows)] = False
        values = frame[failure.shows].iloc[list(failure.rows)].tolist()
        checked.entries += _entries(name, table, failure, values, origin)
    checked.passed[name] = table.filter(pa.array(keep_N))
    checked.outcomes[name] = outcome


def _entries(name: str, table: pa.Table, failure: Failure, values: Sequence[Any], origin: str) -> Iterator[dict[str, Any]]:
    """`values` are the frame's; the table's own value is shown where it has one, for the frame's may be a stand-in."""
    records = table.take(pa.array(failure.rows, pa.int64())).to_pylist()
    for row, value, record in zip(failure.rows, values, records, strict=True):
        shown = record.get(failure.shows, value)
        if failure.shows == UNWRITABLE:
            shown = {column: record[column] for column in value.split(", ")}
        yield quarantine.entry(name, row, failure.rule, shown, origin, record)


def _drop_images_without_item(checked: Checked, images_table: pa.Table, origin: str) -> None:
    """An image whose item was refused for another reason than its image goes with it."""
    valid = checked.passed["items"].filter(pc.equal(checked.passed["items"]["kind"], "image"))["id"].combine_chunks()
    passed = checked.passed["images"]
    orphans = pc.invert(pc.is_in(passed["id"], value_set=valid))
    if not pc.any(orphans).as_py():
        return
    lost = passed.filter(orphans)["id"].combine_chunks()
    positions = pc.indices_nonzero(pc.is_in(images_table["id"], value_set=lost)).to_pylist()
    already = {entry["row"] for entry in checked.entries if entry["table"] == "images"}
    failure = Failure(CASCADE, "id", tuple(row for row in positions if row not in already))
    checked.entries += _entries("images", images_table, failure, [None] * len(failure.rows), origin)
    checked.passed["images"] = passed.filter(pc.invert(orphans))
