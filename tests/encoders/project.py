"""A project folder with one split written, in which the stage `train` can run."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from kindex.core.files import replacing
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.split import Split, write_split
from kindex.stages import train
from kindex.stages.parts.job import Job
from kindex.stages.parts.terminal import TerminalWatch

MODEL = "m"


def project(root: Path, split: Split, family: str, config: dict[str, Any]) -> Layout:
    blocks = {
        "catalogues": {"planted": {"source": {"kind": "files"}, "checks": {}, "split": {}}},
        "models": {MODEL: {"catalogue": "planted", "family": family, **config}},
        "indexes": {MODEL: {}},
        "gates": {MODEL: []},
        "evaluate": {},
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(blocks))
    write_split(root / "data" / "split" / "planted", split)
    return Layout(root)


def run_train(layout: Layout, watch: type[TerminalWatch] = TerminalWatch) -> dict[str, Any]:
    """As `python -m kindex.stages train m` does it, in this process."""
    with replacing(layout.out("train", MODEL), layout.work("train", MODEL)) as out:
        seen = watch(f"train {MODEL}", out / "history.jsonl", layout.checkpoint(MODEL))
        return train.run(Job(layout, load(layout.params), MODEL, out, seen))


def digests(layout: Layout) -> dict[str, str]:
    """sha256 of every file that training wrote."""
    folder = layout.out("train", MODEL)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
