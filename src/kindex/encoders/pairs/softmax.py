"""The softmax over all right items for each left item, with negatives shared by a batch, in epochs of row-wise Adagrad.

One denominator for all links of a left item (Covington, Adams & Sargin 2016), estimated with negatives drawn by popularity
and corrected for it (Bengio & Senécal 2008); exact when there are as many draws as right items. A known link is never a
negative. Scores of links are products of a sparse pattern, so an epoch costs links × dimensions and little else.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.matrix import products, sparse
from kindex.encoders.parts.adagrad import RowAdagrad
from kindex.encoders.parts.dropout import dropout_mask
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.losses import linked_softmax
from kindex.encoders.parts.sampling import PopularitySampler, known_cells

Validate = Callable[[Tensor, Tensor], float | None]


class Softmax:
    """Two tables while they are learnt; see `kindex.encoders.parts.loop.Learner`."""

    def __init__(self, known: Links, start: tuple[Tensor, Tensor], config: Config, validate: Validate) -> None:
        self.known, self.config, self._validate = known, config, validate
        self.left_LD, self.right_RD = start
        self.device = self.left_LD.device
        self.left_optimiser, self.right_optimiser = RowAdagrad(self.left_LD), RowAdagrad(self.right_RD)
        self.sampler = PopularitySampler(known.right_degree_R, config.sampling_power, config.draws)
        self.linked_L = np.flatnonzero(known.left_degree_L)
        self.decay = config.weight_decay * math.sqrt(len(known) / max(known.n_left, 1))

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        order_L = rng.permutation(self.linked_L)
        starts = range(0, len(order_L), self.config.batch_size)
        rate, total = self.config.learning_rate * remaining, 0.0
        for start in starts:
            total += self._step(order_L[start : start + self.config.batch_size], rate, 1 / len(starts), rng)
            if not math.isfinite(total):
                break
        return {"loss": total / max(len(self.known), 1), "learning_rate": rate}

    def _step(self, left_B: np.ndarray, rate: float, share: float, rng: np.random.Generator) -> float:
        """One batch of left rows and all their links; `share` is the batch's part of the epoch."""
        place_P, at_P = self.known.places(left_B)
        right_P = self.known.right_P[at_P]
        counted_P = None if self.known.value_P is None else self._to(self.known.value_P[at_P])
        negatives = self.sampler.draw(rng)
        rows_C, column_P, column_U = _together(right_P, negatives.rows_U, self.known.n_right)
        left_rows_B, right_rows_C = self._to(left_B), self._to(rows_C)
        own_BD, right_CD = self.left_LD[left_rows_B], self.right_RD[right_rows_C]
        kept_BD = self._to(dropout_mask(own_BD.shape, self.config.dropout, rng))
        seen_BD, negative_UD = own_BD * kept_BD, right_CD[self._to(column_U)]

        start_B1 = np.concatenate([[0], np.cumsum(self.known.left_degree_L[left_B])])
        pattern = self._sparse(start_B1, column_P, np.ones(len(column_P), np.float32), len(rows_C))
        score_P = products(pattern, seen_BD, right_CD)
        score_BU = seen_BD @ negative_UD.T
        known_B, known_U = (self._to(cell) for cell in known_cells(negatives.rows_U, place_P, right_P))
        score_BU[known_B, known_U] = -torch.inf
        place = self._to(place_P)
        loss, pull_P, pull_BU = linked_softmax(score_P, place, score_BU, self._to(negatives.log_weight_U), counted_P)

        pulls, turned = self._both_ways(start_B1, column_P, pull_P, len(rows_C))
        left_BD = (pulls @ right_CD + pull_BU @ negative_UD) * kept_BD + 2 * self.decay * own_BD
        right_gradient_CD = turned @ seen_BD + 2 * self.decay * share * right_CD
        right_gradient_CD.index_add_(0, self._to(column_U), pull_BU.T @ seen_BD)
        self.left_optimiser.step(left_rows_B, left_BD, rate)
        self.right_optimiser.step(right_rows_C, right_gradient_CD, rate)
        return float(loss)

    def _both_ways(self, start_B1: np.ndarray, column_P: np.ndarray, value_P: Tensor, columns: int) -> tuple[Tensor, Tensor]:
        """The sparse matrix (B, C) and its transpose."""
        from scipy.sparse import csr_matrix

        turned = csr_matrix((value_P.cpu().numpy(), column_P, start_B1), (len(start_B1) - 1, columns)).tocsc()
        matrix = self._sparse(start_B1, column_P, value_P, columns)
        return matrix, self._sparse(turned.indptr, turned.indices, turned.data, len(start_B1) - 1)

    def _sparse(self, start_B1: np.ndarray, column_P: np.ndarray, value_P: np.ndarray | Tensor, columns: int) -> Tensor:
        value = self._to(value_P) if isinstance(value_P, np.ndarray) else value_P
        start, column = self._to(start_B1.astype(np.int64)), self._to(column_P.astype(np.int64))
        return sparse(start, column, value, (len(start_B1) - 1, columns))

    def _to(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def validate(self) -> float | None:
        return self._validate(self.left_LD, self.right_RD)

    def model(self) -> dict[str, Tensor]:
        return {"left": self.left_LD, "right": self.right_RD}

    def memory(self) -> dict[str, Tensor]:
        return {"left_squares": self.left_optimiser.squares_V, "right_squares": self.right_optimiser.squares_V}


def _together(right_P: np.ndarray, rows_U: np.ndarray, n_right: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct right rows of a batch (C, ascending), and where its links (P) and its negatives (U) are among them."""
    present_R = np.zeros(n_right, bool)
    present_R[right_P] = True
    present_R[rows_U] = True
    place_R = np.cumsum(present_R) - 1
    return np.flatnonzero(present_R), place_R[right_P], place_R[rows_U]
