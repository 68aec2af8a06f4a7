"""The snapshot of one table of a database: a base and the increments after it, moved on night by night.

The parts become one new base, made of them alone, when there are more than `INCREMENTS` increments or when these hold more
than `LARGE` of the entries of the base.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from kindex.core.errors import DamagedError
from kindex.sources import MissingColumnError, NotAsLockedError
from kindex.sources.parts.sqlchanges import Change, Moved, by_key, by_values, gone
from kindex.sources.parts.sqldatabase import Database
from kindex.sources.parts.sqlentries import NONE, Heads, last, number, schema
from kindex.sources.parts.sqlreading import Asked
from kindex.sources.parts.sqlspill import Spill
from kindex.sources.parts.sqlstore import Part, Store, bucket_of

INCREMENTS = 30
LARGE = 0.5

Snapshot = dict[str, Any]


def advance(database: Database, asked: Asked, store: Store, former: Snapshot | None, fresh: bool) -> tuple[Snapshot, Moved]:
    """The snapshot of the table as it is now: `former` when its rows are as they were. `fresh` ignores the watermark.

    Raises `MissingColumnError` for a column that was never there. When one went, the snapshot says so and keeps its rows, and
    ingest stops with a table of differences.
    """
    columns, about = database.columns(asked.relation, asked.table), asked.about()
    former = former if former is not None and former.get("of") == about else None
    for name in asked.columns:
        if name in columns:
            continue
        if former is None:
            raise MissingColumnError(asked.name, name, columns)
        return {**former, "columns": columns}, Moved()
    former, state = _state(store, former)
    parts: list[Part] = former["parts"] if former else []
    generation = max((part["generation"] for part in parts), default=-1) + 1
    mark = former["watermark"] if former else None
    with Spill(store.folder, schema(asked.values)) as spill:
        if asked.key:
            change = by_key(database, asked, state, None if fresh else mark, spill)
        else:
            state = state.take(~state.gone_N)
            change = by_values(database, asked, state, spill)
        made = list(_written(store, spill, change, generation))
    if former and not made:
        return {**former, "columns": columns}, change.moved
    moved = change.moved
    return {
        "of": about,
        "columns": columns,
        "parts": compacted(store, [*parts, *made], asked),
        "watermark": _later(mark, change.watermark),
        "rows": state.alive + moved.added - moved.removed,
    }, moved


def compacted(store: Store, parts: list[Part], asked: Asked, force: bool = False) -> list[Part]:
    """The parts, or a new base that says the same, which holds no values of rows that went."""
    begin = min((part["generation"] for part in parts), default=0)
    base = sum(part["rows"] for part in parts if part["generation"] == begin)
    later = [part for part in parts if part["generation"] > begin]
    few = len(later) <= INCREMENTS and sum(part["rows"] for part in later) <= LARGE * base
    if not force and (few or store.dry):
        return parts
    with Spill(store.folder, schema(asked.values)) as spill:
        for table in store.last_entries(parts, asked.values):
            # of a row without a key that went nothing is needed; one with a key may come once more, with an older watermark
            spill.add(table if asked.key else table.filter(pa.array(~Heads.of(table).gone_N)))
        change = Change(lambda table: table, NONE)
        return list(_written(store, spill, change, max(part["generation"] for part in parts)))


def _state(store: Store, former: Snapshot | None) -> tuple[Snapshot | None, Heads]:
    """The last entry of each row. Lost or damaged parts count as none: reading all again is the cure."""
    if former is None:
        return None, NONE
    try:
        return former, store.heads(former["parts"])
    except (NotAsLockedError, DamagedError):
        return None, NONE


def _written(store: Store, spill: Spill, change: Change, generation: int) -> Iterator[Part]:
    for bucket, buckets, table in spill.buckets():
        went = gone(change.removed, spill.schema)
        here = went.filter(pa.array(bucket_of(went, buckets) == bucket)) if buckets > 1 else went
        whole = pa.concat_tables([change.pick(table), here])
        heads = Heads.of(whole)
        if len(heads):
            sorted_ = whole.take(pa.array(last(heads, heads.copy_N)))
            yield store.write(sorted_, generation, bucket, buckets)


def _later(mark: str | None, found: str | None) -> str | None:
    if mark is None or found is None:
        return found or mark
    return max(mark, found, key=lambda text: number(text.encode()))
