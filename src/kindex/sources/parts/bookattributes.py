"""Attributes of books without pages: a Parquet file with a column `title` and columns named as infobox fields are."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core import quarantine
from kindex.core.errors import DamagedError, DataGateError
from kindex.sources import MissingColumnError
from kindex.sources.parts.infobox import values
from kindex.sources.parts.wikititles import tidy

TITLE = "title"
Described = dict[str, dict[str, list[str]]]
"""Values by field by title."""


def read_attributes(
    content: bytes, name: str, fields: tuple[str, ...]
) -> tuple[Described, list[dict[str, Any]], dict[str, str]]:
    """Values by field by title, quarantine entries, and the file's columns with their types.

    Raises `DamagedError`, `MissingColumnError`, and `DataGateError` for a column that holds no text; each names the file.
    """
    try:
        with pq.ParquetFile(BytesIO(content)) as file:
            columns = {column.name: str(column.type) for column in file.schema_arrow}
            if TITLE not in columns:
                raise MissingColumnError(name, TITLE, columns)
            present = [column for column in (TITLE, *fields) if column in columns]
            if len(present) == 1:
                raise DataGateError(f"{name} has none of the columns {', '.join(fields)} that source.fields names")
            table = file.read(columns=present)
            table.validate()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(f"{name} is damaged: {str(error).splitlines()[0]}") from None
    found: Described = {}
    refused = []
    for number, row in enumerate(_rows(table, name), start=1):
        title = tidy(row[TITLE] or "") if not isinstance(row[TITLE], bytes) else ""
        broken = next((part for part in row.values() if isinstance(part, bytes) or "\0" in (part or "")), None)
        rule = "text has a NUL or is not UTF-8" if broken is not None else "title is missing" if not title else ""
        rule = rule or ("title is repeated" if title in found else "")
        if rule:
            value = row[TITLE] if broken is None else broken
            refused.append(quarantine.entry("items", -1, rule, value, f"{name}:{number}", row))
        else:
            found[title] = {field: values(field, row[field]) for field in present[1:] if row[field]}
    if not found and not refused:
        raise DataGateError(f"{name} has no rows")
    return found, refused, columns


def _rows(table: pa.Table, name: str) -> Iterator[dict[str, Any]]:
    """Rows of texts, of nulls, and of bytes where a text is not UTF-8: Parquet promises that it is and nobody checks."""
    columns = {column: _texts(table[column], column, name) for column in table.column_names}
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(columns, cells, strict=True))


def _texts(column: pa.ChunkedArray, title: str, name: str) -> list[Any]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if not texts and not pa.types.is_integer(kind):
        raise DataGateError(f"{name}: column {title!r} is {kind}, allowed: text or whole numbers")
    if pa.types.is_integer(kind):
        column = column.cast(pa.string())
    raw: list[bytes | None] = column.cast(kind).cast(pa.large_binary()).to_pylist() if texts else column.to_pylist()
    return [_decoded(part) if isinstance(part, bytes) else part for part in raw]


def _decoded(part: bytes) -> str | bytes:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return part
