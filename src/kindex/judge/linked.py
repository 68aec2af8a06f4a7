"""The links between two kinds of items by row, read in batches: four bytes a link stay in memory, eight while it is read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.codes import Codes, coded_batches
from kindex.core.scratch import occurrences, pieces
from kindex.core.tables import Stream, batches_of

ENDS = ("left_kind", "left", "right_kind", "right")


@dataclass(frozen=True)
class Linked:
    """The right rows of left row l are `right_P[start_L1[l] : start_L1[l + 1]]`, ascending, each once (int32)."""

    start_L1: np.ndarray
    right_P: np.ndarray
    n_right: int

    @classmethod
    def read(cls, links: pa.Table | Stream, kinds: tuple[str, str], left_ids: pa.Array, right_ids: pa.Array) -> Self:
        """The links from one kind to the other whose ends are among these ids, at their rows there; in any order."""
        texts = [Codes() for _ in ENDS]
        left_rows, right_rows = _Rows(texts[1], left_ids), _Rows(texts[3], right_ids)
        left_P, right_P, count = np.empty(links.num_rows, np.int32), np.empty(links.num_rows, np.int32), 0
        for _, codes in coded_batches(batches_of(links, ENDS), list(zip(ENDS, texts, strict=True)), at_once=1):
            left_B, right_B = left_rows.of(codes[1]), right_rows.of(codes[3])
            chosen_B = (left_B >= 0) & (right_B >= 0)
            for kind, of, code_B in zip(kinds, (texts[0], texts[2]), (codes[0], codes[2]), strict=True):
                chosen_B &= code_B == pc.index(of.texts, kind).as_py()
            end = count + int(chosen_B.sum())
            left_P[count:end], right_P[count:end] = left_B[chosen_B], right_B[chosen_B]
            count = end
        left_P, right_P = _in_order(left_P[:count], right_P[:count], len(right_ids))
        return cls(np.concatenate([[0], np.cumsum(occurrences(left_P, len(left_ids)))]), right_P, len(right_ids))

    def __len__(self) -> int:
        return len(self.right_P)

    @property
    def n_left(self) -> int:
        return len(self.start_L1) - 1

    @cached_property
    def popularity_R(self) -> np.ndarray:
        """Links of each right row (R float64)."""
        return occurrences(self.right_P, self.n_right).astype(np.float64)

    def of(self, rows_N: np.ndarray) -> Any:
        """What these left rows are linked to: a scipy CSR matrix (N, R) of float32 ones."""
        count_N = np.diff(self.start_L1)[rows_N]
        start_N1 = np.concatenate([[0], np.cumsum(count_N)])
        at_K = np.arange(start_N1[-1]) + np.repeat(self.start_L1[rows_N] - start_N1[:-1], count_N)
        return _ones(self.right_P[at_K], start_N1, self.n_right)

    def to(self, rows_N: np.ndarray) -> Any:
        """What is linked to these right rows, each given once: a scipy CSR matrix (N, L) of float32 ones."""
        place_R = np.full(self.n_right, -1, np.int32)
        place_R[rows_N] = np.arange(len(rows_N))
        found = [np.zeros(0, np.int64)]
        found += [part.start + np.flatnonzero(place_R[self.right_P[part]] >= 0) for part in pieces(len(self))]
        at_K = np.concatenate(found)
        place_K = place_R[self.right_P[at_K]]
        at_K = at_K[np.argsort(place_K, kind="stable")]
        left_K = np.searchsorted(self.start_L1, at_K, side="right") - 1
        return _ones(left_K, np.concatenate([[0], np.cumsum(np.bincount(place_K, minlength=len(rows_N)))]), self.n_left)


class _Rows:
    """Rows among `ids` by the codes of texts that come in batches."""

    def __init__(self, codes: Codes, ids: pa.Array) -> None:
        self.codes, self.ids = codes, ids
        self._row_V = np.zeros(0, np.int32)

    def of(self, code_N: np.ndarray) -> np.ndarray:
        """The row of each code (N int32); -1 for a text that is not among the ids."""
        if len(new := self.codes.texts[len(self._row_V) :]):
            self._row_V = np.append(self._row_V, pc.fill_null(pc.index_in(new, self.ids), -1).to_numpy())
        return self._row_V[code_N]


def _in_order(left_P: np.ndarray, right_P: np.ndarray, n_right: int) -> tuple[np.ndarray, np.ndarray]:
    """Both sorted by the left row, then the right row, each pair once: as tables of links are that kindex wrote."""
    if all(_ascends(left_P[part.start : part.stop + 1], right_P[part.start : part.stop + 1]) for part in pieces(len(left_P))):
        return left_P, right_P
    left_P, right_P = np.divmod(np.unique(left_P.astype(np.int64) * n_right + right_P), n_right)
    return left_P, right_P.astype(np.int32)


def _ascends(left_B: np.ndarray, right_B: np.ndarray) -> bool:
    step_B = left_B[1:] - left_B[:-1]
    return bool(((step_B > 0) | ((step_B == 0) & (right_B[1:] > right_B[:-1]))).all())


def _ones(column_K: np.ndarray, start_N1: np.ndarray, columns: int) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(column_K), np.float32), column_K, start_N1), (len(start_N1) - 1, columns))


def occurring(table: pa.Table | Stream, name: str) -> tuple[pa.Array, np.ndarray]:
    """The distinct texts (V) of one column, read in batches, and how often each occurs (V int64)."""
    codes, count_V = Codes(), np.zeros(0, np.int64)
    for _, (code_B,) in coded_batches(batches_of(table, [name]), [(name, codes)], at_once=1):
        count_V = np.append(count_V, np.zeros(len(codes) - len(count_V), np.int64))
        count_V += np.bincount(code_B, minlength=len(codes))
    return codes.texts, count_V
