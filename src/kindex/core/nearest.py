"""Exact nearest neighbours by matrix product: the one answer that indexes and metrics are compared with."""

from collections.abc import Iterator

import numpy as np

BLOCK_SCORES = 1 << 23
"""Scores held at a time: 32 MB of float32."""


def top_k(scores_QN: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` largest scores of each row, largest first, equal scores in order of column: (Q, k) scores and columns.

    `k` above N gives N columns. The scores must not be NaN.
    """
    k = min(k, scores_QN.shape[1])
    if k == 0:
        return np.empty((len(scores_QN), 0), scores_QN.dtype), np.empty((len(scores_QN), 0), np.int64)
    rows_QK = np.argpartition(-scores_QN, k - 1, axis=1)[:, :k].astype(np.int64)
    last_Q1 = np.take_along_axis(scores_QN, rows_QK, 1).min(1, keepdims=True)
    # a tie over the border: argpartition took any of the equal columns, we want the first ones
    for query in np.flatnonzero((scores_QN >= last_Q1).sum(1) > k):
        above = np.flatnonzero(scores_QN[query] > last_Q1[query])
        equal = np.flatnonzero(scores_QN[query] == last_Q1[query])
        rows_QK[query] = np.concatenate([above, equal])[:k]
    scores_QK = np.take_along_axis(scores_QN, rows_QK, 1)
    order_QK = np.lexsort((rows_QK, -scores_QK), axis=1)
    return np.take_along_axis(scores_QK, order_QK, 1), np.take_along_axis(rows_QK, order_QK, 1)


def blocks(queries: int, answers: int) -> Iterator[slice]:
    """Slices over `queries`, so small that one block's scores of all `answers` fit in `BLOCK_SCORES`."""
    size = max(1, BLOCK_SCORES // max(1, answers))
    return (slice(start, min(start + size, queries)) for start in range(0, queries, size))


def nearest(
    base_ND: np.ndarray, queries_QD: np.ndarray, k: int, own_rows_Q: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `base_ND` with the largest dot product for each query: (Q, k) scores and rows, see `top_k`.

    `own_rows_Q` names each query's own row in `base_ND`, which is left out (-1: it has none).
    """
    k = min(k, len(base_ND) - (own_rows_Q is not None))
    found = []
    for block in blocks(len(queries_QD), len(base_ND)):
        scores_BN = queries_QD[block] @ base_ND.T
        if own_rows_Q is not None:
            own_B = own_rows_Q[block]
            scores_BN[np.flatnonzero(own_B >= 0), own_B[own_B >= 0]] = -np.inf
        found.append(top_k(scores_BN, k))
    if not found:
        return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
    return np.concatenate([scores for scores, _ in found]), np.concatenate([rows for _, rows in found])
