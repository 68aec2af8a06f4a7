"""A small project whose stages run in this process, from the lock to a release: what DVC runs, without DVC and its seconds."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from kindex.core.errors import KindexError
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import load
from kindex.core.release import Manifest
from kindex.sources.locking import move
from kindex.stages.parts.running import fix_threads, run_stage
from tests.ask import staged

KEY, MODEL = "shop", "shop-model"
PAIRS = {"family": "pairs", "dimensions": 4, "epochs": 2, "objective": "spectral"}
PICTURES = {"family": "autoencoder", "dimensions": 3, "epochs": 2, "channels": 2}


def made(root: Path, source: Mapping[str, Any], model: Mapping[str, Any] = PAIRS, **checks: Any) -> Layout:
    """A project of one catalogue, `shop`, with this source and these checks, and one model of it."""
    blocks = {
        "catalogues": {KEY: {"source": dict(source), "checks": checks, "split": {"heldout_share": 0.2}}},
        "models": {MODEL: {"catalogue": KEY, "seed": 7, "threads": 1, **model}},
        "indexes": {MODEL: {"kind": "auto", "sample": 20}},
        "gates": {MODEL: []},
        "evaluate": {"bootstrap": 10, "sample_queries": 20, "map_items": 30},
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(blocks))
    return Layout(root)


def copied(layout: Layout, root: Path) -> Layout:
    """The project in `root`, in place of whatever was there."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(layout.root, root, symlinks=True)
    return Layout(root)


def night(layout: Layout, upto: str = "validate") -> None:
    """Move the lock and run the stages up to `upto`. Raises as they do."""
    fix_threads(1)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        move(layout, load(layout.params), KEY)
        for stage in STAGES[: STAGES.index(upto) + 1]:
            run_stage(layout, load(layout.params), stage, KEY if stage in CATALOGUE_STAGES else MODEL)


def released(layout: Layout) -> Manifest:
    """What the stages made, as the live release."""
    return staged.publish(layout, MODEL, {"night": "2026-11-21", "verdict": {"passed": True, "lines": []}})


def stopped(layout: Layout, upto: str = "validate") -> KindexError | None:
    """Run a night; what a person would be told when it stops, None when it does not."""
    try:
        night(layout, upto)
    except KindexError as error:
        return error
    return None


def outputs(layout: Layout, stage: str) -> dict[str, bytes]:
    """The files that the stage has published, by name."""
    folder = layout.out(stage, KEY if stage in CATALOGUE_STAGES else MODEL)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(layout: Layout, *stages: str) -> None:
    """Run stages of the catalogue on what is there, the lock as it is. Raises as they do."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        for stage in stages:
            run_stage(layout, load(layout.params), stage, KEY)
