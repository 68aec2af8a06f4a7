"""Several pairs of tables as one: scores are summed with weights, and the sum is kept in fewer dimensions.

Spectral, least squares and softmax make different mistakes, and their sum ranks better than the best of them.
"""

import torch
from torch import Tensor

from kindex.encoders.pairs.spectral import triangle

Tables = tuple[Tensor, Tensor]


def together(parts: list[Tables], weights: list[float]) -> Tables:
    """Tables (L, ΣD), (R, ΣD) whose dot products are the weighted sum of the parts' scores, each first brought to spread 1."""
    kept = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight > 0]
    left = torch.cat([left_LD * (weight / spread((left_LD, right_RD))) for (left_LD, right_RD), weight in kept], 1)
    return left, torch.cat([right_RD for (_, right_RD), _ in kept], 1)


def spread(tables: Tables) -> float:
    """Root mean square of the scores within a left item, about the left item's mean; over all pairs, in closed form."""
    left_LD, right_RD = (table.double() for table in tables)
    right_RD = right_RD - right_RD.mean(0)
    total = ((left_LD.T @ left_LD) * (right_RD.T @ right_RD)).sum()
    return max(float((total / max(len(left_LD) * len(right_RD), 1)).clamp(min=0).sqrt()), 1e-12)


def compressed(tables: Tables, dimensions: int) -> Tables:
    """The tables (L, D), (R, D) whose products are nearest to those of the given ones: a truncated SVD of L Rᵀ.

    Made of the triangular factors of both tables, so it costs (L + R) · width². Both sides carry the root of a singular value.
    """
    left_LW, right_RW = tables
    if left_LW.shape[1] <= dimensions:
        return _padded(left_LW, dimensions), _padded(right_RW, dimensions)
    left_WW, right_WW = triangle(left_LW), triangle(right_RW)
    turn_left_WK, value_K, turn_right_KW = torch.linalg.svd(left_WW.T @ right_WW)
    root_D = value_K[:dimensions].sqrt()

    def turned(table_NW: Tensor, lower_WW: Tensor, turn_WD: Tensor) -> Tensor:
        onto_WD = torch.linalg.solve_triangular(lower_WW.T, turn_WD * root_D, upper=True)
        return table_NW @ onto_WD.float()

    return (
        turned(left_LW, left_WW, turn_left_WK[:, :dimensions]),
        turned(right_RW, right_WW, turn_right_KW.T[:, :dimensions]),
    )


def _padded(table_NW: Tensor, dimensions: int) -> Tensor:
    return torch.nn.functional.pad(table_NW, (0, dimensions - table_NW.shape[1]))
