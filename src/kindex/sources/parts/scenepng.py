"""PNG without compression: its bytes hang on the pixels alone, and on no version of zlib, whose packing may change."""

import struct
import zlib

import numpy as np

STORED = 65_535
"""Bytes of a block that deflate stores as they are, at most (RFC 1951, section 3.2.4)."""


def png(image_HW3: np.ndarray) -> bytes:
    """A PNG of a uint8 image in red, green and blue (ISO/IEC 15948). Tables pack it when they are written."""
    height, width, _ = image_HW3.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # the first byte of each line: no filter
    lines[:, 1:] = image_HW3.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(lines.tobytes())) + _chunk(b"IEND", b"")


def _stored(content: bytes) -> bytes:
    """A stream in zlib's format (RFC 1950) that holds the content as it is."""
    starts = range(0, len(content), STORED)
    blocks = [content[start : start + STORED] for start in starts]
    heads = [
        struct.pack("<BHH", start + STORED >= len(content), len(block), 0xFFFF ^ len(block))
        for start, block in zip(starts, blocks, strict=True)
    ]
    packed = b"".join(part for pair in zip(heads, blocks, strict=True) for part in pair)
    return b"\x78\x01" + packed + struct.pack(">I", zlib.adler32(content))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
