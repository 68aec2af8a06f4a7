"""A project whose split and train outputs are written by hand, so that index and evaluate can run on their own."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from kindex.core.catalogue import IMAGES, Catalogue
from kindex.core.files import pretty_json, write_atomic
from kindex.core.layout import Layout
from kindex.core.params import Params, parse
from kindex.core.space import Space, write_space
from kindex.core.split import Split, write_split
from kindex.core.watch import Silent
from kindex.stages.parts.job import Job
from tests.judge.small import items, planted


def params(family: str, index: str = "auto", **settings: int) -> Params:
    return parse(
        {
            "catalogues": {"small": {"source": {"kind": "files"}, "checks": {}, "split": {}}},
            "models": {"small-model": {"catalogue": "small", "family": family, "seed": 3, **settings}},
            "indexes": {"small-model": {"kind": index}},
            "gates": {"small-model": []},
            "evaluate": {"bootstrap": 10, "sample_queries": 50, "map_items": 60, "examples": 2},
        }
    )


def linked_project(root: Path) -> Layout:
    """Planted readers and books, with their spaces."""
    layout = Layout(root)
    split, spaces = planted(readers=90, books=60, groups=6)
    write_split(layout.out("split", "small"), split)
    train = layout.out("train", "small-model")
    for kind, space in spaces.items():
        write_space(train / "spaces" / f"{kind}.parquet", space)
    (train / "history.jsonl").write_text('{"epoch": 1, "loss": 2.5}\n{"epoch": 2, "loss": 1.5, "validation": 0.25}\n')
    return layout


def png(pixels_HW: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels_HW).save(buffer, "PNG")
    return buffer.getvalue()


def pictured_split(count: int = 60) -> Split:
    """8 x 8 images, bright in one of two halves, every third held out."""
    rng = np.random.default_rng(1)
    names = [f"p{n:02}" for n in range(count)]
    pixels = rng.integers(0, 60, (count, 8, 8), np.uint8)
    for n in range(count):
        pixels[n, : 4 if n % 2 else 8, (n % 2) * 4 : 4 + (n % 2) * 4] += 150
    table = items(("image", names), labels={name: "right" if n % 2 else "left" for n, name in enumerate(names)})
    images = pa.table({"id": names, "image": [png(image) for image in pixels]}, IMAGES)
    held_N = pa.array(np.arange(count) % 3 == 0)
    sides = [pa.compute.invert(held_N), held_N]
    train, heldout = (Catalogue("small", {"items": table.filter(side), "images": images.filter(side)}) for side in sides)
    return Split(train, heldout)


def run(stage: str, layout: Layout, of: Params, name: str = "") -> tuple[Path, dict[str, object]]:
    """The stage's output folder and its costs."""
    import importlib

    out = layout.out(stage, "small-model" + name)
    out.mkdir(parents=True)
    write_atomic(layout.out("train", "small-model") / "encoder" / "config.json", pretty_json({"seed": 3, "threads": 1}))
    return out, importlib.import_module(f"kindex.stages.{stage}").run(Job(layout, of, "small-model", out, Silent()))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def space_of(count: int) -> Space:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(40, 16))[rng.integers(0, 40, count)] + 1.5 * rng.normal(size=(count, 16))
    return Space("thing", tuple(f"t{n}" for n in range(count)), vectors.astype(np.float32))
