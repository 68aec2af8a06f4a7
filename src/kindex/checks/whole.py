"""Check a whole catalogue: which rows pass, and every row that does not, with its rule, value and origin."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks import captions, images, items
from kindex.checks.ends import Ends
from kindex.checks.partitions import check_links
from kindex.checks.refusals import entries_of
from kindex.checks.run import Failure, Outcome, check, check_volume, together
from kindex.checks.text import mended, text_columns
from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.params import CheckParams
from kindex.core.tables import Stream, kept, streamed
from kindex.core.watch import Watch

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

CASCADE = "its item was refused"
ITEMS = 1 << 19
"""Items that are checked together."""

Bounds = dict[str, tuple[int, int]]


@dataclass
class Checked:
    """`passed` are the tables without the refused rows; `entries` are of the schema `QUARANTINE`."""

    passed: dict[str, Any] = field(default_factory=dict)  # tables; links that were streamed are a `Stream`
    entries: quarantine.Entries = field(default_factory=quarantine.Entries)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def check_catalogue(catalogue: Catalogue, limits: CheckParams, bounds: Bounds, origin: str, watch: Watch) -> Checked:
    """Images before items before captions and links: an image item needs its image, and what is of an item the item."""
    checked, most = Checked(), limits.max_text_characters
    whole = {name: mended(catalogue.tables[name]) for name in catalogue.tables if name != "links"}
    all_items, unwritable = whole["items"]
    if "images" in whole:
        table, flaws = whole["images"]
        encoded = watch.progress((image.as_py() for image in table["image"]), "decode", table.num_rows, "image")
        frame = images.prepare(table, flaws, all_items, encoded)
        any_shape = "captions" in whole and not limits.image_shape
        shape = "" if any_shape else images.expected_shape(limits.image_shape, frame["shape"])
        suite = images.suite(shape, most)
        _apply(checked, "images", table, [(frame, suite)], bounds, origin)
    valid_images = checked.passed["images"]["id"].combine_chunks() if "images" in whole else None
    ends = Ends(all_items)
    ends.judge(
        _apply(checked, "items", all_items, _item_frames(all_items, unwritable, ends, valid_images, most), bounds, origin)
    )
    if "images" in whole:
        _drop_orphans(checked, "images", whole["images"][0], _image_items(checked.passed["items"]), CASCADE, origin)
    if "captions" in whole:
        table, flaws = whole["captions"]
        _apply(checked, "captions", table, _caption_frames(table, flaws, _image_items(all_items), most), bounds, origin)
        _drop_orphans(checked, "captions", table, _image_items(checked.passed["items"]), captions.CASCADE, origin)
    if "links" in catalogue.tables:
        del whole, all_items, unwritable
        pa.default_memory_pool().release_unused()
        _apply_to_links(checked, catalogue.part("links"), ends, most, bounds.get("links"), origin, watch)
    return checked


def _item_frames(
    table: pa.Table, unwritable: list[str | None], ends: Ends, valid_images: pa.Array | None, most: int
) -> "Iterator[tuple[pd.DataFrame, ExpectationSuite]]":
    """Frames of at most `ITEMS` items, for the engine takes a frame's values apart one by one."""
    suite, repeated_N = items.suite(text_columns(table), most), ends.repeated_items()
    for start in range(0, max(table.num_rows, 1), ITEMS):
        part = slice(start, start + ITEMS)
        yield items.prepare(table.slice(start, ITEMS), unwritable[part], repeated_N[part], valid_images), suite


def _caption_frames(
    table: pa.Table, unwritable: list[str | None], known: pa.Array, most: int
) -> "Iterator[tuple[pd.DataFrame, ExpectationSuite]]":
    """Frames of at most `ITEMS` captions."""
    suite, repeated_N = captions.suite(most), captions.repeated_places(table)
    for start in range(0, max(table.num_rows, 1), ITEMS):
        part = slice(start, start + ITEMS)
        yield captions.prepare(table.slice(start, ITEMS), unwritable[part], repeated_N[part], known), suite


def _apply_to_links(
    checked: Checked,
    links: pa.Table | Stream,
    ends: Ends,
    most: int,
    bounds: tuple[int, int] | None,
    origin: str,
    watch: Watch,
) -> None:
    """Divide links, which are streamed: what passed is read again when it is written."""
    stream = links if isinstance(links, Stream) else streamed(links)
    refused_N, entries, checked.outcomes["links"] = check_links(stream, ends, most, bounds, origin, watch)
    checked.entries.add(entries)
    if isinstance(links, Stream):
        checked.passed["links"] = kept(links, ~refused_N) if refused_N.any() else links
    else:
        checked.passed["links"] = links.filter(pa.array(~refused_N))


def _apply(
    checked: Checked,
    name: str,
    table: pa.Table,
    frames: "Iterable[tuple[pd.DataFrame, ExpectationSuite]]",
    bounds: Bounds,
    origin: str,
) -> np.ndarray:
    """Divide `table` by the outcome of its suite over `frames`, its rows in order; which rows passed (N bool)."""
    keep_N, start, outcomes = np.ones(table.num_rows, bool), 0, []
    for frame, suite in frames:
        outcomes.append(check(suite, frame))
        part, row_N = table.slice(start, len(frame)), np.arange(start, start + len(frame))
        for failure in outcomes[-1].failures:
            rows = list(failure.rows)
            keep_N[row_N[rows]] = False
            values = frame[failure.shows].iloc[rows].tolist()
            checked.entries.add(entries_of(name, part, failure, values, origin, row_N))
        start += len(frame)
    checked.passed[name] = table if keep_N.all() else table.filter(pa.array(keep_N))
    checked.outcomes[name] = together([*outcomes, check_volume(name, table.num_rows, bounds.get(name))])
    return keep_N


def _drop_orphans(checked: Checked, name: str, table: pa.Table, valid: pa.Array, rule: str, origin: str) -> None:
    """What belongs to an item that was refused for a reason of its own goes with it. `valid` are the items that passed."""
    passed = checked.passed[name]
    orphans = pc.invert(pc.is_in(passed["id"], value_set=valid))
    if not pc.any(orphans).as_py():
        return
    lost = passed.filter(orphans)["id"].combine_chunks()
    positions = pc.indices_nonzero(pc.is_in(table["id"], value_set=lost)).to_pylist()
    already = {entry["row"] for entry in checked.entries if entry["table"] == name}
    failure = Failure(rule, "id", tuple(row for row in positions if row not in already))
    checked.entries.add(entries_of(name, table, failure, [None] * len(failure.rows), origin))
    checked.passed[name] = passed.filter(pc.invert(orphans))


def _image_items(table: pa.Table) -> pa.Array:
    """Ids of the items of the kind `image`."""
    return table.filter(pc.equal(table["kind"], "image"))["id"].combine_chunks()
