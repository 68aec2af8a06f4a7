"""Choosing settings by the links set aside: a fixed list of trials for a catalogue, never its name and never the clock.

The trials and their number are the budget: about as much work again as one fit of the spectral and least-squares parts.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kindex.encoders.pairs.blend import Tables, spread
from kindex.encoders.pairs.measure import Judge

POPULARITIES = (0.4, 0.25, 0.5)
UNOBSERVED = (0.1, 3.0)
"""Where the climb begins, and the factor of a step."""
REGULARISATION = (2.5, 2.5)
CLIMB = 8
"""Trials of a climb, at most."""
PASSES = 2
"""Of least squares, at most: from a spectral start more of them lose what the spectrum knew."""
MARGIN = 1.01
"""By which factor another choice must rank better than the usual one: smaller differences are noise."""
PARTS = ("least squares", "spectral", "softmax")
BLENDS = ((0.4, 0.3, 0.3), (1.0, 0, 0), (0, 1.0, 0), (0.5, 0, 0.5), (0.25, 0.5, 0.25), (0.25, 0.25, 0.5))
"""Weights of the `PARTS`; the first is nearly as good as any on most data."""


@dataclass
class Trials:
    """What was tried, and how well it ranked what was set aside: one row for each trial."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, quality: float | None, **settings: float) -> float:
        """Remember a trial; its quality, 0 when nothing was set aside (then the first trial wins)."""
        self.rows.append({"trial": what, **settings, "validation": None if quality is None else round(quality, 6)})
        return 0.0 if quality is None else quality


def best(
    trials: Trials, what: str, settings: Iterable[dict[str, float]], made: Callable[..., float | None], margin: float = 1.0
) -> dict[str, float]:
    """The settings for which `made(**settings)` is largest; the first ones unless others are larger by the factor `margin`."""
    scored = [(trials.add(what, made(**one), **one), one) for one in settings]
    top = max(scored, key=lambda pair: pair[0])
    return top[1] if top[0] > margin * scored[0][0] else scored[0][1]


def climb(
    start: Mapping[str, tuple[float, float]], given: Mapping[str, float | None], made: Callable[..., float | None]
) -> dict[str, float]:
    """Settings near the top of `made(**settings)`, one step up or down in one setting at a time, by factors.

    `start` holds where a setting begins and its factor; what is `given` stays. At most `CLIMB` calls of `made`, and none
    twice. As long as a step gains, the next goes the same way.
    """
    tried: dict[tuple[int, ...], float] = {}

    def settings(steps: tuple[int, ...]) -> dict[str, float]:
        named = zip(start.items(), steps, strict=True)
        return {
            name: first * factor**step if (fixed := given[name]) is None else fixed for (name, (first, factor)), step in named
        }

    def gains(steps: tuple[int, ...]) -> bool:
        """Whether `steps` are better than where we stand; no, when the budget is used up."""
        if steps not in tried:
            if len(tried) == CLIMB:
                return False
            tried[steps] = made(**settings(steps)) or 0.0
        return tried[steps] > tried[now]

    now = tuple(0 for _ in start)
    tried[now] = made(**settings(now)) or 0.0
    free = [place for place, name in enumerate(start) if given[name] is None]
    moved = True
    while moved:
        moved = False
        for place, way in itertools.product(free, (1, -1)):
            while gains(ahead := tuple(step + way * (place == at) for at, step in enumerate(now))):
                now, moved = ahead, True
    return settings(now)


def blend_quality(judge: Judge, parts: list[Tables], weights: list[tuple[float, ...]]) -> list[float | None]:
    """The quality of each weighted sum of the parts' scores."""
    factors = [1 / spread(part) for part in parts]

    def mixed(rows_B: Tensor) -> Iterator[Tensor]:
        scores = [(left[rows_B] * factor) @ right.T for (left, right), factor in zip(parts, factors, strict=True)]
        for mix in weights:
            made = torch.zeros_like(scores[0])
            for score, weight in zip(scores, mix, strict=True):
                if weight:
                    made.add_(score, alpha=weight)
            yield made

    return judge.scores(len(weights), mixed, parts[0][0].device)
