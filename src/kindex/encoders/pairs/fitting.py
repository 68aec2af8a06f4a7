"""From the links of a catalogue to the two tables: what is chosen, in which order, and what starts from what."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kindex.core.errors import ConfigError
from kindex.core.scratch import pieces
from kindex.core.watch import Watch
from kindex.encoders.pairs.blend import Tables, Wide, compressed
from kindex.encoders.pairs.blending import Blending
from kindex.encoders.pairs.choosing import Choosing
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.encoder import Encoder
from kindex.encoders.pairs.least_squares import Weights, scaled
from kindex.encoders.pairs.matrix import Matrix
from kindex.encoders.pairs.observed import Observed
from kindex.encoders.pairs.sampled import Sampled
from kindex.encoders.pairs.search import REGULARISATION, UNOBSERVED
from kindex.encoders.pairs.setting_aside import some_rows
from kindex.encoders.pairs.softmax import Softmax
from kindex.encoders.pairs.solvers import Matrices, Solvers
from kindex.encoders.pairs.weighing import strength
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.loop import learn

MANY = 5_000_000
"""Links above which settings are chosen on some left items with `SOME` links, and a blend leaves the softmax out."""

SOME = 2_000_000
SOFTMAX_DIMENSIONS = 128


class Fit:
    """One fit. Settings are chosen on the links known to it, by those set aside; the tables are then made from all.

    `start` has vectors of the same items to begin from, and the weights of a blend; see `kindex.encoders.pairs.warming`.
    """

    def __init__(
        self, observed: Observed, config: Config, rng: np.random.Generator, watch: Watch, start: Encoder | None = None
    ) -> None:
        self.config, self.watch, self.device, self.former = config, watch, _device(config), start
        self.solvers = Solvers(config.dimensions, int(rng.integers(2**63)))
        self.shown = some_rows(observed, SOME) if len(observed) > MANY else None
        self.choosing = Choosing(self.shown.observed if self.shown else observed, config, self.solvers, self.device)
        self.chosen: dict[str, Any] = dict(self.choosing.weighing)
        counts = {"kind_weights": {}} | self.chosen
        self.counted_P = strength(observed, **counts) if self.shown else self.choosing.counted_P
        self.observed = replace(observed, weight_P=None, time_P=None)  # they are in `counted_P`, or do not count

    def encoder(self) -> Encoder:
        """Make the tables of the objective, and what new items are folded in by."""
        tables = {
            "auto": self.blend,
            "spectral": self.spectral,
            "least_squares": self.least_squares,
            "softmax": lambda: self.softmax(self.config.dimensions),
        }.get(self.config.objective, self.sampled)()
        weights = Weights(self.chosen.get("unobserved", UNOBSERVED[0]), self.chosen.get("regularisation", REGULARISATION[0]))
        left_LD, right_RD = scaled(Matrix.of(self._links(), self.device), *tables, weights.unobserved)
        del tables  # they are what the memory goes to
        counted = self._counted()
        about = {
            "chosen": self.chosen,
            "trials": self.choosing.trials.rows,
            "weights": {"unobserved": weights.unobserved, "regularisation": weights.regularisation},
            "mean_links": {"left": counted / len(left_LD), "right": counted / len(right_RD)},
        }
        made = Encoder(self.observed.left, self.observed.right, left_LD.cpu().numpy(), right_RD.cpu().numpy(), about)
        made.about = {**made.about, "gain": made.gains(self.observed.start_L1, self.observed.right_P)}
        return made

    def blend(self) -> Tables:
        """The weighted sum of the three, with the weights of a former fit if it had any."""
        dimensions = min(self.config.dimensions, SOFTMAX_DIMENSIONS)
        softmax = partial(self.softmax, dimensions)
        blending = Blending(self.choosing, self.solvers, self._all, softmax, self.shown is not None)
        weights = self.former.about["chosen"].get("blend") if self.former else None
        chosen, tables = blending.given(weights) if weights else blending.weighed()
        self.chosen |= chosen
        return tables

    def spectral(self) -> Tables:
        self.chosen |= self.choosing.spectral()[0]
        self._record()
        return self.solvers.spectral(self._all(), self.chosen)

    def least_squares(self) -> Tables:
        self.chosen |= self.choosing.least_squares()
        self._record()
        return self.solvers.least_squares(self._all(), self.chosen)

    def _record(self) -> None:
        """One line of history for a solver without epochs: the best trial's quality, when there were any."""
        tried = [row["validation"] for row in self.choosing.trials.rows if row["validation"] is not None]
        self.watch.record(epoch=1, **({"validation": max(tried)} if tried else {}))

    def softmax(self, dimensions: int) -> Tables:
        """Learnt from all links but those set aside, which say when to stop."""
        links = self._learnable()
        return self._learnt(Softmax(links, self._begin(links, dimensions), self.config, self._progress))

    def sampled(self) -> Tables:
        """The same for the objectives by link."""
        links = self._learnable()
        return self._learnt(Sampled(links, self._begin(links, self.config.dimensions), self.config, self._progress))

    def _learnt(self, learner: Softmax | Sampled) -> Tables:
        learn(learner, epochs=self.config.epochs, patience=self.config.patience, rng=self.solvers.rng(2), watch=self.watch)
        return learner.left_LD, learner.right_RD

    def _progress(self, left_LD: Tensor, right_RD: Tensor) -> float | None:
        if self.shown:
            left_LD, right_RD = left_LD[self.shown.left_K], right_RD[self.shown.right_K]
        return self.choosing.judge.quickly(left_LD, right_RD)

    def _learnable(self) -> Links:
        kept_P = ~self.choosing.hidden_P
        if self.shown:
            kept_P = np.ones(len(self.observed), bool)
            kept_P[self.shown.at_P[self.choosing.hidden_P]] = False
        return self.observed.links(self.counted_P, kept_P)

    def _begin(self, links: Links, dimensions: int) -> Tables:
        """Short vectors: the first steps of Adagrad set the lengths, the spectrum, or a former fit, gives the directions."""
        if self.former:
            former_LD, former_RD = (torch.from_numpy(t).to(self.device) for t in (self.former.left_LD, self.former.right_RD))
            left_LD, right_RD = compressed(Wide.of(former_LD), Wide.of(former_RD), dimensions)
            return _shortened(left_LD), _shortened(right_RD)
        if self.config.start == "spectral":
            left_LD, right_RD = self.solvers.start(Matrix.both(links, self.device), dimensions)
            return _shortened(left_LD), _shortened(right_RD)
        sides = (len(self.observed.left), len(self.observed.right))
        rng = self.solvers.rng(3)
        drawn = [torch.from_numpy(rng.standard_normal((rows, dimensions), np.float32)) for rows in sides]
        left_LD, right_RD = (table.mul_(0.1 / dimensions**0.5).to(self.device) for table in drawn)
        return left_LD, right_RD

    def _counted(self) -> float:
        """What all links count together."""
        if self.counted_P is None:
            return float(len(self.observed))
        return sum(float(self.counted_P[part].sum(dtype=np.float64)) for part in pieces(len(self.observed)))

    def _links(self) -> Links:
        return self.observed.links(self.counted_P)

    def _all(self) -> Matrices:
        return Matrix.both(self._links(), self.device)


def _shortened(table_ND: Tensor) -> Tensor:
    return (table_ND * (0.3 / table_ND.norm(dim=1).mean().clamp(min=1e-12))).contiguous()


def _device(config: Config) -> str:
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda' and torch sees no GPU, allowed here: auto, cpu. Edit params.yaml")
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"
