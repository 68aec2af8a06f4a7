"""Predicted cost: its steps against what faiss counts, its order against the work, its bytes against the file."""

import numpy as np
import pytest

from kindex.index.cost import exact_us, least_bytes, p95, predicted_us, work
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.kinds import swept
from kindex.index.training import Material, empty
from kindex.index.tune import Truth, apply, index_recall, ladder, score_error, tune
from tests.index.test_index import clustered

SPACE = clustered(700, 20)
MADE = Material(SPACE.search_ND)
ASKED_QD = np.ascontiguousarray(SPACE.search_ND[:30])


def test_lists_and_links_are_counted_as_faiss_counts_them() -> None:
    faiss = faiss_one_thread()
    inverted = MADE.of("IVF64,Flat")
    inverted.nprobe = 5
    counts = work(inverted, ASKED_QD, 10)
    assert counts is not None
    faiss.cvar.indexIVF_stats.reset()
    inverted.search(ASKED_QD, 10)
    assert counts["IVF-Flat code"].sum() == faiss.cvar.indexIVF_stats.ndis
    assert (counts["IVF-Flat each"] == 5).all() and (counts["lists code"] == 64).all()
    np.testing.assert_array_equal(counts["IVF-Flat wide"], 20 * counts["IVF-Flat code"])
    graph = MADE.of("HNSW16")
    counts = work(graph, ASKED_QD, 10)
    assert counts is not None
    faiss.cvar.hnsw_stats.reset()
    graph.search(ASKED_QD, 10)
    assert counts["HNSW-Flat code"].sum() == faiss.cvar.hnsw_stats.ndis > 0


def test_what_is_ranked_anew_is_counted() -> None:
    refined = MADE.of("PQ10x4fs,RFlat")
    for factor, kept in ((4, 40), (1000, 700)):
        refined.k_factor = factor
        counts = work(refined, ASKED_QD, 10)
        assert counts is not None and (counts["refine-Flat code"] == kept).all() and (counts["PQ4fs code"] == 700).all()


@pytest.mark.parametrize("dimensions", [4, 20, 50])
def test_every_kind_that_a_budget_tries_has_a_price_and_costs_more_when_it_works_more(dimensions: int) -> None:
    made = Material(clustered(600, dimensions).search_ND)
    for factory in swept(600, dimensions):
        faiss_index = made.of(factory)
        predicted = []
        for setting in ladder(faiss_index):
            apply(faiss_index, setting)
            predicted.append(p95(predicted_us(faiss_index, made.vectors_ND[:20], 11)))
        assert predicted == sorted(predicted) and predicted[0] > 0, (factory, predicted)
        size = faiss_one_thread().serialize_index(faiss_index).nbytes / 600
        assert 0 < least_bytes(empty(factory, dimensions, "here")) <= size, factory


def test_exact_search_is_predicted_alike_with_and_without_an_index() -> None:
    assert exact_us(700, 20, 11) == p95(predicted_us(MADE.of("Flat"), ASKED_QD, 11))
    assert exact_us(1_000_000, 128, 11) > 100 * exact_us(1000, 128, 11)


@pytest.mark.parametrize("factory", ["SQ4", "SQ8", "RaBitQ", "IVF16_HNSW8,Flat", "NSG8,Flat"])
def test_a_kind_without_prices_is_not_guessed(factory: str) -> None:
    """20 numbers are no multiple of 8 or 64: those codes take far longer than their price."""
    assert predicted_us(MADE.of(factory), ASKED_QD, 10) is None


def test_two_numbers_that_grew_together_are_trimmed_to_what_is_needed() -> None:
    truth = Truth.of(SPACE, 200)
    trials = tune(MADE.of("IVF64,PQ10x4fs,RFlat"), "IVF64,PQ10x4fs,RFlat", truth, 0.95)
    enough = [trial for trial in trials if trial.index_recall_at_10 >= 0.95]
    assert [trial.chosen for trial in trials].count(True) == 1
    assert enough[-1].chosen and enough[-1].predicted_p95_us == min(trial.predicted_p95_us or 0 for trial in enough)
    assert len(enough) > 1, "nothing could be trimmed: take other vectors"
    numbers = dict(part.split("=") for part in enough[-1].setting.split(","))
    faiss_index = MADE.of("IVF64,PQ10x4fs,RFlat")
    for name, value in numbers.items():
        assert int(value) > 1
        apply(faiss_index, ",".join(f"{key}={int(n) // 2 if key == name else n}" for key, n in numbers.items()))
        _, rows_QK = faiss_index.search(SPACE.search_ND[truth.queries_Q], 11)
        assert index_recall(truth.vectors_ND, truth.queries_Q, rows_QK, truth.exact_QK) < 0.95, f"{name} could be halved"


def test_a_number_that_could_not_be_halved_stays_while_the_other_is_tried() -> None:
    found = tune(MADE.of("IVF64,PQ10x4fs,RFlat"), "IVF64,PQ10x4fs,RFlat", Truth.of(SPACE, 200), 0.9)
    steps = [tuple(int(part.split("=")[1]) for part in trial.setting.split(",")) for trial in found]
    assert steps == [(1, 1), (2, 2), (2, 1), (1, 2)] and [trial.chosen for trial in found] == [False, True, False, False]


def test_score_error_by_hand() -> None:
    vectors = np.array([[1, 0], [0.5, 0], [0.25, 0]], np.float32)
    rows = np.array([[0, 1, -1]])
    # true scores of the first vector: 1 and 0.5; off by 0.1 and 0.2
    assert score_error(vectors, np.array([0]), np.array([[0.9, 0.7, -np.inf]]), rows) == pytest.approx(0.3 / 1.5)
    assert score_error(vectors, np.array([0]), np.array([[1, 0.5, -np.inf]]), rows) == 0
    assert score_error(vectors, np.array([0]), np.array([[np.nan, 0.5, 0]]), rows) == np.inf


def test_steps_as_slow_as_exact_search_are_left_out() -> None:
    truth = Truth.of(SPACE, 50)
    assert len(tune(MADE.of("IVF64,Flat"), "IVF64,Flat", truth, 1.1)) == 7
    short = tune(MADE.of("IVF64,Flat"), "IVF64,Flat", truth, 1.1, 10.0)
    assert 1 <= len(short) < 7 and all((trial.predicted_p95_us or 0) < 10 for trial in short[1:])
