"""A small set of captioned images, made for the tests of the source `captioned_images`."""

import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from kindex.core.watch import Silent
from kindex.sources import Ingested, captioned_images

CAPTIONS = [
    ("a.jpg", 0, "A dog runs ."),
    ("a.jpg", 1, 'A "fast" dog,\trunning'),
    ("b.jpg", 0, "Ein Mädchen 👩‍🚀"),
    ("c.jpg", 0, "A boat"),
]


def jpeg(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8 + number, 8), (number, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


IMAGES = {name: jpeg(number) for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg"))}


def folder(root: Path, files: dict[str, bytes] = IMAGES, name: str = "pictures", age: float = 60) -> str:
    """Write images below `name`, changed `age` seconds ago; returns `name`."""
    for file, content in files.items():
        put(root, f"{name}/{file}", content)
        path = root / name / file
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    return name


def parquet(root: Path, name: str, **columns) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), root / name)
    return name


def put(root: Path, name: str, content: bytes | str) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def tokens(rows: list[tuple[str, int, str]] = CAPTIONS) -> str:
    return "".join(f"{image}#{place}\t{caption}\n" for image, place, caption in rows)


def read(root: Path, **settings) -> Ingested:
    config = captioned_images.Config(**settings)
    return captioned_images.read(config, captioned_images.snapshot(config, root), root, Silent())


def captions_of(found: Ingested) -> list[tuple[str, int, str]]:
    return [tuple(row.values()) for row in found.catalogue.captions.to_pylist()]


def refusals(found: Ingested) -> list[tuple[str, str, str]]:
    """(table, rule, origin) of each refused row."""
    return [(row["table"], row["rule"], row["origin"]) for row in found.refused.to_pylist()]
