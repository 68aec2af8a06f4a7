"""Schema drift: the columns that data have against those they had when they last passed."""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import SCHEMAS

Columns = Mapping[str, Mapping[str, str]]
"""Type by column, by table or file."""

OPTIONAL = {"links": {"heldout": "bool"}, "images": {"heldout": "bool"}}
"""Columns that a source may bring beside the schema's; items may have any further string columns."""


def columns_of(table: pa.Table) -> dict[str, str]:
    """Type by column; a column that holds nothing but nulls says so, for emptying one is drift too."""
    return {name: str(column.type) + _emptied(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def breaches(kind: str, table: pa.Table) -> dict[str, dict[str, str]]:
    """What `table` would have to look like to be of its kind: {} when it is, else the columns expected of it."""
    required = {field.name: str(field.type) for field in SCHEMAS[kind]}
    present = {field.name: str(field.type) for field in table.schema}
    optional = OPTIONAL.get(kind, {})
    free = {name: "string" for name in present if kind == "items" and name not in required}
    allowed = required | {name: kept for name, kept in {**optional, **free}.items() if name in present}
    return {} if present == allowed else {kind: allowed}


def difference(expected: Columns, present: Columns, only: Collection[str] = ()) -> str:
    """A table of what differs, "" when nothing does. `only` limits it to some tables."""
    lines = []
    for name in sorted({*expected, *present}):
        then, now = expected.get(name), present.get(name)
        gone = name not in present and name not in SCHEMAS  # a file that the settings no longer name
        if then is None or gone or (only and name not in only):
            continue
        for column in sorted({*then, *(now or {})}):
            before, after = then.get(column, "absent"), (now or {}).get(column, "absent")
            if before != after:
                lines.append((name, column, before, after))
    if not lines:
        return ""
    rows = [("table", "column", "expected", "found"), *lines]
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _emptied(column: pa.ChunkedArray) -> str:
    return " (all null)" if len(column) and pc.all(pc.is_null(column)).as_py() else ""
