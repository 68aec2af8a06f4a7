"""What a pair model must beat, ranked by the same code: popularity, co-occurrence and a truncated SVD."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kindex.core.nearest import blocks
from kindex.judge.ranking import Scorer
from kindex.judge.tasks import LinkTask

LINKS = 4_000_000
"""Train links that co-occurrence and SVD are fitted on, at most. Every query still asks with all of its own."""

DENSE = 0.05
"""Share of the left items that have an item in common with a query, from which products with zeros cost less than without."""

Fold = Callable[[np.ndarray], np.ndarray]
"""Rows (N) of left items → their vectors (N, D)."""


def fitted_on(task: LinkTask, seed: int) -> Any:
    """The train links as a CSR matrix (S, R): all, or those of left items drawn at random while they are `LINKS` at most."""
    if len(task.train) <= LINKS:
        return task.train.of(np.arange(task.train.n_left))
    order_L = np.random.default_rng(seed).permutation(task.train.n_left)
    links_L = np.cumsum(np.diff(task.train.start_L1)[order_L])
    return task.train.of(np.sort(order_L[: np.searchsorted(links_L, LINKS, side="right")]))


def popularity(task: LinkTask) -> Scorer:
    """Every query gets the candidates with the most train links."""
    popularity_R = task.train.popularity_R.astype(np.float32)
    return lambda queries_B: np.tile(popularity_R, (len(queries_B), 1))


def cooccurrence(task: LinkTask, fitted_SR: Any) -> Scorer:
    """Sum, over the query's train links, of their cosine with the candidate, as columns of the link matrix.

    Item-based collaborative filtering (Sarwar et al. 2001, section 3.1.1), with all neighbours. The matrix of cosines, which
    may be as large as all pairs of candidates, is never made: each block of queries is taken through the links twice.
    """
    from scipy.sparse import diags

    length_R = np.sqrt(np.maximum(np.asarray(fitted_SR.sum(axis=0)).ravel(), 1))
    unit_SR = (fitted_SR @ diags((1 / length_R).astype(np.float32))).tocsr()
    unit_RS = unit_SR.T.tocsr()

    def score(queries_B: np.ndarray) -> np.ndarray:
        scores_BR = np.empty((len(queries_B), unit_SR.shape[1]), np.float32)
        for part in blocks(len(queries_B), max(unit_SR.shape)):
            asked_RB = task.train.of(task.query_rows_Q[queries_B[part]]).T.tocsr()
            alike_SB = unit_SR @ asked_RB
            # each score is summed over the same products in the same order, whether zeros are left out or not
            if alike_SB.nnz < DENSE * np.prod(alike_SB.shape):
                scores_BR[part] = (alike_SB.T.tocsr() @ unit_SR).toarray()
            else:
                scores_BR[part] = (unit_RS @ alike_SB.toarray()).T
        return scores_BR

    return score


def svd(task: LinkTask, fitted_SR: Any, dimensions: int, seed: int) -> tuple[Scorer, Fold]:
    """PureSVD (Cremonesi, Koren and Turrin 2010): a scorer, and what places left items in its space.

    Rows and columns of the link matrix are divided by the roots of their sums (Dhillon 2001), and the candidates'
    popularity is multiplied back: without it the first dimensions go to the few items that all have, and the baseline is a
    quarter weaker. The randomised SVD of Halko et al. 2011 with four power steps, from a seed; a left item is the product
    of its links and the right singular vectors.
    """
    from scipy.sparse import diags
    from sklearn.utils.extmath import randomized_svd

    root_R = np.sqrt(np.maximum(task.train.popularity_R, 1)).astype(np.float32)

    def normal(links: Any) -> Any:
        root = np.sqrt(np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1)).astype(np.float32)
        return (diags(1 / root) @ links @ diags(1 / root_R)).tocsr()

    width = max(1, min(dimensions, *fitted_SR.shape))
    right_DR = randomized_svd(normal(fitted_SR), width, n_iter=4, random_state=seed)[2].astype(np.float32)

    def fold(rows_N: np.ndarray) -> np.ndarray:
        return np.asarray(normal(task.train.of(rows_N)) @ right_DR.T, np.float32)

    query_QD, popular_DR = fold(task.query_rows_Q), right_DR * root_R
    return lambda queries_B: query_QD[queries_B] @ popular_DR, fold


def baselines(task: LinkTask, dimensions: int, seed: int) -> tuple[dict[str, Scorer], Fold, int]:
    """The scorers by the prefix of their numbers in a report, the SVD's left vectors, and the links it was fitted on."""
    fitted_SR = fitted_on(task, seed)
    svd_scorer, fold = svd(task, fitted_SR, dimensions, seed)
    scorers = {"popularity": popularity(task), "cooccurrence": cooccurrence(task, fitted_SR), "svd": svd_scorer}
    return scorers, fold, int(fitted_SR.nnz)
