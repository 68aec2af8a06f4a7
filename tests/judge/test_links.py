"""Baselines against loops over the link matrix, and a whole judgement of planted links."""

import math

import numpy as np
import pytest

from kindex.core.errors import ConfigError
from kindex.core.space import Space
from kindex.core.watch import Silent
from kindex.judge.baselines import baselines, cooccurrence, popularity, svd
from kindex.judge.links import judge_links
from kindex.judge.tasks import link_tasks
from tests.judge.small import planted, split_of


def test_popularity_counts_train_links() -> None:
    split, _ = planted(readers=30, books=40, groups=4)
    (task,) = link_tasks(split, 5)
    counted = [split.train.links["right"].to_pylist().count(name) for name in task.right_ids]
    assert popularity(task)(np.arange(5)).tolist() == [counted] * 5


def test_cooccurrence_is_the_sum_of_column_cosines() -> None:
    split, _ = planted(readers=25, books=30, groups=3)
    (task,) = link_tasks(split, 6)
    dense_LR = task.train_LR.toarray()
    found_QR = cooccurrence(task)(np.arange(6))
    for query, row in enumerate(task.query_rows_Q):
        for item in range(30):
            expected = 0.0
            for linked in np.flatnonzero(dense_LR[row]):
                together = sum(a * b for a, b in zip(dense_LR[:, linked], dense_LR[:, item]))
                lengths = math.sqrt(dense_LR[:, linked].sum()) * math.sqrt(max(1, dense_LR[:, item].sum()))
                expected += together / lengths
            assert found_QR[query, item] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_svd_is_the_best_matrix_of_its_rank() -> None:
    split, _ = planted(readers=80, books=60, groups=5)
    (task,) = link_tasks(split, 80)
    scorer, left_LD = svd(task, 5, seed=3)
    dense_LR = task.train_LR.toarray().astype(float)
    root_L, root_R = np.sqrt(dense_LR.sum(1)), np.sqrt(dense_LR.sum(0))
    left, singular, right = np.linalg.svd(dense_LR / root_L[:, None] / root_R, full_matrices=False)
    best = (left[:, :5] * singular[:5]) @ right[:5] * root_R
    np.testing.assert_allclose(scorer(np.arange(80)), best[task.query_rows_Q], atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(left_LD, axis=0), singular[:5], rtol=1e-3)
    assert np.array_equal(svd(task, 5, seed=3)[1], left_LD)
    assert baselines(task, 999, seed=3)[1].shape == (80, 60)  # no wider than the matrix


def test_a_good_space_beats_its_baselines_and_a_turned_one_does_not() -> None:
    split, spaces = planted()
    found = judge_links(split, spaces, Silent(), sample=200, bootstrap=50, seed=1)
    assert found is not None
    report = found.report()
    assert report["queries"] == 200 and report["heldout_links"] == 400
    assert report["uncovered_queries"] == report["uncovered_links"] == 0
    assert report["link_recall_at_10"] > report["popularity_link_recall_at_10"] + 0.3
    assert report["svd_link_recall_at_10"] > report["popularity_link_recall_at_10"]
    assert report["link_recall_at_10_low"] < report["link_recall_at_10"] < report["link_recall_at_10_high"]
    assert report["link_recall_at_10"] < report["link_recall_at_20"] < report["link_recall_at_50"]
    assert found.raw["reader"].vectors_ND.shape == (300, 12)
    turned = spaces | {"book": Space("book", spaces["book"].ids, -spaces["book"].vectors_ND, "cosine", "planted")}
    worse = judge_links(split, turned, Silent(), sample=200, bootstrap=0, seed=1)
    assert worse is not None and worse.report()["link_recall_at_10"] < 0.05
    assert worse.report()["svd_link_recall_at_10"] == report["svd_link_recall_at_10"]


def test_rows_may_stand_in_any_order() -> None:
    split, spaces = planted()
    rng = np.random.default_rng(4)
    turned = {}
    for kind, space in spaces.items():
        order = rng.permutation(len(space.ids))
        turned[kind] = Space(kind, tuple(space.ids[row] for row in order), space.vectors_ND[order], "cosine", "planted")
    first, second = (judge_links(split, s, Silent(), sample=99, bootstrap=9, seed=1) for s in (spaces, turned))
    assert first is not None and second is not None and first.report() == pytest.approx(second.report())


def test_items_without_a_vector_are_misses_and_are_counted() -> None:
    split, spaces = planted()
    half = Space("reader", spaces["reader"].ids[:150], spaces["reader"].vectors_ND[:150], "cosine", "planted")
    whole, found = (
        judge_links(split, s, Silent(), sample=300, bootstrap=0, seed=1) for s in (spaces, spaces | {"reader": half})
    )
    assert whole is not None and found is not None
    assert found.counts["uncovered_queries"] == 150 and found.counts["uncovered_links"] == 300
    assert found.report()["link_recall_at_10"] == pytest.approx(whole.report()["link_recall_at_10"] / 2, abs=0.05)


def test_spaces_that_are_missing_or_of_two_frames_are_refused() -> None:
    split, spaces = planted()
    with pytest.raises(ConfigError, match="no space of the kind 'book'"):
        judge_links(split, {"reader": spaces["reader"]}, Silent(), sample=9, bootstrap=0, seed=1)
    other = Space("book", spaces["book"].ids, spaces["book"].vectors_ND, "cosine", "another")
    with pytest.raises(ConfigError, match="no frame in common"):
        judge_links(split, spaces | {"book": other}, Silent(), sample=9, bootstrap=0, seed=1)


def test_nothing_held_out_is_nothing_to_say() -> None:
    split, spaces = planted()
    empty = split_of(split.train.items, split.train.links, split.heldout.links.slice(0, 0))
    assert judge_links(empty, spaces, Silent(), sample=9, bootstrap=0, seed=1) is None
