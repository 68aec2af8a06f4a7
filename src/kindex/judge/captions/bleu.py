"""BLEU (Papineni, Roukos, Ward and Zhu 2002): how many runs of words a caption shares with what people wrote.

Clipped precisions of runs of one to n words, their geometric mean, and a penalty for what is shorter than the closest
reference; of two references equally close, the shorter counts (as in the authors' script and in sacreBLEU).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDERS = 4
"""The longest run of words that is counted."""

Words = Sequence[str]


@dataclass(frozen=True)
class Overlap:
    """What BLEU is made of, for each of N captions: runs shared and runs said, by length (N, 4); words of the caption and of
    its closest reference (N). All float64, and all may be summed."""

    shared_NK: np.ndarray
    said_NK: np.ndarray
    length_N: np.ndarray
    reference_N: np.ndarray


def runs(words: Words, order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` words occurs."""
    return Counter(zip(*(words[start:] for start in range(order))))


def overlap(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> Overlap:
    """Count each caption against its references. Raises `ValueError` when their numbers differ, or one has no reference."""
    if len(captions) != len(references) or not all(references):
        raise ValueError(f"{len(captions)} captions and references of {len(references)}: each caption needs one at least")
    shared_NK, said_NK = np.zeros((len(captions), ORDERS)), np.zeros((len(captions), ORDERS))
    for row, (caption, others) in enumerate(zip(captions, references)):
        for order in range(1, ORDERS + 1):
            most: Counter[tuple[str, ...]] = Counter()
            for other in others:
                most |= runs(other, order)
            shared_NK[row, order - 1] = (runs(caption, order) & most).total()
            said_NK[row, order - 1] = max(0, len(caption) - order + 1)
    closest = [min((abs(len(o) - len(caption)), len(o)) for o in others)[1] for caption, others in zip(captions, references)]
    return Overlap(shared_NK, said_NK, np.array([len(c) for c in captions], float), np.array(closest, float))


def bleu(counted: Overlap, weights_SN: np.ndarray | None = None) -> np.ndarray:
    """BLEU-1 to BLEU-4 of a corpus (4), or of each of S weighings of its captions (S, 4). Not smoothed: 0 when no run of that
    length is shared. Float64 in 0..1."""
    if weights_SN is None:
        return np.asarray(bleu(counted, np.ones((1, len(counted.length_N))))[0])
    shared_SK, said_SK = weights_SN @ counted.shared_NK, weights_SN @ counted.said_NK
    length_S, reference_S = weights_SN @ counted.length_N, weights_SN @ counted.reference_N
    precision_SK = np.divide(shared_SK, said_SK, out=np.zeros_like(shared_SK), where=said_SK > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_SK = np.exp(np.cumsum(np.log(precision_SK), axis=1) / np.arange(1, ORDERS + 1))
        penalty_S = np.where(length_S > 0, np.exp(np.minimum(0.0, 1 - reference_S / length_S)), 0.0)
    return np.asarray(penalty_S[:, None] * mean_SK)


def corpus_bleu(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of N captions, each with its references, as lists of words. Raises `ValueError` as `overlap`."""
    return tuple(bleu(overlap(captions, references)).tolist())


def sentence_bleu(counted: Overlap) -> np.ndarray:
    """BLEU-4 of each caption alone (N float64), with one added to the counts of runs of two and more words (Lin and Och 2004,
    *ORANGE*, section 4): one caption seldom shares a run of four, and 0 would tell most captions not apart."""
    more_K = np.array([0.0] + [1.0] * (ORDERS - 1))
    smooth = Overlap(counted.shared_NK + more_K, counted.said_NK + more_K, counted.length_N, counted.reference_N)
    return bleu(smooth, np.eye(len(counted.length_N)))[:, ORDERS - 1]
