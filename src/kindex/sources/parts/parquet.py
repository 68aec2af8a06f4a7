"""Wanted columns of a Parquet file, in the types of their roles, some rows at a time."""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError
from kindex.core.tables import ROWS
from kindex.core.texts import mend
from kindex.sources import ColumnError, MissingColumnError
from kindex.sources.parts.dates import dates
from kindex.sources.parts.rows import ARROW, Role, Rows


def from_parquet(table: str, name: str, handle: BinaryIO, wanted: Mapping[str, Role]) -> Iterator[Rows]:
    """Texts come as dictionaries. Raises `DamagedError`, `MissingColumnError`, and `ColumnError` for a column of another
    type; each names the file."""
    damage = (pa.ArrowException, OSError, ValueError)
    try:
        schema = pq.ParquetFile(handle).schema_arrow
        columns = {column.name: str(column.type) for column in schema}
        for column in wanted:
            if column not in columns:
                raise MissingColumnError(name, column, columns)
        texts = [column for column in wanted if _is_text(schema.field(column).type)]
        file = pq.ParquetFile(handle, read_dictionary=texts, buffer_size=1 << 20, pre_buffer=False)
        batches = file.iter_batches(ROWS, columns=list(wanted))
    except damage as error:
        raise DamagedError(f"{name} is damaged: {str(error).splitlines()[0]}") from None
    start = 1
    while True:
        try:
            batch = next(batches, None)
            if batch is not None:
                batch.validate()
                require_indices(batch)
        except damage as error:
            raise DamagedError(f"{name} is damaged: {str(error).splitlines()[0]}") from None
        if batch is None:
            break
        rows = Rows(table, name, columns, {}, np.arange(start, start + batch.num_rows))
        start += batch.num_rows
        rows.values = {column: _converted(name, column, batch[column], role, columns) for column, role in wanted.items()}
        _refuse_not_utf8(rows, [column for column, role in wanted.items() if role == "text"])
        yield rows
    if start == 1:
        yield Rows(table, name, columns, {column: pa.array([], ARROW[role]) for column, role in wanted.items()}, np.arange(0))


def require_indices(batch: pa.RecordBatch) -> None:
    """Raises `ArrowInvalid` for indices beyond the dictionary, which Parquet's reader lets through.

    Arrow's own full validation would refuse the whole file for one text that is not UTF-8.
    """
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and len(column.indices) > column.indices.null_count:
            ends = pc.min_max(column.indices).as_py()
            if ends["min"] < 0 or ends["max"] >= len(column.dictionary):
                raise pa.ArrowInvalid(f"index {ends['max']} in a dictionary of {len(column.dictionary)}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _converted(name: str, column: str, values: pa.Array, role: Role, columns: dict[str, str]) -> pa.Array:
    """The column in the type of its role; whole numbers are text too, as pandas writes an id column with gaps."""
    kind = values.type
    if role == "text" and pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        return pa.DictionaryArray.from_arrays(values.indices.cast(pa.int32()), values.dictionary.cast(pa.string()))
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    try:
        if role == "date":
            return dates(values)
        if role == "text" and pa.types.is_floating(kind):
            values, kind = values.cast(pa.int64()), pa.int64()
        fits = {
            "text": _is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind),
            "number": pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind),
            "bytes": pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
        }[role]
        if fits and role == "text" and pa.types.is_integer(kind):
            coded = pc.dictionary_encode(values)  # each distinct number becomes text once
            return pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string()))
        if fits:
            converted = values.cast(ARROW[role], safe=role != "number")
            return pc.dictionary_encode(converted) if role == "text" else converted
    except pa.ArrowInvalid as error:
        said = f"{name}: column {column!r} is {kind} and does not convert to {role}: {error}"
        raise ColumnError(name, column, columns, said) from None
    allowed = {"text": "text or whole numbers", "number": "numbers", "bytes": "binary", "date": "dates"}[role]
    raise ColumnError(name, column, columns, f"{name}: column {column!r} is {kind}, allowed: {allowed}")


def _refuse_not_utf8(rows: Rows, columns: list[str]) -> None:
    broken_N = np.zeros(len(rows.lines_N), bool)
    for column in columns:
        coded = rows.values[column]
        texts, broken_V = mend(coded.dictionary)
        if broken_V.any():
            rows.values[column] = pa.DictionaryArray.from_arrays(coded.indices, texts)
            broken_N |= pc.fill_null(pa.array(broken_V).take(coded.indices), False).to_numpy(zero_copy_only=False)
    if broken_N.any():
        rows.refuse(pa.array(broken_N), "text is not UTF-8", columns[0])
