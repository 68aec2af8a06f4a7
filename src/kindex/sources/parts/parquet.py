"""Wanted columns of a Parquet file, in the types of their roles."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError, DataGateError
from kindex.sources import MissingColumnError
from kindex.sources.parts.rows import ARROW, Role, Rows


def from_parquet(table: str, name: str, content: bytes, wanted: Mapping[str, Role]) -> Rows:
    """Raises `DamagedError`, `MissingColumnError`, and `DataGateError` for a column of another type; each names the file."""
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        columns = {column.name: str(column.type) for column in file.schema_arrow}
        for column in wanted:
            if column not in columns:
                raise MissingColumnError(name, column, columns)
        read = file.read(columns=list(wanted)).combine_chunks()
        read.validate()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedError(f"{name} is damaged: {str(error).splitlines()[0]}") from None
    rows = Rows(table, name, columns, {}, np.arange(1, read.num_rows + 1))
    rows.values = {column: _whole(read[column]) for column in wanted}
    for column, role in wanted.items():
        rows.values[column] = _converted(name, column, rows.values[column], role)
    _refuse_not_utf8(rows, [column for column, role in wanted.items() if role == "text"])
    return rows


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _converted(name: str, column: str, values: pa.Array, role: Role) -> pa.Array:
    """The column in the type of its role; whole numbers are text too, as pandas writes an id column with gaps."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    try:
        if role == "text" and pa.types.is_floating(kind):
            values, kind = values.cast(pa.int64()), pa.int64()
        texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        fits = {
            "text": texts or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind),
            "number": pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind),
            "bytes": pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
        }[role]
        if fits:
            return values.cast(ARROW[role], safe=role != "number")
    except pa.ArrowInvalid as error:
        raise DataGateError(f"{name}: column {column!r} is {kind} and does not convert to {role}: {error}") from None
    allowed = {"text": "text or whole numbers", "number": "numbers", "bytes": "binary"}[role]
    raise DataGateError(f"{name}: column {column!r} is {kind}, allowed: {allowed}")


def _refuse_not_utf8(rows: Rows, columns: list[str]) -> None:
    """Parquet promises UTF-8 and nobody checks; lone surrogates and broken bytes would surface far from here."""
    broken_N = np.zeros(len(rows.lines_N), bool)
    for column in columns:
        raw = rows.values[column].cast(pa.binary())
        try:
            raw.cast(pa.string())
        except pa.ArrowInvalid:
            broken_N |= [value is not None and not _is_utf8(value) for value in raw.to_pylist()]
            escaped = [value if value is None else value.decode("utf-8", "backslashreplace") for value in raw.to_pylist()]
            rows.values[column] = pa.array(escaped, pa.string())
    if broken_N.any():
        rows.refuse(pa.array(broken_N), "text is not UTF-8", columns[0])


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
        return True
    except UnicodeDecodeError:
        return False
