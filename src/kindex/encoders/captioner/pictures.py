"""What a captioner is shown of images while it is fitted: features made once, or pixels for a backbone that is fitted, too."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kindex.core.errors import ConfigError, DataGateError
from kindex.core.layout import find
from kindex.core.watch import Watch
from kindex.encoders.captioner import features
from kindex.encoders.captioner.backbones.backbone import Backbone
from kindex.encoders.captioner.config import Config
from kindex.encoders.parts.images import rgb, squared


class Pictures(Protocol):
    """N images by row."""

    @property
    def backbone(self) -> Backbone | None:
        """What is fitted with the network, if anything."""
        ...

    def features(self, image_B: np.ndarray, mirrored: bool) -> Tensor:
        """Features (B, P, C) of rows; P is 1 without attention."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Features (N, P, C) as they are, and mirrored (or the same again)."""

    plain_NPC: np.ndarray
    mirrored_NPC: np.ndarray
    backbone: None = None

    def features(self, image_B: np.ndarray, mirrored: bool) -> Tensor:
        return torch.from_numpy((self.mirrored_NPC if mirrored else self.plain_NPC)[image_B])


@dataclass(frozen=True)
class Pixels:
    """uint8 images (N, S, S, 3), and the backbone that sees them anew each time."""

    pixels_NSS3: np.ndarray
    backbone: Backbone
    attention: bool

    def features(self, image_B: np.ndarray, mirrored: bool) -> Tensor:
        image_U, place_B = np.unique(image_B, return_inverse=True)
        given_U3SS = torch.from_numpy(self.pixels_NSS3[image_U]).permute(0, 3, 1, 2).float() / 255
        grid_UCHW = self.backbone(given_U3SS.flip(3) if mirrored else given_U3SS)
        return cells_of(grid_UCHW, self.attention)[torch.from_numpy(place_B)]


def cells_of(grid_BCHW: Tensor, attention: bool) -> Tensor:
    """A grid as features (B, P, C): each cell of it, or their mean alone."""
    return grid_BCHW.flatten(2).transpose(1, 2) if attention else grid_BCHW.mean((2, 3))[:, None]


def fixed(backbone: Backbone, encoded: Sequence[bytes], config: Config, watch: Watch) -> Fixed:
    """Features by a frozen backbone, from the store where they are known."""
    views = [
        found(backbone, encoded, mirrored=mirrored, attention=config.attention, kept=True, watch=watch)
        for mirrored in (False, True)[: 1 + config.mirrored]
    ]
    return Fixed(views[0], views[-1])


def found(
    backbone: Backbone,
    encoded: Sequence[bytes],
    *,
    mirrored: bool = False,
    attention: bool = False,
    kept: bool = False,
    watch: Watch | None = None,
) -> np.ndarray:
    """Features (N, P, C) of encoded images; `kept` below `var/features` of the project, if there is one.

    Raises `DataGateError` naming the place of an image that does not decode.
    """
    store = _store() if kept else None
    made = features.grids(backbone, encoded, mirrored=mirrored, store=store, watch=watch, pooled=not attention)
    return made.reshape(*made.shape[:2], -1).transpose(0, 2, 1) if attention else made[:, None]


def pixels(encoded: Sequence[bytes], side: int, watch: Watch) -> np.ndarray:
    """uint8 (N, side, side, 3). Raises `DataGateError` naming the place of an image that does not decode."""
    drawn_NSS3 = np.empty((len(encoded), side, side, 3), np.uint8)
    for place, image in enumerate(watch.progress(encoded, "decode", len(encoded), "image")):
        try:
            drawn_NSS3[place] = squared(rgb(image), side)
        except DataGateError as error:
            raise DataGateError(f"image {place}: {error}") from error
    return drawn_NSS3


def _store() -> Path | None:
    try:
        return find().var / "features"
    except ConfigError:
        return None
