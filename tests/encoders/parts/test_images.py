"""Decoding: every mode that Pillow reads ends as 0..1 with 1 or 3 channels; what does not decode is named."""

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from kindex.core.catalogue import IMAGES
from kindex.core.errors import DataGateError
from kindex.encoders.parts.images import decode, rgb, squared

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


COLOUR = Image.fromarray(PIXELS)


def png(width: int, height: int, kind: int, depth: int, rows: bytes, chunks: bytes = b"") -> bytes:
    """A PNG by hand, for what Pillow does not write."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def sixteen(*values: int) -> bytes:
    """One row of 16-bit numbers."""
    return b"\0" + struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_rgb_is_the_pixels(form: str) -> None:
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    content = io.BytesIO()
    COLOUR.save(content, form, **options)
    read = rgb(content.getvalue())
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, PIXELS)


def test_rgb_of_grey_bits_and_palettes() -> None:
    grey = Image.fromarray(PIXELS[:, :, 0])
    np.testing.assert_array_equal(rgb(encoded(grey)), np.repeat(PIXELS[:, :, :1], 3, 2))
    bits = Image.fromarray(PIXELS[:, :, 0] > 127)
    np.testing.assert_array_equal(rgb(encoded(bits))[:, :, 1], np.where(PIXELS[:, :, 0] > 127, 255, 0))
    palette = COLOUR.quantize(8)
    np.testing.assert_array_equal(rgb(encoded(palette)), np.asarray(palette.convert("RGB")))


def test_what_is_transparent_lies_over_white() -> None:
    alpha = Image.fromarray(np.tile(np.array([0, 128, 255], np.uint8), (9, 4)))
    over = PIXELS.astype(float) * np.asarray(alpha)[:, :, None] / 255 + (255 - np.asarray(alpha).astype(float)[:, :, None])
    colour = COLOUR.copy()
    colour.putalpha(alpha)
    np.testing.assert_allclose(rgb(encoded(colour)), over, atol=1)
    grey = Image.merge("LA", [Image.fromarray(PIXELS[:, :, 0]), alpha])
    np.testing.assert_allclose(rgb(encoded(grey))[:, :, 2], over[:, :, 0], atol=1)
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    content = io.BytesIO()
    palette.save(content, "PNG", transparency=0)
    assert rgb(content.getvalue()).tolist() == [[[255, 255, 255], [0, 0, 255]]]
    keyed = png(2, 1, 2, 8, b"\0" + bytes([9, 8, 7, 0, 255, 0]), chunk(b"tRNS", struct.pack(">HHH", 9, 8, 7)))
    assert rgb(keyed).tolist() == [[[255, 255, 255], [0, 255, 0]]]


def test_sixteen_bits_are_scaled() -> None:
    deep = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    for form in ("PNG", "TIFF"):
        assert rgb(encoded(deep, form))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert rgb(png(2, 1, 2, 16, sixteen(65535, 0, 32896, 257, 514, 771))).tolist() == [[[255, 0, 128], [1, 2, 3]]]
    assert rgb(png(2, 1, 6, 16, sixteen(65535, 0, 32896, 65535, 1, 2, 3, 0))).tolist() == [[[255, 0, 128], [255, 255, 255]]]
    assert rgb(b"P5 2 1 65535\n\xff\xff\x80\x80")[0, :, 0].tolist() == [255, 128]


@pytest.mark.parametrize("numbers", [np.float32([[0, 0.5]]), np.int32([[0, 70000]]), np.int32([[-1, 5]])])
def test_numbers_without_a_known_range_are_refused(numbers: np.ndarray) -> None:
    with pytest.raises(DataGateError, match="32 bits a pixel have no known range: convert it to 8 or 16 bits"):
        rgb(encoded(Image.fromarray(numbers), "TIFF"))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_become_colours(form: str) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # Pillow writes a JPEG inverted, as Adobe does, and says so in it
    assert form == "TIFF" or b"Adobe" in encoded(red, form)
    np.testing.assert_allclose(rgb(encoded(red, form)), np.full((16, 16, 3), [255, 0, 0]), atol=3)
    np.testing.assert_allclose(rgb(encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), form)), 255, atol=3)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    content = io.BytesIO()
    frames[0].save(content, form, save_all=True, append_images=frames[1:], lossless=True)
    assert rgb(content.getvalue())[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_an_orientation_is_applied(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = io.BytesIO()
    COLOUR.save(content, form, exif=exif, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
    turned = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, -1),
        7: np.rot90(PIXELS.transpose(1, 0, 2), 2),
        8: np.rot90(PIXELS),
    }
    np.testing.assert_array_equal(rgb(content.getvalue()), turned[orientation])


def test_a_broken_exif_block_says_nothing() -> None:
    content = io.BytesIO()
    COLOUR.save(content, "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\x01\x12")
    np.testing.assert_array_equal(rgb(content.getvalue()), PIXELS)


def test_hostile_bytes_are_refused_without_reading_them_whole() -> None:
    bomb = png(30_000, 30_000, 0, 8, b"")
    large = png(9_000, 8_000, 0, 8, b"")
    with pytest.raises(DataGateError, match=r"does not decode: .*bomb"):
        rgb(bomb)
    with pytest.raises(DataGateError, match="does not decode: 9000 x 8000 pixels, allowed: 64000000 in all"):
        rgb(large)
    with pytest.raises(DataGateError, match="does not decode: no bytes"):
        rgb(b"")
    for other in (b"GIF", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>"):
        with pytest.raises(DataGateError, match="does not decode: no image of a known format"):
            rgb(other)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF"])
def test_cut_or_spoilt_bytes_give_pixels_or_one_error(form: str) -> None:
    whole, random = encoded(COLOUR, form), np.random.default_rng(0)
    with pytest.raises(DataGateError, match="does not decode"):
        rgb(whole[: len(whole) // 2])
    for _ in range(60):
        spoilt = bytearray(whole)
        for place in random.integers(0, len(whole), 4):
            spoilt[place] = random.integers(256)
        try:
            assert rgb(bytes(spoilt)).dtype == np.uint8
        except DataGateError as error:
            assert "does not decode" in str(error)


def test_squared_shows_the_whole_image() -> None:
    wide = np.zeros((20, 80, 3), np.uint8)
    wide[:, 40:] = [200, 100, 50]
    small = squared(wide, 10)
    assert (small.shape, small.dtype) == ((10, 10, 3), np.uint8)
    assert small[5, 0].tolist() == [0, 0, 0]
    assert small[5, 9].tolist() == [200, 100, 50]
    fine = np.indices((64, 64)).sum(0) % 2 * 255  # finer than the grid: without antialiasing black or white
    np.testing.assert_allclose(squared(np.repeat(fine[:, :, None], 3, 2).astype(np.uint8), 8), 127.5, atol=8)
    np.testing.assert_array_equal(squared(PIXELS[:9, :9], 9), PIXELS[:9, :9])
