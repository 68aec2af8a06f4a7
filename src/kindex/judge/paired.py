"""Is one release worse than another on the same queries? The paired bootstrap.

Both were asked the same questions, so what differs from question to question cancels out, and a small fall is seen where the
two intervals would overlap (Efron and Tibshirani 1993, chapter 16; Koehn 2004, *Statistical Significance Tests for Machine
Translation Evaluation*, section 4).
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.judge.intervals import LEVEL, resamples

LEAST_SHARED = 30
"""Queries that both releases must have: with fewer, resamples say little."""

LEAST_SHARE = 0.5
"""Of the larger set of queries, that both must have: else what is compared is not what is judged."""

RESAMPLES = 1000
SEED = 7


@dataclass(frozen=True)
class Pair:
    """The means of two releases over the `shared` queries, and the 95 % interval of the difference, `now - former`."""

    shared: int
    former: float
    now: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.now - self.former

    def as_dict(self) -> dict[str, Any]:
        return {name: round(value, 6) for name, value in asdict(self).items()} | {"difference": round(self.difference, 6)}


def paired(former: pa.Table, now: pa.Table, metric: str) -> Pair | None:
    """Compare two tables of queries (`kindex.judge.queries`) by one metric; None when they share too few queries.

    The same tables give the same numbers. Values are taken as differences of each query before anything is drawn.
    """
    tables = [table.filter(pc.equal(table["metric"], pa.scalar(metric))) for table in (former, now)]
    keys = [pc.binary_join_element_wise(table["kind"], table["id"], "\0").combine_chunks() for table in tables]
    row_Q = pc.index_in(keys[1], value_set=keys[0])
    both = pc.is_valid(row_Q)
    shared = int(pc.sum(both).as_py() or 0)
    if shared < LEAST_SHARED or shared < LEAST_SHARE * max(len(tables[0]), len(tables[1])):
        return None
    now_Q = tables[1]["value"].filter(both).to_numpy().astype(np.float64)
    former_Q = tables[0]["value"].take(row_Q.filter(both)).to_numpy().astype(np.float64)
    drawn_S = _drawn(shared) @ (now_Q - former_Q) / shared
    low, high = np.percentile(drawn_S, LEVEL)
    return Pair(shared, float(former_Q.mean()), float(now_Q.mean()), float(low), float(high))


@lru_cache(maxsize=1)
def _drawn(queries: int) -> np.ndarray:
    """Drawing costs more than the products, and most metrics share their queries."""
    return resamples(queries, RESAMPLES, SEED)
