"""Clean clones of one small project in unlike surroundings, for promise 14."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests import projects
from tests.tasks.lasting_project import git

ELSEWHERE = ("unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh")
SCENES = {
    "catalogues": {
        "scenes": {"source": {"kind": "scenes", "count": 60, "captions": 2}, "checks": {}, "split": {"heldout_share": 0.2}}
    },
    "models": {
        "scenes-captions": {
            "catalogue": "scenes",
            "family": "captioner",
            "dimensions": 8,
            "epochs": 2,
            "seed": 7,
            "threads": 1,
        }
    },
    "indexes": {"scenes-captions": {"kind": "auto", "sample": 20}},
    "gates": {"scenes-captions": [{"metric": "index_recall_at_10", "at_least": 0.95}]},
}


@dataclass(frozen=True)
class Place:
    """Where a clone lies, what its processes' environment has, and what they are started by."""

    folder: str
    settings: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    umask: int = 0o022


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
TWO = dict.fromkeys(THREADS, "2")
PLACES = {
    "as it is": Place("first", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}),
    "other zone, locale, hash seed, two threads, host name": Place(
        "other/deeper", {**TWO, "PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8"}, ELSEWHERE
    ),
    "one core": Place("core", {"PYTHONHASHSEED": "3"}, ("taskset", "-c", "0")),
    "a folder with blanks and letters": Place("a folder, näher", {"TZ": "America/St_Johns"}),
    "a strict umask, another home": Place(
        "mask", {"HOME": "/nonexistent", "USER": "nobody", "LOGNAME": "nobody"}, umask=0o077
    ),
    "another file system": Place("/dev/shm", {"LC_ALL": "POSIX", "TZ": "Asia/Kathmandu"}),
    "eight threads asked for": Place("eight", dict.fromkeys(THREADS, "8")),
    "optimised Python, no bytecode": Place("bytes", {"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
}


def commit(root: Path) -> Path:
    """The tests' project as a git repository: two catalogues with a model each, and a captioner with its own."""
    layout = projects.make(root)
    blocks = yaml.safe_load(layout.params.read_text())
    for name, more in SCENES.items():
        blocks[name].update(more)
    layout.params.write_text(yaml.safe_dump(blocks))
    shutil.rmtree(root / ".site", ignore_errors=True)
    (root / ".gitignore").write_text(".site/\ndata/\nreleases/\nvar/\n.dvc/tmp/\n.dvc/cache/\n__pycache__/\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a project")
    return root


@contextmanager
def folder(scratch: Path, place: Place) -> Iterator[Path]:
    """Where the clone goes; removed afterwards, for another file system is not the scratch folder's."""
    root = Path(place.folder) / scratch.name / "clone" if place.folder.startswith("/") else scratch / place.folder / "clone"
    root.parent.mkdir(parents=True)
    former = os.umask(place.umask)
    try:
        yield root
    finally:
        os.umask(former)
        shutil.rmtree(root.parent)


def run(where: Path, place: Place, *arguments: str) -> None:
    """Python in the surroundings of a place. Raises `RuntimeError`."""
    settings = {"PREFECT_API_URL": "http://127.0.0.1:9/api", **place.settings}
    done = projects.run(where, *place.prefix, sys.executable, *arguments, **settings)
    if done.returncode:
        raise RuntimeError(f"in {where}, {place}: exit {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
