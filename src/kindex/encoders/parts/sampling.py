"""Negatives: right items drawn by popularity and shared by all left items of a batch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Negatives:
    """U distinct right rows, ascending, and the log of each one's weight in the estimate of a sum over all right items."""

    rows_U: np.ndarray
    log_weight_U: np.ndarray


class PopularitySampler:
    """Draws right rows with probability ∝ degree ** power (Mikolov et al. 2013, power 0.75).

    The sum of f(j) over all j is estimated without bias by the sum over drawn j of f(j) · times drawn / (draws · q_j),
    which is the logQ correction of sampled softmax (Bengio & Senécal 2008). With as many draws as rows, all rows are
    taken once with weight 1 and the sum is exact.
    """

    def __init__(self, degree_R: np.ndarray, power: float, draws: int) -> None:
        weight_R = np.maximum(degree_R, 1).astype(np.float64) ** power
        self.probability_R = weight_R / weight_R.sum()
        self.cumulative_R = np.cumsum(self.probability_R)
        self.draws = draws

    def draw(self, rng: np.random.Generator) -> Negatives:
        if self.draws >= len(self.probability_R):
            return Negatives(np.arange(len(self.probability_R)), np.zeros(len(self.probability_R), np.float32))
        at_K = np.searchsorted(self.cumulative_R, rng.random(self.draws) * self.cumulative_R[-1], side="right")
        rows_U, times_U = np.unique(at_K, return_counts=True)
        log_weight_U = np.log(times_U) - np.log(self.draws * self.probability_R[rows_U])
        return Negatives(rows_U, log_weight_U.astype(np.float32))


def known_cells(rows_U: np.ndarray, place_P: np.ndarray, right_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a batch's links meet its negatives: positions in the batch and in `rows_U` (ascending) of each collision.

    place_P, right_P: the batch's known links, as `Links.of_rows` gives them.
    """
    at_P = np.minimum(np.searchsorted(rows_U, right_P), len(rows_U) - 1)
    hit_P = rows_U[at_P] == right_P
    return place_P[hit_P], at_P[hit_P]
