"""An undercomplete convolutional autoencoder: an image is squeezed through a few numbers and drawn again from them.

Hinton & Salakhutdinov 2006, with strided convolutions. What passes the neck is the image's vector, so it must hold what
tells images apart. Inductive: it embeds images that it has not seen, of the one shape that it was fitted to.
"""

from dataclasses import replace

import numpy as np

from kindex.core.catalogue import Catalogue
from kindex.core.errors import DataGateError
from kindex.core.split import id_fractions
from kindex.core.watch import Watch
from kindex.encoders.autoencoder.config import Config
from kindex.encoders.autoencoder.encoder import Encoder
from kindex.encoders.autoencoder.fitting import Fitting
from kindex.encoders.parts.convolution import Network, initialise
from kindex.encoders.parts.images import decode
from kindex.encoders.parts.loop import learn

__all__ = ["INDUCTIVE", "NEEDS", "Config", "Encoder", "fit", "warm"]

NEEDS = ("images",)
INDUCTIVE = True

WARM_SHARE = 4
"""A warm fit takes one of so many epochs."""

SMALLEST = 8
"""Fewest pixels of height and width: below, a stride leaves too little to convolve."""


def fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """Learn from the images of `train`; labels are not read.

    Raises `DataGateError` when images differ in shape or are too small, `MetricGateError` when training diverges.
    """
    return _learnt(train, config, None, rng, watch)


def warm(start: Encoder, train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """The same from the network of `start`, in a quarter of the epochs. Raises `DataGateError` at images of another shape."""
    return _learnt(train, replace(config, epochs=-(-config.epochs // WARM_SHARE)), start, rng, watch)


def _learnt(train: Catalogue, config: Config, start: Encoder | None, rng: np.random.Generator, watch: Watch) -> Encoder:
    pixels_NHWC = start.pixels(train) if start else decode(train.images)
    height, width, colours = pixels_NHWC.shape[1:]
    if min(height, width) < SMALLEST:
        raise DataGateError(f"images are {height} x {width}, the autoencoder needs {SMALLEST} x {SMALLEST} or more")
    network = start.network if start else Network((height, width, colours), config.dimensions, config.channels)
    if not start:
        initialise(network, pixels_NHWC.mean((0, 1, 2)), rng)
    hidden_N = id_fractions(train.images["id"], "validation") < config.validation_share
    if hidden_N.all():
        hidden_N[:] = False
    fitting = Fitting(network, pixels_NHWC[~hidden_N], pixels_NHWC[hidden_N], config)
    learn(fitting, epochs=config.epochs, patience=config.patience, rng=rng, watch=watch)
    encoder = Encoder(network, np.zeros(config.dimensions, np.float32))
    encoder.centre_D = encoder.codes(pixels_NHWC).mean(0)
    return encoder
