"""Reading one table of a database: all rows, or those since a watermark, as entries; and what of them is new."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.sources.parts.sqldatabase import Database, quoted
from kindex.sources.parts.sqlentries import TOMBSTONE, Heads, hashes, is_gone, moment, schema, watermarks
from kindex.sources.parts.sqlspill import Spill


@dataclass(frozen=True)
class Asked:
    """What is read of a table or query, `relation` in SQL. Without `key`, rows are told apart by all their values."""

    name: str
    relation: str
    table: str
    values: tuple[str, ...]
    key: tuple[str, ...]
    watermark: str
    overlap: float
    tombstone: str
    compare: str

    @property
    def columns(self) -> list[str]:
        named = [*self.values, *self.key, self.watermark, self.tombstone]
        return sorted({name for name in named if name})

    def about(self) -> dict[str, Any]:
        """What a snapshot is of: with another key or other columns, its entries say nothing."""
        lists = {"values": list(self.values), "key": list(self.key)}
        texts = {"relation": self.relation, "watermark": self.watermark, "tombstone": self.tombstone, "compare": self.compare}
        return {**lists, **texts}

    def since(self, watermark: str, driver: str) -> str:
        """The condition for rows from the watermark on, less the overlap. Rows without a watermark are always read."""
        low, column = lowest(watermark, self.overlap, driver), f"t.{quoted(self.watermark)}"
        return f"({column} >= {low} OR {column} IS NULL)" if low else ""


def lowest(watermark: str, overlap: float, driver: str) -> str:
    """SQL for the least value that is read again; it is made of numbers and dates only, whatever a lock says."""
    try:
        number = float(watermark) - overlap
        return str(int(number)) if number.is_integer() else repr(number)
    except ValueError:
        pass
    try:
        low = datetime.fromisoformat(watermark.strip()) - timedelta(seconds=overlap)
    except (ValueError, OverflowError):
        return ""
    # SQLite compares dates as texts: that of the day is below every time of the day, however it is written
    return f"'{low.date().isoformat()}'" if driver == "sqlite" else f"'{low.isoformat(sep=' ')}'"


def entries(database: Database, asked: Asked, where: str = "") -> Iterator[tuple[pa.Table, pa.Array | None]]:
    """The rows as entries, some at a time, and their watermarks as the database writes them."""
    columns = asked.columns
    for arrays in database.rows(columns, asked.relation, where):
        of = dict(zip(columns, arrays, strict=True))
        rows = len(arrays[0])
        gone_N = is_gone(of[asked.tombstone]) if asked.tombstone else np.zeros(rows, bool)
        row_N = np.where(gone_N, TOMBSTONE, hashes([of[name] for name in asked.values], "row"))
        key_N = hashes([of[name] for name in asked.key], "key") if asked.key else row_N
        at_N = watermarks(of[asked.watermark]) if asked.watermark else np.full(rows, -np.inf)
        there = pa.array(~gone_N)
        values = [pc.if_else(there, of[name], pa.scalar(None, pa.binary())) for name in asked.values]
        head = [pa.array(part) for part in (key_N, np.zeros(rows, np.int32), row_N, at_N, gone_N)]
        table = pa.Table.from_arrays([*head, *values], schema=schema(asked.values))
        yield (table if asked.key else table.filter(there)), of.get(asked.watermark)


@dataclass(frozen=True)
class Read:
    """Of all rows that were read: their heads, in the order in which they came; and the highest watermark."""

    heads: Heads
    watermark: str | None


def read(database: Database, asked: Asked, where: str, state: Heads, spill: Spill) -> Read:
    """Read rows; those that `state` does not have so go to `spill`, with their values."""
    best: tuple[float, str | None] = (-np.inf, None)
    found, now = [state.take(np.zeros(0, np.int64))], None
    for table, marks in entries(database, asked, where):
        heads = Heads.of(table)
        found.append(heads)
        at_N, known_N = state.find(heads.key_N)
        if len(state):
            known_N = known_N & (state.row_N[at_N] == heads.row_N) & (state.gone_N[at_N] == heads.gone_N)
        spill.add(table.filter(pa.array(~known_N)))
        if marks is not None and table.num_rows:
            if now is None:
                now = database.now()
            best = max(best, _highest(heads.at_N, marks, now), key=lambda pair: pair[0])
    names = ("key_N", "copy_N", "row_N", "at_N", "gone_N")
    return Read(Heads(*(np.concatenate([getattr(one, name) for one in found]) for name in names)), best[1])


def _highest(at_N: np.ndarray, marks: pa.Array, now: float) -> tuple[float, str | None]:
    """The highest watermark and its text. A date to come is none: it would hide the rows of the days until then."""
    finite_N = np.isfinite(at_N)
    if finite_N.any() and _is_date(marks[int(np.argmax(finite_N))].as_py()):
        finite_N &= at_N <= now
    if not finite_N.any():
        return -np.inf, None
    row = int(np.argmax(np.where(finite_N, at_N, -np.inf)))
    return float(at_N[row]), marks[row].as_py().decode()


def _is_date(text: bytes) -> bool:
    try:
        float(text)
        return False
    except ValueError:
        return bool(moment(text.decode()))


def keys(database: Database, asked: Asked) -> np.ndarray:
    """The keys (K uint64, ascending, each once) of all rows that there are."""
    found = [hashes(list(arrays), "key") for arrays in database.rows(asked.key, asked.relation)]
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))
