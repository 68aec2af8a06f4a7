"""Links as sparse matrices, both ways round.

A product of a sparse matrix with a table costs links × dimensions and touches memory once; gathering the vectors of each
link, as embedding layers do, costs a hundred times as much.
"""

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor

from kindex.core.scratch import Column
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.turning import turned

BLOCK = 1 << 22
"""Links of a block of rows: what is computed for each link is held for one block at a time."""


class Matrix:
    """A sparse matrix (N, M) in compressed rows, float32. `value_P` is None when every link counts 1; links may be on disk."""

    def __init__(self, start_N1: np.ndarray, column_P: Column, value_P: Column | None, columns: int, device: str) -> None:
        self.start_N1, self.column_P, self.value_P, self.columns, self.device = start_N1, column_P, value_P, columns, device

    @classmethod
    def of(cls, links: Links, device: str = "cpu") -> Self:
        """The links as (L, R)."""
        return cls(links.start_L1, links.right_P, links.value_P, links.n_right, device)

    @classmethod
    def both(cls, links: Links, device: str = "cpu") -> tuple[Self, Self]:
        """The links as (L, R) and as (R, L)."""
        start_R1, left_P, value_P = turned(links.start_L1, links.right_P, links.n_right, links.value_P)
        return cls.of(links, device), cls(start_R1, left_P, value_P, links.n_left, device)

    def __len__(self) -> int:
        return len(self.start_N1) - 1

    @cached_property
    def degree_N(self) -> Tensor:
        """What the links of each row count together (N float32)."""
        if self.value_P is None:
            return torch.from_numpy(np.diff(self.start_N1).astype(np.float32)).to(self.device)
        ones_M1 = torch.ones(self.columns, 1, device=self.device)
        return (self @ ones_M1)[:, 0]

    def rows(self, first: int, end: int) -> Tensor:
        """Rows as a torch sparse tensor (end - first, M)."""
        begin, stop = int(self.start_N1[first]), int(self.start_N1[end])
        column_P = torch.from_numpy(self.column_P[begin:stop]).to(self.device)
        start = torch.from_numpy((self.start_N1[first : end + 1] - begin).astype(self.column_P.dtype)).to(self.device)
        if self.value_P is None:
            value_P = torch.ones(stop - begin, device=self.device)
        else:
            value_P = torch.from_numpy(self.value_P[begin:stop]).to(self.device)
        return sparse(start, column_P, value_P, (end - first, self.columns))

    def blocks(self, links: int = BLOCK) -> Iterator[tuple[int, int]]:
        """First and end of blocks of rows with about so many links each."""
        first = 0
        while first < len(self):
            end = int(np.searchsorted(self.start_N1, self.start_N1[first] + links, side="right")) - 1
            end = min(max(end, first + 1), len(self))
            yield first, end
            first = end

    def __matmul__(self, table_MD: Tensor) -> Tensor:
        made_ND = torch.empty(len(self), table_MD.shape[1], device=self.device)
        for first, end in self.blocks():
            made_ND[first:end] = self.rows(first, end) @ table_MD
        return made_ND


def sparse(start_N1: Tensor, column_P: Tensor, value_P: Tensor, shape: tuple[int, int]) -> Tensor:
    """A torch sparse tensor in compressed rows."""
    return torch.sparse_csr_tensor(start_N1, column_P, value_P, shape, check_invariants=False)


def products(pattern: Tensor, left_ND: Tensor, right_MD: Tensor) -> Tensor:
    """The dot products of the rows that `pattern` (a sparse tensor N, M) links, in its order (P float32)."""
    made: Tensor = torch.sparse.sampled_addmm(pattern, left_ND, right_MD.T, beta=0.0)
    return made.values()


with warnings.catch_warnings():  # torch says once in a process that such tensors are in beta; filters are no thread's own
    warnings.simplefilter("ignore", UserWarning)
    sparse(torch.zeros(2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), torch.zeros(0), (1, 1))
