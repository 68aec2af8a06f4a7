"""Similar images: do people say the same words of an image and of those that lie nearest to it?

The overlap of two images is the share of what was said of either that was said of both, over all captions of each, where a
word weighs ln(N / images with the word) over the N train images: Jaccard's index of 1912 weighted by the inverse document
frequency of Spärck Jones 1972. So there is no list of stop words: "a", which is said of nearly every image, weighs nearly
nothing in any language, and a word said of all of them nothing at all. Words said of one train image only, mostly slips of
the pen, do not count.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kindex.core.nearest import nearest
from kindex.core.space import unit
from kindex.judge.intervals import Interval, of_mean, resamples

K = 10
LEAST_IMAGES = 2
"""Train images that a word must be said of to count."""

BLOCK = 1 << 22
"""Overlaps that are held at a time."""


@dataclass(frozen=True)
class Said:
    """What is said of T held-out and N train images: CSR matrices of ones (T, W) and (N, W), and the words' weights (W)."""

    asked_TW: Any
    train_NW: Any
    weights_W: np.ndarray


def said(asked: Sequence[Collection[str]], train: Sequence[Collection[str]]) -> Said:
    """Take the words of each image, over all its captions."""
    frequency = Counter(word for words in train for word in set(words))
    kept = sorted(word for word, count in frequency.items() if count >= LEAST_IMAGES)
    number = {word: place for place, word in enumerate(kept)}
    weights_W = np.log(len(train) / np.array([frequency[word] for word in kept], float)) if kept else np.zeros(0)
    return Said(_matrix(asked, number), _matrix(train, number), weights_W)


def overlaps(words: Said, asked_B: np.ndarray) -> np.ndarray:
    """Overlap of each of these held-out images with every train image (B, N float64); 0 where nothing is said of either."""
    asked_BW = words.asked_TW[asked_B]
    both_BN = (asked_BW.multiply(words.weights_W).tocsr() @ words.train_NW.T).toarray()
    either_BN = (asked_BW @ words.weights_W)[:, None] + (words.train_NW @ words.weights_W)[None, :] - both_BN
    return np.divide(both_BN, either_BN, out=np.zeros_like(both_BN), where=either_BN > 0)


def judge_neighbours(
    words: Said,
    series: Mapping[str, Callable[[], tuple[np.ndarray, np.ndarray]]],
    *,
    bootstrap: int,
    seed: int,
) -> dict[str, Interval]:
    """`caption_overlap_at_10`: mean overlap of a held-out image and its ten nearest train images by cosine.

    `series` gives for each prefix the vectors (T, D) and (N, D) to choose neighbours by; the prefix `chance_` is the mean over
    all train images, which is what ten random ones would have in expectation.
    """
    count, train = words.asked_TW.shape[0], words.train_NW.shape[0]
    if not count or not train:
        return {}
    rows = {}
    for prefix, vectors in series.items():
        asked_TD, train_ND = vectors()
        rows[prefix] = nearest(unit(train_ND), unit(asked_TD), K)[1]
    values = {prefix: np.zeros(count) for prefix in ("chance_", *rows)}
    size = max(1, BLOCK // train)
    for start in range(0, count, size):
        asked_B = np.arange(start, min(start + size, count))
        overlaps_BN = overlaps(words, asked_B)
        values["chance_"][asked_B] = overlaps_BN.mean(1)
        for prefix, rows_TK in rows.items():
            values[prefix][asked_B] = np.take_along_axis(overlaps_BN, rows_TK[asked_B], 1).mean(1)
    counts_ST = resamples(count, bootstrap, seed)
    return {f"{prefix}caption_overlap_at_10": of_mean(values_T, counts_ST) for prefix, values_T in values.items()}


def _matrix(images: Sequence[Collection[str]], number: Mapping[str, int]) -> Any:
    from scipy.sparse import csr_matrix

    columns = [sorted({number[word] for word in words if word in number}) for words in images]
    ends = np.cumsum([0, *(len(some) for some in columns)])
    flat = np.array([column for some in columns for column in some], np.int64)
    return csr_matrix((np.ones(len(flat)), flat, ends), (len(images), len(number)))
