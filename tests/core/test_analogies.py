import numpy as np
import pytest

from kindex.core.analogies import cos_add, cos_mul
from kindex.core.space import unit


def vectors(rows: int = 30, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32))


def test_cos_add_is_the_cosine_with_the_sum() -> None:
    unit_ND = vectors()
    target_D = unit_ND[3] + unit_ND[7] - unit_ND[1]
    slow = [row_D @ target_D / np.linalg.norm(target_D) for row_D in unit_ND]
    assert cos_add(unit_ND, (3, 7), (1,)) == pytest.approx(np.array(slow), abs=1e-6)


def test_cos_mul_is_equation_4() -> None:
    unit_ND = vectors()
    slow = [((1 + x @ unit_ND[3]) / 2) * ((1 + x @ unit_ND[7]) / 2) / ((1 + x @ unit_ND[1]) / 2 + 0.001) for x in unit_ND]
    assert cos_mul(unit_ND, (3, 7), (1,)) == pytest.approx(np.array(slow), rel=1e-5)


def test_the_opposite_of_the_negative_does_not_divide_by_zero() -> None:
    unit_ND = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    scores_N = cos_mul(unit_ND, (2,), (0,))
    assert np.isfinite(scores_N).all() and scores_N.argmax() == 1
    assert scores_N[1] == pytest.approx(0.5 / 0.001)


def test_multiplying_does_not_let_one_large_likeness_decide() -> None:
    """Levy and Goldberg 2014, section 6: a sum is won by what is very near to one of the words alone."""
    angles = np.deg2rad([0, 100, 50, 4, -60])
    unit_ND = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    alone, between = 3, 2
    product_N = cos_mul(unit_ND, (0, 1), ())
    assert product_N[between] > product_N[alone]


def test_several_or_no_negatives_are_taken() -> None:
    unit_ND = vectors()
    assert cos_add(unit_ND, (2,), ()) == pytest.approx(unit_ND @ unit_ND[2], abs=1e-6)
    assert cos_mul(unit_ND, (2,), ()) == pytest.approx((1 + unit_ND @ unit_ND[2]) / 2, abs=1e-6)
    assert cos_mul(unit_ND, (), (1, 2)).shape == cos_add(unit_ND, (4,), (1, 2)).shape == (30,)


def test_a_sum_that_vanishes_scores_nothing() -> None:
    unit_ND = np.array([[1, 0], [-1, 0]], np.float32)
    assert cos_add(unit_ND, (0, 1), ()).tolist() == [0, 0]
