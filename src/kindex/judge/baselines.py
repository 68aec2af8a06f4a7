"""What a pair model must beat, ranked by the same code: popularity, co-occurrence and a truncated SVD."""

from typing import Any

import numpy as np

from kindex.judge.ranking import Scorer
from kindex.judge.tasks import LinkTask


def popularity(task: LinkTask) -> Scorer:
    """Every query gets the candidates with the most train links."""
    popularity_R = task.popularity_R.astype(np.float32)
    return lambda queries_B: np.broadcast_to(popularity_R, (len(queries_B), len(popularity_R)))


def cooccurrence(task: LinkTask) -> Scorer:
    """Sum, over the query's train links, of their cosine with the candidate, as columns of the link matrix.

    Item-based collaborative filtering (Sarwar et al. 2001, section 3.1.1), with all neighbours.
    """
    from scipy.sparse import diags

    length_R = np.sqrt(np.maximum(task.popularity_R, 1))
    unit_LR = task.train_LR @ diags((1 / length_R).astype(np.float32))
    cosine_RR = (unit_LR.T @ unit_LR).tocsr()
    return lambda queries_B: (task.train_LR[task.query_rows_Q[queries_B]] @ cosine_RR).toarray()


def svd(task: LinkTask, dimensions: int, seed: int) -> tuple[Scorer, np.ndarray]:
    """PureSVD (Cremonesi, Koren and Turrin 2010): a scorer, and the left items (L, dimensions).

    Rows and columns of the link matrix are divided by the roots of their sums (Dhillon 2001), and the candidates'
    popularity is multiplied back: without it the first dimensions go to the few items that all have, and the baseline is a
    quarter weaker. The randomised SVD of Halko et al. 2011 with four power steps, from a seed.
    """
    from scipy.sparse import diags
    from sklearn.utils.extmath import randomized_svd

    root_L = np.sqrt(np.maximum(np.asarray(task.train_LR.sum(axis=1), np.float64).ravel(), 1))
    root_R = np.sqrt(np.maximum(task.popularity_R, 1))
    width = max(1, min(dimensions, *task.train_LR.shape))
    normal_LR = diags(1 / root_L) @ task.train_LR @ diags(1 / root_R)
    left_LD, singular_D, right_DR = randomized_svd(normal_LR, width, n_iter=4, random_state=seed)
    left_LD = (left_LD * singular_D).astype(np.float32)
    right_DR = (right_DR * root_R).astype(np.float32)
    return lambda queries_B: left_LD[task.query_rows_Q[queries_B]] @ right_DR, left_LD


def baselines(task: LinkTask, dimensions: int, seed: int) -> tuple[dict[str, Scorer], np.ndarray]:
    """The scorers by the prefix of their numbers in a report, and the SVD's left items (L, dimensions)."""
    svd_scorer, left_LD = svd(task, dimensions, seed)
    scorers: dict[str, Any] = {"popularity": popularity(task), "cooccurrence": cooccurrence(task), "svd": svd_scorer}
    return scorers, left_LD
