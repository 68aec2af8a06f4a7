"""An undercomplete convolutional autoencoder: an image is squeezed through a few numbers and drawn again from them.

Hinton & Salakhutdinov 2006, with strided convolutions. What passes the neck is the image's vector, so it must hold what
tells images apart. Inductive: it embeds images that it has not seen, of the one shape that it was fitted to.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from kindex.core.align import turned
from kindex.core.catalogue import Catalogue
from kindex.core.errors import DamagedError, DataGateError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.space import Space
from kindex.core.split import id_fractions
from kindex.core.watch import Watch
from kindex.encoders.parts import torch_adam
from kindex.encoders.parts.arrays import load_arrays, save_arrays
from kindex.encoders.parts.convolution import Network, channels_first, initialise
from kindex.encoders.parts.images import decode
from kindex.encoders.parts.loop import learn
from kindex.encoders.parts.losses import reconstruction_error

NEEDS = ("images",)
INDUCTIVE = True
FRAME = "autoencoder"

WARM_SHARE = 4
"""A warm fit takes one of so many epochs."""

SMALLEST = 8
"""Fewest pixels of height and width: below, a stride leaves too little to convolve."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of an autoencoder."""

    dimensions: int = 16  # of the neck
    seed: int = 7
    threads: int = 1
    epochs: int = 60  # at most; the learning rate falls to 0 over them
    patience: int = 8  # epochs without a better validation before the fit stops
    validation_share: float = 0.1  # of the train images, set aside to stop early
    batch: int = 32
    channels: int = 16  # of the first convolution; they double with each halving of the image, up to four times
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("dimensions", "threads", "epochs", "patience", "batch", "channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share is {self.validation_share}, allowed: 0 to below 1")


def fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> "Encoder":
    """Learn from the images of `train`; labels are not read.

    Raises `DataGateError` when images differ in shape or are too small, `MetricGateError` when training diverges.
    """
    return _learnt(train, config, None, rng, watch)


def warm(start: "Encoder", train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> "Encoder":
    """The same from the network of `start`, in a quarter of the epochs. Raises `DataGateError` at images of another shape."""
    return _learnt(train, replace(config, epochs=-(-config.epochs // WARM_SHARE)), start, rng, watch)


def _learnt(train: Catalogue, config: Config, start: "Encoder | None", rng: np.random.Generator, watch: Watch) -> "Encoder":
    pixels_NHWC = start._pixels(train) if start else decode(train.images)
    height, width, colours = pixels_NHWC.shape[1:]
    if min(height, width) < SMALLEST:
        raise DataGateError(f"images are {height} x {width}, the autoencoder needs {SMALLEST} x {SMALLEST} or more")
    network = start.network if start else Network((height, width, colours), config.dimensions, config.channels)
    if not start:
        initialise(network, pixels_NHWC.mean((0, 1, 2)), rng)
    hidden_N = id_fractions(train.images["id"], "validation") < config.validation_share
    if hidden_N.all():
        hidden_N[:] = False
    fitting = _Fitting(network, pixels_NHWC[~hidden_N], pixels_NHWC[hidden_N], config)
    learn(fitting, epochs=config.epochs, patience=config.patience, rng=rng, watch=watch)
    encoder = Encoder(network, np.zeros(config.dimensions, np.float32))
    encoder.centre_D = encoder.codes(pixels_NHWC).mean(0)
    return encoder


class Encoder:
    """The network, and the mean code of the train images: it is taken away, so that cosine sees all directions."""

    def __init__(self, network: Network, centre_D: np.ndarray) -> None:
        self.network, self.centre_D = network, centre_D

    def embed(self, catalogue: Catalogue) -> dict[str, Space]:
        """One space, `image`, in the order of `catalogue.images`. Raises `DataGateError` at images of another shape."""
        ids = tuple(catalogue.images["id"].to_pylist())
        return {"image": Space("image", ids, self.codes(self._pixels(catalogue)) - self.centre_D, "cosine", FRAME)}

    def reconstruct(self, catalogue: Catalogue) -> np.ndarray:
        """Each image as drawn from its vector, float32 (N, H, W, C) in 0..1, in the order of `catalogue.images`."""
        drawn_NCHW = _in_batches(self.network, self._pixels(catalogue))
        return np.ascontiguousarray(drawn_NCHW.transpose(0, 2, 3, 1))

    def codes(self, pixels_NHWC: np.ndarray) -> np.ndarray:
        """What passes the neck, (N, D) float32, before centring."""
        return _in_batches(self.network.encode, pixels_NHWC)

    @torch.no_grad()
    def turn(self, rotations: Mapping[str, np.ndarray]) -> None:
        """Turn what passes the neck, and what draws from it the other way: images are drawn as before."""
        if FRAME not in rotations:
            return
        turn_DD = torch.from_numpy(rotations[FRAME])
        self.centre_D = turned(self.centre_D[None], rotations[FRAME])[0]
        into, out = self.network.neck
        into.weight.copy_(turn_DD.T @ into.weight.double())
        into.bias.copy_(into.bias.double() @ turn_DD)
        out.weight.copy_(out.weight.double() @ turn_DD)

    def _pixels(self, catalogue: Catalogue) -> np.ndarray:
        pixels_NHWC = decode(catalogue.images)
        if pixels_NHWC.shape[1:] != self.network.shape_HWC:
            found, known = pixels_NHWC.shape[1:], self.network.shape_HWC
            raise DataGateError(f"images are {found} (height, width, channels), this autoencoder was fitted to {known}")
        return pixels_NHWC

    def save(self, folder: Path) -> None:
        weights = {f"network.{name}": tensor.numpy() for name, tensor in self.network.state_dict().items()}
        save_arrays(folder / "encoder.safetensors", {**weights, "centre": self.centre_D})
        shape = {"shape": self.network.shape_HWC, "dimensions": self.network.dimensions, "channels": self.network.channels}
        write_atomic(folder / "encoder.json", pretty_json({"family": "autoencoder", **shape}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises `DamagedError` naming a file that is missing or damaged."""
        about, arrays = read_json(folder / "encoder.json"), load_arrays(folder / "encoder.safetensors")
        try:
            network = Network(tuple(about["shape"]), about["dimensions"], about["channels"])
            network.load_state_dict(
                {name.removeprefix("network."): torch.from_numpy(array) for name, array in arrays.items() if "." in name}
            )
            return cls(network, arrays["centre"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise DamagedError(f"{folder} holds no autoencoder that fits its encoder.json: {error}") from error


@torch.no_grad()
def _in_batches(function: Callable[[Tensor], Tensor], pixels_NHWC: np.ndarray, batch: int = 256) -> np.ndarray:
    return np.concatenate(
        [function(channels_first(pixels_NHWC[at : at + batch])).numpy() for at in range(0, len(pixels_NHWC), batch)]
    )


class _Fitting:
    """The network while it is learnt; see `kindex.encoders.parts.loop.Learner`."""

    def __init__(self, network: Network, shown_NHWC: np.ndarray, hidden_NHWC: np.ndarray, config: Config) -> None:
        self.network, self.config, self.hidden_NHWC = network, config, hidden_NHWC
        self.shown_NCHW = channels_first(shown_NHWC)
        self.optimiser = torch_adam.prepared(torch.optim.Adam(network.parameters(), lr=config.learning_rate))

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        rate, total = self.config.learning_rate * remaining, 0.0
        self.optimiser.param_groups[0]["lr"] = rate
        for part_B in torch.from_numpy(rng.permutation(len(self.shown_NCHW))).split(self.config.batch):
            given_BCHW = self.shown_NCHW[part_B]
            self.optimiser.zero_grad()
            loss = reconstruction_error(self.network(given_BCHW), given_BCHW)
            loss.backward()
            self.optimiser.step()
            total += loss.item() * len(part_B)
            if not math.isfinite(total):
                break
        return {"loss": total / self.shown_NCHW.numel(), "learning_rate": rate}

    def validate(self) -> float | None:
        """Minus the squared error per pixel."""
        if not len(self.hidden_NHWC):
            return None
        drawn_NCHW = _in_batches(self.network, self.hidden_NHWC)
        return -float(np.square(drawn_NCHW.transpose(0, 2, 3, 1) - self.hidden_NHWC).mean())

    def model(self) -> dict[str, Tensor]:
        return self.network.state_dict()

    def memory(self) -> dict[str, Tensor]:
        return torch_adam.memory(self.optimiser, self.network.named_parameters())
