"""A minibatch of pairs of rows as a sparse matrix, both ways round."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.pairs.matrix import products, sparse


@dataclass(frozen=True)
class Batch:
    """S = B · K pairs: K right rows for each of B links. U distinct left rows and C distinct right rows stand in them.

    Pair s is cell (·, column_S[s]) of a matrix (U, C), whose row u is pairs start_U1[u] to start_U1[u + 1]; `order_S` are the
    pairs by right row, those of row c of the turned matrix from start_C1[c] on.
    """

    left_U: np.ndarray
    right_C: np.ndarray
    start_U1: np.ndarray
    column_S: np.ndarray
    start_C1: np.ndarray
    order_S: np.ndarray
    device: torch.device

    @classmethod
    def of(cls, left_B: np.ndarray, right_BK: np.ndarray, device: torch.device) -> Self:
        """From ascending left rows, each with K right rows."""
        first_U = np.flatnonzero(np.diff(left_B, prepend=-1))
        start_U1 = np.append(first_U, len(left_B)) * right_BK.shape[1]
        return cls(left_B[first_U], *_grouped(right_BK.ravel(), start_U1), device)

    def rows(self) -> tuple[Tensor, Tensor]:
        """The left rows (U) and the right rows (C)."""
        return self._to(self.left_U), self._to(self.right_C)

    def counts(self) -> tuple[Tensor, Tensor]:
        """In how many pairs each of them stands, as columns (U, 1) and (C, 1)."""
        return self._to(np.diff(self.start_U1))[:, None], self._to(np.diff(self.start_C1))[:, None]

    def products(self, left_UD: Tensor, right_CD: Tensor) -> Tensor:
        """The dot product of each pair (S)."""
        if len(self.order_S) > len(left_UD) * len(right_CD):  # torch refuses a pattern of more pairs than cells
            return (left_UD @ right_CD.T)[self._to(self._place_S), self._pattern[1]]
        return products(self.matrix(left_UD.new_ones(len(self.order_S))), left_UD, right_CD)

    def matrix(self, value_S: Tensor) -> Tensor:
        """The sparse matrix (U, C)."""
        return sparse(*self._pattern, value_S, (len(self.left_U), len(self.right_C)))

    def turned(self, value_S: Tensor) -> Tensor:
        """The sparse matrix (C, U)."""
        shape = len(self.right_C), len(self.left_U)
        return sparse(self._to(self.start_C1), self._to(self._place_S[self.order_S]), value_S[self._to(self.order_S)], shape)

    @cached_property
    def _place_S(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.left_U)), np.diff(self.start_U1))

    @cached_property
    def _pattern(self) -> tuple[Tensor, Tensor]:
        return self._to(self.start_U1), self._to(self.column_S)

    def _to(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _grouped(right_S: np.ndarray, start_U1: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`right_C`, `start_U1`, `column_S`, `start_C1` and `order_S` of a batch."""
    bits = len(right_S).bit_length()
    # whole numbers that are all different: every way of sorting gives the same order, so numpy may take its fastest
    sorted_S = np.sort(right_S.astype(np.int64) << bits | np.arange(len(right_S)))
    order_S, row_S = sorted_S & ((1 << bits) - 1), sorted_S >> bits
    first_C = np.flatnonzero(np.diff(row_S, prepend=-1))
    start_C1 = np.append(first_C, len(right_S))
    column_S = np.empty(len(right_S), np.int64)
    column_S[order_S] = np.repeat(np.arange(len(first_C)), np.diff(start_C1))
    return row_S[first_C], start_U1, column_S, start_C1, order_S
