"""Label numbers against slow loops and scikit-learn's own, on planted labels and on noise."""

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from kindex.core.space import unit
from kindex.judge.labels import Labelled, judge_labels, neighbour_agreement, nmi, probe, usable


def planted(count: int = 400, labels: int = 5, spread: float = 0.5) -> tuple[np.ndarray, Labelled]:
    rng = np.random.default_rng(2)
    labels_N = rng.integers(0, labels, count)
    vectors_ND = rng.normal(size=(labels, 8))[labels_N] + spread * rng.normal(size=(count, 8))
    vectors_ND *= rng.gamma(2, 2, size=(count, 1)) + 0.1
    return vectors_ND.astype(np.float32), Labelled(labels_N, rng.random(count) < 0.3)


def test_agreement_is_that_of_the_slow_loops() -> None:
    vectors_ND, labelled = planted(120)
    train = np.flatnonzero(~labelled.test_N)
    expected = []
    for item in np.flatnonzero(labelled.test_N):
        cosine = {}
        for other in train:
            a, b = vectors_ND[item].astype(float), vectors_ND[other].astype(float)
            cosine[other] = float(a @ b) / float(np.sqrt(a @ a) * np.sqrt(b @ b))
        near = sorted(train, key=lambda other: -cosine[other])[:10]
        expected.append(sum(labelled.labels_N[other] == labelled.labels_N[item] for other in near) / 10)
    found = neighbour_agreement(unit(vectors_ND), labelled.labels_N, labelled.test_N)
    np.testing.assert_allclose(found, expected)


def test_nmi_is_scikit_learns_and_weights_repeat_items() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, 300), rng.integers(0, 6, 300)
    second[:200] = first[:200]
    weights = rng.integers(0, 4, 300)
    ones = np.ones(300)
    assert nmi(first, second, ones) == pytest.approx(normalized_mutual_info_score(first, second))
    repeated = normalized_mutual_info_score(np.repeat(first, weights), np.repeat(second, weights))
    assert nmi(first, second, weights.astype(float)) == pytest.approx(repeated)
    assert nmi(first, first, ones) == pytest.approx(1.0)
    assert nmi(first * 0, first * 0, ones) == 1.0


def test_planted_labels_are_found_and_noise_is_chance() -> None:
    vectors_ND, labelled = planted()
    noise_ND = np.random.default_rng(5).normal(size=vectors_ND.shape).astype(np.float32)
    found = judge_labels({"": vectors_ND, "raw_": noise_ND}, labelled, bootstrap=50, seed=1)
    chance = found["neighbour_agreement_chance"].value
    assert chance == pytest.approx(0.2, abs=0.02)
    assert found["neighbour_agreement_at_10"].value > 0.8
    assert found["raw_neighbour_agreement_at_10"].value == pytest.approx(chance, abs=0.05)
    assert found["linear_probe_accuracy"].value > 0.8 > 0.4 > found["raw_linear_probe_accuracy"].value
    assert found["kmeans_nmi"].value > 0.6 > 0.1 > found["raw_kmeans_nmi"].value
    assert all(interval.low <= interval.value <= interval.high for interval in found.values())
    assert found == judge_labels({"": vectors_ND, "raw_": noise_ND}, labelled, bootstrap=50, seed=1)


def test_the_probe_does_not_learn_from_test_items() -> None:
    vectors_ND, labelled = planted()
    moved = labelled.labels_N.copy()
    moved[labelled.test_N] = (moved[labelled.test_N] + 1) % 5
    honest = probe(vectors_ND, labelled.labels_N, labelled.test_N, 1)
    assert probe(vectors_ND, moved, labelled.test_N, 1).mean() < 1 - honest.mean() + 0.05


def test_a_collapsed_space_is_judged_and_is_poor() -> None:
    _, labelled = planted()
    found = judge_labels({"": np.ones((400, 8), np.float32)}, labelled, bootstrap=5, seed=1)
    most = np.bincount(labelled.labels_N[~labelled.test_N]).argmax()
    assert found["linear_probe_accuracy"].value == pytest.approx((labelled.labels_N[labelled.test_N] == most).mean())
    assert found["kmeans_nmi"].value < 0.05


def test_too_few_labels_are_left_out() -> None:
    vectors_ND, labelled = planted()
    one = Labelled(labelled.labels_N * 0, labelled.test_N)
    assert judge_labels({"": vectors_ND}, one, bootstrap=5, seed=1) == {}
    assert judge_labels({"": vectors_ND}, Labelled(labelled.labels_N, labelled.test_N & False), bootstrap=5, seed=1) == {}


def test_which_items_are_judged() -> None:
    labels_N = np.array([0, 0, 0, -1, 1, 1, 2, 0])
    test_N = np.array([0, 0, 1, 0, 0, 1, 0, 0], bool)
    order_N = np.array([5, 1, 2, 0, 3, 4, 6, 7])
    # label 1 has one teaching item, label 2 one; item 3 has no label
    assert usable(labels_N, order_N, test_N, 99).tolist() == [0, 1, 2, 7]
    assert usable(labels_N, order_N, test_N, 5).tolist() == [0, 1, 2]
    assert usable(np.full(3, -1), order_N[:3], test_N[:3], 9).tolist() == []
