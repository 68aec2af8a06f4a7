"""What settings are chosen by, against slow loops: recall@20 and discounted gain of each left item."""

import math

import numpy as np
import pytest
import torch

from kindex.encoders.pairs import measure
from kindex.encoders.pairs.measure import Judge, quality, ranks
from tests.encoders.pairs.small import groups, links_of, table


def sides(n_left: int = 90, n_right: int = 70) -> tuple[np.ndarray, np.ndarray]:
    """Known and hidden links of a planted matrix; some left items have none that are hidden."""
    dense = groups(n_left, n_right, weighted=False) > 0
    rng = np.random.default_rng(1)
    hidden = dense & (rng.random(dense.shape) < 0.15) & (rng.random(n_left) < 0.8)[:, None]
    return dense & ~hidden, hidden


def slow(scores_LR: np.ndarray, known_LR: np.ndarray, hidden_LR: np.ndarray, rows: list[int]) -> float:
    """Mean over left items of half recall@20 and half the discounted gain of their hidden links."""
    values = []
    for left in rows:
        order = [right for right in np.argsort(-scores_LR[left], kind="stable") if not known_LR[left, right]]
        places = [order.index(right) for right in np.flatnonzero(hidden_LR[left])]
        recall = np.mean([place < 20 for place in places])
        gain = np.mean([1 / math.log2(2 + place) if place < 20 else 0 for place in places])
        values.append((recall + gain) / 2)
    return float(np.mean(values))


def test_the_score_is_the_slow_one() -> None:
    known, hidden = sides()
    judge = Judge(links_of(known), links_of(hidden))
    left_LD, right_RD = table(90, 4, 0), table(70, 4, 1)
    wanted = slow((left_LD @ right_RD.T).numpy(), known, hidden, np.flatnonzero(hidden.any(1)).tolist())
    assert 0.1 < wanted < 0.9
    assert judge.score(left_LD, right_RD) == pytest.approx(wanted, rel=1e-6)


def test_several_models_are_scored_alike_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    known, hidden = sides()
    judge = Judge(links_of(known), links_of(hidden))
    models = [(table(90, 4, seed), table(70, 4, seed + 1)) for seed in (0, 5)]
    alone = [judge.score(*model) for model in models]
    monkeypatch.setattr(measure, "BLOCK", 70 * 7)
    ways = [lambda rows, model=model: model[0][rows] @ model[1].T for model in models]
    assert judge.scores(len(ways), lambda rows_B: [way(rows_B) for way in ways], torch.device("cpu")) == pytest.approx(
        alone, rel=1e-6
    )
    assert alone[0] != alone[1]


def test_few_right_items_and_a_perfect_ranking_score_one() -> None:
    known, hidden = np.zeros((3, 5), bool), np.eye(3, 5, dtype=bool)
    judge = Judge(links_of(known), links_of(hidden))
    assert judge.score(torch.eye(3, 5), torch.eye(5)) == 1.0
    assert judge.score(-torch.eye(3, 5), torch.eye(5)) == pytest.approx(
        0.5 + 0.5 / math.log2(6)
    )  # last of five, but within 20


def test_where_nothing_is_hidden_there_is_no_score() -> None:
    known, _ = sides()
    assert Judge(links_of(known), links_of(np.zeros_like(known))).score(table(90, 4, 0), table(70, 4, 1)) is None


def test_a_nan_is_no_good_rank() -> None:
    known, hidden = sides()
    judge = Judge(links_of(known), links_of(hidden))
    assert judge.score(torch.full((90, 4), torch.nan), table(70, 4, 1)) == 0


def test_known_links_make_room_and_places_beyond_the_twentieth_are_infinite() -> None:
    scores = torch.arange(30, 0, -1.0).repeat(2, 1)
    known = np.array([0, 0, 1]), np.array([0, 3, 29])
    hidden = np.array([0, 0, 1, 1]), np.array([1, 21, 19, 20])
    assert ranks(scores, known, hidden).tolist() == [1, 20, 20, np.inf]


def test_quality_weighs_each_row_alike() -> None:
    found = quality(np.array([1, 3, np.inf, 20]), np.array([0, 0, 1, 2]))
    assert found.tolist() == pytest.approx([(1 + (1 + 1 / 2) / 2) / 2, 0, (1 + 1 / math.log2(21)) / 2])


def test_left_items_are_asked_evenly_and_no_more_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    known, hidden = sides()
    judge = Judge(links_of(known), links_of(hidden))
    every = np.flatnonzero(hidden.any(1)).tolist()
    assert judge.rows_N().tolist() == every
    wide = Judge(links_of(np.ones((9000, 2))), links_of(np.ones((9000, 2))))
    assert wide.rows_N(cells=1000).tolist() == list(range(0, 9000, 18))  # 1000 cells are 500 rows of 2
    monkeypatch.setattr(measure, "ITEMS", 10)
    assert judge.rows_N().tolist() == every[:: 1 + (len(every) - 1) // 10]
    assert len(judge.rows_N()) <= 10
