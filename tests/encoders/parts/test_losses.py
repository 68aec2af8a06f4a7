"""The losses against slow loops that follow the formula word by word, and their derivatives against finite differences."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from kindex.encoders.parts.links import Links
from kindex.encoders.parts.losses import bpr, linked_softmax, logistic, reconstruction_error, squared
from kindex.encoders.parts.sampling import PopularitySampler, known_cells

N_LEFT, N_RIGHT = 4, 9


def links() -> Links:
    pairs = np.argwhere(np.random.default_rng(1).random((N_LEFT, N_RIGHT)) < 0.4)
    return Links.of(pairs[:, 0], pairs[:, 1], N_LEFT, N_RIGHT)


def scores() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 2, (N_LEFT, N_RIGHT))


def counted() -> np.ndarray:
    """What each link counts."""
    return np.random.default_rng(3).uniform(0.2, 2, len(links()))


def fast(
    scores_LR: np.ndarray, draws: int, counted_P: np.ndarray | None = None
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The loss as `pairs` computes it, its derivative by all scores (L, R), the negatives drawn, and their weights."""
    known = links()
    left_B = np.array([2, 0, 3, 1])
    place_P, at_P = known.places(left_B)
    right_P = known.right_P[at_P]
    negatives = PopularitySampler(known.right_degree_R, 0.75, draws).draw(np.random.default_rng(5))
    scores_BR = scores_LR[left_B]
    negative_BU = scores_BR[:, negatives.rows_U]
    negative_BU[known_cells(negatives.rows_U, place_P, right_P)] = -np.inf
    loss, by_positive_P, by_negative_BU = linked_softmax(
        torch.from_numpy(scores_BR[place_P, right_P]),
        torch.from_numpy(place_P),
        torch.from_numpy(negative_BU),
        torch.from_numpy(negatives.log_weight_U.astype(np.float64)),
        None if counted_P is None else torch.from_numpy(counted_P[at_P]),
    )
    by_score_LR = np.zeros_like(scores_LR)
    np.add.at(by_score_LR, (left_B[place_P], right_P), by_positive_P.numpy())
    np.add.at(by_score_LR, (left_B[:, None], negatives.rows_U[None]), by_negative_BU.numpy())
    return float(loss), by_score_LR, negatives.rows_U, np.exp(negatives.log_weight_U.astype(np.float64))


def slow(scores_LR: np.ndarray, rows_U: np.ndarray, weight_U: np.ndarray, counted_P: np.ndarray) -> float:
    known = links()
    total = 0.0
    for left in range(N_LEFT):
        places = range(known.start_L1[left], known.start_L1[left + 1])
        own = [int(known.right_P[place]) for place in places]
        denominator = sum(math.exp(scores_LR[left, right]) for right in own)
        for right, weight in zip(rows_U, weight_U):
            if right not in own:
                denominator += weight * math.exp(scores_LR[left, right])
        total += sum(counted_P[place] * (math.log(denominator) - scores_LR[left, known.right_P[place]]) for place in places)
    return total


def finite_differences(loss: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    found = np.empty_like(at)
    for cell in np.ndindex(*at.shape):
        up, down = at.copy(), at.copy()
        up[cell] += step
        down[cell] -= step
        found[cell] = (loss(up) - loss(down)) / (2 * step)
    return found


@pytest.mark.parametrize("draws", [6, N_RIGHT])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_softmax_and_its_derivatives_are_the_slow_ones(draws: int, weighted: bool) -> None:
    counted_P = counted() if weighted else np.ones(len(links()))
    loss, by_score_LR, rows_U, weight_U = fast(scores(), draws, counted_P if weighted else None)
    assert math.isclose(loss, slow(scores(), rows_U, weight_U, counted_P), rel_tol=1e-9)
    differences_LR = finite_differences(lambda at: slow(at, rows_U, weight_U, counted_P), scores())
    np.testing.assert_allclose(by_score_LR, differences_LR, atol=1e-7)


def test_with_all_right_items_it_is_the_exact_softmax() -> None:
    loss, _, rows_U, _ = fast(scores(), N_RIGHT)
    assert rows_U.tolist() == list(range(N_RIGHT))
    exact = torch.log_softmax(torch.from_numpy(scores()), 1)
    known = links()
    place_P, right_P = known.of_rows(np.arange(N_LEFT))
    assert math.isclose(loss, -exact[place_P, right_P].sum().item(), rel_tol=1e-9)


def test_large_scores_do_not_overflow() -> None:
    loss, by_score_LR, _, _ = fast(scores() * 1000, N_RIGHT)
    assert math.isfinite(loss)
    assert np.isfinite(by_score_LR).all()


def slow_logistic(positive: float, negatives: list[float]) -> float:
    def sigmoid(score: float) -> float:
        return 1 / (1 + math.exp(-score))

    return -math.log(sigmoid(positive)) - sum(math.log(1 - sigmoid(score)) for score in negatives)


def slow_squared(positive: float, negatives: list[float]) -> float:
    return (positive - 1) ** 2 + sum((score - -1) ** 2 for score in negatives)


def slow_bpr(positive: float, negatives: list[float]) -> float:
    return -sum(math.log(1 / (1 + math.exp(score - positive))) for score in negatives)


@pytest.mark.parametrize(("loss", "one"), [(logistic, slow_logistic), (squared, slow_squared), (bpr, slow_bpr)])
def test_losses_of_links_with_negatives_of_their_own_are_the_slow_ones(loss: Any, one: Any) -> None:
    score_BK = np.random.default_rng(4).normal(0, 2, (5, 4))

    def total(at_BK: np.ndarray) -> float:
        return sum(one(float(row[0]), row[1:].tolist()) for row in at_BK)

    made, by_positive_B, by_negative_BN = loss(torch.from_numpy(score_BK[:, 0]), torch.from_numpy(score_BK[:, 1:]))
    assert math.isclose(float(made), total(score_BK), rel_tol=1e-9)
    by_score_BK = np.column_stack([by_positive_B.numpy(), by_negative_BN.numpy()])
    np.testing.assert_allclose(by_score_BK, finite_differences(total, score_BK), atol=1e-7)


@pytest.mark.parametrize("loss", [logistic, bpr])
def test_losses_of_sigmoids_do_not_overflow(loss: Any) -> None:
    found = loss(torch.tensor([-1e4, 1e4]), torch.tensor([[1e4], [-1e4]]))
    assert all(bool(torch.isfinite(part).all()) for part in found)
    assert float(found[0]) == pytest.approx(2e4)


def test_reconstruction_error_is_summed_over_an_image_and_averaged_over_images() -> None:
    made, given = (torch.from_numpy(np.random.default_rng(seed).random((3, 2, 4, 5))) for seed in (0, 1))
    total = 0.0
    for image in range(3):
        for cell in np.ndindex(2, 4, 5):
            total += float(made[image][cell] - given[image][cell]) ** 2
    assert math.isclose(reconstruction_error(made, given).item(), total / 3, rel_tol=1e-9)
