import math

import numpy as np
import pytest

from kindex.judge.captions.neighbours import K, judge_neighbours, overlaps, said

TRAIN = [{"a", "dog", "runs"}, {"a", "dog", "sits"}, {"a", "cat", "sits"}, {"a", "tree", "dgo"}]
ASKED = [{"a", "dog", "sits"}, {"a"}, {"nothing"}]


def slow_overlap(one, other, train):
    count = {word: sum(word in words for words in train) for word in one | other}
    weight = {word: math.log(len(train) / number) for word, number in count.items() if number > 1}
    either = sum(weight.get(word, 0) for word in one | other)
    return sum(weight.get(word, 0) for word in one & other) / either if either else 0.0


def test_the_overlap_is_the_weighted_share_of_words() -> None:
    found = overlaps(said(ASKED, TRAIN), np.arange(3))
    slow = [[slow_overlap(asked, train, TRAIN) for train in TRAIN] for asked in ASKED]
    assert found == pytest.approx(np.array(slow))
    assert found[0].tolist() == pytest.approx([0.5, 1.0, 0.5, 0.0]), "a word of all images counts nothing, a slip neither"


def test_good_neighbours_overlap_more_than_chance_and_chance_is_the_mean_over_all() -> None:
    rng = np.random.default_rng(0)
    topic_N, asked_T = rng.integers(0, 5, 300), rng.integers(0, 5, 30)

    def words(topic):
        return {"a", f"topic{topic}", f"noise{rng.integers(20)}"}

    bags = said([words(topic) for topic in asked_T], [words(topic) for topic in topic_N])
    series = {
        "": lambda: (np.eye(5, dtype=np.float32)[asked_T], np.eye(5, dtype=np.float32)[topic_N]),
        "raw_": lambda: (rng.normal(size=(30, 5)).astype(np.float32), rng.normal(size=(300, 5)).astype(np.float32)),
    }
    found = judge_neighbours(bags, series, bootstrap=50, seed=0)
    good, raw, chance = (found[f"{prefix}caption_overlap_at_10"] for prefix in ("", "raw_", "chance_"))
    assert chance.value == pytest.approx(overlaps(bags, np.arange(30)).mean())
    assert good.low > 2 * raw.high and raw.value == pytest.approx(chance.value, abs=0.05)


def test_fewer_train_images_than_neighbours_will_do() -> None:
    space = (np.eye(4, dtype=np.float32)[:3], np.eye(4, dtype=np.float32))
    assert len(TRAIN) < K
    found = judge_neighbours(said(ASKED, TRAIN), {"": lambda: space}, bootstrap=0, seed=0)
    assert found["caption_overlap_at_10"].value == pytest.approx(found["chance_caption_overlap_at_10"].value)
    assert judge_neighbours(said([], TRAIN), {"": lambda: space}, bootstrap=0, seed=0) == {}


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    space = (np.eye(4, dtype=np.float32)[:3], np.eye(4, dtype=np.float32))
    whole = judge_neighbours(said(ASKED, TRAIN), {"": lambda: space}, bootstrap=5, seed=0)
    monkeypatch.setattr("kindex.judge.captions.neighbours.BLOCK", 1)
    assert judge_neighbours(said(ASKED, TRAIN), {"": lambda: space}, bootstrap=5, seed=0) == whole
