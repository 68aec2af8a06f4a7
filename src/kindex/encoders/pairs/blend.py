"""Several pairs of tables as one: scores are summed with weights, and the sum is kept in fewer dimensions.

Spectral, least squares and softmax make different mistakes, and their sum ranks better than the best of them.
"""

from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from kindex.encoders.pairs.spectral import BLOCK, triangle

Tables = tuple[Tensor, Tensor]


class Wide:
    """A table (N, ΣD): tables side by side, each times its factor. It is put together some rows at a time."""

    def __init__(self, parts: list[tuple[Tensor, float]]) -> None:
        self.parts = parts
        self.rows, self.width = len(parts[0][0]), sum(table_ND.shape[1] for table_ND, _ in parts)

    @classmethod
    def of(cls, table_ND: Tensor) -> Self:
        return cls([(table_ND, 1.0)])

    def blocks(self) -> Iterator[Tensor]:
        for first in range(0, self.rows, BLOCK):
            yield torch.cat([table_ND[first : first + BLOCK] * factor for table_ND, factor in self.parts], 1)

    def whole(self) -> Tensor:
        return torch.cat(list(self.blocks()))

    def gram_WW(self) -> Tensor:
        return torch.stack([(block_BW.T @ block_BW).double() for block_BW in self.blocks()]).sum(0)

    def __matmul__(self, onto_WD: Tensor) -> Tensor:
        made_ND = torch.empty(self.rows, onto_WD.shape[1], device=onto_WD.device)
        for made_BD, block_BW in zip(made_ND.split(BLOCK), self.blocks(), strict=True):
            made_BD.copy_(block_BW @ onto_WD)
        return made_ND


def together(parts: list[Tables], weights: list[float]) -> tuple[Wide, Wide]:
    """Tables (L, ΣD), (R, ΣD) whose dot products are the weighted sum of the parts' scores, each first brought to spread 1."""
    kept = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight > 0]
    left = Wide([(left_LD, weight / spread((left_LD, right_RD))) for (left_LD, right_RD), weight in kept])
    return left, Wide([(right_RD, 1.0) for (_, right_RD), _ in kept])


def spread(tables: Tables) -> float:
    """Root mean square of the scores within a left item, about the left item's mean; over all pairs, in closed form."""
    left_LD, right_RD = tables
    mean_D = torch.stack([right_BD.double().sum(0) for right_BD in right_RD.split(BLOCK)]).sum(0) / max(len(right_RD), 1)
    squares = [_squares(left_LD, torch.zeros_like(mean_D)), _squares(right_RD, mean_D)]
    total = (squares[0] * squares[1]).sum()
    return max(float((total / max(len(left_LD) * len(right_RD), 1)).clamp(min=0).sqrt()), 1e-12)


def _squares(table_ND: Tensor, mean_D: Tensor) -> Tensor:
    """The Gram matrix of a table less its mean (D, D float64)."""
    found_DD = torch.zeros(len(mean_D), len(mean_D)).to(mean_D)
    for table_BD in table_ND.split(BLOCK):
        apart_BD = table_BD.double() - mean_D
        found_DD += apart_BD.T @ apart_BD
    return found_DD


def compressed(left: Wide, right: Wide, dimensions: int) -> Tables:
    """The tables (L, D), (R, D) whose products are nearest to those of the given ones: a truncated SVD of L Rᵀ.

    Made of the triangular factors of both tables, so it costs (L + R) · width². Both sides carry the root of a singular value.
    """
    if left.width <= dimensions:
        return _padded(left.whole(), dimensions), _padded(right.whole(), dimensions)
    left_WW, right_WW = triangle(left.gram_WW()), triangle(right.gram_WW())
    turn_left_WK, value_K, turn_right_KW = torch.linalg.svd(left_WW.T @ right_WW)
    root_D = value_K[:dimensions].sqrt()

    def turned(table: Wide, lower_WW: Tensor, turn_WD: Tensor) -> Tensor:
        onto_WD = torch.linalg.solve_triangular(lower_WW.T, turn_WD * root_D, upper=True)
        return table @ onto_WD.float()

    return (
        turned(left, left_WW, turn_left_WK[:, :dimensions]),
        turned(right, right_WW, turn_right_KW.T[:, :dimensions]),
    )


def _padded(table_NW: Tensor, dimensions: int) -> Tensor:
    return torch.nn.functional.pad(table_NW, (0, dimensions - table_NW.shape[1]))
