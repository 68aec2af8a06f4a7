"""Known links by row number, stored so that the links of a batch of left items are found at once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from kindex.core.scratch import Column


@dataclass(frozen=True)
class Links:
    """Compressed sparse rows: the right rows of left row i are `right_P[start_L1[i] : start_L1[i + 1]]`, ascending.

    `value_P` says what each link counts (float32); None is 1 for all. Links on disk are for reading by slices: what asks for
    the links of single rows needs arrays.
    """

    start_L1: np.ndarray
    right_P: Column
    n_right: int
    value_P: Column | None = None

    @classmethod
    def of(cls, left_P: np.ndarray, right_P: np.ndarray, n_left: int, n_right: int) -> Self:
        """From P pairs of rows, in any order; a pair given twice counts once."""
        code_P = np.unique(left_P.astype(np.int64) * n_right + right_P)
        left_P, right_P = np.divmod(code_P, max(n_right, 1))
        return cls(np.searchsorted(left_P, np.arange(n_left + 1)), right_P.astype(np.int32), n_right)

    def __len__(self) -> int:
        return len(self.right_P)

    @property
    def n_left(self) -> int:
        return len(self.start_L1) - 1

    @cached_property
    def left_degree_L(self) -> np.ndarray:
        return np.diff(self.start_L1)

    @cached_property
    def right_degree_R(self) -> np.ndarray:
        return np.bincount(self.right_P[:], minlength=self.n_right)

    def left_P(self) -> np.ndarray:
        """The left row of each link (P int32)."""
        return np.repeat(np.arange(self.n_left, dtype=np.int32), self.left_degree_L)

    def places(self, left_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The P links of a batch: position in the batch (P), and position in `right_P` (P)."""
        count_B = self.left_degree_L[left_B]
        place_P = np.repeat(np.arange(len(left_B)), count_B)
        within_P = np.arange(count_B.sum()) - np.repeat(np.cumsum(count_B) - count_B, count_B)
        return place_P, self.start_L1[left_B][place_P] + within_P

    def of_rows(self, left_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The P links of a batch: position in the batch (P) and right row (P)."""
        place_P, at_P = self.places(left_B)
        return place_P, self.right_P[at_P]


def rows_of(start_N1: np.ndarray, part: slice) -> np.ndarray:
    """The row of each of some links (int32), where row n has the links `start_N1[n]` to `start_N1[n + 1]`."""
    top, bottom = np.searchsorted(start_N1, (part.start, part.stop - 1), side="right") - 1
    links = np.diff(np.clip(start_N1[top : bottom + 2], part.start, part.stop))
    return np.repeat(np.arange(top, bottom + 1, dtype=np.int32), links)
