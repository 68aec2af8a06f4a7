"""Entries that wait to be sorted: in memory while they are few, else in files by the first bits of their keys."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kindex.sources.parts.sqlstore import BUCKET, bucket_of, buckets_of

FILES = 64


class Spill:
    """Tables of one schema, added in any order. Its files go with the block."""

    def __init__(self, folder: Path, schema: pa.Schema, most: int = BUCKET) -> None:
        self.schema, self.rows, self._most = schema, 0, most
        self._folder = folder / f".spill.{uuid.uuid4().hex[:8]}.tmp"
        self._waiting: list[pa.Table] = []
        self._files: list[pq.ParquetWriter] = []

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files:
            file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        if table.num_rows:
            self._waiting.append(table)
        if sum(waiting.num_rows for waiting in self._waiting) >= self._most:
            self._flush()

    def _flush(self) -> None:
        if not self._files:
            self._folder.mkdir(parents=True)
            self._files = [pq.ParquetWriter(self._folder / str(number), self.schema) for number in range(FILES)]
        whole = pa.concat_tables([self.schema.empty_table(), *self._waiting])
        of_N, self._waiting = bucket_of(whole, FILES), []
        for number, file in enumerate(self._files):
            file.write_table(whole.filter(pa.array(of_N == number)))

    def buckets(self) -> Iterator[tuple[int, int, pa.Table]]:
        """All that was added, by bucket: its number, how many there are, and its rows."""
        if not self._files:
            yield 0, 1, pa.concat_tables([self.schema.empty_table(), *self._waiting])
            return
        self._flush()
        for file in self._files:
            file.close()
        buckets = min(FILES, buckets_of(self.rows))
        each = FILES // buckets
        for bucket in range(buckets):
            files = (pq.ParquetFile(self._folder / str(number)) for number in range(bucket * each, (bucket + 1) * each))
            yield bucket, buckets, pa.concat_tables([file.read() for file in files])
