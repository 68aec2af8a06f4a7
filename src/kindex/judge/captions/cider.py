"""CIDEr-D (Vedantam, Zitnick and Parikh 2015, section 5): runs of words that a caption shares with what people wrote, the
telling ones counting more.

Captions and references are tf-idf vectors of runs of one to four words; a caption's score is ten times the mean cosine with
its references, each weight clipped at the reference's, less for other lengths (sigma = 6). As in the authors' code and in
pycocoevalcap, which the tests compare with: document frequencies are those of the references that are judged with, and
length counts pairs of words.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np

from kindex.judge.captions.bleu import ORDERS, Words, runs

SIGMA = 6.0
SCALE = 10.0

Run = tuple[str, ...]


@dataclass(frozen=True)
class _Weighed:
    """tf-idf weights of runs, by length; the vectors' lengths; pairs of words."""

    weights_K: list[dict[Run, float]]
    norms_K: list[float]
    pairs: int


class Cider:
    """References of N images, weighed once; captions of several origins are scored against them.

    With one image every document frequency is all there is, each weight is log 1 = 0, and so are all scores.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        counted = [[_counts(words) for words in others] for others in references]
        self._frequency: Counter[Run] = Counter()
        for others in counted:
            self._frequency.update({run for counts in others for run in counts})
        self._images = len(references)
        self._references = [[self._weigh(counts) for counts in others] for others in counted]

    def scores(self, captions: Sequence[Words]) -> np.ndarray:
        """CIDEr-D of each image's caption (N float64), 0 to 10. Raises `ValueError` when there are not N captions."""
        if len(captions) != self._images:
            raise ValueError(f"{len(captions)} captions for the references of {self._images} images")
        scores = []
        for words, others in zip(captions, self._references):
            own = self._weigh(_counts(words))
            scores.append(SCALE * sum(_likeness(own, other) for other in others) / len(others) if others else 0.0)
        return np.array(scores)

    def _weigh(self, counts: Counter[Run]) -> _Weighed:
        weights_K: list[dict[Run, float]] = [{} for _ in range(ORDERS)]
        for run, count in counts.items():
            weights_K[len(run) - 1][run] = count * (log(self._images) - log(max(1, self._frequency[run])))
        norms_K = [sqrt(sum(weight * weight for weight in weights.values())) for weights in weights_K]
        return _Weighed(weights_K, norms_K, sum(count for run, count in counts.items() if len(run) == 2))


def _counts(words: Words) -> Counter[Run]:
    counts: Counter[Run] = Counter()
    for order in range(1, ORDERS + 1):
        counts += runs(words, order)
    return counts


def _likeness(own: _Weighed, other: _Weighed) -> float:
    """Mean over lengths of run of the clipped cosine, times the penalty for another length; 0 to 1."""
    total = 0.0
    for weights, others, norm, their_norm in zip(own.weights_K, other.weights_K, own.norms_K, other.norms_K):
        if norm and their_norm:
            shared = sum(min(weight, others[run]) * others[run] for run, weight in weights.items() if run in others)
            total += shared / (norm * their_norm)
    return total / ORDERS * exp(-((own.pairs - other.pairs) ** 2) / (2 * SIGMA**2))
