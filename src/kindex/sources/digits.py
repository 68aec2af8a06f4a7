"""scikit-learn's 1,797 handwritten digits, 8 x 8 (Alpaydin and Kaynak 1998), as lossless PNG images with labels.

The data file lies inside the scikit-learn package and is read directly: importing scikit-learn would cost seconds.
"""

import gzip
import hashlib
import importlib.metadata
import importlib.util
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core import quarantine
from kindex.core.catalogue import IMAGES, ITEMS, Catalogue
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.watch import Watch
from kindex.sources import Ingested, NotAsLockedError

SIDE = 8
LARGEST = 16
"""A digit's file holds counts of set pixels in blocks of 4 x 4: 0 to 16."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """No settings."""


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "images")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Version of scikit-learn, and sha256 and size of its data file."""
    content = _data_file().read_bytes()
    version = importlib.metadata.version("scikit-learn")
    return {"scikit-learn": version, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Items `digit-0000` … labelled "0" to "9". Raises `DataGateError` when the data file is not the locked one."""
    path = _data_file()
    content = path.read_bytes()
    present = {"scikit-learn": importlib.metadata.version("scikit-learn"), "sha256": hashlib.sha256(content).hexdigest()}
    for name, value in present.items():
        if snapshot.get(name) != value:
            raise NotAsLockedError(f"{path.name} of scikit-learn: {name} is {value}, locked is {snapshot.get(name)}")
    images_NHW, labels_N = parse(content)
    ids = [f"digit-{row:04d}" for row in range(len(labels_N))]
    encoded = [png(image_HW) for image_HW in watch.progress(images_NHW, "encode", len(ids), "image")]
    labels = [str(label) for label in labels_N]
    items = pa.table([ids, ["image"] * len(ids), labels, pa.nulls(len(ids), pa.string())], schema=ITEMS)
    images = pa.table([ids, encoded], schema=IMAGES)
    return Ingested(Catalogue("", {"items": items, "images": images}), quarantine.table([]))


def parse(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (N, 8, 8) of 0 to 240 and int labels (N). Raises `DamagedError`."""
    try:
        lines = gzip.decompress(content).decode("ascii").split()
        numbers_ND = np.array([[int(number) for number in line.split(",")] for line in lines])
        pixels_ND, labels_N = numbers_ND[:, :-1], numbers_ND[:, -1]
        if pixels_ND.min() < 0 or pixels_ND.max() > LARGEST:
            raise ValueError(f"pixels are {pixels_ND.min()} to {pixels_ND.max()}, allowed: 0 to {LARGEST}")
        return (pixels_ND * (240 // LARGEST)).astype(np.uint8).reshape(-1, SIDE, SIDE), labels_N
    except (ValueError, IndexError, OSError, EOFError, zlib.error) as error:
        raise DamagedError(f"digits.csv.gz of scikit-learn is damaged: {error}") from error


def png(image_HW: np.ndarray) -> bytes:
    """A grey-scale PNG of a uint8 image."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image_HW).save(buffer, "PNG")
    return buffer.getvalue()


def _data_file() -> Path:
    found = importlib.util.find_spec("sklearn")  # finds the package and does not run it
    if found is None or found.origin is None:
        raise ConfigError("source.kind is 'digits', which needs scikit-learn: pip install scikit-learn")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DamagedError(f"{path} is missing: reinstall scikit-learn")
    return path
