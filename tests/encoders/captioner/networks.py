"""Small networks and images for the tests of backbones and features."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTHS = [(8, 4), (8, 6), (12, 6), (12, 8)] + [(16, 8)] * 13
"""(Expanded, projected) channels of 17 blocks: a MobileNetV2 narrow enough for a test."""

STEM, TOP = 8, 24


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a narrow MobileNetV2, with random numbers."""
    rng, made, given = np.random.default_rng(seed), {}, STEM

    def add(name: str, *shape: int) -> None:
        made[f"{name}.weight_q"] = rng.integers(0, 256, shape).astype(np.uint8)
        made[f"{name}.scale"] = np.float32(3.2 / 128 / np.sqrt(np.prod(shape[1:])))
        made[f"{name}.zero_point"] = np.int32(rng.integers(110, 140))
        made[f"{name}.bias"] = rng.normal(0.1, 0.1, shape[0]).astype(np.float32)

    add("Conv", STEM, 3, 3, 3)
    for place, (hidden, projected) in enumerate(WIDTHS):
        if place:
            add(f"expanded_conv_{place}.expand", hidden, given, 1, 1)
        add(f"expanded_conv_{place}.depthwise", hidden, 1, 3, 3)
        add(f"expanded_conv_{place}.project", projected, hidden, 1, 1)
        given = projected
    add("Conv_1", TOP, given, 1, 1)
    return made


def npz(path: Path, **changed: np.ndarray | None) -> Path:
    """A file of them; `changed` replaces an array (names with `__` for `.`), or drops it."""
    made = arrays() | {name.replace("__", "."): array for name, array in changed.items()}
    with path.open("wb") as file:
        np.savez(file, **{name: array for name, array in made.items() if array is not None})
    return path


def photographs(count: int, seed: int = 0) -> list[bytes]:
    """Encoded images of different sizes and colours."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        small = rng.integers(0, 256, (3, 4, 3)).astype(np.uint8)
        size = (int(rng.integers(20, 60)), int(rng.integers(20, 60)))
        content = io.BytesIO()
        Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(content, "PNG")
        made.append(content.getvalue())
    return made
