"""A project of planted readers and books whose stages run in this process: a night of about a second, without DVC and Prefect.

What a night does between the stages can be interfered with: the split before training, the files of train, those of index.
"""

import contextlib
import importlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kindex.core import release
from kindex.core.files import replacing
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.lock import Lock, write_lock
from kindex.core.params import load
from kindex.core.parent import Parent, write_parent
from kindex.core.split import Split, write_split
from kindex.stages.parts.job import Job
from kindex.stages.parts.terminal import TerminalWatch
from tasks import releases
from tests.judge.small import planted

MODEL, CATALOGUE = "shelf-pairs", "shelf"
GATE = [
    {"metric": "link_recall_at_10", "beats": "popularity_link_recall_at_10", "by": 0.05},
    {"metric": "link_recall_at_10", "live_tolerance": 0.02},
    {"metric": "index_recall_at_10", "at_least": 0.95},
    {"metric": "neighbour_churn_at_10", "at_most": 0.5},
    {"metric": "neighbour_churn_at_10_golden", "at_most": 0.5},
    {"metric": "vectors_norm_drift", "at_most": 0.5},
    {"metric": "index_bytes_ratio", "at_most": 1.5},
    {"metric": "drift_rows", "at_most": 0.3},
    {"metric": "drift_items_added", "at_most": 0.1},
    {"metric": "drift_items_removed", "at_most": 0.1},
    {"metric": "drift_label_psi", "at_most": 0.25},
]
BLOCKS: dict[str, Any] = {
    "catalogues": {CATALOGUE: {"source": {"kind": "files"}, "checks": {}, "split": {}}},
    "models": {MODEL: {"catalogue": CATALOGUE, "family": "pairs", "dimensions": 12, "epochs": 12, "seed": 7, "threads": 1}},
    "indexes": {MODEL: {"kind": "exact", "sample": 100}},
    "evaluate": {"bootstrap": 50, "sample_queries": 200, "map_items": 40, "examples": 2, "golden": {MODEL: ["b000", "b001"]}},
    "gates": {MODEL: GATE},
}


@dataclass
class Interference:
    """What goes wrong in a night, if anything: with the data, the settings, the outputs of train, those of index."""

    split: Callable[[Split], Split] = lambda split: split
    settings: Callable[[dict[str, Any]], None] = lambda blocks: None
    trained: Callable[[Path], None] = lambda folder: None
    indexed: Callable[[Path], None] = lambda folder: None


FINE = Interference()


def project(root: Path) -> Layout:
    """Nothing has run yet."""
    layout = Layout(root)
    root.mkdir(parents=True)
    write_lock(layout.lock(CATALOGUE), Lock("files", {"sha256": "0" * 64}))
    return layout


def night(layout: Layout, date: str, what: Interference = FINE) -> releases.Published:
    """Train, index, evaluate and publish. Raises what a stage raises."""
    blocks = json.loads(json.dumps(BLOCKS))
    what.settings(blocks)
    layout.params.write_text(yaml.safe_dump(blocks))
    write_split(layout.out("split", CATALOGUE), what.split(planted(readers=240, books=120, groups=8)[0]))
    pointer = release.current(layout.releases(MODEL))
    write_parent(layout.parent(MODEL), Parent(pointer.version, pointer.digest, date) if pointer else None)
    for stage, interfere in (("train", what.trained), ("index", what.indexed), ("evaluate", lambda folder: None)):
        run(layout, stage)
        interfere(layout.out(stage, MODEL))
    targets = [f"{stage}@{CATALOGUE if stage in CATALOGUE_STAGES else MODEL}" for stage in STAGES]
    stages = {one: {"cmd": "make", "outs": [{"path": one, "md5": date, "size": 1}]} for one in targets}
    (layout.root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    return releases.publish(layout, load(layout.params), MODEL, releases.Provenance(date, "abc", "d" * 64))


def run(layout: Layout, stage: str) -> None:
    """As `python -m kindex.stages` does it, and without a word."""
    module = importlib.import_module(f"kindex.stages.{stage}")
    said = io.StringIO()
    with (
        replacing(layout.out(stage, MODEL), layout.work(stage, MODEL)) as out,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        watch = TerminalWatch(f"{stage} {MODEL}", out / "history.jsonl", layout.checkpoint(MODEL))
        module.run(Job(layout, load(layout.params), MODEL, out, watch))
