"""Baselines against loops over the link matrix, and a whole judgement of planted links."""

import math

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import LINKS, Catalogue
from kindex.core.errors import ConfigError
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.core.watch import Silent
from kindex.judge import baselines as baselines_
from kindex.judge.baselines import baselines, cooccurrence, fitted_on, popularity, svd
from kindex.judge.evidence import well_known
from kindex.judge.links import judge_links
from kindex.judge.tasks import link_tasks
from tests.judge.small import planted, split_of, whole


def test_popularity_counts_train_links() -> None:
    split, _ = planted(readers=30, books=40, groups=4)
    (task,) = link_tasks(split, 5)
    counted = [split.train.links["right"].to_pylist().count(name) for name in task.right_ids.to_pylist()]
    assert popularity(task)(np.arange(5)).tolist() == [counted] * 5


def test_cooccurrence_is_the_sum_of_column_cosines() -> None:
    split, _ = planted(readers=25, books=30, groups=3)
    (task,) = link_tasks(split, 6)
    dense_LR = whole(task).toarray()
    found_QR = cooccurrence(task, fitted_on(task, 1))(np.arange(6))
    for query, row in enumerate(task.query_rows_Q):
        for item in range(30):
            expected = 0.0
            for linked in np.flatnonzero(dense_LR[row]):
                together = sum(a * b for a, b in zip(dense_LR[:, linked], dense_LR[:, item]))
                lengths = math.sqrt(dense_LR[:, linked].sum()) * math.sqrt(max(1, dense_LR[:, item].sum()))
                expected += together / lengths
            assert found_QR[query, item] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_cooccurrence_is_the_same_to_the_last_bit_with_and_without_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    split, _ = planted()
    (task,) = link_tasks(split, 100)
    scorer = cooccurrence(task, fitted_on(task, 1))
    found = []
    for dense in (0.0, 2.0):
        monkeypatch.setattr(baselines_, "DENSE", dense)
        found.append(scorer(np.arange(100)))
    assert found[0].any() and found[0].tobytes() == found[1].tobytes()


def test_svd_is_the_best_matrix_of_its_rank() -> None:
    split, _ = planted(readers=80, books=60, groups=5)
    (task,) = link_tasks(split, 80)
    scorer, fold = svd(task, whole(task), 5, seed=3)
    left_LD = fold(np.arange(80))
    dense_LR = whole(task).toarray().astype(float)
    root_L, root_R = np.sqrt(dense_LR.sum(1)), np.sqrt(dense_LR.sum(0))
    left, singular, right = np.linalg.svd(dense_LR / root_L[:, None] / root_R, full_matrices=False)
    best = (left[:, :5] * singular[:5]) @ right[:5] * root_R
    np.testing.assert_allclose(scorer(np.arange(80)), best[task.query_rows_Q], atol=5e-3)
    np.testing.assert_allclose(np.linalg.norm(left_LD, axis=0), singular[:5], rtol=1e-3)
    assert np.array_equal(svd(task, whole(task), 5, seed=3)[1](np.arange(80)), left_LD)
    assert baselines(task, 999, seed=3)[1](np.arange(7)).shape == (7, 60)  # no wider than the matrix


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
    assert found.raw["reader"](["r007", "r299"]).shape == (2, 12)
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


def test_large_link_tables_are_fitted_on_a_sample_of_left_items(monkeypatch: pytest.MonkeyPatch) -> None:
    split, spaces = planted()
    (task,) = link_tasks(split, 300)
    monkeypatch.setattr("kindex.judge.baselines.LINKS", len(task.train) // 2)
    fitted_SR = fitted_on(task, 5)
    assert len(task.train) // 2 - 20 < fitted_SR.nnz <= len(task.train) // 2, "whole left items, as many as go in"
    rows = {tuple(row) for row in whole(task).toarray().tolist()}
    assert all(tuple(row) in rows for row in fitted_SR.toarray().tolist())
    assert (fitted_on(task, 5) != fitted_SR).nnz == 0 and (fitted_on(task, 6)[:9] != fitted_SR[:9]).nnz
    found = judge_links(split, spaces, Silent(), sample=300, bootstrap=0, seed=5)
    assert found is not None and found.counts["baseline_links"] == fitted_SR.nnz
    report = found.report()
    assert report["cooccurrence_link_recall_at_10"] > report["popularity_link_recall_at_10"] + 0.2
    assert report["svd_link_recall_at_10"] > report["popularity_link_recall_at_10"] + 0.2


def test_links_of_dictionaries_are_judged_as_those_of_strings() -> None:
    split, spaces = planted(readers=60, books=40, groups=4)

    def coded(catalogue: Catalogue) -> Catalogue:
        links, half = catalogue.links, catalogue.links.num_rows // 2
        tables = [
            pa.table({name: c.dictionary_encode() if pa.types.is_string(c.type) else c for name, c in zip(LINKS.names, part)})
            for part in (links.slice(0, half).columns, links.slice(half).columns)
        ]  # two chunks with a dictionary each
        return Catalogue("small", {"items": catalogue.items, "links": pa.concat_tables(tables)})

    other = Split(coded(split.train), coded(split.heldout))
    assert other.train.links["left"].num_chunks == 2 and pa.types.is_dictionary(other.train.links["left"].type)
    first, second = (judge_links(s, spaces, Silent(), sample=40, bootstrap=3, seed=1) for s in (split, other))
    assert first is not None and second is not None and first.report() == second.report()
    known = [well_known(s, spaces["book"].ids).order_N.tolist() for s in (split, other)]
    assert known[0] == known[1]


def test_a_rival_is_one_more_baseline() -> None:
    split, spaces = planted()
    rng = np.random.default_rng(3)
    noisy = {
        kind: Space(kind, s.ids, s.vectors_ND + rng.normal(size=s.vectors_ND.shape).astype(np.float32) * 3, "cosine", "other")
        for kind, s in spaces.items()
    }
    found = judge_links(split, noisy, Silent(), sample=200, bootstrap=0, seed=1, rivals={"default": spaces})
    alone = judge_links(split, spaces, Silent(), sample=200, bootstrap=0, seed=1)
    assert found is not None and alone is not None
    assert found.report()["default_link_recall_at_10"] == alone.report()["link_recall_at_10"]
    assert found.report()["default_link_recall_at_10"] > found.report()["link_recall_at_10"] + 0.2
