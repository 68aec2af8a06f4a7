"""What the word vectors know: forms of one word, number words, everyday analogies.

Each number stands beside chance, that of an answer drawn from all words, and a coverage: the share of what could be asked
whose words the model knows. Forms are taken from the captions; numbers and analogies are short lists of English.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from kindex.core.analogies import cos_add, cos_mul
from kindex.core.nearest import nearest
from kindex.core.space import Space
from kindex.judge.captions.inflections import PLURAL, Pair, pairs
from kindex.judge.intervals import Interval, of_mean, resamples

K = 10

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

EVERYDAY = (
    (("man", "men"), ("woman", "women"), ("boy", "boys"), ("girl", "girls"), ("child", "children"), ("dog", "dogs")),
    (("man", "woman"), ("boy", "girl"), ("men", "women"), ("boys", "girls"), ("he", "she"), ("his", "her")),
    (("father", "mother"), ("son", "daughter"), ("brother", "sister"), ("king", "queen"), ("man", "woman")),
    (("run", "running"), ("walk", "walking"), ("jump", "jumping"), ("sit", "sitting"), ("stand", "standing")),
    (("ride", "riding"), ("hold", "holding"), ("wear", "wearing"), ("play", "playing"), ("climb", "climbing")),
    (("surfer", "surfing"), ("skier", "skiing"), ("climber", "climbing"), ("runner", "running"), ("rider", "riding")),
    (("big", "bigger"), ("small", "smaller"), ("large", "larger"), ("young", "younger"), ("old", "older")),
)
"""Groups of pairs that stand in one relation: any two of a group are a question in each order."""

QUESTIONS = 400
"""Asked of the pairs of forms, at most."""


RARE = 50
"""A plural that is used more seldom, against its word, makes no noun of it."""


class Question(NamedTuple):
    """`a` is to `b` as `c` is to `right`."""

    a: str
    b: str
    c: str
    right: str


def everyday() -> list[Question]:
    """All questions of `EVERYDAY`, each once, the first of each group first."""
    found = [[Question(*one, *other) for one, other in permutations(group, 2)] for group in EVERYDAY]
    turns = [group[place] for place in range(max(map(len, found))) for group in found if place < len(group)]
    return list(dict.fromkeys(turns))


def judge_words(space: Space, counts: Mapping[str, int], *, bootstrap: int, seed: int) -> dict[str, float]:
    """All numbers of the space of words. `counts` says how often the train captions use each word; what they use once is
    taken for a slip of the pen."""
    used = {word for word, count in counts.items() if count > 1}
    return {
        **_inflections(space, pairs(used), bootstrap, seed),
        **_numbers(space, bootstrap, seed),
        **_analogies(space, everyday(), "analogy"),
    }


def _inflections(space: Space, every: Sequence[Pair], bootstrap: int, seed: int) -> dict[str, float]:
    """`inflection_accuracy`: share of the two words of a pair that have the other among their ten nearest."""
    known = [pair for pair in every if pair.base in space.rows and pair.form in space.rows]
    if not known:
        return {}
    rows_P2 = np.array([(space.rows[pair.base], space.rows[pair.form]) for pair in known])
    found_P2 = np.stack([partner_found(space, rows_P2[:, side], rows_P2[:, 1 - side]) for side in (0, 1)], 1)
    interval = of_mean(found_P2.mean(1), resamples(len(known), bootstrap, seed))
    asked = [
        Question(one.base, one.form, other.base, other.form)
        for one, other in permutations(known, 2)
        if one.kind == other.kind and len({*one[:2], *other[:2]}) == 4
    ]
    drawn = np.random.Generator(np.random.PCG64(seed)).permutation(len(asked))[:QUESTIONS]
    return {
        **interval.named("inflection_accuracy"),
        "inflection_chance": min(1.0, K / max(1, len(space.ids) - 1)),
        "inflection_coverage": len(known) / len(every),
        "inflection_pairs": len(known),
        **_analogies(space, [asked[number] for number in sorted(drawn.tolist())], "inflection_analogy", coverage=False),
    }


def partner_found(space: Space, rows_P: np.ndarray, partner_P: np.ndarray) -> np.ndarray:
    """Whether each word's partner is among its ten nearest (P float64, 0 or 1)."""
    _, rows_PK = nearest(space.unit_ND, space.unit_ND[rows_P], K, rows_P)
    return (rows_PK == partner_P[:, None]).any(1).astype(np.float64)


def _numbers(space: Space, bootstrap: int, seed: int) -> dict[str, float]:
    """`number_accuracy`: share of a number word's nearest words, as many as there are other number words but ten at most,
    that are number words."""
    rows_P = np.array([space.rows[word] for word in NUMBERS if word in space.rows], np.int64)
    if len(rows_P) < 2:
        return {}
    _, rows_PK = nearest(space.unit_ND, space.unit_ND[rows_P], min(K, len(rows_P) - 1), rows_P)
    interval: Interval = of_mean(np.isin(rows_PK, rows_P).mean(1), resamples(len(rows_P), bootstrap, seed))
    chance = (len(rows_P) - 1) / (len(space.ids) - 1)
    return {
        **interval.named("number_accuracy"),
        "number_chance": chance,
        "number_coverage": len(rows_P) / len(NUMBERS),
    }


def _analogies(space: Space, asked: Sequence[Question], name: str, coverage: bool = True) -> dict[str, float]:
    """`<name>_accuracy` by 3CosAdd, `<name>_product_accuracy` by 3CosMul: share of questions whose best answer, of all words
    but the three asked with, is right."""
    known = [question for question in asked if set(question) <= space.rows.keys()]
    if not known:
        return {}
    right = np.array([[answer == q.right for answer in answers(space, q)] for q in known], float).mean(0)
    found = {
        f"{name}_accuracy": float(right[0]),
        f"{name}_product_accuracy": float(right[1]),
        f"{name}_chance": 1 / (len(space.ids) - 3),
    }
    return found | ({f"{name}_coverage": len(known) / len(asked)} if coverage else {})


def answers(space: Space, question: Question) -> tuple[str, str]:
    """The best answer by 3CosAdd and by 3CosMul, never a word of the question. Raises `KeyError` for an unknown word."""
    a, b, c = (space.rows[word] for word in question[:3])
    found = []
    for method in (cos_add, cos_mul):
        scores_N = method(space.unit_ND, (b, c), (a,))
        scores_N[[a, b, c]] = -np.inf
        found.append(space.ids[int(scores_N.argmax())])
    return found[0], found[1]


def plain_nouns(counts: Mapping[str, int], space: Space, count: int, first: Collection[str] = ()) -> list[str]:
    """Words to show: `first`, then the most frequent nouns, as far as the space has them. A noun is a word whose plural is
    used a fiftieth as often at least: "whites" and "twos" occur, too."""
    plural = {base for base, form, kind in pairs(counts) if kind == PLURAL and counts[form] * RARE >= counts[base]}
    frequent = sorted(plural, key=lambda word: (-counts[word], word))
    shown = [word for word in dict.fromkeys([*first, *frequent]) if word in space.rows]
    return shown[: max(count, sum(word in space.rows for word in dict.fromkeys(first)))]
