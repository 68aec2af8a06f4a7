"""MobileNetV2 (Sandler et al. 2018, table 2) as a grid of features, with weights read from quantised numbers.

The file is an `.npz` with four arrays for each layer `L`: `L.weight_q` uint8 (out, in / groups, height, width), `L.scale`,
`L.zero_point` and `L.bias`; weight = (weight_q - zero_point) * scale, batch norm folded in. Layers are `Conv`,
`expanded_conv_0` .. `expanded_conv_16` with `.expand` (not in block 0), `.depthwise` and `.project`, and `Conv_1`.
Widths are whatever the arrays say, so a narrower network (the paper's width multiplier) is read as well.
"""

import io
import zipfile
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kindex.core.errors import DamagedError
from kindex.encoders.captioner.backbones.backbone import Backbone

STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
"""Of the 17 blocks; the first convolution has stride 2, so a cell of the grid sees a square of 32 pixels."""


SIDE = 224
"""Pixels of the images that the published weights were fitted to."""


class Layer(nn.Module):
    """Convolution with TensorFlow's SAME padding, bias, and ReLU6 where `bounded`."""

    def __init__(self, given: int, channels: int, kernel: int, stride: int, groups: int, bounded: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(given, channels, kernel, stride, groups=groups)
        self.bounded = bounded

    def forward(self, given_BCHW: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.convolution.kernel_size, self.convolution.stride
        (top, bottom), (left, right) = (same(size, kernel, stride) for size in given_BCHW.shape[2:])
        if (top, left) != (bottom, right):
            given_BCHW, top, left = functional.pad(given_BCHW, (left, right, top, bottom)), 0, 0
        answer_BCHW = self._convolved(given_BCHW, [top, left])
        return functional.relu6(answer_BCHW, inplace=True) if self.bounded else answer_BCHW

    def _convolved(self, given_BCHW: Tensor, padding: list[int]) -> Tensor:
        """By oneDNN whatever the batch: torch would take a path of its own, half as fast and with other last bits, for a
        batch of up to 16 on one thread, so that the features of an image would hang on the company it comes in."""
        own = self.convolution
        rest = ([*own.stride], [1, 1], own.groups)
        if torch.backends.mkldnn.is_available() and given_BCHW.device.type == "cpu":
            return torch.mkldnn_convolution(given_BCHW, own.weight, own.bias, padding, *rest)
        return torch.conv2d(given_BCHW, own.weight, own.bias, own.stride, padding, 1, own.groups)


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows before and after, so that the answer has ceil(size / stride) rows; an odd one goes to the end."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


class Block(nn.Module):
    """An inverted residual: expand 1 x 1, depthwise 3 x 3, project 1 x 1 without a bound; the input added where it fits."""

    def __init__(self, given: int, hidden: int, channels: int, stride: int, expanded: bool) -> None:
        super().__init__()
        self.expand = Layer(given, hidden, 1, 1, 1, True) if expanded else None
        self.depthwise = Layer(hidden, hidden, 3, stride, hidden, True)
        self.project = Layer(hidden, channels, 1, 1, 1, False)
        self.residual = stride == 1 and given == channels

    def forward(self, given_BCHW: Tensor) -> Tensor:
        hidden_BCHW = given_BCHW if self.expand is None else self.expand(given_BCHW)
        answer_BCHW = self.project(self.depthwise(hidden_BCHW))
        return given_BCHW + answer_BCHW if self.residual else answer_BCHW


class MobileNetV2(Backbone):
    """Images (B, 3, S, S) in 0..1 to a grid (B, channels, ceil(S / 32), ceil(S / 32)) of numbers in 0..6.

    stem: channels of the first convolution; blocks: (expanded, projected) channels of each block; channels: of the grid.
    """

    together = 4  # images; of more, the largest layer outgrows what the allocator keeps, and its pages are made anew each time

    def __init__(self, stem: int, blocks: list[list[int]], channels: int, side: int = SIDE) -> None:
        super().__init__()
        self.stem, self.blocks, self.channels, self.side = stem, [list(pair) for pair in blocks], channels, side
        layers: dict[str, nn.Module] = {"Conv": Layer(3, stem, 3, 2, 1, True)}
        given = stem
        for place, ((hidden, projected), stride) in enumerate(zip(blocks, STRIDES, strict=True)):
            layers[f"expanded_conv_{place}"] = Block(given, hidden, projected, stride, place > 0)
            given = projected
        layers["Conv_1"] = Layer(given, channels, 1, 1, 1, True)
        self.layers = nn.ModuleDict(layers)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images_BCHW: Tensor) -> Tensor:
        grid_BCHW = (images_BCHW * 2 - 1).contiguous(memory_format=torch.channels_last)
        for layer in self.layers.values():
            grid_BCHW = layer(grid_BCHW)
        return grid_BCHW

    def about(self) -> dict[str, Any]:
        """What `MobileNetV2(**…)` needs, beside the name of the backbone."""
        shape = {"stem": self.stem, "blocks": self.blocks, "channels": self.channels, "side": self.side}
        return {"backbone": "mobilenet_v2", **shape}

    @classmethod
    def read(cls, content: bytes, name: str, side: int = SIDE) -> Self:
        """The network of an `.npz`. Raises `DamagedError` with its `name` when an array is missing or has another shape."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            blocks = [
                [len(arrays[f"expanded_conv_{at}.{part}.bias"]) for part in ("depthwise", "project")] for at in range(17)
            ]
            network = cls(len(arrays["Conv.bias"]), blocks, len(arrays["Conv_1.bias"]), side)
            with torch.no_grad():
                for key, layer in network.named_modules():
                    if isinstance(layer, Layer):
                        _fill(layer.convolution, arrays, key.removeprefix("layers."))
        except KeyError as error:
            raise DamagedError(f"{name} has no array {error}: it holds no MobileNetV2") from error
        except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise DamagedError(f"{name} holds no MobileNetV2: {error}") from error
        return network


def _fill(convolution: nn.Conv2d, arrays: dict[str, np.ndarray], name: str) -> None:
    quantised, bias = arrays[f"{name}.weight_q"], arrays[f"{name}.bias"].astype(np.float32)
    shape = tuple(convolution.weight.shape)
    if quantised.shape != shape or bias.shape != shape[:1]:
        found = f"{quantised.shape} and {bias.shape}"
        raise ValueError(f"{name} has a weight and a bias of {found}, its neighbours need {shape} and {shape[:1]}")
    scale, zero = np.float32(arrays[f"{name}.scale"]), np.float32(arrays[f"{name}.zero_point"])
    weight = (quantised.astype(np.float32) - zero) * scale
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise ValueError(f"{name} has numbers that are not finite")
    convolution.weight.copy_(torch.from_numpy(weight))
    convolution.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
