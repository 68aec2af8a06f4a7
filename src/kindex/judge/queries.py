"""What each query scored, kept with a release, so that the next one can be compared with it query by query.

One table: kind, id, metric, value, sorted. The rows of the metric `ASKED` have no score: they name the items that a shadow
run asks of both releases, see `kindex.ask.shadow`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import read_table, write_table
from kindex.core.errors import DamagedError
from kindex.core.space import CONTEXT, Space
from kindex.core.split import id_fractions

QUERIES = pa.schema([("kind", pa.string()), ("id", pa.string()), ("metric", pa.string()), ("value", pa.float32())])
"""(metric, kind, id) is unique. The kind of a query for links names both ends, "reader book"; of others it is the item's."""

ASKED = "asked"
SHADOW = 100
"""Items of each kind that a shadow run asks, beside the golden list."""

Scores = Mapping[str, Mapping[str, tuple[Sequence[str], np.ndarray]]]
"""Ids (Q) and values (Q float, NaN: not defined) by metric, by kind of query."""


def queries_table(scores: Scores, asked: Mapping[str, Sequence[str]]) -> pa.Table:
    """The table of `QUERIES`; values that are not defined are left out."""
    parts = [_part(kind, metric, ids, values_Q) for metric, kinds in scores.items() for kind, (ids, values_Q) in kinds.items()]
    parts += [_part(kind, ASKED, ids, np.zeros(len(ids))) for kind, ids in asked.items()]
    return joined(QUERIES.empty_table(), *parts)


def joined(*parts: pa.Table | None) -> pa.Table:
    """Tables of different metrics as one, sorted."""
    whole = pa.concat_tables([part for part in parts if part is not None])
    return whole.sort_by([(name, "ascending") for name in ("metric", "kind", "id")])


def write_queries(path: Path, table: pa.Table) -> None:
    """Equal tables give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, table)


def read_queries(path: Path) -> pa.Table:
    """The table in `path`. Raises `DamagedError` naming a file that is not one."""
    table = read_table(path)
    if not table.schema.equals(QUERIES):
        raise DamagedError(f"{path} is not a table of queries: its columns are {', '.join(table.schema.names)}")
    return table


def metrics_of(table: pa.Table) -> list[str]:
    """The metrics that have values, in order of name."""
    return sorted(name for name in table["metric"].unique().to_pylist() if name != ASKED)


def asked_of(table: pa.Table) -> list[tuple[str, str]]:
    """The stored queries of a shadow run: (kind, id)."""
    rows = table.filter(pc.equal(table["metric"], pa.scalar(ASKED)))
    return list(zip(rows["kind"].to_pylist(), rows["id"].to_pylist()))


def chosen(spaces: Mapping[str, Space], golden: Sequence[str], count: int = SHADOW) -> dict[str, list[str]]:
    """Ids by kind that a shadow run asks: `count` by a hash of the id, the same night after night, and the golden list."""
    found: dict[str, list[str]] = {}
    for kind, space in spaces.items():
        if kind.endswith(CONTEXT) or not space.ids:
            continue
        order_N = np.argsort(id_fractions(pa.chunked_array([pa.array(space.ids, pa.string())]), "shadow"), kind="stable")
        ids = {space.ids[row] for row in order_N[:count]}
        found[kind] = sorted(ids | {name for name in golden if name in space.rows})
    return found


def _part(kind: str, metric: str, ids: Sequence[str], values_Q: np.ndarray) -> pa.Table:
    known_Q = np.isfinite(values_Q)
    names = pa.array(ids, pa.string()).filter(pa.array(known_Q))
    count = len(names)
    columns = [pa.repeat(kind, count), names, pa.repeat(metric, count), pa.array(values_Q[known_Q].astype(np.float32))]
    return pa.Table.from_arrays(columns, schema=QUERIES)
