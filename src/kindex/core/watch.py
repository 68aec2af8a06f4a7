"""What a stage or an encoder tells the world while it works, and what it keeps in case it is killed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from kindex.core.errors import MetricGateError

T = TypeVar("T")


class Watch(Protocol):
    """Handed to `fit`. Numbers recorded are part of the history and must not depend on the clock.

    `scratch` is a folder for what does not fit in memory (see `kindex.core.scratch`); None: it must.
    """

    scratch: Path | None

    def bind(self, identity: Any) -> None:
        """Say what the checkpoints are of (JSON-able: digests of data, settings); `resume` gives none of another."""
        ...

    def progress(self, items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
        """Iterate with a rate and the time left on the terminal."""
        ...

    def record(self, **numbers: float) -> None:
        """Append one line to the history. Raises `MetricGateError` at a NaN or an infinity, naming it."""
        ...

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Keep a checkpoint: arrays and a JSON-able state. The former one is replaced when the new one is whole."""
        ...

    def resume(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The last checkpoint of the same data and settings, or None; the history is wound back to it."""
        ...


class Silent:
    """A watch that keeps the history in memory and no checkpoint; for tests and one-off calls."""

    scratch: Path | None = None

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []

    def bind(self, identity: Any) -> None:
        return None

    def progress(self, items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
        return iter(items)

    def record(self, **numbers: float) -> None:
        self.history.append(check_finite(numbers))

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        return None

    def resume(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        return None


def check_finite(numbers: dict[str, float]) -> dict[str, float]:
    """`numbers`, or `MetricGateError` naming the first that is NaN or infinite."""
    for name, value in numbers.items():
        if not np.isfinite(value):
            epoch = numbers.get("epoch", "?")
            raise MetricGateError(f"training diverged at epoch {epoch}: {name} is {value}. Lower learning_rate in params.yaml")
    return numbers
