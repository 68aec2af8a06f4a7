"""Schema drift: the columns that data have against those they had when they last passed."""

from collections.abc import Collection, Mapping

import pyarrow as pa

from kindex.core.catalogue import SCHEMAS, TIME
from kindex.core.tables import Stream, streamed

Columns = Mapping[str, Mapping[str, str]]
"""Type by column, by table or file."""

OPTIONAL = {"links": {TIME.name: str(TIME.type), "heldout": "bool"}, "images": {"heldout": "bool"}}
"""Columns that a source may bring beside the schema's; items may have any further string columns."""


def columns_of(table: pa.Table | Stream) -> dict[str, str]:
    """Type by column; a column that holds nothing but nulls says so, for emptying one is drift too."""
    stream = table if isinstance(table, Stream) else streamed(table)
    return {field.name: str(field.type) + _emptied(stream, field.name) for field in stream.schema}


def of_source(columns: Columns) -> dict[str, dict[str, str]]:
    """Columns of a source's own tables. One that is called as a kind of table is says that it is the source's."""
    return {f"{name} (source)" if name in SCHEMAS else name: dict(own) for name, own in columns.items()}


def breaches(kind: str, table: pa.Table | Stream) -> dict[str, dict[str, str]]:
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


def _emptied(stream: Stream, column: str) -> str:
    """Whether a column is all null; it is read up to its first value."""
    empty = stream.num_rows and all(batch[column].null_count == batch.num_rows for batch in stream.batches([column]))
    return " (all null)" if empty else ""
