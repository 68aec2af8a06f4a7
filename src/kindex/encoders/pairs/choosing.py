"""Settings chosen by how well they rank links set aside; what the configuration gives is taken as it is."""

from copy import copy
from functools import cached_property
from typing import Any, Self

import numpy as np

from kindex.core.scratch import Column
from kindex.encoders.pairs.blend import Tables
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.least_squares import Weights, alternate
from kindex.encoders.pairs.matrix import Matrix
from kindex.encoders.pairs.measure import Judge
from kindex.encoders.pairs.observed import Observed
from kindex.encoders.pairs.search import (
    BLENDS,
    MARGIN,
    PARTS,
    PASSES,
    POPULARITIES,
    REGULARISATION,
    UNOBSERVED,
    Trials,
    best,
    blend_quality,
    climb,
)
from kindex.encoders.pairs.setting_aside import set_aside
from kindex.encoders.pairs.solvers import Matrices, Solvers
from kindex.encoders.pairs.spectral import Spectrum
from kindex.encoders.pairs.weighing import weigh

TRIAL_DIMENSIONS = 128
"""More do not tell settings apart better."""


class Choosing:
    """What of `tried` is set aside, what each of its links counts, and the trials so far.

    Nothing is set aside until there is something to choose: a fit whose settings are all given hashes no id.
    """

    def __init__(self, tried: Observed, config: Config, solvers: Solvers, device: str) -> None:
        self.tried, self.config, self.solvers, self.device = tried, config, solvers, device
        self.trials = Trials()
        self.counted_P, self.weighing = weigh(tried, config, self._probe, self.trials)

    @cached_property
    def hidden_P(self) -> np.ndarray:
        """Which links are set aside (P bool)."""
        return set_aside(self.tried, self.config.validation_share)

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.tried.links(kept_P=~self.hidden_P), self.tried.links(kept_P=self.hidden_P))

    def apart(self) -> Self:
        """The same without trials, for a choice that is made beside others: its trials are joined to these when all are."""
        other = copy(self)
        other.judge, other.trials = self.judge, Trials()  # the judge is made once, and shared
        return other

    def known(self) -> Matrices:
        """The links that are not set aside."""
        return Matrix.both(self.tried.links(self.counted_P, ~self.hidden_P), self.device)

    def _probe(self, counted_P: Column | None) -> float | None:
        """How well a small least-squares model of the known links ranks, when they count so."""
        matrices = Matrix.both(self.tried.links(counted_P, ~self.hidden_P), self.device)
        start = self.solvers.start(matrices, min(TRIAL_DIMENSIONS, self.config.dimensions))
        (tables,) = alternate(*matrices, lambda: start, Weights(UNOBSERVED[0], REGULARISATION[0]), 1)
        return self.judge.score(*tables)

    def spectral(self, matrices: Matrices | None = None) -> tuple[dict[str, float], Spectrum | None]:
        """Popularity, and the spectrum that it was tried with, if it was. `matrices`: the known links, where they are made."""
        left_power = self.config.left_power
        if self.config.popularity is not None:
            return {"left_power": left_power, "popularity": self.config.popularity}, None
        known = matrices or self.known()
        spectrum = self.solvers.spectrum(known, left_power)

        def made(popularity: float) -> float | None:
            return self.judge.score(*spectrum.tables(known[1].degree_N, popularity))

        tried = [{"popularity": popularity} for popularity in POPULARITIES]
        return best(self.trials, "spectral", tried, made, MARGIN) | {"left_power": left_power}, spectrum

    def least_squares(self, matrices: Matrices | None = None) -> dict[str, Any]:
        """Both weights and the passes. `matrices`: the known links, where they are made."""
        most = self.config.iterations or PASSES
        given = {"unobserved": self.config.unobserved, "regularisation": self.config.regularisation}
        if None not in (*given.values(), self.config.iterations):
            return given | {"iterations": most}
        known = matrices or self.known()
        start = self.solvers.start(known, min(TRIAL_DIMENSIONS, self.config.dimensions))
        found: dict[tuple[float, float], list[float]] = {}

        def made(unobserved: float, regularisation: float) -> float:
            passes = list(alternate(*known, lambda: start, Weights(unobserved, regularisation), most))
            settings = {"unobserved": unobserved, "regularisation": regularisation}
            scored = []
            for count in range(1 if self.config.iterations is None else most, most + 1):
                quality = self.judge.score(*passes[count - 1])
                scored.append(self.trials.add("least squares", quality, **settings, iterations=count))
            found[unobserved, regularisation] = scored
            return max(scored)

        won = climb({"unobserved": UNOBSERVED, "regularisation": REGULARISATION}, given, made)
        scored = found[won["unobserved"], won["regularisation"]]
        passes = 1 + int(np.argmax(scored)) if max(scored) > MARGIN * scored[0] else 1
        return won | {"iterations": self.config.iterations or passes}

    def blend(self, parts: list[Tables]) -> dict[str, float]:
        """The weight of each of the parts, which stand in the order of `PARTS`."""
        mixes = list(dict.fromkeys(mix[: len(parts)] for mix in BLENDS if any(mix[: len(parts)])))
        qualities = blend_quality(self.judge, parts, mixes)
        scored = [self.trials.add("blend", found, **dict(zip(PARTS, mix))) for found, mix in zip(qualities, mixes)]
        top = int(np.argmax(scored))
        return dict(zip(PARTS, mixes[top if scored[top] > MARGIN * scored[0] else 0]))
