"""Snapshots of a database on disk: Parquet parts named by their sha256, a base and the increments after it.

A lock names parts, and a part never changes; so what a lock names can be read as long as its parts are kept. `kindex gc`
removes those that no lock names, neither the present one nor one of a branch or a tag. A base of many rows is dealt out to
buckets by the first bits of the rows' keys, so that neither writing nor reading it needs more memory than one bucket does.
"""

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.errors import DamagedError
from kindex.core.files import fault_point, sync_folder
from kindex.sources import NotAsLockedError
from kindex.sources.parts.sqlentries import HEAD, NONE, Heads, last, schema

BUCKET = 1 << 21
"""Rows that are sorted in memory at a time."""

SHA256 = re.compile("[0-9a-f]{64}")

Part = dict[str, Any]
"""Of a lock: sha256, bytes and rows (entries) of the file, its generation, and which bucket of how many it is."""


def buckets_of(rows: int) -> int:
    """A power of two."""
    return 1 << max(0, (max(rows, 1) - 1) // BUCKET).bit_length()


class Store:
    """The parts below one folder. Written parts are durable before they have their names."""

    def __init__(self, folder: Path, dry: bool = False) -> None:
        self.folder, self.dry = folder, dry  # a dry one names the parts and keeps none

    def path(self, part: Part) -> Path:
        if not SHA256.fullmatch(str(part.get("sha256"))):
            raise DamagedError(f"a part of the snapshot is called {part.get('sha256')!r}, which is no sha256")
        return self.folder / f"{part['sha256']}.parquet"

    def write(self, table: pa.Table, generation: int, bucket: int = 0, buckets: int = 1) -> Part:
        """Equal tables give equal files, which are there once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            texts = [name for name in table.column_names if name not in HEAD.names]
            fault_point("write a part of the snapshot")
            pq.write_table(table, temporary, compression="zstd", compression_level=3, use_dictionary=texts)
            with temporary.open("rb+") as handle:
                sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
                size = handle.seek(0, os.SEEK_END)
                fault_point("fsync a part of the snapshot")
                os.fsync(handle.fileno())
            fault_point("rename a part of the snapshot")
            if not self.dry:
                temporary.replace(self.folder / f"{sha256}.parquet")
                sync_folder(self.folder)
        finally:
            temporary.unlink(missing_ok=True)
        about = {"sha256": sha256, "bytes": size, "rows": table.num_rows}
        return {**about, "generation": generation, "bucket": bucket, "buckets": buckets}

    def heads(self, parts: Sequence[Part]) -> Heads:
        """The last entry of each row that the parts tell of. Raises as `replay` does."""
        found = [Heads.of(table) for table in self._last(parts, HEAD)]
        return Heads(*(np.concatenate([getattr(one, f"{name}_N") for one in found]) for name in HEAD.names)) if found else NONE

    def replay(self, parts: Sequence[Part], columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows that there are, ascending by key and copy, with head and values, some at a time.

        Raises `NotAsLockedError` for a part that is missing and `DamagedError` for one that is not what its name says.
        """
        for table in self.last_entries(parts, columns):
            yield table.filter(pc.invert(table["gone"]))

    def last_entries(self, parts: Sequence[Part], columns: Sequence[str]) -> Iterator[pa.Table]:
        """As `replay`, with the rows that went."""
        return self._last(parts, schema(columns))

    def _last(self, parts: Sequence[Part], wanted: pa.Schema) -> Iterator[pa.Table]:
        with ExitStack() as stack:
            files = [(part, stack.enter_context(self._opened(part))) for part in parts]
            buckets = max([part["buckets"] for part in parts], default=1)
            for bucket in range(buckets if parts else 0):
                tables = [
                    (part["generation"], self._read(part, handle, wanted, bucket, buckets))
                    for part, handle in files
                    if part["bucket"] == bucket * part["buckets"] // buckets
                ]
                whole = pa.concat_tables([wanted.empty_table(), *(table for _, table in tables)])
                generation_N = np.repeat([number for number, _ in tables], [table.num_rows for _, table in tables])
                yield whole.take(pa.array(last(Heads.of(whole), generation_N)))

    def _opened(self, part: Part) -> BinaryIO:
        path = self.path(part)
        try:
            handle = path.open("rb")
        except FileNotFoundError:
            raise NotAsLockedError(f"{path} is missing, a part of the snapshot that is locked") from None
        if hashlib.file_digest(handle, "sha256").hexdigest() != part["sha256"]:
            handle.close()
            raise DamagedError(f"{path} is damaged: its sha256 is not its name. Remove it and lock the source again")
        return handle

    def _read(self, part: Part, handle: BinaryIO, wanted: pa.Schema, bucket: int, buckets: int) -> pa.Table:
        handle.seek(0)
        try:
            table = pq.ParquetFile(handle).read(columns=wanted.names).cast(wanted)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise DamagedError(f"{self.path(part)} is not a part of a snapshot: {str(error).splitlines()[0]}") from None
        return table if part["buckets"] == buckets else table.filter(pa.array(bucket_of(table, buckets) == bucket))

    def clean(self) -> None:
        """Remove what killed runs left. A day is long enough for any that is still writing. Parts stay: see `kindex gc`."""
        for path in self.folder.glob(".*.tmp"):
            if path.lstat().st_mtime < time.time() - 86_400:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def keep_only(self, named: Iterable[Part]) -> None:
        """Remove all parts but these."""
        used = {self.path(part) for part in named}
        for path in self.folder.glob("*.parquet"):
            if path not in used:
                path.unlink(missing_ok=True)
        sync_folder(self.folder)


def bucket_of(table: pa.Table, buckets: int) -> np.ndarray:
    """The bucket of each row (N), from the first bits of its key."""
    key_N = table["key"].to_numpy()
    return key_N >> np.uint64(65 - buckets.bit_length()) if buckets > 1 else np.zeros(len(key_N), np.uint64)
