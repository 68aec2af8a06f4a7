"""Encoded images as arrays."""

import io
import warnings

import numpy as np
import pyarrow as pa
from PIL import ExifTags, Image, UnidentifiedImageError

from kindex.core.errors import DataGateError

MODES = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB"}
"""How Pillow's modes are read: grey stays grey, a palette or transparency becomes plain RGB."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What `rgb` reads. Pillow knows more, some with a program of its own (EPS), which is not for bytes from anywhere."""

MOST_PIXELS = 64_000_000
"""Of an image: beyond, few bytes can take all memory."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How an image is turned for each EXIF orientation but 1."""


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


def rgb(encoded: bytes) -> np.ndarray:
    """An image of any size and mode, as a viewer shows it: uint8 (H, W, 3).

    Grey is repeated, transparency lies over white, 16 bits are scaled to 8, CMYK is turned to colours without a profile,
    an animation is its first frame, and an EXIF orientation is applied. Raises `DataGateError` for bytes that do not
    decode to the last pixel, more than `MOST_PIXELS`, and numbers without a known range (32 bits a pixel).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is refused below, and of broken EXIF
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels, allowed: {MOST_PIXELS} in all")
                image.load()
                return np.asarray(_upright(_coloured(image), image))
    except Exception as error:  # a decoder given hostile bytes raises nearly anything; all of it means "does not decode"
        reason = (
            "no image of a known format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        )
        raise DataGateError(f"the image does not decode: {reason if encoded else 'no bytes'}") from error


def squared(image_HW3: np.ndarray, side: int) -> np.ndarray:
    """The whole image as uint8 (side, side, 3), bicubic with antialiasing; its proportions are not kept."""
    return np.asarray(Image.fromarray(image_HW3).resize((side, side), Image.Resampling.BICUBIC))


def _coloured(image: Image.Image) -> Image.Image:
    """In the mode RGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values_HW = np.asarray(image)
        if image.mode == "F" or (image.mode == "I" and not (values_HW.min() >= 0 and values_HW.max() <= 65535)):
            raise ValueError("32 bits a pixel have no known range: convert it to 8 or 16 bits")
        image = Image.fromarray((values_HW // 257).astype(np.uint8))  # 65535 to 255; Pillow would cut off at 255
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")
    return image.convert("RGB")


def _upright(drawn: Image.Image, image: Image.Image) -> Image.Image:
    """`drawn`, turned as the EXIF block of `image` says; a broken block says nothing."""
    try:
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # any bytes may stand in the block, and the pixels are whole
        return drawn
    return drawn if turn is None else drawn.transpose(turn)
