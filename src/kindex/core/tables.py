"""Tables that need not be in memory: opened by name, read whole when asked for, or streamed in batches of rows.

Links are the one kind of table with hundreds of millions of rows, and their ids repeat. So batches carry ids and kinds as
dictionaries, which the batches of one row group share. How they are written: `kindex.core.writer`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError

ROWS = 1 << 20
"""The most rows of a batch."""

ROW_GROUP = 1 << 22
"""Rows of a row group of a file: the larger, the fewer texts stand in several groups; a reader holds one as small numbers."""

Batches = Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Stream:
    """A table that is read in batches, any number of times, in one order. `schema` has plain strings, as the whole table."""

    schema: pa.Schema
    num_rows: int
    batches: Batches  # of the columns named, or of all: string columns as dictionaries, at most `ROWS` rows each
    whole: Callable[[], pa.Table] | None = None
    half: "tuple[Stream, np.ndarray] | None" = None  # some rows of another stream: see `kept`

    def table(self) -> pa.Table:
        """All of it, strings plain."""
        if self.whole is not None:
            return self.whole()
        return pa.Table.from_batches([plain(batch) for batch in self.batches(None)], self.schema)


class Tables(Mapping[str, pa.Table]):
    """Tables by kind. One that is on disk is read when it is first asked for, and kept."""

    def __init__(self, parts: Mapping[str, pa.Table | Stream]) -> None:
        self._parts = dict(parts)
        self._whole: dict[str, pa.Table] = {}

    def __getitem__(self, kind: str) -> pa.Table:
        part = self._parts[kind]
        if isinstance(part, pa.Table):
            return part
        if kind not in self._whole:
            self._whole[kind] = part.table()
        return self._whole[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, kind: object) -> bool:
        return kind in self._parts  # a Mapping's own would read the table

    def part(self, kind: str) -> pa.Table | Stream:
        """The table as it is held, without reading it."""
        return self._parts[kind]


def opened(path: Path) -> Stream:
    """The Parquet file as a stream: only its footer is read. Raises `DamagedError` naming the file, then and later."""
    with reading(path), path.open("rb") as handle:
        if handle.read(4) != b"PAR1":
            raise DamagedError(f"{path} is not readable Parquet: it does not begin as one")
    with reading(path), pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    return Stream(schema, rows, lambda columns: _from_file(path, schema, columns), lambda: read_whole(path))


def read_whole(path: Path) -> pa.Table:
    """A Parquet file as a table. Raises `DamagedError` naming the file."""
    with reading(path), pq.ParquetFile(path) as file:  # `pq.read_table` would import pandas, by way of pyarrow.dataset
        return file.read()


def streamed(table: pa.Table) -> Stream:
    """A table in memory as a stream."""
    return Stream(table.schema, table.num_rows, lambda columns: _from_memory(table, columns))


def kept(stream: Stream, keep_N: np.ndarray, without: str = "") -> Stream:
    """The rows of `stream` where `keep_N` is true, and all its columns but `without`."""
    schema = pa.schema([field for field in stream.schema if field.name != without])

    def batches(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in stream.batches(schema.names if columns is None else columns):
            yield batch.filter(pa.array(keep_N[start : start + batch.num_rows]))
            start += batch.num_rows

    return Stream(schema, int(np.count_nonzero(keep_N)), batches, half=(stream, keep_N))


def _from_file(path: Path, schema: pa.Schema, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    names = list(schema.names if columns is None else columns)
    with reading(path), pq.ParquetFile(path, read_dictionary=texts, buffer_size=1 << 20, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            yield from _batches(file.read_row_group(number, columns=names).select(names))


def _from_memory(table: pa.Table, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    chosen = table if columns is None else table.select(list(columns))
    for start in range(0, chosen.num_rows, ROW_GROUP):
        yield from _batches(chosen.slice(start, ROW_GROUP))


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows with strings as dictionaries, which all batches share."""
    columns = [_one_dictionary(column) if _has_texts(column.type) else column for column in table.columns]
    yield from pa.table(columns, names=table.column_names).to_batches(max_chunksize=ROWS)


def _has_texts(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _one_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    return coded.unify_dictionaries() if coded.num_chunks > 1 else coded


def place(dictionary: pa.Array) -> tuple[int, ...]:
    """Where an array lies in memory: arrays that live at the same time and place are the same."""
    return (dictionary.offset, len(dictionary), *(buffer.address if buffer else 0 for buffer in dictionary.buffers()))


def encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with strings as dictionaries (int32 indices); what is no string stays."""
    columns = [pc.dictionary_encode(column) if pa.types.is_string(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with dictionaries as strings."""
    columns = [column.dictionary_decode() if pa.types.is_dictionary(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what Arrow and the system raise while `path` is read into `DamagedError`, which names it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DamagedError(f"{path} is not readable Parquet: {str(error).splitlines()[0]}") from error


def batches_of(part: pa.Table | Stream, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    return (streamed(part) if isinstance(part, pa.Table) else part).batches(columns)
