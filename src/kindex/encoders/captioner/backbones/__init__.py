"""Backbones of a captioner: images (B, 3, S, S) in 0..1 to a grid of features (B, C, h, w).

`from_config` makes one to begin with, `build` one whose weights a release holds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import sha256_file
from kindex.core.layout import find
from kindex.encoders.captioner.backbones import local
from kindex.encoders.captioner.backbones.backbone import Backbone
from kindex.encoders.captioner.backbones.mobilenet import SIDE, MobileNetV2
from kindex.encoders.captioner.backbones.scratch import Scratch, initialise

NAMES = ("scratch", "mobilenet_v2", "transformers")

SMALLEST = 32
"""Fewest pixels of the side that is set: below, the deepest layers see padding only."""


class Settings(Protocol):
    """What of a captioner's `Config` is read here."""

    @property
    def backbone(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def side(self) -> int: ...


def from_config(config: Settings, rng: np.random.Generator) -> Backbone:
    """The backbone to begin with: drawn from `rng`, or read from `config.weights`, whose sha256 must be `weights_sha256`.

    Raises `ConfigError` naming the setting for weights that are missing or others than said, an impossible side, or
    a package that is not installed; `DamagedError` for a file that holds no such network.
    """
    if config.side and config.side < SMALLEST:
        raise ConfigError(f"side is {config.side}, allowed: 0 (the backbone's own) or {SMALLEST} and more. Edit params.yaml")
    if config.backbone == "scratch":
        network = Scratch(**({"side": config.side} if config.side else {}))
        initialise(network, rng)
        return network
    path = _below_project(config.weights)
    if config.backbone == "mobilenet_v2":
        _check(path, path, config)
        return MobileNetV2.read(path.read_bytes(), str(path), config.side or SIDE)
    if config.backbone == "transformers":
        _check(path, path / local.WEIGHTS, config)
        return local.read(path, config.side)
    raise ConfigError(f"backbone is {config.backbone!r}: {choices(config.backbone, NAMES)}. Edit params.yaml")


def build(about: dict[str, Any]) -> Backbone:
    """The backbone that `about()` told of, its weights still to be loaded from a state dict.

    Raises `DamagedError` when it tells of none, `ConfigError` when a package for it is not installed.
    """
    shape = dict(about)
    name = shape.pop("backbone", None)
    makers: dict[str, Callable[..., Backbone]] = {"scratch": Scratch, "mobilenet_v2": MobileNetV2, "transformers": local.Local}
    if name not in makers:
        raise DamagedError(f"backbone is {name!r}: {choices(str(name), makers)}")
    try:
        return makers[name](**shape)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise DamagedError(f"no backbone {name} can be built as told: {error}") from error


def _below_project(weights: str) -> Path:
    if not weights:
        raise ConfigError("weights is empty: name the file (or for transformers the folder) of the backbone. Edit params.yaml")
    path = Path(weights).expanduser()
    try:
        return path if path.is_absolute() else find().root / path
    except ConfigError:  # used as a library, outside a project
        return path


def _check(given: Path, file: Path, config: Settings) -> None:
    """Raises `ConfigError` when `file` is not there, or not the one that the settings mean."""
    if not given.exists():
        raise ConfigError(f"weights is {config.weights!r}, but {given} does not exist. Edit params.yaml")
    if not file.is_file():
        raise ConfigError(f"weights is {config.weights!r}, but {file} is not a file there. Edit params.yaml")
    found = sha256_file(file)
    if found != config.weights_sha256.lower():
        said = repr(config.weights_sha256) if config.weights_sha256 else "empty"
        raise ConfigError(f"weights_sha256 is {said}, but {file} has {found}: if you trust this file, say so in params.yaml")
