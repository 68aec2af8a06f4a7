"""Health of vectors with planted faults; hubness against slow loops."""

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.health import collapse, health, hubness


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


def test_hubness_is_the_skewness_of_how_often_an_item_is_near() -> None:
    vectors = np.random.default_rng(2).normal(size=(60, 4)) * np.linspace(1, 5, 60)[:, None]
    vectors[:, 0] += 2
    thing = space(vectors)
    times = [0] * 60
    for item in range(60):
        scores = [(-float(thing.unit_ND[item] @ thing.unit_ND[other]), other) for other in range(60) if other != item]
        for _, other in sorted(scores)[:10]:
            times[other] += 1
    mean = sum(times) / 60
    spread = (sum((n - mean) ** 2 for n in times) / 60) ** 0.5
    skewness = sum((n - mean) ** 3 for n in times) / 60 / spread**3
    found = hubness(thing, np.arange(60), bootstrap=40, seed=1)
    assert found.value == pytest.approx(skewness)
    assert found.low < found.value < found.high


def test_a_hub_is_seen() -> None:
    rng = np.random.default_rng(3)
    spokes = np.eye(40) + 0.02 * rng.normal(size=(40, 40))
    hub = np.ones((1, 40))
    with_hub = hubness(space(np.vstack([spokes, hub])), np.arange(41), bootstrap=0, seed=1)
    without = hubness(space(spokes), np.arange(40), bootstrap=0, seed=1)
    assert with_hub.value > without.value + 0.5
    assert hubness(space(spokes[:1]), np.arange(1), bootstrap=5, seed=1).value == 0
