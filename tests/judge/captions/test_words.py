from collections import Counter

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.captions.inflections import ING, PERSON, PLURAL, Pair, pairs
from kindex.judge.captions.words import EVERYDAY, NUMBERS, answers, everyday, judge_words, plain_nouns

NOUNS = ("dog", "cat", "boy", "girl", "tree", "ball", "car", "shirt", "street", "house", "bird", "horse")


def space_of(words: dict[str, np.ndarray]) -> Space:
    return Space("word", tuple(words), np.stack(list(words.values())).astype(np.float32), "cosine", "captioner-words")


def planted(noise: float = 0.05, others: int = 150) -> Space:
    """A plural lies where its word lies, a fixed step aside; number words lie together; other words anywhere."""
    rng = np.random.default_rng(0)
    step, numbers = rng.normal(size=16), rng.normal(size=16)
    words = {}
    for noun in NOUNS:
        words[noun] = rng.normal(size=16)
        words[f"{noun}s"] = words[noun] + 0.5 * step + noise * rng.normal(size=16)
    words |= {word: numbers + 0.3 * rng.normal(size=16) for word in NUMBERS[:6]}
    words |= {f"other{n}": rng.normal(size=16) for n in range(others)}
    return space_of(words)


def test_pairs_follow_the_rules_and_the_exceptions() -> None:
    nouns = ["man", "men", "dog", "dogs", "box", "boxes", "puppy", "puppies", "new", "news", "the"]
    verbs = ["run", "runs", "running", "ride", "riding", "lie", "lying", "stand", "standing", "open", "opening"]
    assert pairs(nouns + verbs) == [
        Pair("lie", "lying", ING),
        Pair("open", "opening", ING),
        Pair("ride", "riding", ING),
        Pair("run", "running", ING),
        Pair("stand", "standing", ING),
        Pair("box", "boxes", PLURAL),
        Pair("dog", "dogs", PLURAL),
        Pair("man", "men", PLURAL),
        Pair("puppy", "puppies", PLURAL),
        Pair("run", "runs", PERSON),
    ]


def test_short_foreign_and_odd_words_give_no_pairs() -> None:
    assert pairs(["a", "as", "i", "is", "été", "étés", "t-shirt", "3", "3s", "", "犬"]) == []


def test_a_planted_space_is_known_and_a_random_one_is_at_chance() -> None:
    space = planted()
    counts = Counter(dict.fromkeys(space.ids, 5))
    found = judge_words(space, counts, bootstrap=50, seed=0)
    assert found["inflection_accuracy"] == 1.0 and found["inflection_coverage"] == 1.0
    assert found["inflection_pairs"] == len(NOUNS)
    assert found["inflection_chance"] == pytest.approx(10 / (len(space.ids) - 1))
    assert found["inflection_analogy_accuracy"] > 0.9 and found["inflection_analogy_product_accuracy"] > 0.9
    assert found["inflection_analogy_chance"] == pytest.approx(1 / (len(space.ids) - 3))
    assert found["number_accuracy"] == 1.0 and found["number_coverage"] == 0.5
    assert found["number_chance"] == pytest.approx(5 / (len(space.ids) - 1))
    random = np.random.default_rng(3).normal(size=(len(space.ids), 16))
    lost = judge_words(space_of(dict(zip(space.ids, random))), counts, bootstrap=50, seed=0)
    assert lost["inflection_accuracy"] < 0.25 and lost["number_accuracy"] < 0.25
    assert lost["inflection_analogy_accuracy"] < 0.05


def test_coverage_counts_pairs_that_captions_use_and_the_model_does_not_know() -> None:
    space = planted()
    counts = Counter(dict.fromkeys(space.ids, 5)) + Counter({"boat": 2, "boats": 2, "coat": 2, "coats": 1})
    found = judge_words(space, counts, bootstrap=0, seed=0)
    assert found["inflection_coverage"] == pytest.approx(len(NOUNS) / (len(NOUNS) + 1)), "what is said once is a slip"


def test_words_without_pairs_or_numbers_give_no_numbers() -> None:
    space = space_of({"maison": np.ones(3), "arbre": np.arange(3.0), "chien": np.array([1, 0, 0])})
    assert judge_words(space, Counter({"maison": 3}), bootstrap=5, seed=0) == {}


def test_an_answer_is_never_a_word_of_the_question() -> None:
    words = {"man": [1, 0, 0], "men": [1, 0.1, 0], "woman": [0.9, 0, 0.1], "women": [0, 1, 0], "x": [-1, 0, 0]}
    space = space_of({word: np.array(vector, float) for word, vector in words.items()})
    (question,) = [q for q in everyday() if set(q) <= set(words) and q[0] == "man" and q[1] == "men"]
    assert question.right == "women"
    assert all(answer in ("women", "x") for answer in answers(space, question))
    assert judge_words(space, Counter(), bootstrap=0, seed=0)["analogy_coverage"] == pytest.approx(4 / len(everyday()))


def test_everyday_questions_are_asked_once_and_have_four_words() -> None:
    asked = everyday()
    assert len(asked) == len(set(asked)) and all(len(pair) == 2 for group in EVERYDAY for pair in group)
    assert all(len(set(question)) == 4 for question in asked)


def test_shown_nouns_are_golden_ones_and_then_the_frequent_ones_with_a_plural() -> None:
    counts = Counter(dict.fromkeys(planted().ids, 5)) + Counter({"dog": 9, "tree": 8, "otherone": 99})
    counts += Counter({"cat": 300})  # "cats" is too rare beside it
    assert plain_nouns(counts, planted(), 3, ["six", "unheard"]) == ["six", "dog", "tree"]
