"""The epoch loop: keeps the best, stops early, resumes to the same numbers."""

from typing import Any

import numpy as np
import torch

from kindex.core.watch import Silent
from kindex.encoders.parts.loop import learn


class Walk:
    """A random walk that scores as `scores` say."""

    def __init__(self, scores: list[float | None]) -> None:
        self.at = torch.zeros(2, dtype=torch.float64)
        self.scores, self.seen = scores, 0
        self.rates: list[float] = []

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        self.rates.append(remaining)
        self.at += torch.from_numpy(rng.standard_normal(2))
        return {"loss": float(self.at.sum())}

    def validate(self) -> float | None:
        self.seen += 1
        return self.scores[self.seen - 1]

    def model(self) -> dict[str, torch.Tensor]:
        return {"at": self.at}

    def memory(self) -> dict[str, torch.Tensor]:
        return {}


class Keeps(Silent):
    """Keeps every checkpoint, and hands out the one after epoch `resumed`."""

    def __init__(self, kept: list[Any], resumed: int = 0) -> None:
        super().__init__()
        self.kept, self.resumed = kept, resumed

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        self.kept.append(({name: array.copy() for name, array in arrays.items()}, state))

    def resume(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        return self.kept[self.resumed - 1] if self.resumed else None


def run(scores: list[float | None], patience: int = 2, watch: Silent | None = None) -> tuple[Walk, int, Silent]:
    walk, watch = Walk(scores), watch or Silent()
    best = learn(walk, epochs=8, patience=patience, rng=np.random.default_rng(0), watch=watch)
    return walk, best, watch


def walked(epochs: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((epochs, 2)).sum(0)


def test_it_keeps_the_best_and_stops_after_patience() -> None:
    walk, best, watch = run([1.0, 3.0, 2.0, 2.5, 9.0, 9.0, 9.0, 9.0])
    assert best == 2
    assert [line["epoch"] for line in watch.history] == [1, 2, 3, 4]
    np.testing.assert_allclose(walk.at, walked(2))


def test_without_validation_it_keeps_the_last() -> None:
    walk, best, watch = run([None] * 8)
    assert best == 8
    assert "validation" not in watch.history[0]
    np.testing.assert_allclose(walk.at, walked(8))
    assert walk.rates[0] == 1
    np.testing.assert_allclose(np.diff(walk.rates), -1 / 8)


def test_resumed_at_any_epoch_it_ends_the_same() -> None:
    scores: list[float | None] = [1.0, 3.0, 2.0, 4.0, 3.0, 3.5, 9.0, 9.0]
    kept: list[Any] = []
    undisturbed, best, _ = run(scores, watch=Keeps(kept))
    assert (best, len(kept)) == (4, 6)
    for epoch in range(1, 7):
        walk = Walk(scores)
        walk.seen = epoch
        again = learn(walk, epochs=8, patience=2, rng=np.random.default_rng(99), watch=Keeps(list(kept), epoch))
        assert again == best
        np.testing.assert_array_equal(walk.at, undisturbed.at)
