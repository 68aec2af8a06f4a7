"""Health of vectors with planted faults."""

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.health import collapse, health


def space(vectors_ND: np.ndarray) -> Space:
    return Space("thing", tuple(map(str, range(len(vectors_ND)))), vectors_ND.astype(np.float32))


def test_faults_are_counted_over_all_spaces() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(50, 6)), rng.normal(size=(40, 6))
    first[3, 2], first[4, 0], second[7] = np.nan, np.inf, 0
    found = health([space(first), space(second)])
    assert found["vectors_nan"] == 2 and found["vectors_zero"] == 1
    assert found["vectors_collapse"] < 0.1


def test_collapse_goes_from_all_directions_to_one() -> None:
    rng = np.random.default_rng(1)
    isotropic = collapse(np.eye(20)[np.arange(400) % 20])
    half = rng.normal(size=(400, 20)) * (np.arange(20) < 10)
    line = np.outer(rng.normal(size=400), rng.normal(size=20))
    shifted = rng.normal(size=(400, 20)) * 0.01 + 1
    shifted /= np.linalg.norm(shifted, axis=1, keepdims=True)
    assert isotropic == pytest.approx(0)
    assert collapse(half) == pytest.approx(1 - 9 / 19, abs=0.02)
    assert collapse(line) == pytest.approx(1)
    assert collapse(shifted) > 0.9  # nearly one direction, though every vector differs
    assert collapse(np.ones((1, 5))) == 0 and collapse(np.zeros((5, 5))) == 1
