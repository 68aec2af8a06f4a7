"""Analogies: what is to c as b is to a? Vectors added, or likenesses multiplied.

`positive` are b and c, `negative` is a; more of either may be given. Who asks leaves out the rows asked about: they are
nearly always the best of all.
"""

from collections.abc import Sequence

import numpy as np

from kindex.core.space import unit

EPSILON = 0.001
"""Keeps the division of `cos_mul` finite (Levy and Goldberg 2014, below equation 4)."""


def cos_add(unit_ND: np.ndarray, positive_P: Sequence[int], negative_M: Sequence[int]) -> np.ndarray:
    """3CosAdd: cosine of each row with the sum of the positive rows less the negative ones (N float32).

    The order is that of Mikolov, Yih and Zweig 2013, section 4 (Levy and Goldberg 2014, equation 3). `unit_ND` are vectors of
    unit length.
    """
    rows_Q = np.array([*positive_P, *negative_M], np.int64)
    signs_Q = np.array([1.0] * len(positive_P) + [-1.0] * len(negative_M), np.float32)
    target_1D = unit((signs_Q @ unit_ND[rows_Q])[None, :])
    scores_N: np.ndarray = (target_1D @ unit_ND.T)[0]
    return scores_N


def cos_mul(unit_ND: np.ndarray, positive_P: Sequence[int], negative_M: Sequence[int]) -> np.ndarray:
    """3CosMul (Levy and Goldberg 2014, equation 4): likenesses to the positive rows multiplied, over those to the negative
    ones (N float32), each cosine moved to 0..1 as (cos + 1) / 2, so that no one of them outweighs the others.

    `unit_ND` are vectors of unit length; the scores are 0 or more, with no bound of 1.
    """
    rows_Q = np.array([*positive_P, *negative_M], np.int64)
    like_QN = np.clip((unit_ND[rows_Q] @ unit_ND.T + np.float32(1)) / np.float32(2), 0, 1)
    above_N, below_N = like_QN[: len(positive_P)].prod(0), (like_QN[len(positive_P) :] + np.float32(EPSILON)).prod(0)
    return (above_N / below_N).astype(np.float32)
