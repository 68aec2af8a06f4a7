"""Links by either end, and which rows of today's vocabularies were which of a former fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.scratch import Column
from kindex.encoders.parts.turning import turned
from kindex.encoders.parts.vocabulary import Vocabulary

Ids = Mapping[str, Sequence[str]]
"""Ids by kind."""


@dataclass(frozen=True)
class Side:
    """Links of N items in compressed rows: item n has `column_P[start_N1[n]:start_N1[n + 1]]`."""

    start_N1: np.ndarray
    column_P: Column

    def of(self, row_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The links of some items: their starts (T + 1) and columns."""
        count_T = np.diff(self.start_N1)[row_T]
        start_T1 = np.concatenate([[0], np.cumsum(count_T)])
        at_P = np.arange(start_T1[-1]) + np.repeat(self.start_N1[row_T] - start_T1[:-1], count_T)
        return start_T1, self.column_P[at_P]

    def turned(self, columns: int) -> "Side":
        """The same links by the other end."""
        start_M1, row_P, _ = turned(self.start_N1, self.column_P, columns)
        return Side(start_M1, row_P)


@dataclass(frozen=True)
class Moved:
    """The rows of today's vocabulary: the parent's row of each (-1: new), and whether its links changed."""

    spans: dict[str, slice]
    former_N: np.ndarray
    touched_N: np.ndarray
    today_V: np.ndarray  # the other way: today's row of each of the parent's, -1: gone

    @classmethod
    def of(cls, now: Vocabulary, former: Vocabulary, touched: Ids) -> "Moved":
        former_N, touched_N = np.full(len(now), -1), np.zeros(len(now), bool)
        today_V = np.full(len(former), -1)
        former_spans = former.spans()
        for kind, span in now.spans().items():
            ids = pa.array(now.ids[kind], pa.string())
            touched_N[span] = among(ids, touched.get(kind, ()))
            if kind in former.ids:
                at = pc.index_in(ids, pa.array(former.ids[kind], pa.string()))
                at_K = pc.fill_null(at, -1).to_numpy().astype(np.int64)
                row_K = np.flatnonzero(at_K >= 0)
                former_N[span.start + row_K] = former_spans[kind].start + at_K[row_K]
                today_V[former_spans[kind].start + at_K[row_K]] = span.start + row_K
        return cls(now.spans(), former_N, touched_N, today_V)

    def today(self, row_Q: np.ndarray) -> np.ndarray:
        return self.today_V[row_Q]


def among(ids: pa.Array, some: Sequence[str]) -> np.ndarray:
    """Which ids are among some (N bool)."""
    found: np.ndarray = pc.is_in(ids, pa.array(some, pa.string())).to_numpy(zero_copy_only=False)
    return found


def known(start_N1: np.ndarray, column_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The links to columns that there are (0 or more)."""
    return np.concatenate([[0], np.cumsum(column_P >= 0)])[start_N1], column_P[column_P >= 0]


def same(start_T1: np.ndarray, now_P: np.ndarray, then_T1: np.ndarray, then_Q: np.ndarray, columns: int) -> np.ndarray:
    """Of each item's links then and now together, the share that is in both (T float64); -1 among them is in none."""
    count = len(start_T1) - 1
    place_P, place_Q = (np.repeat(np.arange(count), np.diff(start)) for start in (start_T1, then_T1))
    now = place_P * (columns + 1) + now_P
    then = np.where(then_Q >= 0, place_Q * (columns + 1) + then_Q, -1)
    both_T = np.bincount(place_P[np.isin(now, then)], minlength=count)
    union_T = np.diff(start_T1) + np.diff(then_T1) - both_T
    return both_T / np.maximum(union_T, 1)
