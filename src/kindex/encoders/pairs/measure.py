"""How well tables rank the links set aside: what every choice in this family is made by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.pairs.beside import each
from kindex.encoders.parts.links import Links

CELLS = 60_000_000
"""Scores looked at for one measurement, at most; and left items, below."""

ITEMS = 4000
BLOCK = 1 << 24
FIRST = 20


@dataclass(frozen=True)
class Judge:
    """Ranks the `hidden` links of some left items among all right items, those of `known` links left out."""

    known: Links
    hidden: Links

    def rows_N(self, cells: int = CELLS) -> np.ndarray:
        """Left rows that are asked, evenly from all that have a hidden link; their scores are about `cells` at most."""
        asked = np.flatnonzero(self.hidden.left_degree_L)
        most = min(ITEMS, max(300, cells // max(self.known.n_right, 1)))
        return asked[:: 1 + (len(asked) - 1) // most] if len(asked) else asked

    def score(self, left_LD: Tensor, right_RD: Tensor, cells: int = CELLS) -> float | None:
        """`quality` of the dot products; None when nothing is hidden."""
        return self.scores(1, lambda left_B: [left_LD[left_B] @ right_RD.T], left_LD.device, cells)[0]

    def quickly(self, left_LD: Tensor, right_RD: Tensor) -> float | None:
        """The same on fewer left items: enough to see after an epoch whether there is still progress."""
        return self.score(left_LD, right_RD, CELLS // 4)

    def scores(
        self, ways: int, made: Callable[[Tensor], Iterable[Tensor]], device: torch.device, cells: int = CELLS
    ) -> list[float | None]:
        """The quality of each of several ways to score: `made` gives the scores (B, R) of a batch of left rows, way by way."""
        left_N = self.rows_N(cells)
        if not len(left_N):
            return [None] * ways

        def qualities(left_B: np.ndarray) -> list[np.ndarray]:
            known, hidden = self.known.of_rows(left_B), self.hidden.of_rows(left_B)
            scores = made(torch.from_numpy(left_B).to(device))
            return [quality(ranks(scores_BR, known, hidden), hidden[0]) for scores_BR in scores]

        batches = np.array_split(left_N, 1 + len(left_N) * self.known.n_right // BLOCK)
        found = zip(*each(batches, qualities, device), strict=True)
        return [float(np.concatenate(way).mean()) for way in found]


def ranks(scores_BR: Tensor, known: tuple[np.ndarray, np.ndarray], hidden: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Rank from 1 of each hidden (row, column) among the columns of its row that are not known; infinite beyond `FIRST`."""
    row_P, column_P = (torch.from_numpy(part.astype(np.int64)) for part in known)
    scores_BR[row_P, column_P] = -torch.inf
    top = scores_BR.topk(min(FIRST, scores_BR.shape[1]), dim=1)
    top_BK = top.indices.masked_fill(top.values.isnan(), -1).cpu().numpy()  # to topk a NaN is the largest of numbers
    hit_HK = top_BK[hidden[0]] == hidden[1][:, None]
    return np.where(hit_HK.any(1), 1 + hit_HK.argmax(1), np.inf)


def quality(rank_H: np.ndarray, row_H: np.ndarray) -> np.ndarray:
    """From 0 to 1 for each row: the mean of recall@20 and of 1 / log2(1 + rank) within 20, over the row's hidden links.

    row_H: which row each link belongs to, from 0, ascending.
    """
    gain_H = (rank_H <= FIRST) * (0.5 + 0.5 / np.log2(1 + rank_H))
    return np.asarray(np.bincount(row_H, gain_H) / np.bincount(row_H))
