"""A small residual network (He et al. 2016) with group normalisation (Wu & He 2018), fitted with the captioner from nothing.

Group normalisation sees one image at a time, so that the features of an image do not hang on the others in its batch.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kindex.encoders.captioner.backbones.backbone import Backbone

SIDE = 48
"""Pixels by default: a grid of 6 x 6 cells."""

GROUPS = 8
"""Channels are normalised in so many groups."""


class Scratch(Backbone):
    """Images (B, 3, S, S) in 0..1 to a grid (B, 2 * width, ceil(S / 8), ceil(S / 8)).

    Three strided 3 x 3 convolutions of width / 4, / 2 and / 1, then a residual one at full width. The second half of the
    channels is the largest of each of the first over the grid, the same in every cell, so that the grid's mean has both: what
    is small and stands somewhere is lost in a mean, and learnt several times faster from the largest.
    """

    together = 16  # images that pass at once when features are made

    def __init__(self, width: int = 128, side: int = SIDE) -> None:
        super().__init__()
        self.width, self.channels, self.side = width, 2 * width, side
        self.down = nn.Sequential(
            *_convolved(3, width // 4, stride=2),
            *_convolved(width // 4, width // 2, stride=2),
            *_convolved(width // 2, width, stride=2),
        )
        self.deeper = nn.Sequential(*_convolved(width, width, stride=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images_BCHW: Tensor) -> Tensor:
        given_BCHW = (images_BCHW * 2 - 1).contiguous(memory_format=torch.channels_last)
        grid_BCHW = self.down(given_BCHW)
        grid_BCHW = grid_BCHW + self.deeper(grid_BCHW)
        return torch.cat((grid_BCHW, grid_BCHW.amax((2, 3), keepdim=True).expand_as(grid_BCHW)), 1)

    def about(self) -> dict[str, Any]:
        """What `Scratch(**…)` needs, beside the name of the backbone."""
        return {"backbone": "scratch", "width": self.width, "side": self.side}


def initialise(network: Scratch, rng: np.random.Generator) -> None:
    """Convolutions from `rng`, normal with variance 2 / inputs (He et al. 2015); each normalisation begins as it is."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                drawn = rng.standard_normal(tuple(parameter.shape), np.float32)
                parameter.copy_(torch.from_numpy(drawn * np.float32(math.sqrt(2 / parameter[0].numel()))))


def _convolved(given: int, channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(given, channels, 3, stride, padding=1, bias=False)
    return [convolution, nn.GroupNorm(GROUPS, channels), nn.ReLU(inplace=True)]
