"""Weighted matrix factorisation for implicit feedback: a link should score 1, any other pair 0 with a small weight.

The objective is Σ over links c · (1 - x·y)² + unobserved · Σ over all pairs (x·y)² + Σ over items λ · |vector|², with λ ∝ what
the item's own terms weigh together (Hu, Koren & Volinsky 2008; Rendle et al. 2021, *iALS++*). Each side is solved with the
other held fixed, by conjugate gradients from where it stands (Takács, Pilászy & Tikk 2011).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kindex.encoders.pairs.beside import each
from kindex.encoders.pairs.matrix import Matrix, products

CG_STEPS = 2
"""From a good start, and preconditioned, two steps come within the noise of an exact solution."""

FLOOR = 1e-6
"""Of the largest eigenvalue: what a row's matrix is taken for where neither links nor λ make one."""


LINKS = 1 << 15
"""Links of the rows that are solved together: what belongs to them stays in the processor's cache."""


@dataclass(frozen=True)
class Weights:
    """`unobserved`: weight of a pair that is no link. `regularisation`: λ of an item with its side's mean of links."""

    unobserved: float
    regularisation: float

    def ridge_N(self, matrix: Matrix, mean: float, others: int) -> Tensor:
        """λ of each row (N), ∝ weight of its links + `unobserved` · rows of the other side."""
        scale = self.regularisation / (mean + self.unobserved * others)
        return scale * (matrix.degree_N + self.unobserved * others)


def alternate(
    matrix_LR: Matrix, matrix_RL: Matrix, begin: Callable[[], tuple[Tensor, Tensor]], weights: Weights, iterations: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The tables after 1 … `iterations` passes, each right side first and ending on the left.

    `begin` says from where, and is not held on to: tables are what the memory goes to. Before the first pass the left side is
    solved once, for a spectral start does not know what a score of 1 is.
    """
    left_L = weights.ridge_N(matrix_LR, float(matrix_LR.degree_N.double().mean()), len(matrix_RL))
    right_R = weights.ridge_N(matrix_RL, float(matrix_RL.degree_N.double().mean()), len(matrix_LR))
    left_LD, right_RD = scaled(matrix_LR, *begin(), weights.unobserved)
    left_LD, right_RD = solve(matrix_LR, left_LD, right_RD, left_L, weights.unobserved)
    for _ in range(iterations):
        right_RD, left_LD = solve(matrix_RL, right_RD, left_LD, right_R, weights.unobserved)
        left_LD, right_RD = solve(matrix_LR, left_LD, right_RD, left_L, weights.unobserved)
        yield left_LD, right_RD


def solve(
    matrix: Matrix, own_ND: Tensor, other_MD: Tensor, ridge_N: Tensor, unobserved: float, steps: int = CG_STEPS
) -> tuple[Tensor, Tensor]:
    """New vectors (N, D) of one side, from the present ones and those of the other side (M, D); then the other's.

    Both are turned into the eigenvectors of the other's Gram matrix, where all but a row's links is diagonal. That the links
    be drawn from all M alike is what a step is preconditioned with: then they are diagonal, too.
    """
    value_D, turn_DD = torch.linalg.eigh((other_MD.T @ other_MD).double())
    value_D, turn_DD = value_D.clamp(min=0).float(), turn_DD.float()
    other_MD = other_MD @ turn_DD
    floor = max(FLOOR * float(value_D[-1]), 1e-30)
    share_N = matrix.degree_N / len(other_MD)
    made_ND = torch.empty_like(own_ND)

    def solved(block: tuple[int, int]) -> None:
        rows = slice(*block)
        everywhere_BD = ridge_N[rows, None] + unobserved * value_D
        expected_BD = torch.addcmul(everywhere_BD, share_N[rows, None], value_D).clamp_(min=floor)
        made_ND[rows] = _conjugate_gradients(
            matrix.rows(*block), own_ND[rows] @ turn_DD, other_MD, everywhere_BD, expected_BD, steps
        )

    each(list(matrix.blocks(LINKS)), solved, own_ND.device)
    return made_ND, other_MD


def _conjugate_gradients(
    links: Tensor, own_BD: Tensor, other_MD: Tensor, everywhere_BD: Tensor, expected_BD: Tensor, steps: int
) -> Tensor:
    """Each row by itself; a row whose residual has come to nothing stays. `everywhere_BD`: the diagonal part of its matrix,
    `expected_BD`: the preconditioner."""
    counted_P = links.values()

    def linked(score_P: Tensor) -> Tensor:
        scored = torch.sparse_csr_tensor(
            links.crow_indices(), links.col_indices(), score_P.mul_(counted_P), links.shape, check_invariants=False
        )
        return scored @ other_MD

    residual_BD = linked(1 - products(links, own_BD, other_MD)) - everywhere_BD * own_BD
    towards_BD = residual_BD / expected_BD
    left_B1 = (residual_BD * towards_BD).sum(1, keepdim=True)
    for step in range(steps):
        turned_BD = linked(products(links, towards_BD, other_MD)).addcmul_(everywhere_BD, towards_BD)
        length_B1 = left_B1 / (towards_BD * turned_BD).sum(1, keepdim=True).clamp(min=1e-30)
        own_BD = torch.addcmul(own_BD, length_B1, towards_BD)
        if step == steps - 1:
            break
        residual_BD = torch.addcmul(residual_BD, length_B1, turned_BD, value=-1)
        ahead_BD = residual_BD / expected_BD
        now_B1 = (residual_BD * ahead_BD).sum(1, keepdim=True)
        towards_BD, left_B1 = torch.addcmul(ahead_BD, now_B1 / left_B1.clamp(min=1e-30), towards_BD), now_B1
    return own_BD


def scaled(matrix_LR: Matrix, left_LD: Tensor, right_RD: Tensor, unobserved: float) -> tuple[Tensor, Tensor]:
    """Both tables times the one number that makes the objective without its ridge smallest.

    Tables whose links score 0 or less together stay as they are: the smallest would be none.
    """
    wanted = squared = 0.0
    for first, end in matrix_LR.blocks():
        links = matrix_LR.rows(first, end)
        score_P = products(links, left_LD[first:end], right_RD)
        wanted += float((score_P * links.values()).sum())
        squared += float((score_P.square() * links.values()).sum())
    everywhere = float(((left_LD.T @ left_LD) * (right_RD.T @ right_RD)).sum())
    if wanted <= 0:
        return left_LD, right_RD
    factor = wanted / max(squared + unobserved * everywhere, 1e-30)
    return left_LD * factor**0.5, right_RD * factor**0.5
