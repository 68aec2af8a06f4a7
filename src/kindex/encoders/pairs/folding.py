"""Vectors of items that came after the fit, from their links alone: one row of weighted least squares, solved exactly.

    x = (Σ c y yᵀ + u Yᵀ Y + λ)⁻¹ Σ c y

Y (M, D) are the vectors at the other end, y those that the item is linked to, c what each link counts, u the weight of a pair
that is no link, and λ ∝ Σ c + u M as in the fit (`kindex.encoders.pairs.least_squares`; Hu, Koren & Volinsky 2008).

In the eigenvectors of Yᵀ Y everything but the item's K links is diagonal, so that a row costs K² D instead of D³ (the identity
of Woodbury 1950). numpy in float64: a question to a release needs no torch. Rows with equally many links are solved together,
and where there are many, half of them beside the others: each by the operations that would solve it alone, to the same bits.
"""

from functools import partial

import numpy as np

from kindex.core.aside import side_by_side

LINKS = 1 << 15
"""Links whose vectors are held at a time where a sum is made of them, in float64: 64 MB at D = 256."""

TOGETHER = 1 << 10
"""Links of the rows that are solved at once: what belongs to them stays in the processor's cache."""

FLOOR = 1e-9
"""Of the largest eigenvalue: what stands in for λ where it is 0, and D is more than the links decide."""

LIGHTEST = 1e-6
"""What a link counts at least, as in the fit."""


class Folding:
    """Solves rows against fixed `other_MD` (M, D). Making one costs M · D², once."""

    def __init__(self, other_MD: np.ndarray, unobserved: float) -> None:
        self.other_MD, self.unobserved = other_MD, unobserved
        self.gram_DD = unobserved * _gram(other_MD)
        values_D, self.turn_DD = np.linalg.eigh(self.gram_DD)
        self.values_D = values_D.clip(min=0)
        self.floor = max(FLOOR * float(self.values_D.max(initial=0)), 1e-30)

    def rows(self, start_B1: np.ndarray, column_P: np.ndarray, counted_P: np.ndarray, scale: float) -> np.ndarray:
        """Vectors (B, D) float32 of B rows; row b has the links `start_B1[b]` to `start_B1[b + 1]` of `column_P` (rows of
        `other_MD`) and `counted_P` (what each counts). λ is `scale` · (Σ c + u M). A row without links is zero.
        """
        made_BD = np.zeros((len(start_B1) - 1, self.other_MD.shape[1]), np.float32)
        links_B = np.diff(start_B1)
        counted_B = np.bincount(np.repeat(np.arange(len(links_B)), links_B), counted_P, len(links_B))
        ridge_B = np.maximum(scale * (counted_B + self.unobserved * len(self.other_MD)), self.floor)
        order_B = np.argsort(links_B, kind="stable")

        def solved(runs: list[tuple[int, int, int]]) -> None:
            for count, begin, end in runs:
                some_B = order_B[begin:end]
                if count <= len(self.turn_DD):
                    at_BK = start_B1[some_B, None] + np.arange(count)
                    made_BD[some_B] = self._several(column_P[at_BK], counted_P[at_BK], ridge_B[some_B])
                    continue
                for row in some_B:
                    part = slice(start_B1[row], start_B1[row + 1])
                    made_BD[row] = self._one(column_P[part], counted_P[part], ridge_B[row])

        runs = [run for run in _runs(links_B[order_B]) if run[0]]
        if len(column_P) < LINKS:
            solved(runs)
        else:
            side_by_side(partial(solved, runs[::2]), partial(solved, runs[1::2]))
        return made_BD

    def _several(self, column_BK: np.ndarray, counted_BK: np.ndarray, ridge_B: np.ndarray) -> np.ndarray:
        """Rows with K ≤ D links each. With G = Q (values + λ) Qᵀ and Z the linked vectors times √c, in the basis Q:
        x = G⁻¹ Zᵀ (1 + Z G⁻¹ Zᵀ)⁻¹ √c."""
        column_U, place_BK = np.unique(column_BK, return_inverse=True)
        turned_UD = self.other_MD[column_U].astype(np.float64) @ self.turn_DD
        root_BK = np.sqrt(counted_BK)
        linked_BKD = turned_UD[place_BK.reshape(column_BK.shape)] * root_BK[:, :, None]
        light_BKD = linked_BKD / (self.values_D + ridge_B[:, None])[:, None, :]
        inner_BKK = light_BKD @ linked_BKD.transpose(0, 2, 1)
        each = np.arange(inner_BKK.shape[1])
        inner_BKK[:, each, each] += 1
        weight_BK1 = np.linalg.solve(inner_BKK, root_BK[:, :, None])
        turned_BD = (light_BKD.transpose(0, 2, 1) @ weight_BK1)[:, :, 0]
        return turned_BD @ self.turn_DD.T

    def _one(self, column_K: np.ndarray, counted_K: np.ndarray, ridge: float) -> np.ndarray:
        """A row with more links than dimensions, some links at a time."""
        normal_DD = self.gram_DD + ridge * np.eye(len(self.gram_DD))
        wanted_D = np.zeros(len(normal_DD))
        for begin in range(0, len(column_K), LINKS):
            linked_KD = self.other_MD[column_K[begin : begin + LINKS]].astype(np.float64)
            weighted_KD = counted_K[begin : begin + LINKS, None] * linked_KD
            normal_DD += linked_KD.T @ weighted_KD
            wanted_D += weighted_KD.sum(0)
        return np.linalg.solve(normal_DD, wanted_D)


def _gram(table_MD: np.ndarray) -> np.ndarray:
    """Yᵀ Y (D, D) in float64, some rows at a time."""
    total_DD = np.zeros((table_MD.shape[1],) * 2)
    for begin in range(0, len(table_MD), LINKS):
        part_BD = table_MD[begin : begin + LINKS].astype(np.float64)
        total_DD += part_BD.T @ part_BD
    return total_DD


def _runs(links_B: np.ndarray) -> list[tuple[int, int, int]]:
    """(links, begin, end) of stretches of equal, ascending numbers, none of several rows with more than `TOGETHER` links."""
    begins = np.flatnonzero(np.diff(links_B, prepend=-1)).tolist()
    found = []
    for begin, end in zip(begins, [*begins[1:], len(links_B)]):
        count = int(links_B[begin])
        step = max(1, TOGETHER // max(count, 1))
        found += [(count, first, min(first + step, end)) for first in range(begin, end, step)]
    return found
