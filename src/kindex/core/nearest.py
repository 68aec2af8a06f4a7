"""Exact nearest neighbours by matrix product: the one answer that indexes and metrics are compared with.

Scores are made block by block and never kept: of each block only those above a floor, which every better neighbour raises,
are looked at again. So the answers cost little more than the product. `all_pairs` also uses each product twice, for the
score of (i, j) is that of (j, i): about half the product is all it needs.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from kindex.core.best import Best

BLOCK_SCORES = 1 << 23
"""Scores held at a time by `blocks`: 32 MB of float32."""

SIDE = 768
"""Rows of a block of a product: its scores lie in the cache while they are looked through. A constant, for with another
one BLAS may round the last bit of a score differently."""

STATE_BYTES = 1 << 27
"""Above this, for N neighbours of N items at once, `all_pairs` does without its symmetry."""

_PAD = 64  # BLAS may round the ragged edge of a product by another kernel than its middle: whole 64s have none


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

    `own_rows_Q` names each query's own row in `base_ND`, which is left out (-1: it has none). Raises `ValueError` when a
    score could be NaN or infinite.
    """
    k = max(0, min(k, len(base_ND) - (own_rows_Q is not None)))
    _refuse_infinite(base_ND, queries_QD)
    scores_QK, rows_QK = np.empty((len(queries_QD), k), np.float32), np.empty((len(queries_QD), k), np.int64)
    with _one_thread():
        for start in range(0, len(queries_QD), SIDE):
            asked = slice(start, min(start + SIDE, len(queries_QD)))
            own_B = None if own_rows_Q is None else np.asarray(own_rows_Q)[asked]
            scores_QK[asked], rows_QK[asked] = _nearest_to_block(base_ND, queries_QD[asked], k, own_B)
    return scores_QK, rows_QK


def all_pairs(vectors_ND: np.ndarray, k: int) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """The `k` other rows with the largest dot product for every row, as `nearest`: (rows asked, scores (B, k), rows (B, k)).

    Blocks come in order of row; k above N - 1 gives N - 1. Beside the vectors it holds N · k keys of 8 bytes, or, where these
    are above `STATE_BYTES`, those of one block, and makes each product twice. Raises `ValueError` as `nearest` does.
    """
    count = len(vectors_ND)
    k = max(0, min(k, count - 1))
    _refuse_infinite(vectors_ND, vectors_ND)
    starts = range(0, count, SIDE)
    asked = [slice(start, min(start + SIDE, count)) for start in starts]
    if 8 * count * k > STATE_BYTES:
        for block in asked:
            with _one_thread():
                found = _nearest_to_block(vectors_ND, vectors_ND[block], k, np.arange(block.start, block.stop))
            yield block, *found
        return
    best = [Best(block.stop - block.start, k) for block in asked]
    for number, block in enumerate(asked):
        own_BD, answers = _padded(vectors_ND[block]), best[number]
        with _one_thread():
            for other in range(number, len(asked)):
                scores_BC = _product(own_BD, vectors_ND[asked[other]])[: block.stop - block.start]
                if other == number:
                    np.fill_diagonal(scores_BC, -np.inf)
                else:
                    best[other].offer(scores_BC, block.start, across=True)
                answers.offer(scores_BC, asked[other].start)
        best[number] = Best(0, k)
        yield block, *answers.found()


def _nearest_to_block(
    base_ND: np.ndarray, queries_BD: np.ndarray, k: int, own_rows_B: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    best, asked_BD = Best(len(queries_BD), k), _padded(queries_BD)
    width = SIDE * SIDE // max(_PAD, len(asked_BD)) // _PAD * _PAD  # few queries, many answers at a time
    for start in range(0, len(base_ND), width):
        scores_BC = _product(asked_BD, base_ND[start : start + width])[: len(queries_BD)]
        if own_rows_B is not None:
            own_B = own_rows_B - start
            here = np.flatnonzero((own_B >= 0) & (own_B < scores_BC.shape[1]))
            scores_BC[here, own_B[here]] = -np.inf
        best.offer(scores_BC, start)
    return best.found()


def _product(queries_PD: np.ndarray, answers_CD: np.ndarray) -> np.ndarray:
    """Dot products (P, C)."""
    return (queries_PD @ _padded(answers_CD).T)[:, : len(answers_CD)]


def _padded(vectors_BD: np.ndarray) -> np.ndarray:
    """Float32 rows with zero rows behind, up to whole `_PAD`s; no copy where there are."""
    short = -len(vectors_BD) % _PAD
    vectors_BD = np.ascontiguousarray(vectors_BD, np.float32)
    return np.concatenate([vectors_BD, np.zeros((short, vectors_BD.shape[1]), np.float32)]) if short else vectors_BD


def _refuse_infinite(base_ND: np.ndarray, queries_QD: np.ndarray) -> None:
    if not base_ND.size or not queries_QD.size:
        return
    largest = [max(float(part.max()), -float(part.min())) for part in (base_ND, queries_QD)]
    if not largest[0] * largest[1] * base_ND.shape[1] < float(np.finfo(np.float32).max):
        raise ValueError(f"scores would not be finite: the largest numbers of the two sides are {largest[0]} and {largest[1]}")


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _one_thread() -> Any:
    """One thread inside: how BLAS divides a product among several may show in the last bit."""
    return _blas().limit(limits=1, user_api="blas")
