"""The losses against slow loops that follow the formula word by word, and their gradients against finite differences."""

import math

import numpy as np
import torch

from kindex.encoders.parts.links import Links
from kindex.encoders.parts.losses import linked_softmax, reconstruction_error
from kindex.encoders.parts.sampling import PopularitySampler, known_cells

N_LEFT, N_RIGHT = 4, 9


def links() -> Links:
    pairs = np.argwhere(np.random.default_rng(1).random((N_LEFT, N_RIGHT)) < 0.4)
    return Links.of(pairs[:, 0], pairs[:, 1], N_LEFT, N_RIGHT)


def scores() -> np.ndarray:
    return np.random.default_rng(2).normal(0, 2, (N_LEFT, N_RIGHT))


def fast(scores_LR: torch.Tensor, draws: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """The loss as `pairs` computes it, the negatives drawn, and their weights."""
    known = links()
    left_B = np.array([2, 0, 3, 1])
    place_P, right_P = known.of_rows(left_B)
    negatives = PopularitySampler(known.right_degree_R, 0.75, draws).draw(np.random.default_rng(5))
    cells = known_cells(negatives.rows_U, place_P, right_P)
    scores_BR = scores_LR[torch.from_numpy(left_B)]
    negative_BU = scores_BR[:, torch.from_numpy(negatives.rows_U)].index_put(
        tuple(torch.from_numpy(cell) for cell in cells), torch.tensor(-torch.inf, dtype=scores_LR.dtype)
    )
    place = torch.from_numpy(place_P)
    positive_P = scores_BR[place, torch.from_numpy(right_P)]
    loss = linked_softmax(positive_P, place, negative_BU, torch.from_numpy(negatives.log_weight_U))
    return loss, negatives.rows_U, np.exp(negatives.log_weight_U)


def slow(scores_LR: np.ndarray, rows_U: np.ndarray, weight_U: np.ndarray) -> float:
    known = links()
    total = 0.0
    for left in range(N_LEFT):
        own = known.right_P[known.start_L1[left] : known.start_L1[left + 1]]
        denominator = sum(math.exp(scores_LR[left, right]) for right in own)
        for right, weight in zip(rows_U, weight_U):
            if right not in own:
                denominator += weight * math.exp(scores_LR[left, right])
        total += sum(math.log(denominator) - scores_LR[left, right] for right in own)
    return total


def test_the_softmax_is_the_slow_one() -> None:
    for draws in (6, N_RIGHT):
        loss, rows_U, weight_U = fast(torch.from_numpy(scores()), draws)
        assert math.isclose(loss.item(), slow(scores(), rows_U, weight_U), rel_tol=1e-6)


def test_with_all_right_items_it_is_the_exact_softmax() -> None:
    loss, rows_U, _ = fast(torch.from_numpy(scores()), N_RIGHT)
    assert rows_U.tolist() == list(range(N_RIGHT))
    exact = torch.log_softmax(torch.from_numpy(scores()), 1)
    known = links()
    place_P, right_P = known.of_rows(np.arange(N_LEFT))
    assert math.isclose(loss.item(), -exact[place_P, right_P].sum().item(), rel_tol=1e-9)


def test_its_gradient_is_that_of_finite_differences() -> None:
    for draws in (6, N_RIGHT):
        assert torch.autograd.gradcheck(lambda s, d=draws: fast(s, d)[0], torch.from_numpy(scores()).requires_grad_())


def test_large_scores_do_not_overflow() -> None:
    loss, _, _ = fast(torch.from_numpy(scores()) * 1000, N_RIGHT)
    assert math.isfinite(loss.item())


def test_reconstruction_error_is_summed_over_an_image_and_averaged_over_images() -> None:
    made, given = (torch.from_numpy(np.random.default_rng(seed).random((3, 2, 4, 5))) for seed in (0, 1))
    total = 0.0
    for image in range(3):
        for cell in np.ndindex(2, 4, 5):
            total += float(made[image][cell] - given[image][cell]) ** 2
    assert math.isclose(reconstruction_error(made, given).item(), total / 3, rel_tol=1e-9)
