"""Search by description: each held-out caption asks for its image among all held-out images.

Recall@k, also called R@k, and the median rank, as in Hodosh, Young and Hockenmaier 2013 (*Framing image description as a
ranking task*, section 5.1). Images with the score of the right one count as they would if chance ordered them.
"""

from dataclasses import dataclass

import numpy as np

from kindex.core.nearest import blocks
from kindex.judge.intervals import Interval, of_mean, of_statistic, resamples

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True)
class Ranks:
    """For each of Q queries: images with a higher score than the right one, and others with the same (int64). N images."""

    above_Q: np.ndarray
    equal_Q: np.ndarray
    images: int

    @property
    def expected_Q(self) -> np.ndarray:
        """The expected rank of the right image (Q float64), the first being 1."""
        return 1 + self.above_Q + self.equal_Q / 2

    def among_first(self, k: int) -> np.ndarray:
        """How likely the right image is among the first k (Q float64): 0 or 1 where nothing has its score."""
        return np.clip((k - self.above_Q) / (self.equal_Q + 1), 0.0, 1.0)


def ranks(queries_QD: np.ndarray, images_ND: np.ndarray, right_Q: np.ndarray) -> Ranks:
    """Rank row `right_Q` of `images_ND` for each query by dot product; vectors are float32. Scores are held block by block."""
    from threadpoolctl import threadpool_limits

    above_Q, equal_Q = np.zeros(len(queries_QD), np.int64), np.zeros(len(queries_QD), np.int64)
    with threadpool_limits(1):  # how BLAS divides a product may show in the last bit
        for block in blocks(len(queries_QD), len(images_ND)):
            scores_BN = queries_QD[block] @ images_ND.T
            right_B1 = np.take_along_axis(scores_BN, right_Q[block][:, None], 1)
            above_Q[block] = (scores_BN > right_B1).sum(1)
            equal_Q[block] = (scores_BN == right_B1).sum(1) - 1
    return Ranks(above_Q, equal_Q, len(images_ND))


def judge_retrieval(found: Ranks, image_Q: np.ndarray, prefix: str, *, bootstrap: int, seed: int) -> dict[str, Interval]:
    """`<prefix>_recall_at_k` and `<prefix>_median_rank`. The captions of one image (its number in `image_Q`) are not
    independent, so the bootstrap draws images and takes all queries of each."""
    if not len(image_Q):
        return {}
    number_Q = np.unique(image_Q, return_inverse=True)[1]
    counts_SQ = resamples(int(number_Q.max()) + 1, bootstrap, seed)[:, number_Q]
    numbers = {f"{prefix}_recall_at_{k}": of_mean(found.among_first(k), counts_SQ) for k in RECALL_AT}
    order_Q = np.argsort(found.expected_Q, kind="stable")

    def median(weights_Q: np.ndarray) -> float:
        return weighted_median(found.expected_Q[order_Q], weights_Q[order_Q])

    return numbers | {f"{prefix}_median_rank": of_statistic(median, counts_SQ)}


def weighted_median(sorted_N: np.ndarray, weights_N: np.ndarray) -> float:
    """The median of ascending values, each occurring as often as its weight says: the mean of the two middle ones."""
    upto_N = np.cumsum(weights_N)
    half = upto_N[-1] / 2
    lower, upper = np.searchsorted(upto_N, half, "left"), np.searchsorted(upto_N, half, "right")
    return float(sorted_N[lower] + sorted_N[min(upper, len(sorted_N) - 1)]) / 2


def chance(images: int, prefix: str) -> dict[str, float]:
    """The same numbers for images in random order, exactly: k / N, and (N + 1) / 2 for the rank."""
    recall = {f"{prefix}_recall_at_{k}": min(1.0, k / images) for k in RECALL_AT}
    return recall | {f"{prefix}_median_rank": (images + 1) / 2}
