"""The two solvers without epochs, as a fit uses them: each is told its settings, and starts from the same spectrum."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from kindex.encoders.pairs.blend import Tables
from kindex.encoders.pairs.least_squares import Weights, alternate
from kindex.encoders.pairs.matrix import Matrix
from kindex.encoders.pairs.spectral import Spectrum, spectral

START_LEFT_POWER = 0.5
START_POPULARITY = 0.25

Matrices = tuple[Matrix, Matrix]
"""The links as (L, R) and as (R, L)."""


class Solvers:
    """Solvers of one fit. `settings` of a solver are those that `kindex.encoders.pairs.choosing` chooses.

    Nothing changes in them, and what one returns depends on its arguments alone: they may be called side by side.
    """

    def __init__(self, dimensions: int, seed: int) -> None:
        self.dimensions, self.seed = dimensions, seed

    def spectral(self, matrices: Matrices, settings: Mapping[str, Any], spectrum: Spectrum | None = None) -> Tables:
        """`spectrum` where there is one of these links already."""
        spectrum = spectrum or self.spectrum(matrices, settings["left_power"])
        return spectrum.tables(matrices[1].degree_N, settings["popularity"])

    def least_squares(self, matrices: Matrices, settings: Mapping[str, Any], start: Tables | None = None) -> Tables:
        """`start` where there is one of these links already."""
        weights = Weights(settings["unobserved"], settings["regularisation"])
        passes = alternate(*matrices, lambda: start or self.start(matrices), weights, settings["iterations"])
        return deque(passes, maxlen=1).pop()

    def start(self, matrices: Matrices, dimensions: int | None = None) -> Tables:
        """Where the others begin: the spectrum of the evenly normalised links."""
        return self.spectrum(matrices, START_LEFT_POWER, dimensions).tables(matrices[1].degree_N, START_POPULARITY)

    def spectrum(self, matrices: Matrices, left_power: float, dimensions: int | None = None) -> Spectrum:
        """Of the fit's dimensions unless told."""
        return spectral(*matrices, dimensions or self.dimensions, self.rng(1), left_power)

    def rng(self, part: int) -> np.random.Generator:
        """A generator for each part of a fit, so that none depends on what another drew."""
        return np.random.Generator(np.random.PCG64([self.seed, part]))
