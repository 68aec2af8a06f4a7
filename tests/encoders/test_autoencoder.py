"""What is particular to the autoencoder: unseen images, other shapes, colours, order."""

import numpy as np
import pytest

from kindex.core.catalogue import Catalogue
from kindex.core.errors import DataGateError
from kindex.core.watch import Silent
from kindex.encoders import autoencoder
from kindex.encoders.parts.images import decode
from tests.encoders.planted import planted_images


def fit(catalogue: Catalogue, **settings: object) -> autoencoder.Encoder:
    chosen = {"dimensions": 4, "epochs": 3, "batch": 16, "channels": 4, **settings}
    config = autoencoder.Config(**chosen)  # type: ignore[arg-type]
    return autoencoder.fit(catalogue, config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())


def test_unseen_images_are_placed_and_drawn_in_their_order() -> None:
    split = planted_images().split
    encoder = fit(split.train)
    space = encoder.embed(split.heldout)["image"]
    assert list(space.ids) == split.heldout.images["id"].to_pylist()
    backwards = Catalogue("discs", {"images": split.heldout.images.take(list(range(len(space.ids)))[::-1])})
    np.testing.assert_allclose(encoder.embed(backwards)["image"].vectors_ND, space.vectors_ND[::-1], atol=1e-5)
    np.testing.assert_allclose(encoder.reconstruct(backwards), encoder.reconstruct(split.heldout)[::-1], atol=1e-5)
    assert encoder.reconstruct(backwards).dtype == np.float32


def test_train_codes_are_centred() -> None:
    split = planted_images().split
    np.testing.assert_allclose(fit(split.train).embed(split.train)["image"].vectors_ND.mean(0), 0, atol=1e-4)


@pytest.mark.parametrize(("size", "colours"), [(8, 1), (13, 3), (33, 3)])
def test_any_size_and_colour_is_learnt(size: int, colours: int) -> None:
    split = planted_images(size, colours).split
    given = decode(split.heldout.images)
    encoder = fit(split.train, epochs=12, batch=8, learning_rate=0.005)
    drawn = encoder.reconstruct(split.heldout)
    assert drawn.shape == given.shape == (len(given), size, size, colours)
    assert drawn.min() >= 0 and drawn.max() <= 1
    mean = decode(split.train.images).mean(0)
    assert np.square(drawn - given).mean() < 0.7 * np.square(mean - given).mean()


def test_another_shape_is_refused_by_name() -> None:
    encoder = fit(planted_images().split.train, epochs=1)
    for call in (encoder.embed, encoder.reconstruct):
        with pytest.raises(DataGateError, match=r"\(12, 12, 3\) \(height, width, channels\), .* fitted to \(9, 9, 1\)"):
            call(planted_images(12, 3).split.heldout)
    with pytest.raises(DataGateError, match="images are 6 x 6, the autoencoder needs 8 x 8 or more"):
        fit(planted_images(6).split.train)
