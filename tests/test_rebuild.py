"""Same inputs, same bytes (promise 14), in its small form: `dvc repro` alone, in unlike surroundings."""

import hashlib
import sys
from pathlib import Path

import pytest

from kindex.core.layout import STAGES, Layout
from tests import projects

pytestmark = pytest.mark.slow

SURROUNDINGS = {
    "one": {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
    "other": {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8"},
}

SHOWS_SECONDS = {"report.html"}
"""The one kind of file below `data/` that is not a function of its inputs; docs/decisions/0002 says why."""


def build(root: Path, **surroundings: str) -> Layout:
    layout = projects.make(root)
    commands = Path(sys.executable).parent
    for command in (["kindex", "lock", "--all"], ["dvc", "repro"]):
        made = projects.run(root, str(commands / command[0]), *command[1:], PATH=f"{commands}:/usr/bin:/bin", **surroundings)
        assert made.returncode == 0, made.stdout + made.stderr
    return layout


def contents(layout: Layout) -> dict[str, str]:
    files = [path for stage in STAGES for path in (layout.root / "data" / stage).rglob("*") if path.is_file()]
    kept = {path.relative_to(layout.root).as_posix(): path for path in files if path.name not in SHOWS_SECONDS}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}


def test_unlike_surroundings_give_the_same_bytes(tmp_path):
    one, other = (build(tmp_path / name / "project", **settings) for name, settings in SURROUNDINGS.items())
    files = contents(one)
    assert len(files) > 40
    assert files == contents(other)
    assert (one.root / "dvc.lock").read_bytes() == (other.root / "dvc.lock").read_bytes()
    assert sorted(path.name for path in one.root.glob("locks/*.json")) == ["shop.json", "stamps.json"]
