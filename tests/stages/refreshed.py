"""Nights of the stage `train` alone: another split each night, and what it made as the release that is live and locked."""

from dataclasses import asdict
from typing import Any

from kindex.core import publish
from kindex.core.files import pretty_json, read_json
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.parent import Parent, write_parent
from kindex.core.pointer import promote
from kindex.core.release import current
from kindex.core.split import Split, write_split
from tests.encoders.project import MODEL, run_train


def released(layout: Layout) -> str:
    """What train made, as a live release with what its index and report do not say; the version."""
    train, block = layout.out("train", MODEL), load(layout.params).model(MODEL)
    files: dict[str, Any] = {f"vectors/{path.name}": path for path in (train / "spaces").iterdir()}
    for folder in ("encoder", "rows"):
        files |= {f"{folder}/{path.name}": path for path in (train / folder).iterdir()}
    files |= {name: train / name for name in ("refresh.json", "history.jsonl")}
    config = read_json(train / "encoder" / "config.json")
    model = {"catalogue": block.catalogue, "family": block.family, **config, "refresh": asdict(block.refresh)}
    files["lineage.json"] = pretty_json({"settings": {"model": model}})
    releases = layout.releases(MODEL)
    made, _ = publish.build(releases, MODEL, files, {}, {})
    pointer = current(releases)
    promote(releases, made.version, pointer.version if pointer else None)
    return made.version


def lock(layout: Layout, night: str, full: bool = False) -> None:
    """The live release as the parent of the next one."""
    pointer = current(layout.releases(MODEL))
    assert pointer
    write_parent(layout.parent(MODEL), Parent(pointer.version, pointer.digest, night, full))


def night(layout: Layout, split: Split, date: str, full: bool = False) -> dict[str, Any]:
    """Lock the live release if there is one, train on `split`, release; what refresh.json says."""
    if current(layout.releases(MODEL)):
        lock(layout, date, full)
    write_split(layout.out("split", "planted"), split)
    run_train(layout)
    released(layout)
    told: dict[str, Any] = read_json(layout.out("train", MODEL) / "refresh.json")
    return told
