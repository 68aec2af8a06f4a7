"""Decoding: every mode that Pillow reads ends as 0..1 with 1 or 3 channels; what does not decode is named."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from kindex.core.catalogue import IMAGES
from kindex.core.errors import DataGateError
from kindex.encoders.parts.images import decode

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 3)).astype(np.uint8)


def table(**images: bytes) -> pa.Table:
    return pa.Table.from_pylist([{"id": name, "image": content} for name, content in images.items()], schema=IMAGES)


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    image.save(content, form)
    return content.getvalue()


def test_values_and_order_survive() -> None:
    colour = Image.fromarray(PIXELS)
    read = decode(table(a=encoded(colour), b=encoded(Image.fromarray(255 - PIXELS))))
    assert (read.shape, read.dtype) == ((2, 9, 12, 3), np.float32)
    np.testing.assert_allclose(read[0], PIXELS / 255, atol=1e-6)
    np.testing.assert_allclose(read[0] + read[1], 1, atol=1e-6)
    grey = decode(table(a=encoded(Image.fromarray(PIXELS[:, :, 0]))))
    np.testing.assert_allclose(grey[0, :, :, 0], PIXELS[:, :, 0] / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_ends_between_0_and_1(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(PIXELS).convert(mode)
    read = decode(table(a=encoded(image, "TIFF" if mode == "CMYK" else "PNG")))
    assert read.shape[3] == (1 if mode in ("1", "L", "LA", "I;16") else 3)
    assert read.min() >= 0
    assert 0.9 < read.max() <= 1
    assert read.std() > 0.1


def test_a_bad_image_or_another_shape_is_named() -> None:
    good = encoded(Image.fromarray(PIXELS))
    with pytest.raises(DataGateError, match="image 'bad' does not decode"):
        decode(table(good=good, bad=good[:40]))
    with pytest.raises(DataGateError, match=r"image 'small' has the shape \(4, 12, 3\), the first one has \(9, 12, 3\)"):
        decode(table(good=good, small=encoded(Image.fromarray(PIXELS[:4]))))
    with pytest.raises(DataGateError, match="no images"):
        decode(table())
