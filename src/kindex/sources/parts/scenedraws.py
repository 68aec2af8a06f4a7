"""Random draws that stay the same: of numpy only what it promises never to change, PCG64 and its seeding."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """A stream of draws for each key; streams of different keys are independent."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(key)

    def uniform(self, number: int) -> np.ndarray:
        """`number` floats from 0 to below 1 (N float64), of 53 random bits each."""
        uniform_N: np.ndarray = (self._bits.random_raw(number) >> np.uint64(11)) * 2.0**-53
        return uniform_N

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * ((self._bits.random_raw() >> 11) * 2.0**-53)

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.between(0, 1) < share

    def one(self, options: Sequence[T]) -> T:
        """Each equally likely; what occurs twice, twice as likely."""
        return options[int(self.between(0, len(options)))]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of them, every order equally likely (Fisher and Yates 1938)."""
        mixed = list(options)
        for last in range(len(mixed) - 1, 0, -1):
            drawn = int(self.between(0, last + 1))
            mixed[last], mixed[drawn] = mixed[drawn], mixed[last]
        return mixed
