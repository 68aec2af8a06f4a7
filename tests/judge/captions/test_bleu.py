import math

import numpy as np
import pytest

from kindex.judge.captions.bleu import bleu, corpus_bleu, overlap, sentence_bleu
from tests.judge.captions.spoken_texts import made


def slow_bleu(captions, references, longest):
    """Papineni et al. 2002, section 2, one sentence and one run of words at a time."""
    logs, said_words, best_words = [], 0, 0
    for n in range(1, longest + 1):
        clipped = whole = 0
        for caption, others in zip(captions, references):
            grams = [tuple(caption[i : i + n]) for i in range(len(caption) - n + 1)]
            whole += len(grams)
            for gram in set(grams):
                most = max([tuple(o[i : i + n]) for i in range(len(o) - n + 1)].count(gram) for o in others)
                clipped += min(grams.count(gram), most)
        if clipped == 0:
            return 0.0
        logs.append(math.log(clipped / whole))
    for caption, others in zip(captions, references):
        said_words += len(caption)
        best_words += min((len(o) for o in others), key=lambda length: (abs(length - len(caption)), length))
    penalty = 1.0 if said_words > best_words else math.exp(1 - best_words / said_words)
    return penalty * math.exp(sum(logs) / longest)


@pytest.mark.parametrize("seed", range(5))
def test_corpus_bleu_is_what_the_paper_says(seed: int) -> None:
    captions, references = made(seed=seed)
    assert corpus_bleu(captions, references) == pytest.approx([slow_bleu(captions, references, n) for n in (1, 2, 3, 4)])


@pytest.mark.parametrize("seed", range(5))
def test_corpus_and_sentence_bleu_are_those_of_sacrebleu(seed: int) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    captions, references = made(seed=seed)
    said = [" ".join(words) for words in captions]
    streams = [[" ".join(o[k]) if k < len(o) else None for o in references] for k in range(5)]
    for n, own in enumerate(corpus_bleu(captions, references), 1):
        judge = sacrebleu.BLEU(tokenize="none", smooth_method="none", max_ngram_order=n, force=True)
        assert own == pytest.approx(judge.corpus_score(said, streams).score / 100)
    judge = sacrebleu.BLEU(tokenize="none", smooth_method="add-k", smooth_value=1, effective_order=False, force=True)
    alone_N = sentence_bleu(overlap(captions, references))
    for row in range(3, len(said)):  # sacreBLEU gives up where a caption is shorter than the run
        if len(captions[row]) >= 4:
            theirs = judge.sentence_score(said[row], [" ".join(o) for o in references[row]]).score / 100
            assert alone_N[row] == pytest.approx(theirs)


def test_the_example_of_the_paper_is_clipped() -> None:
    people = [["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]
    assert corpus_bleu([["the"] * 7], [people])[0] == pytest.approx(2 / 7), "section 2.1, example 2"


def test_a_short_caption_pays_and_of_equally_close_references_the_shorter_counts() -> None:
    said, people = ["a", "b", "c", "d"], [["a", "b", "c", "d", "e", "f"], ["a", "b"]]
    assert corpus_bleu([said], [people])[0] == 1.0, "lengths 2 and 6 are equally close to 4"
    assert corpus_bleu([said], [people[:1]])[0] == pytest.approx(math.exp(1 - 6 / 4))


def test_saying_nothing_or_nothing_right_is_worth_nothing() -> None:
    assert corpus_bleu([[]], [[["a"]]]) == (0, 0, 0, 0)
    assert corpus_bleu([["b"]], [[["a"]]]) == (0, 0, 0, 0)
    assert sentence_bleu(overlap([[], ["a"]], [[["a"]], [["a"]]])).tolist() == [0, 1]


def test_a_weighing_is_a_corpus_that_has_captions_several_times() -> None:
    captions, references = made(images=12)
    twice = [0, 3, 3, 3, 7, 11, 11]
    weights_1N = np.bincount(twice, minlength=12)[None, :].astype(float)
    drawn = corpus_bleu([captions[n] for n in twice], [references[n] for n in twice])
    assert bleu(overlap(captions, references), weights_1N)[0] == pytest.approx(drawn)


def test_a_caption_without_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="each caption needs one"):
        overlap([["a"]], [[]])
    with pytest.raises(ValueError, match="2 captions and references of 1"):
        overlap([["a"], ["b"]], [[["a"]]])
