import math

import numpy as np
import pytest

from kindex.judge.captions.cider import Cider
from tests.judge.captions.spoken_texts import made

FROZEN = (
    0.0,
    0.06393330067987638,
    2.9337440028700628,
    2.391130021728436,
    2.8777461159647,
    3.6765680419080926,
    1.656399215896282,
)
"""What pycocoevalcap 1.2 gives for `made(seed=0)`: its first six images, and the mean of all."""


def slow_cider(captions, references):
    """Vedantam et al. 2015, equations 1 to 3 with section 5's clipping and penalty, over all runs at once as dense vectors."""

    def grams(words, n):
        return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]

    total_N = np.zeros(len(captions))
    for n in (1, 2, 3, 4):
        known = sorted({g for words in (*captions, *(o for others in references for o in others)) for g in grams(words, n)})
        images = [max(1, sum(any(g in grams(o, n) for o in others) for others in references)) for g in known]
        inverse = np.log(len(references) / np.array(images))

        def vector(words, n=n, known=known, inverse=inverse):
            said = grams(words, n)
            return np.array([said.count(g) for g in known]) * inverse

        for row, (caption, others) in enumerate(zip(captions, references)):
            own = vector(caption)
            for other in others:
                theirs = vector(other)
                lengths = np.linalg.norm(own) * np.linalg.norm(theirs)
                if lengths:
                    gap = max(0, len(caption) - 1) - max(0, len(other) - 1)
                    cosine = np.minimum(own, theirs) @ theirs / lengths
                    total_N[row] += 10 * cosine * math.exp(-(gap**2) / (2 * 6**2)) / len(others) / 4
    return total_N


def test_cider_is_what_the_paper_says() -> None:
    captions, references = made(images=15, seed=1)
    assert Cider(references).scores(captions) == pytest.approx(slow_cider(captions, references))


@pytest.mark.parametrize("seed", range(4))
def test_cider_is_that_of_pycocoevalcap(seed: int) -> None:
    scorer = pytest.importorskip("pycocoevalcap.cider.cider_scorer")
    captions, references = made(seed=seed)
    theirs = scorer.CiderScorer(n=4, sigma=6.0)
    for caption, others in zip(captions, references):
        theirs += (" ".join(caption), [" ".join(o) for o in others])
    mean, each_N = theirs.compute_score()
    own_N = Cider(references).scores(captions)
    assert own_N == pytest.approx(each_N, abs=1e-12)
    assert own_N.mean() == pytest.approx(mean)


def test_cider_keeps_the_numbers_that_pycocoevalcap_gave() -> None:
    captions, references = made(seed=0)
    scores_N = Cider(references).scores(captions)
    assert [*scores_N[:6], scores_N.mean()] == pytest.approx(FROZEN, abs=1e-9)


def test_telling_words_count_more_than_those_said_of_every_image() -> None:
    references = [[["a", "dog", "runs"]], [["a", "cat", "sits"]], [["a", "man", "stands"]]]
    common, telling = Cider(references).scores([["a", "x", "y"], ["cat", "x", "y"], []])[:2]
    assert common == 0 < telling


def test_one_image_alone_tells_nothing() -> None:
    assert Cider([[["a", "dog"]]]).scores([["a", "dog"]]).tolist() == [0]
    with pytest.raises(ValueError, match="1 captions for the references of 2 images"):
        Cider([[["a"]], [["b"]]]).scores([["a"]])
