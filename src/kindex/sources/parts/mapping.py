"""From the rows of a user's files to items, links and images."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import ITEMS
from kindex.sources.parts.rows import Rows

ENDS = ["left", "left_kind", "right", "right_kind"]
FLOAT32_MAX = float(np.finfo(np.float32).max)
Part = tuple[Rows, bool]
"""Rows of one file, and whether the data hold them out."""


def link_table(parts: list[Part], ends: tuple[str, str], kinds: tuple[str, str], weight: str) -> tuple[pa.Table, int]:
    """The links of all files, each once with its weights summed, and how many rows were repeats.

    `ends` are the columns of the left and the right ids, `weight` the column of weights or "". Rows with an end missing,
    with a weight that is no positive finite number, or held out while the train files have the same link, are refused.
    """
    for rows, _ in parts:
        for end, column in zip(("left", "right"), ends, strict=True):
            rows.refuse(absent(rows.values[column]), f"{end} is missing", column)
        if weight:
            value = rows.values[weight]
            good = pc.and_(pc.greater(value, 0.0), pc.less_equal(value, FLOAT32_MAX))  # a NaN is neither
            rows.refuse(pc.invert(good), "weight is not a positive finite number", weight)
    train_keys = pa.chunked_array([_keys(rows, ends) for rows, heldout in parts if not heldout], pa.string())
    for rows, heldout in parts:
        if heldout:
            both = pc.is_in(_keys(rows, ends), value_set=train_keys)
            rows.refuse(both, "held-out link is also a train link", ends[0])
    together = pa.concat_tables([_links(rows, heldout, ends, kinds, weight) for rows, heldout in parts])
    merged = together.group_by([*ENDS, "heldout"], use_threads=False).aggregate([("weight", "sum")])
    columns = {name: merged[name] for name in ENDS} | {"weight": merged["weight_sum"].cast(pa.float32(), safe=False)}
    if any(heldout for _, heldout in parts):
        columns["heldout"] = merged["heldout"]
    return pa.table(columns), together.num_rows - merged.num_rows


def item_table(
    links: pa.Table, described: list[Rows], kind: str, ids: tuple[str, ...], label: str, description: str
) -> pa.Table:
    """Items of `kind` from the rows that describe them; every other end of a link becomes an item of its own kind."""
    tables = [describe(rows, kind, ids, label, description) for rows in described]
    for end in ("left", "right"):
        found = links.select([end, f"{end}_kind"]).rename_columns(["id", "kind"])
        if described:
            found = found.filter(pc.not_equal(found["kind"], kind))
        distinct = found.group_by(["id", "kind"], use_threads=False).aggregate([])
        empty = pa.nulls(distinct.num_rows, pa.string())
        tables.append(pa.table([distinct["id"], distinct["kind"], empty, empty], schema=ITEMS))
    together = pa.concat_tables(tables)
    return together if described else _distinct(together)


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


def absent(values: pa.Array) -> pa.Array:
    """True where a text or bytes value is null or empty."""
    return pc.fill_null(pc.equal(pc.binary_length(values), 0), True)


def _keys(rows: Rows, ends: tuple[str, str]) -> pa.Array:
    """left and right in one text; the length in front keeps `("a", "bc")` apart from `("ab", "c")`."""
    left, right = (rows.values[column] for column in ends)
    return pc.binary_join_element_wise(pc.binary_length(left).cast(pa.string()), left, right, " ")


def _links(rows: Rows, heldout: bool, ends: tuple[str, str], kinds: tuple[str, str], weight: str) -> pa.Table:
    weights = rows.values[weight] if weight else _same(rows, 1.0)
    return pa.table(
        {
            "left": rows.values[ends[0]],
            "left_kind": _same(rows, kinds[0]),
            "right": rows.values[ends[1]],
            "right_kind": _same(rows, kinds[1]),
            "weight": weights,
            "heldout": _same(rows, heldout),
        }
    )


def _same(rows: Rows, value: str | float | bool) -> pa.Array:
    return pa.repeat(value, len(rows.lines_N))


def _distinct(items: pa.Table) -> pa.Table:
    """Both ends of a graph of one kind name the same items."""
    kept = items.group_by(["id", "kind"], use_threads=False).aggregate([])
    empty = pa.nulls(kept.num_rows, pa.string())
    return pa.table([kept["id"], kept["kind"], empty, empty], schema=ITEMS)
