"""Sources of each format with one file of them to be damaged, for promise 3."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import projects
from tests.reliability import chain
from tests.sources import captioned, made_dump
from tests.sources.test_files import FORMATS, packed

LIMITS = {"max_quarantine_share": 0.2, "max_volume_change": 0.5}


@dataclass(frozen=True)
class Victim:
    """A file of a source, the settings of the source, and how the whole of it is written below a folder."""

    file: str
    source: dict[str, Any]
    write: Callable[[Path], None]
    inside: bool = False  # an image among others, which may be refused as a row


def victims() -> dict[str, Victim]:
    """By what is damaged."""
    found = {}
    columns = {"kind": "files", "left": "user", "right": "book", "weight": "stars"}
    for name in FORMATS:
        found[f"links, {name[2:]}"] = Victim(name, columns | {"links": name}, functools.partial(_links, name))
    pictures = {"kind": "files", "images": "i.parquet", "label": "label"}
    found["images in Parquet"] = Victim("i.parquet", pictures, lambda root: _images(root / "i.parquet"))
    scenes = {"kind": "captioned_images", "images": "pictures", "captions": "captions.token"}
    found["an image of a folder"] = Victim("pictures/05.png", scenes, _captioned, inside=True)
    found["captions, token"] = Victim("captions.token", scenes, _captioned)
    books = {"kind": "wikipedia_books", "min_articles": 1, "processes": 1}
    for name, content in (("b.xml.bz2", made_dump.multistream), ("b.xml", made_dump.dump)):
        write = functools.partial(_dump, name, content)
        found[f"a dump, {name[2:]}"] = Victim(name, books | {"pages": name}, write)
    return found


def _links(name: str, root: Path) -> None:
    rows = [{"user": f"u{n // 5}", "book": f"b{(n // 5 * 3 + n % 5) % 11}", "stars": 1 + n % 5} for n in range(100)]
    (root / name).write_bytes(packed(name, rows))


def _images(path: Path) -> None:
    """Twenty grey images; row groups of four, so that damage may be in one of them."""
    rng = np.random.default_rng(1)
    images = [projects.png(rng.integers(0, 255, (8, 8), dtype=np.uint8)) for _ in range(20)]
    labels = ["day" if number % 2 else "night" for number in range(20)]
    ids = [f"{number:02}" for number in range(20)]
    pq.write_table(pa.table({"id": ids, "image": images, "label": labels}), path, row_group_size=4)


def _captioned(root: Path) -> None:
    _images(root / "all.parquet")
    rows = pq.read_table(root / "all.parquet").to_pylist()
    captioned.folder(root, {f"{row['id']}.png": row["image"] for row in rows})
    lines = [(f"{row['id']}.png", place, f"it is {row['label']}") for row in rows for place in (0, 1)]
    captioned.put(root, "captions.token", captioned.tokens(lines))


def _dump(name: str, content: Callable[..., bytes], root: Path) -> None:
    books = [made_dump.book(f"Book {n}", [f"Link {n % 5}", f"Link {n % 7}", "All"], author="A", genre="G") for n in range(20)]
    (root / name).write_bytes(content(*books))


def image_in_parquet(path: Path, mutate: Callable[[bytes], bytes]) -> None:
    """Damage one image of a Parquet file, which stays whole."""
    rows = pq.read_table(path).to_pylist()
    rows[5]["image"] = mutate(rows[5]["image"])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    path.write_bytes(buffer.getvalue())


def project(root: Path, victim: Victim) -> chain.Layout:
    """A project after a night with the whole source."""
    model = chain.PAIRS if "left" in victim.source or "pages" in victim.source else chain.PICTURES
    layout = chain.made(root, victim.source, model, **LIMITS)
    victim.write(root)
    chain.night(layout)
    return layout
