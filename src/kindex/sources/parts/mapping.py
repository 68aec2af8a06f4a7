"""From the rows of a user's files to items, links and images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core import quarantine
from kindex.core.catalogue import ITEMS, LINKS, TIME
from kindex.core.tables import Stream
from kindex.sources.parts.merging import Merged, link_batches, merged
from kindex.sources.parts.rows import Rows, absent

FLOAT32_MAX = float(np.finfo(np.float32).max)
LINE_BITS = 40
"""A place is the number of a file and, below it, the line in these bits."""

Part = tuple[Rows, bool]
"""Rows of one file, and whether the data hold them out."""

Parts = Iterable[tuple[str, Iterable[Rows], bool]]
"""Files by name: their rows some at a time, and whether the data hold them out."""


@dataclass(frozen=True)
class LinkColumns:
    """Which columns hold the ends of a link, its weight and its date; the latter two may be ""."""

    left: str
    right: str
    weight: str = ""
    date: str = ""


@dataclass
class Links:
    """The links of all files, each once with its weights summed and its latest date, sorted by left and right."""

    merged: Merged
    kinds: tuple[str, str]
    refused: list[dict[str, Any]]  # held-out rows whose link is a train link

    def stream(self) -> Stream:
        extras = [TIME] if "time" in self.merged.columns else []
        extras += [pa.field("heldout", pa.bool_())] if "heldout" in self.merged.columns else []
        schema = pa.schema([*LINKS, *extras])

        def batches(columns: Any) -> Iterator[pa.RecordBatch]:
            chosen = schema if columns is None else pa.schema([schema.field(name) for name in columns])
            return link_batches(self.merged, self.kinds, chosen)

        return Stream(schema, self.merged.rows, batches)

    def ends(self) -> list[tuple[str, pa.Array]]:
        """For each end, its kind and the distinct ids there, ascending."""
        return [
            (kind, texts.filter(pa.array(used_V)))
            for kind, texts, used_V in zip(self.kinds, self.merged.texts, self.merged.used, strict=True)
        ]


def merged_links(parts: Parts, columns: LinkColumns, kinds: tuple[str, str], scratch: Path, divided: bool) -> Links:
    """Rows with an end missing, with a weight that is no positive finite number, without a date where dates are asked for,
    or held out while the train files have the same link, are refused. `divided` says that some file is held out."""
    extras = ["weight"] * bool(columns.weight) + ["time"] * bool(columns.date) + ["heldout", "place"] * divided
    names: list[str] = []
    found = merged(_batches(parts, columns, extras, names), extras, scratch)
    return Links(found, kinds, _leaks(found, columns, names))


def _batches(parts: Parts, columns: LinkColumns, extras: list[str], names: list[str]) -> Iterator[pa.RecordBatch]:
    for name, found, heldout in parts:
        names.append(name)
        for rows in found:
            _refuse(rows, columns)
            made = {"left": rows.values[columns.left], "right": rows.values[columns.right]}
            if columns.weight:
                made["weight"] = rows.values[columns.weight]
            if columns.date:
                made["time"] = rows.values[columns.date]
            if "place" in extras:
                made["heldout"] = _same(rows, heldout)
                made["place"] = pa.array(rows.lines_N.astype(np.int64) + (len(names) - 1 << LINE_BITS))
            yield pa.record_batch(made)


def _refuse(rows: Rows, columns: LinkColumns) -> None:
    for end in ("left", "right"):
        column = getattr(columns, end)
        rows.refuse(absent(rows.values[column]), f"{end} is missing", column)
    if columns.weight:
        value = rows.values[columns.weight]
        good = pc.and_(pc.greater(value, 0.0), pc.less_equal(value, FLOAT32_MAX))  # a NaN is neither
        rows.refuse(pc.invert(good), "weight is not a positive finite number", columns.weight)
    if columns.date:
        rows.refuse(pc.is_null(rows.values[columns.date]), "date is missing", columns.date)


def _leaks(found: Merged, columns: LinkColumns, names: list[str]) -> list[dict[str, Any]]:
    """Quarantine entries of held-out rows whose link is a train link, by file and line."""
    rows = []
    for part in found.leaks:
        left_N, right_N = np.divmod(part["key"], max(len(found.texts[1]), 1))
        for at, place in enumerate(part["place"].tolist()):
            record = {columns.left: found.texts[0][left_N[at]].as_py(), columns.right: found.texts[1][right_N[at]].as_py()}
            record |= {columns.weight: float(part["weight"][at])} if columns.weight else {}
            record |= {columns.date: int(part["time"][at])} if columns.date else {}
            rows.append((place, record))
    rule, mask = "held-out link is also a train link", (1 << LINE_BITS) - 1
    return [
        quarantine.entry("links", -1, rule, record[columns.left], f"{names[place >> LINE_BITS]}:{place & mask}", record)
        for place, record in sorted(rows, key=lambda row: row[0])
    ]


def item_table(links: Links, described: list[Rows], kind: str, ids: tuple[str, ...], label: str, description: str) -> pa.Table:
    """Items of `kind` from the rows that describe them; every other end of a link becomes an item of its own kind."""
    tables = [describe(rows, kind, ids, label, description) for rows in described]
    ends = links.ends()
    if not described and ends[0][0] == ends[1][0]:  # both ends of a graph of one kind name the same items
        ends = [(ends[0][0], pc.unique(pa.concat_arrays([ends[0][1], ends[1][1]])))]
    for end_kind, texts in ends:
        if described and end_kind == kind:
            continue
        empty = pa.nulls(len(texts), pa.string())
        tables.append(pa.table([texts, pa.repeat(end_kind, len(texts)), empty, empty], schema=ITEMS))
    return pa.concat_tables(tables)


def image_tables(parts: list[Part], image: str, ids: tuple[str, ...], label: str, description: str) -> dict[str, pa.Table]:
    """Items of the kind `image`, and their images. Rows without an id or an image are refused."""
    items, images = [], []
    for rows, heldout in parts:
        rows.refuse(absent(rows.values[image]), "image is missing", ids[0])
        items.append(describe(rows, "image", ids, label, description))
        images.append(pa.table({"id": items[-1]["id"], "image": rows.values[image], "heldout": _same(rows, heldout)}))
    together = pa.concat_tables(images)
    if not any(heldout for _, heldout in parts):
        together = together.drop_columns(["heldout"])
    return {"items": pa.concat_tables(items), "images": together}


def describe(rows: Rows, kind: str, ids: tuple[str, ...], label: str, description: str) -> pa.Table:
    """`ITEMS` from rows; several id columns are joined by `-`. Rows without an id are refused."""
    for column in ids:
        rows.refuse(absent(rows.values[column]), "id is missing", column)
    empty = pa.nulls(len(rows.lines_N), pa.string())
    columns = [
        pc.binary_join_element_wise(*(rows.values[column] for column in ids), "-"),
        _same(rows, kind),
        rows.values[label] if label else empty,
        rows.values[description] if description else empty,
    ]
    return pa.table(columns, schema=ITEMS)


def _same(rows: Rows, value: str | bool) -> pa.Array:
    return pa.repeat(value, len(rows.lines_N))
