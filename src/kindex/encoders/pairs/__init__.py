"""Two tables of vectors, one for each end of a link; the dot product of two rows scores the link.

By default three solvers are blended: singular vectors of the normalised links, weighted least squares that starts from them,
and a sampled softmax; what they need to be told is chosen on links set aside from train. The length of a right vector is free
and comes to carry the item's popularity; neighbours of one kind are found by cosine.

An item without train links has no vector until it is folded in from links of its own (`Encoder.fold_in`); so are, from night
to night, the items whose links changed (`Evidence.fold`).
"""

import numpy as np

from kindex.core.catalogue import Catalogue
from kindex.core.watch import Watch
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.encoder import Encoder
from kindex.encoders.pairs.refreshing import Evidence

__all__ = ["NEEDS", "Config", "Encoder", "Evidence", "fit", "rivals", "warm"]

NEEDS = ("links",)


def fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """Learn both tables from the links of `train`. Raises `MetricGateError` when training diverges, `ConfigError` for a
    GPU that is not there."""
    from kindex.encoders.pairs.fitting import Fit  # torch; a question to a release needs none of it
    from kindex.encoders.pairs.observed import observe

    return Fit(observe(train, watch.scratch), config, rng, watch).encoder()


def warm(start: Encoder, train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """The same with the settings that `start` chose, and from its vectors where a solver begins from any; `start` has the
    items of `train`. Nothing is searched, and what is learnt by epochs takes a quarter of them."""
    from kindex.encoders.pairs.fitting import Fit
    from kindex.encoders.pairs.observed import observe
    from kindex.encoders.pairs.warming import kept

    observed = observe(train, watch.scratch)
    return Fit(observed, kept(config, start, observed), rng, watch, start).encoder()


def rivals(config: Config) -> dict[str, Config]:
    """The default settings with the same dimensions, which a report compares with; none when `config` has that objective."""
    if config.objective == "auto":
        return {}
    return {"default": Config(dimensions=config.dimensions, seed=config.seed, threads=config.threads, device=config.device)}
