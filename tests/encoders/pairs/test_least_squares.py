"""Weighted least squares against dense closed forms in float64, and an objective that falls as it should."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from kindex.encoders.pairs import matrix
from kindex.encoders.pairs.least_squares import Weights, alternate, scaled, solve
from kindex.encoders.pairs.matrix import Matrix
from tests.encoders.pairs.small import groups, links_of, table

UNOBSERVED, REGULARISATION = 0.05, 2.0


def dense_links() -> np.ndarray:
    """Weighted, with an idle row and an idle column."""
    dense = groups(30, 20)
    dense[4] = dense[:, 7] = 0
    return dense


def ridge(dense_NM: np.ndarray, mean: float, unobserved: float = UNOBSERVED) -> np.ndarray:
    """λ of each row, as the docstring says: ∝ weight of its links and of all pairs; REGULARISATION at the mean."""
    own_N = dense_NM.sum(1) + unobserved * dense_NM.shape[1]
    return REGULARISATION * own_N / (mean + unobserved * dense_NM.shape[1])


def closed_form(dense_NM: np.ndarray, other_MD: np.ndarray, ridge_N: np.ndarray, unobserved: float) -> np.ndarray:
    made = []
    for counted_M, own in zip(dense_NM, ridge_N, strict=True):
        normal = other_MD.T @ np.diag(counted_M + unobserved) @ other_MD + own * np.eye(other_MD.shape[1])
        made.append(np.linalg.solve(normal, other_MD.T @ counted_M))
    return np.array(made)


def objective(
    dense_LR: np.ndarray, left_LD: np.ndarray, right_RD: np.ndarray, left_L: np.ndarray, right_R: np.ndarray
) -> float:
    """Of the module's docstring, pair by pair."""
    total = 0.0
    for left, right in np.ndindex(dense_LR.shape):
        score = float(left_LD[left] @ right_RD[right])
        total += dense_LR[left, right] * (1 - score) ** 2 + UNOBSERVED * score**2
    total += sum(own * float(vector @ vector) for own, vector in zip(left_L, left_LD, strict=True))
    return total + sum(own * float(vector @ vector) for own, vector in zip(right_R, right_RD, strict=True))


def test_the_ridge_is_the_formula() -> None:
    dense = dense_links()
    made, _ = Matrix.both(links_of(dense))
    mean = dense.sum() / 30
    found = Weights(UNOBSERVED, REGULARISATION).ridge_N(made, mean, 20)
    np.testing.assert_allclose(found.numpy(), ridge(dense, mean), rtol=1e-5)
    even = Matrix.both(links_of(np.ones((6, 4))))[0]
    np.testing.assert_allclose(Weights(0.3, 2.0).ridge_N(even, 4.0, 4).numpy(), 2.0, rtol=1e-6)


@pytest.mark.parametrize("block", [1 << 22, 25])
def test_many_steps_solve_each_row_exactly(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BLOCK", block)
    dense, right_RD = dense_links(), table(20, 5, 1)
    made, _ = Matrix.both(links_of(dense))
    own = ridge(dense, dense.sum() / 30)
    ridge_N = torch.from_numpy(own.astype(np.float32))
    found, turned_RD = solve(made, table(30, 5, 0), right_RD, ridge_N, UNOBSERVED, steps=20)
    np.testing.assert_allclose(turned_RD @ turned_RD.T, right_RD @ right_RD.T, atol=1e-5)
    wanted = closed_form(dense, turned_RD.double().numpy(), own, UNOBSERVED)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-4)
    np.testing.assert_allclose(found[4].numpy(), 0, atol=1e-5)  # a row without links


def test_what_is_solved_stays() -> None:
    dense, right_RD = dense_links(), table(20, 5, 1)
    made, _ = Matrix.both(links_of(dense))
    own = torch.from_numpy(ridge(dense, dense.sum() / 30).astype(np.float32))
    once_LD, once_RD = solve(made, table(30, 5, 0), right_RD, own, UNOBSERVED, steps=20)
    again_LD, again_RD = solve(made, once_LD, once_RD, own, UNOBSERVED)
    np.testing.assert_allclose(again_LD @ again_RD.T, once_LD @ once_RD.T, atol=1e-5)


@pytest.mark.parametrize("weighted", [True, False])
def test_every_half_pass_lowers_the_objective_and_the_passes_are_these(weighted: bool) -> None:
    dense = dense_links() if weighted else (dense_links() > 0).astype(float)
    made_LR, made_RL = Matrix.both(links_of(dense, weighted))
    left_L, right_R = ridge(dense, dense.sum() / 30), ridge(dense.T, dense.sum() / 20)
    left_ridge, right_ridge = (torch.from_numpy(own.astype(np.float32)) for own in (left_L, right_R))

    def value(left_LD: torch.Tensor, right_RD: torch.Tensor) -> float:
        return objective(dense, left_LD.double().numpy(), right_RD.double().numpy(), left_L, right_R)

    start = table(30, 5, 0).abs(), table(20, 5, 1).abs()
    left_LD, right_RD = scaled(made_LR, *start, UNOBSERVED)
    values, passes = [value(left_LD, right_RD)], []
    left_LD, right_RD = solve(made_LR, left_LD, right_RD, left_ridge, UNOBSERVED)
    values.append(value(left_LD, right_RD))
    for _ in range(3):
        right_RD, left_LD = solve(made_RL, right_RD, left_LD, right_ridge, UNOBSERVED)
        values.append(value(left_LD, right_RD))
        left_LD, right_RD = solve(made_LR, left_LD, right_RD, left_ridge, UNOBSERVED)
        values.append(value(left_LD, right_RD))
        passes.append((left_LD, right_RD))
    assert all(later < 0.9999 * former for former, later in pairwise(values)), values
    found = list(alternate(made_LR, made_RL, lambda: start, Weights(UNOBSERVED, REGULARISATION), 3))
    for (left, right), (wanted_left, wanted_right) in zip(found, passes, strict=True):
        np.testing.assert_allclose(left.numpy(), wanted_left.numpy(), atol=1e-4)
        np.testing.assert_allclose(right.numpy(), wanted_right.numpy(), atol=1e-4)


def test_the_scale_is_the_one_that_makes_the_objective_smallest() -> None:
    dense = dense_links()
    left_LD, right_RD = (part.abs() for part in (table(30, 5, 0), table(20, 5, 1)))
    made, _ = Matrix.both(links_of(dense))
    left, right = (part.double().numpy() for part in scaled(made, left_LD, right_RD, UNOBSERVED))
    none = np.zeros(30), np.zeros(20)
    best = objective(dense, left, right, *none)
    for factor in (0.99, 1.01):
        assert objective(dense, left * factor, right, *none) > best
    step = 1e-4
    slope = objective(dense, left * (1 + step), right, *none) - objective(dense, left * (1 - step), right, *none)
    assert abs(slope / (2 * step)) < 1e-3 * best
    ratio = left / left_LD.numpy()
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)
    np.testing.assert_allclose(right / right_RD.numpy(), ratio[0, 0], rtol=1e-5)


def test_tables_that_score_links_below_zero_are_not_scaled_to_nothing() -> None:
    made, _ = Matrix.both(links_of(dense_links()))
    left_LD, right_RD = table(30, 5, 0).abs(), -table(20, 5, 1).abs()
    for found, given in zip(scaled(made, left_LD, right_RD, UNOBSERVED), (left_LD, right_RD), strict=True):
        assert torch.equal(found, given)
