"""Link recall on the links set aside from train: what early stopping looks at."""

import numpy as np
import torch
from torch import Tensor

from kindex.encoders.parts.links import Links

SCORES = 1 << 24
"""Scores held at once, so that memory does not grow with the catalogue."""


def link_recall(left_LD: Tensor, right_RD: Tensor, known: Links, hidden: Links, left_N: np.ndarray, k: int) -> float:
    """Share of the hidden links of the left rows `left_N` among the first `k` by dot product, known links left out."""
    found = total = 0
    for part_B in np.array_split(left_N, 1 + len(left_N) * known.n_right // SCORES):
        scores_BR = left_LD[torch.from_numpy(part_B)] @ right_RD.T
        place_P, right_P = known.of_rows(part_B)
        scores_BR[torch.from_numpy(place_P), torch.from_numpy(right_P)] = -torch.inf
        top_BK = scores_BR.topk(min(k, known.n_right), dim=1).indices.numpy()
        place_H, right_H = hidden.of_rows(part_B)
        found += int((top_BK[place_H] == right_H[:, None]).any(1).sum())
        total += len(right_H)
    return found / total if total else 0.0
