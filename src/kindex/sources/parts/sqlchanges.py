"""What a table of a database is now against what a snapshot says: only what differs becomes entries."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.sources.parts.sqldatabase import Database
from kindex.sources.parts.sqlentries import ABSENT, Heads, last
from kindex.sources.parts.sqlreading import Asked, entries, keys, read
from kindex.sources.parts.sqlspill import Spill


@dataclass
class Moved:
    """Rows that came, that hold something else, and that went; and how many were read to see it."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    read: int = 0


@dataclass
class Change:
    """`pick` makes the new entries of some rows that were read; `removed` are the entries that rows had which went."""

    pick: Callable[[pa.Table], pa.Table]
    removed: Heads
    moved: Moved = field(default_factory=Moved)
    watermark: str | None = None


def by_key(database: Database, asked: Asked, state: Heads, mark: str | None, spill: Spill) -> Change:
    """Rows that columns name: those from the watermark `mark` on, or all. `state` is the last entry of each known row."""
    where = asked.since(mark, database.place.driver) if mark is not None else ""
    present_K = keys(database, asked) if where and asked.compare == "keys" else None
    found = read(database, asked, where, state, spill)
    moved = Moved(read=len(found.heads))
    if present_K is not None and not (_there(state, present_K) | np.isin(present_K, found.heads.key_N)).all():
        where = ""  # a row is there that was never read, or was gone: it came later than the overlap allows for
        found = read(database, asked, where, state, spill)
        moved.read += len(found.heads)
    now = found.heads.take(_last(found.heads))
    at_M, known_M = state.find(now.key_N)
    changed_M, was_M = np.ones(len(now), bool), np.zeros(len(now), bool)
    if len(state):
        changed_M = ~(known_M & (state.row_N[at_M] == now.row_N) & (state.gone_N[at_M] == now.gone_N))
        was_M = known_M & ~state.gone_N[at_M]
        if where:  # an older version of a row, which came late
            changed_M &= ~(known_M & (now.at_N < state.at_N[at_M]))
        else:  # all rows were read, and this is the row, whatever its watermark says
            now.at_N[known_M] = np.maximum(now.at_N, state.at_N[at_M])[known_M]
    moved.added = int((changed_M & ~was_M & ~now.gone_N).sum())
    moved.changed = int((changed_M & was_M & ~now.gone_N).sum())
    moved.removed = int((changed_M & was_M & now.gone_N).sum())
    removed_N = np.zeros(len(state), bool)
    if asked.compare == "keys":
        present_K = now.key_N if present_K is None or not where else present_K
        removed_N = ~state.gone_N & ~np.isin(state.key_N, present_K)
        moved.removed += int(removed_N.sum())
    key_C, at_C = now.key_N[changed_M], now.at_N[changed_M]

    def pick(table: pa.Table) -> pa.Table:
        table = table.take(pa.array(_last(Heads.of(table))))
        place_N = np.minimum(np.searchsorted(key_C, table["key"].to_numpy()), max(len(key_C) - 1, 0))
        kept_N = key_C[place_N] == table["key"].to_numpy() if len(key_C) else np.zeros(table.num_rows, bool)
        return _with(table.filter(pa.array(kept_N)), "at", at_C[place_N[kept_N]])

    return Change(pick, state.take(removed_N), moved, found.watermark)


def by_values(database: Database, asked: Asked, state: Heads, spill: Spill) -> Change:
    """All rows, which nothing names but what they hold: those that are alike are counted. `state` has no row that went."""
    found = read(database, asked, "", state, spill)
    key_K, count_K = np.unique(found.heads.key_N, return_counts=True)
    was_S, had_S = np.unique(state.key_N, return_counts=True)
    had_K = _looked_up(was_S, had_S, key_K)
    more_K = np.maximum(count_K - had_K, 0)
    again_K = key_K[(had_K > 0) & (more_K > 0)]
    if len(again_K):  # rows that there is one more of: what they hold was not kept, for the snapshot knows it
        for table, _ in entries(database, asked):
            spill.add(table.filter(pa.array(np.isin(table["key"].to_numpy(), again_K))))
    removed = state.take(state.copy_N >= _looked_up(key_K, count_K, state.key_N))
    moved = Moved(int(more_K.sum()), 0, len(removed), len(found.heads))

    def pick(table: pa.Table) -> pa.Table:
        key_U, first_U = np.unique(table["key"].to_numpy(), return_index=True)
        more_U, had_U = _looked_up(key_K, more_K, key_U), _looked_up(key_K, had_K, key_U)
        begins_U = np.cumsum(more_U) - more_U
        copy_N = np.arange(int(more_U.sum())) - np.repeat(begins_U, more_U) + np.repeat(had_U, more_U)
        return _with(table.take(pa.array(np.repeat(first_U, more_U))), "copy", copy_N.astype(np.int32))

    return Change(pick, removed, moved)


def _there(state: Heads, key_K: np.ndarray) -> np.ndarray:
    """Whether each key (K bool) was there when it was last looked for."""
    at_K, known_K = state.find(key_K)
    return known_K & ~(state.gone_N[at_K] & (state.row_N[at_K] == ABSENT)) if len(state) else known_K


def gone(heads: Heads, schema: pa.Schema) -> pa.Table:
    """Entries that say that these rows went: without values, and with the watermarks that the rows had."""
    rows = len(heads)
    columns = [pa.array(heads.key_N), pa.array(heads.copy_N), pa.array(np.full(rows, ABSENT)), pa.array(heads.at_N)]
    empty = [pa.nulls(rows, field.type) for field in list(schema)[5:]]
    return pa.Table.from_arrays([*columns, pa.array(np.ones(rows, bool)), *empty], schema=schema)


def _last(heads: Heads) -> np.ndarray:
    """Positions of the last entry of each row among those that were read together."""
    return last(heads, np.zeros(len(heads), np.int64))


def _looked_up(key_K: np.ndarray, value_K: np.ndarray, key_N: np.ndarray) -> np.ndarray:
    """The value of each key (N), 0 for one that is not in `key_K`, which ascends."""
    if not len(key_K):
        return np.zeros(len(key_N), np.int64)
    at_N = np.minimum(np.searchsorted(key_K, key_N), len(key_K) - 1)
    return np.where(key_K[at_N] == key_N, value_K[at_N], 0)


def _with(table: pa.Table, name: str, values_N: np.ndarray) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pc.cast(pa.array(values_N), table.schema.field(place).type))
