"""Encoded images as arrays."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from kindex.core.errors import DataGateError

MODES = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB"}
"""How Pillow's modes are read: grey stays grey, a palette or transparency becomes plain RGB."""


def decode(images: pa.Table) -> np.ndarray:
    """The images of the table as float32 (N, H, W, C) in 0..1, C 1 or 3, in its order.

    Raises `DataGateError` naming an image that does not decode, or has another shape than the first one.
    """
    first: tuple[int, ...] = ()
    arrays = []
    for name, encoded in zip(images["id"].to_pylist(), images["image"].to_pylist(), strict=True):
        array_HWC = _pixels(name, encoded)
        first = first or array_HWC.shape
        if array_HWC.shape != first:
            raise DataGateError(f"image {name!r} has the shape {array_HWC.shape}, the first one has {first}: all must agree")
        arrays.append(array_HWC)
    if not arrays:
        raise DataGateError("the catalogue has no images")
    return np.stack(arrays).astype(np.float32) / np.float32(255)


def _pixels(name: str, encoded: bytes) -> np.ndarray:
    """One image as uint8 (H, W, C)."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            if image.mode.startswith("I"):  # Pillow cuts 16-bit grey at 255 where it should scale
                array = (np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)
            else:
                array = np.asarray(image.convert(MODES.get(image.mode, "RGB")))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataGateError(f"image {name!r} does not decode: {error}") from error
    return array[:, :, None] if array.ndim == 2 else array
