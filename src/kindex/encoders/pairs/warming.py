"""The settings of a fit that starts from another one: what was chosen is taken as given, and epochs are fewer."""

from dataclasses import replace

from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.encoder import Encoder
from kindex.encoders.pairs.observed import Observed

SHARE = 4
"""A warm fit takes one of so many epochs: it begins where the former one ended, and sees what changed beside all else."""

CHOSEN = ("weight_power", "half_life_days", "left_power", "popularity", "unobserved", "regularisation", "iterations")


def kept(config: Config, start: Encoder, observed: Observed) -> Config:
    """`config` with nothing left to choose; a link to a kind that the former fit did not have counts 1."""
    chosen = start.about["chosen"]
    found = {name: chosen[name] for name in CHOSEN if name in chosen}
    kinds = {kind: weight for kind, weight in chosen.get("kind_weights", {}).items() if kind in observed.right.ids}
    return replace(config, **found, kind_weights=kinds, epochs=-(-config.epochs // SHARE))
