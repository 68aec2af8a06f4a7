"""Negatives of single links: right items that the left item is not linked to, drawn by popularity without any rejection."""

import numpy as np

from kindex.encoders.parts.links import Links

TICKETS = 1 << 40
"""In the lottery of right items, about; fewer when left items × tickets would not fit in 63 bits."""


class Unlinked:
    """Draws right rows with probability ∝ links ** power among those that a left row has no link to.

    Right rows own whole numbers of tickets, one at least. Those of a left row's own links are skipped: the k-th ticket that is
    left is found by one binary search among its links, so no draw is thrown away, not even where nearly all are known, and in
    whole numbers no rounding can hit a known link. `free_L` is 0 where a left row is linked to every right row.
    """

    def __init__(self, known: Links, power: float) -> None:
        weight_R = np.maximum(known.right_degree_R, 1).astype(np.float64) ** power
        tickets = min(TICKETS, (1 << 61) // max(known.n_left, 1))
        tickets_R = np.maximum(weight_R / weight_R.sum() * tickets, 1).astype(np.int64)
        self.end_R = np.cumsum(tickets_R)
        self.total = int(self.end_R[-1]) if len(self.end_R) else 0
        self.start_L1 = known.start_L1
        right_P = known.right_P[:]
        own_P = tickets_R[right_P]
        self.owned_P1 = np.concatenate([[0], np.cumsum(own_P)])
        self.free_L = self.total - np.diff(self.owned_P1[known.start_L1])
        left_P = known.left_P()
        # how many tickets a left row has left before each of its links, made one ascending list of all left rows
        before_P = self.end_R[right_P] - own_P - (self.owned_P1[:-1] - self.owned_P1[known.start_L1[left_P]])
        self.skip_P = left_P * np.int64(self.total) + before_P

    def draw(self, left_B: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Right rows (B, count), independent of each other; `free_L` of every left row must be above 0."""
        left_B1 = left_B.astype(np.int64)[:, None]
        ticket_BN = (rng.random((len(left_B), count)) * self.free_L[left_B1]).astype(np.int64)
        passed_BN = np.searchsorted(self.skip_P, left_B1 * self.total + ticket_BN, side="right")
        ticket_BN += self.owned_P1[passed_BN] - self.owned_P1[self.start_L1[left_B1]]
        return np.searchsorted(self.end_R, ticket_BN, side="right")
