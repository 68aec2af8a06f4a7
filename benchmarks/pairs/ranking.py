"""How well two tables rank held-out links: all right items, those of train left out, means over left items."""

import numpy as np
import torch

from benchmarks.pairs.cases import Case

K = 20
CELLS = 20_000_000


def ranked(case: Case, left_LD: np.ndarray, right_RD: np.ndarray, most: int) -> tuple[float, float]:
    """Link recall@20 and NDCG@20 over left items with held-out links; an even part of them when they are more than `most`."""
    asked_N = np.flatnonzero(np.diff(case.heldout_LR.indptr))
    asked_N = asked_N[:: 1 + (len(asked_N) - 1) // most]
    left, right = (torch.from_numpy(np.ascontiguousarray(table, np.float32)) for table in (left_LD, right_RD))
    discount_K = 1 / np.log2(np.arange(2, K + 2))
    rows = []
    for part_B in np.array_split(asked_N, 1 + len(asked_N) * len(right) // CELLS):
        scores_BR = left[torch.from_numpy(part_B)] @ right.T
        known = case.train_LR[part_B].tocoo()
        scores_BR[torch.from_numpy(known.row.astype(np.int64)), torch.from_numpy(known.col.astype(np.int64))] = -torch.inf
        top_BK = scores_BR.topk(K, dim=1).indices.numpy()
        heldout = case.heldout_LR[part_B]
        hit_BK = np.take_along_axis(heldout.toarray(), top_BK, 1) > 0
        total_B = np.diff(heldout.indptr)
        ideal_B = np.cumsum(discount_K)[np.minimum(total_B, K) - 1]
        rows.append(np.stack([hit_BK.sum(1) / total_B, (hit_BK * discount_K).sum(1) / ideal_B], 1))
    recall, ndcg = np.concatenate(rows).mean(0).tolist()
    return recall, ndcg
