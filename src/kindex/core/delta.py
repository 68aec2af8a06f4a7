"""What changed in a catalogue since a release: a hash of each row, and one of all rows that touch an item.

A row's `key` says which row it is, its `content` what it holds, both 64 bits: of a hundred million rows two share a key with
a probability of 3e-4. The *evidence* of an item is a sum of hashes, so that it depends on no order and shows rows that went.
Hashing costs the distinct texts and a few operations of numpy for each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue, read_table, write_table
from kindex.core.errors import DamagedError
from kindex.core.rowhash import HashedTable, Rows
from kindex.core.tables import Stream

ENTITIES = pa.schema([("kind", pa.string()), ("id", pa.string()), ("evidence", pa.uint64())])
"""What touches each item; ascending by kind and id."""


@dataclass(frozen=True)
class Changes:
    """Rows that came, that hold something else, and that went."""

    rows: int
    added: int
    changed: int
    removed: int

    @classmethod
    def between(cls, former: Rows, now: Rows) -> "Changes":
        at_N = np.searchsorted(former.key_N, now.key_N)
        inside_N = np.minimum(at_N, max(len(former) - 1, 0))
        known_N = former.key_N[inside_N] == now.key_N if len(former) else np.zeros(len(now), bool)
        same_N = known_N & (former.content_N[inside_N] == now.content_N) if len(former) else known_N
        known, same = int(known_N.sum()), int(same_N.sum())
        return cls(len(now), len(now) - known, known - same, len(former) - known)

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of the rows of each table, and what touches each item, as `ENTITIES`."""

    rows: dict[str, Rows]
    entities: pa.Table

    def write(self, folder: Path) -> None:
        """One Parquet file for each table, and `entities.parquet`; equal catalogues give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind, rows in self.rows.items():
            write_table(folder / f"{kind}.parquet", pa.table({"key": rows.key_N, "content": rows.content_N}))
        write_table(folder / "entities.parquet", self.entities)


def read_fingerprint(folder: Path, tables: Sequence[str]) -> Fingerprint:
    """What `Fingerprint.write` wrote. Raises `DamagedError` naming a file that is missing or holds something else."""
    rows = {}
    for kind in tables:
        table = _columns(folder / f"{kind}.parquet", ("key", "content"))
        key_N, content_N = (table[name].to_numpy() for name in ("key", "content"))
        if key_N.dtype != np.uint64 or content_N.dtype != np.uint64 or (key_N[1:] <= key_N[:-1]).any():
            raise DamagedError(f"{folder / kind}.parquet holds no ascending hashes of rows")
        rows[kind] = Rows(key_N, content_N)
    return Fingerprint(rows, _columns(folder / "entities.parquet", ENTITIES.names).cast(ENTITIES))


def _columns(path: Path, names: Sequence[str]) -> pa.Table:
    table = read_table(path)
    if missing := [name for name in names if name not in table.column_names]:
        raise DamagedError(f"{path} has no column {missing[0]!r}")
    return table.select(list(names))


def fingerprint(catalogue: Catalogue, tables: Sequence[str]) -> Fingerprint:
    """The hashes of these tables of the catalogue. Order, batches and repeated rows change nothing."""
    hashed = {kind: HashedTable(kind, catalogue.part(kind)) for kind in tables}
    return Fingerprint({kind: one.rows for kind, one in hashed.items()}, _entities(list(hashed.values())))


def row_hashes(part: pa.Table | Stream, kind: str) -> Rows:
    """The hashes of one table of the kind given."""
    return HashedTable(kind, part).rows


def entities(catalogue: Catalogue, tables: Sequence[str]) -> pa.Table:
    """`ENTITIES` of these tables: every item that a row of them touches."""
    return fingerprint(catalogue, tables).entities


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
