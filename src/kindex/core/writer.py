"""Writing tables as Parquet a row group at a time; equal tables give equal bytes, whatever batches they came in."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.tables import ROW_GROUP, Stream, encoded, place


def write_stream(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write the batches as one file. String columns may come as dictionaries or plain, and are read as strings."""
    with Writer(path, schema) as writer:
        for batch in batches:
            writer.write(batch)


def write_halves(paths: Sequence[Path], schema: pa.Schema, halves: Sequence[tuple[Stream, np.ndarray]]) -> None:
    """Write streams that are rows of the same stream (see `kindex.core.tables.kept`), which is read once."""
    start = 0
    with ExitStack() as stack:
        writers = [stack.enter_context(Writer(path, schema)) for path in paths]
        for batch in halves[0][0].batches(schema.names):
            for writer, (_, keep_N) in zip(writers, halves, strict=True):
                writer.write(batch.filter(pa.array(keep_N[start : start + batch.num_rows])))
            start += batch.num_rows


class Writer:
    """A Parquet file that is being written, in row groups of exactly `ROW_GROUP` rows but for the last."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        coded = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema([(field.name, coded if field.name in texts else field.type) for field in schema])
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0
        self._file = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=texts,
            dictionary_pagesize_limit=1 << 30,  # a column of ids stays a dictionary, however many they are
            store_schema=False,  # it would say "dictionary", and the table is one of strings
        )

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._waiting.append(_lean(encoded(batch.select(self._schema.names))))
        self._rows += batch.num_rows
        while self._rows >= ROW_GROUP:
            self._flush(ROW_GROUP)

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        group, rest = table.slice(0, rows), table.slice(rows)
        self._waiting, self._rows = rest.to_batches(), rest.num_rows
        columns = [compact(column) if pa.types.is_dictionary(column.type) else column for column in group.columns]
        del table, group  # as many rows again
        self._file.write_table(pa.table(columns, schema=self._schema), row_group_size=ROW_GROUP)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None and self._rows:
            self._flush(self._rows)
        self._file.close()


def _lean(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A few rows out of many must not keep all the texts of the many waiting with them."""
    columns = [
        compact(pa.chunked_array([column]))
        if pa.types.is_dictionary(column.type) and len(column.dictionary) > len(column)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def compact(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One dictionary of the texts that occur, in order of first appearance, whatever dictionaries the chunks had.

    Chunks that follow each other and share a dictionary cost no look at its texts.
    """
    parts = []
    for _, chunks in groupby(column.chunks, lambda chunk: place(chunk.dictionary)):
        alike = list(chunks)
        used = pc.dictionary_encode(pa.concat_arrays([chunk.indices for chunk in alike]))
        parts.append(pa.DictionaryArray.from_arrays(used.indices, alike[0].dictionary.take(used.dictionary)))
    if len(parts) == 1:
        return parts[0]
    together = pa.chunked_array(parts, column.type).unify_dictionaries().chunks  # new texts come after those of former parts
    return pa.concat_arrays(together) if together else pa.array([], column.type)
