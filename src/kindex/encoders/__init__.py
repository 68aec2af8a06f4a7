"""Families of models, one folder each, loaded by name so that a stage depends on exactly the family that it trains.

A family is a package with four names:

    NEEDS    the kinds of table that it reads, e.g. ("links",)
    Config   frozen keyword-only dataclass; always has `seed`, `threads`, `dimensions`
    fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder
    Encoder  embed(catalogue) -> dict[str, Space] by kind; save(folder); load(folder) (a classmethod)

It may have more, and what it lacks is trained anew whenever data change (docs/refresh.md):

    INDUCTIVE = True   a vector follows from the item's own rows, so a night embeds new and changed items only
    Evidence           of a transductive family: Evidence(train, scratch) with (scratch: a folder, see Watch)
                       fold(parent, remembered, touched) -> (Encoder, number of vectors made by kind),
                       remembered() -> the Stream that the next night is handed as `remembered`, and
                       agreement(encoder, without) -> how well vectors agree with what their links say now, or None
    warm(start: Encoder, train, config, *, rng, watch) -> Encoder    a fit that begins from another one and searches nothing
    Encoder.turn(rotations)    by an orthogonal matrix (D, D) for each frame of its spaces; what it can do stays as it was
"""

import importlib
import pkgutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol, Self

from kindex.core.blocks import build
from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, choices
from kindex.core.params import ModelParams
from kindex.core.space import Space


class Encoder(Protocol):
    """A fitted family. *Transductive* ones know the items they saw; *inductive* ones can embed new ones."""

    def embed(self, catalogue: Catalogue) -> dict[str, Space]:
        """A space by its kind, for each kind of item that this encoder can place; its order depends on ids alone."""
        ...

    def save(self, folder: Path) -> None:
        """Write `encoder.safetensors` and `encoder.json`; equal encoders give equal bytes."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


def families() -> list[str]:
    """Names of the families: the packages beside this file."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg and module.name != "parts")


def family(params: ModelParams, model: str) -> Any:
    """The module of the model's family. Raises `ConfigError` with close spellings."""
    if params.family not in families():
        known = choices(params.family, families())
        raise ConfigError(f"models.{model}.family is {params.family!r}: {known}. Edit params.yaml")
    return importlib.import_module(f"kindex.encoders.{params.family}")


def configure(params: ModelParams, model: str) -> Any:
    """The model's settings as its family's `Config`. Raises `ConfigError` naming an unknown key or a wrong value."""
    return build(family(params, model).Config, params.config, f"models.{model}")


def require(params: ModelParams, model: str, tables: Collection[str]) -> None:
    """Raises `ConfigError` when the model's catalogue, which has `tables`, lacks one that the family needs."""
    needs = family(params, model).NEEDS
    if not set(needs) <= set(tables):
        raise ConfigError(
            f"models.{model}.family is {params.family!r}, which needs {' and '.join(needs)}; the catalogue {params.catalogue} "
            f"has {' and '.join(sorted(tables))}. Families: {', '.join(families())}. Edit models.{model} in params.yaml"
        )
