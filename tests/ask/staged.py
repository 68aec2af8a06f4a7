"""Outputs of the stages train, index and evaluate as if `dvc repro` had run, and a release of them."""

from collections.abc import Iterable
from typing import Any

from kindex.core.contents import contents
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.params import IndexParams, load
from kindex.core.pointer import promote
from kindex.core.publish import build
from kindex.core.release import Manifest
from kindex.core.space import Space, write_space
from kindex.index.build import build as build_index


def write_outputs(layout: Layout, model: str, spaces: Iterable[Space], config: dict[str, Any], report: dict[str, Any]) -> None:
    """The spaces with real indexes, and the least of everything else that a release holds but for the encoder itself."""
    train, index, evaluate = (layout.out(stage, model) for stage in ("train", "index", "evaluate"))
    for folder in (train / "encoder", index, evaluate):
        folder.mkdir(parents=True, exist_ok=True)
    for space in spaces:
        write_space(train / "spaces" / f"{space.kind}.parquet", space)
        built = build_index(space, IndexParams())
        built.save(index / f"{space.kind}.faiss")
        (index / f"{space.kind}.json").write_bytes(pretty_json(built.about()))
    (index / "table.json").write_bytes(pretty_json([]))
    (train / "encoder" / "config.json").write_bytes(pretty_json(config))
    (train / "history.jsonl").write_text("{}\n")
    (evaluate / "report.json").write_bytes(pretty_json(report))
    (evaluate / "evidence.json").write_bytes(pretty_json({}))


def publish(layout: Layout, model: str, about: dict[str, Any], live: bool = True) -> Manifest:
    """Build a release from the stage outputs and, unless told, promote it over the live one."""
    files, notes = contents(layout, load(layout.params), model)
    manifest, _ = build(layout.releases(model), model, files, notes, about)
    if live:
        promote(layout.releases(model), manifest.version, manifest.parent)
    return manifest
