"""A convolutional network that squeezes an image through a neck of D numbers and draws it again."""

import math

import numpy as np
import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Strided 3 x 3 convolutions down to about 4 x 4, a linear neck, and the same way back; values in 0..1.

    shape_HWC: of the images; channels: of the first convolution, doubled at each halving, up to four times.
    """

    def __init__(self, shape_HWC: tuple[int, int, int], dimensions: int, channels: int) -> None:
        super().__init__()
        self.shape_HWC, self.dimensions, self.channels = shape_HWC, dimensions, channels
        height, width, colours = shape_HWC
        halvings = max(1, int(math.log2(min(height, width) / 4)))
        widths = [min(channels * 2**step, channels * 4) for step in range(halvings + 1)]
        sizes = [(math.ceil(height / 2**step), math.ceil(width / 2**step)) for step in range(halvings + 1)]
        self.small = (widths[-1], *sizes[-1])
        down: list[nn.Module] = [nn.Conv2d(colours, widths[0], 3, padding=1), nn.GELU()]
        up: list[nn.Module] = []
        for wide, narrow, size in zip(widths[1:], widths, sizes, strict=False):
            down += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.GELU()]
            up = [nn.Upsample(size), nn.Conv2d(wide, narrow, 3, padding=1), nn.GELU(), *up]
        self.down = nn.Sequential(*down, nn.Flatten(), nn.Linear(math.prod(self.small), dimensions))
        self.up = nn.Sequential(
            nn.Linear(dimensions, math.prod(self.small)),
            nn.GELU(),
            nn.Unflatten(1, self.small),
            *up,
            nn.Conv2d(widths[0], colours, 3, padding=1),
            nn.Sigmoid(),
        )

    @property
    def neck(self) -> tuple[nn.Linear, nn.Linear]:
        """The layer that squeezes an image to D numbers, and the one that begins to draw it from them."""
        into, out = self.down[-1], self.up[0]
        assert isinstance(into, nn.Linear) and isinstance(out, nn.Linear)
        return into, out

    def encode(self, given_NCHW: Tensor) -> Tensor:
        """What passes the neck (N, D)."""
        return self.down(given_NCHW)

    def forward(self, given_NCHW: Tensor) -> Tensor:
        """The images drawn again (N, C, H, W)."""
        return self.up(self.down(given_NCHW))


def initialise(network: Network, mean_C: np.ndarray, rng: np.random.Generator) -> None:
    """Weights from `rng`, normal with variance 2 / inputs (He et al. 2015), biases 0: one generator decides everything.

    The last layer begins near `mean_C`, the mean of each channel in 0..1: images that are mostly dark would otherwise drive
    the sigmoid to where it has no gradient, before anything is learnt.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.zero_()
            else:
                shape, deviation = tuple(parameter.shape), np.float32(math.sqrt(2 / parameter[0].numel()))
                parameter.copy_(torch.from_numpy(rng.standard_normal(shape, np.float32) * deviation))
        weight, bias = list(network.parameters())[-2:]
        weight.mul_(0.1)
        bias.copy_(torch.from_numpy(mean_C).logit(0.01))


def channels_first(pixels_NHWC: np.ndarray) -> Tensor:
    """The same images as torch wants them, (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels_NHWC.transpose(0, 3, 1, 2)))
