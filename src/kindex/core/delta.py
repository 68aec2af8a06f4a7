"""What changed in a catalogue since a release: a hash of each row, and one of all rows that touch an item.

A row's `key` says which row it is, its `content` what it holds, both 64 bits: of a hundred million rows two share a key with
a probability of 3e-4. The *evidence* of an item is a sum of hashes, so that it depends on no order and shows rows that went.
Hashing costs the distinct texts and a few operations of numpy for each row. The hashes of rows are never all in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.catalogue import Catalogue, read_table, write_table
from kindex.core.errors import DamagedError
from kindex.core.rowhash import HASHES, HashedTable, Rows
from kindex.core.tables import reading

ENTITIES = pa.schema([("kind", pa.string()), ("id", pa.string()), ("evidence", pa.uint64())])
"""What touches each item; ascending by kind and id."""


ROW = pa.schema([(name, pa.from_numpy_dtype(HASHES[name])) for name in HASHES.names or ()])
"""`HASHES` in a file."""


@dataclass(frozen=True)
class Changes:
    """Rows that came, that hold something else, and that went."""

    rows: int
    added: int
    changed: int
    removed: int

    @classmethod
    def between(cls, former: Rows, now: Rows) -> "Changes":
        """Raises `DamagedError` when the former rows come from a file that holds something else."""
        before, known, same = Ahead(former), 0, 0
        for today_N in now.pieces():
            then_M = before.up_to(today_N["key"][-1])
            if not len(then_M):
                continue
            at_N = np.minimum(np.searchsorted(then_M["key"], today_N["key"]), len(then_M) - 1)
            known += int((then_M["key"][at_N] == today_N["key"]).sum())
            same += int((then_M[at_N] == today_N).sum())
        return cls(len(now), len(now) - known, known - same, len(former) - known)

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


class Ahead:
    """Rows that are read along with others."""

    def __init__(self, rows: Rows) -> None:
        self._pieces, self._read = rows.pieces(), np.zeros(0, HASHES)

    def up_to(self, key: np.uint64) -> np.ndarray:
        """The next `HASHES`, whose keys are `key` or less."""
        parts = [self._read]
        while not len(parts[-1]) or parts[-1]["key"][-1] <= key:
            if (piece_N := next(self._pieces, None)) is None:
                break
            parts.append(piece_N)
        found_N = np.concatenate(parts)
        end = int(np.searchsorted(found_N["key"], key, side="right"))
        self._read = found_N[end:]
        return found_N[:end]


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of the rows of each table, and what touches each item, as `ENTITIES`."""

    rows: dict[str, Rows]
    entities: pa.Table

    def write(self, folder: Path) -> None:
        """One Parquet file for each table, and `entities.parquet`; equal catalogues give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind, rows in self.rows.items():
            with pq.ParquetWriter(folder / f"{kind}.parquet", ROW, compression="zstd", compression_level=3) as file:
                for piece_N in rows.pieces():
                    file.write_table(pa.table({name: np.ascontiguousarray(piece_N[name]) for name in ROW.names}))
        write_table(folder / "entities.parquet", self.entities)


def read_fingerprint(folder: Path, tables: Sequence[str]) -> Fingerprint:
    """What `Fingerprint.write` wrote; the hashes of rows are read when they are asked for.

    Raises `DamagedError` naming a file that is missing or holds something else, then and later.
    """
    rows = {}
    for kind in tables:
        path = folder / f"{kind}.parquet"
        with reading(path), pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(ROW):
                raise DamagedError(f"{path} holds no hashes of rows")
            rows[kind] = Rows(file.metadata.num_rows, partial(_pieces, path))
    return Fingerprint(rows, _columns(folder / "entities.parquet", ENTITIES.names).cast(ENTITIES))


def _pieces(path: Path) -> Iterator[np.ndarray]:
    last = -1
    with reading(path), pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            piece_N = np.empty(table.num_rows, HASHES)
            for name in ROW.names:
                piece_N[name] = table[name].to_numpy()
            key_N = piece_N["key"]
            if (key_N[1:] <= key_N[:-1]).any() or int(key_N[0]) <= last:
                raise DamagedError(f"{path} holds no ascending hashes of rows")
            last = int(key_N[-1])
            yield piece_N


def _columns(path: Path, names: Sequence[str]) -> pa.Table:
    table = read_table(path)
    if missing := [name for name in names if name not in table.column_names]:
        raise DamagedError(f"{path} has no column {missing[0]!r}")
    return table.select(list(names))


def fingerprint(catalogue: Catalogue, tables: Sequence[str], scratch: Path) -> Fingerprint:
    """The hashes of these tables of the catalogue. Order, batches and repeated rows change nothing.

    While it is used, the hashes of rows lie in nameless files below `scratch`.
    """
    hashed = {kind: HashedTable(kind, catalogue.part(kind), scratch) for kind in tables}
    return Fingerprint({kind: one.rows for kind, one in hashed.items()}, _entities(list(hashed.values())))


def touched(former: pa.Table, now: pa.Table) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """From two tables of `ENTITIES`: ids by kind that are new or have other evidence, and ids that went; ascending."""
    other, gone = {}, {}
    for kind in sorted({*former["kind"].unique().to_pylist(), *now["kind"].unique().to_pylist()}):
        before, after = (table.filter(pc.equal(table["kind"], kind)).combine_chunks() for table in (former, now))
        at_N = pc.index_in(after["id"], before["id"].combine_chunks())
        same_N = pc.fill_null(pc.equal(before["evidence"].take(at_N), after["evidence"]), False)
        other[kind] = after["id"].filter(pc.invert(same_N)).to_pylist()
        gone[kind] = before["id"].filter(pc.invert(pc.is_in(before["id"], after["id"].combine_chunks()))).to_pylist()
    return other, gone


def _entities(hashed: Sequence[HashedTable]) -> pa.Table:
    """The evidence of all tables together."""
    parts = []
    for one in hashed:
        ids = next(codes for name, codes in one.texts.items() if name in ("left", "id"))
        for kind, (sum_V, seen_V) in one.evidence.items():
            code_U = np.flatnonzero(seen_V)
            columns = [pa.array([kind] * len(code_U), pa.string()), ids.texts.take(pa.array(code_U)), pa.array(sum_V[code_U])]
            parts.append(pa.Table.from_arrays(columns, schema=ENTITIES))
    whole = pa.concat_tables([ENTITIES.empty_table(), *parts]).sort_by([("kind", "ascending"), ("id", "ascending")])
    if sum(bool(one.evidence) for one in hashed) < 2 or not whole.num_rows:
        return whole
    begin_E = np.flatnonzero(np.concatenate([[True], _differs(whole["kind"]) | _differs(whole["id"])]))
    summed = np.add.reduceat(whole["evidence"].to_numpy(), begin_E)
    return whole.take(pa.array(begin_E)).set_column(2, ENTITIES.field(2), pa.array(summed)).combine_chunks()


def _differs(texts: pa.ChunkedArray) -> np.ndarray:
    """Whether each text but the first differs from the one before."""
    whole = texts.combine_chunks()
    return pc.not_equal(whole[1:], whole[:-1]).to_numpy(zero_copy_only=False)
