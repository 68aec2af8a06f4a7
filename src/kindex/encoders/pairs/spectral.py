"""Singular vectors of the degree-normalised link matrix: the cheapest vectors that know more than popularity."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.pairs.matrix import Matrix

OVERSAMPLING = 10
"""Columns beyond those wanted, which make the last of these exact (Halko, Martinsson & Tropp 2011)."""


BLOCK = 1 << 16
"""Rows of a table that are changed at a time."""


@dataclass(frozen=True)
class Spectrum:
    """left_LD, right_RD orthonormal columns (float32), values_D descending, of A_LR / (left degree^a · right degree^1/2)."""

    left_LD: Tensor
    values_D: Tensor
    right_RD: Tensor

    def tables(self, right_degree_R: Tensor, popularity: float) -> tuple[Tensor, Tensor]:
        """Left vectors are U Σ, right ones V · degree ** popularity: normalising took the popularity out of the scores.

        With popularity 1/2 that is the ideal low-pass filter over the item graph of GF-CF (Shen et al. 2021). How popular
        an item is belongs in the length of its vector, and how much of it depends on the data.
        """
        return self.left_LD * self.values_D, self.right_RD * (right_degree_R**popularity)[:, None]


def spectral(
    matrix_LR: Matrix, matrix_RL: Matrix, dimensions: int, rng: np.random.Generator, left_power: float = 0.5, steps: int = 4
) -> Spectrum:
    """The first `dimensions` singular triplets by randomised subspace iteration; zero columns when there are fewer.

    Bases are made orthonormal by Cholesky-QR: products of matrices, where Householder's way is many small steps.
    """
    n_left, n_right = len(matrix_LR), len(matrix_RL)
    kept = min(dimensions, n_left, n_right)
    width = min(kept + OVERSAMPLING, n_left, n_right)
    left_L1 = _power(matrix_LR.degree_N, -left_power)
    right_R1 = _power(matrix_RL.degree_N, -0.5)

    # each uses up its argument: tables are what the memory goes to
    def to_left(table_RW: Tensor) -> Tensor:
        return (matrix_LR @ table_RW.mul_(right_R1)).mul_(left_L1)

    def to_right(table_LW: Tensor) -> Tensor:
        return (matrix_RL @ table_LW.mul_(left_L1)).mul_(right_R1)

    basis_LW = to_left(torch.from_numpy(rng.standard_normal((n_right, width), np.float32)).to(left_L1.device))
    for step in range(steps):
        seen_RW = to_right(orthonormal(basis_LW, times=1) if step else basis_LW)  # only the last must be exact
        del basis_LW
        basis_LW = to_left(seen_RW)
        del seen_RW
    seen_RW = to_right(orthonormal(basis_LW).clone())
    squares_W, turn_WW = torch.linalg.eigh((seen_RW.T @ seen_RW).double())
    turn_WK = turn_WW.flip(1)[:, :kept].float()
    values_K = squares_W.flip(0)[:kept].clamp(min=0).sqrt().float()
    left_LK = basis_LW @ turn_WK
    del basis_LW
    right_RK = (seen_RW @ turn_WK).div_(values_K.clamp(min=1e-6))
    return Spectrum(*(_padded(part, dimensions) for part in (left_LK, values_K, right_RK)))


def _padded(part: Tensor, dimensions: int) -> Tensor:
    missing = dimensions - part.shape[-1]
    return torch.nn.functional.pad(part, (0, missing)) if missing else part


def orthonormal(table_NW: Tensor, times: int = 2) -> Tensor:
    """Columns of the same span with unit lengths and right angles, in place: Cholesky-QR, twice (Yamamoto et al. 2015).

    A column that adds nothing to the others comes out small instead of unit. Once is enough between steps of an iteration.
    """
    table_NW.div_(largest(table_NW).clamp(min=1e-30))  # squares of float32 reach neither infinity nor zero
    for _ in range(times):
        root_WW = triangle((table_NW.T @ table_NW).double())
        inverse_WW = torch.linalg.solve_triangular(root_WW, torch.eye(len(root_WW)).to(root_WW), upper=False)
        onto_WW = inverse_WW.T.float().contiguous()
        for rows in table_NW.split(BLOCK):
            rows.copy_(rows @ onto_WW)
    return table_NW


def largest(table_NW: Tensor) -> Tensor:
    """The largest absolute value, without a table of absolute values."""
    return torch.maximum(table_NW.amax(), -table_NW.amin())


def triangle(gram_WW: Tensor) -> Tensor:
    """Lower triangle C (W, W) with C Cᵀ = a Gram matrix, float64; a ridge makes up for columns that add nothing.

    The ridge is as small as will do: a Gram matrix in float32 can have eigenvalues below 0 by a little more than rounding.
    """
    largest = gram_WW.diagonal().amax().clamp(min=1e-30)
    for share in (1e-7, 1e-6, 1e-5, 1e-4):
        root_WW, failed = torch.linalg.cholesky_ex(gram_WW + share * largest * torch.eye(len(gram_WW)).to(gram_WW))
        if not failed:
            break
    return root_WW


def _power(degree_N: Tensor, power: float) -> Tensor:
    """degree ** power as a column; 0 where there is no link."""
    return torch.where(degree_N > 0, degree_N.clamp(min=1e-30) ** power, torch.zeros_like(degree_N))[:, None]
