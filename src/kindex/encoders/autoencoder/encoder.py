"""An autoencoder that has been fitted: vectors of images, and images drawn from vectors."""

from collections.abc import Callable, Mapping
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
from kindex.encoders.parts.arrays import load_arrays, save_arrays
from kindex.encoders.parts.convolution import Network, channels_first
from kindex.encoders.parts.images import decode

FRAME = "autoencoder"


class Encoder:
    """The network, and the mean code of the train images: it is taken away, so that cosine sees all directions."""

    def __init__(self, network: Network, centre_D: np.ndarray) -> None:
        self.network, self.centre_D = network, centre_D

    def embed(self, catalogue: Catalogue) -> dict[str, Space]:
        """One space, `image`, in the order of `catalogue.images`. Raises `DataGateError` at images of another shape."""
        ids = tuple(catalogue.images["id"].to_pylist())
        return {"image": Space("image", ids, self.codes(self.pixels(catalogue)) - self.centre_D, "cosine", FRAME)}

    def reconstruct(self, catalogue: Catalogue) -> np.ndarray:
        """Each image as drawn from its vector, float32 (N, H, W, C) in 0..1, in the order of `catalogue.images`."""
        drawn_NCHW = in_batches(self.network, self.pixels(catalogue))
        return np.ascontiguousarray(drawn_NCHW.transpose(0, 2, 3, 1))

    def codes(self, pixels_NHWC: np.ndarray) -> np.ndarray:
        """What passes the neck, (N, D) float32, before centring."""
        return in_batches(self.network.encode, pixels_NHWC)

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

    def pixels(self, catalogue: Catalogue) -> np.ndarray:
        """The images of `catalogue`, (N, H, W, C) float32 in 0..1. Raises `DataGateError` at another shape."""
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
def in_batches(function: Callable[[Tensor], Tensor], pixels_NHWC: np.ndarray, batch: int = 256) -> np.ndarray:
    """`function` of tensors (B, C, H, W), for all images."""
    return np.concatenate(
        [function(channels_first(pixels_NHWC[at : at + batch])).numpy() for at in range(0, len(pixels_NHWC), batch)]
    )
