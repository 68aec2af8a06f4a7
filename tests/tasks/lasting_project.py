"""A project under git and DVC with a release of known vectors, without training: for the tests of releases that last."""

import os
import subprocess
import sys
from pathlib import Path

from kindex.core.layout import Layout
from kindex.core.manifest import Manifest
from kindex.core.params import load
from tasks import remote as remotes
from tasks.tags import tag
from tests import projects
from tests.ask.project import VECTORS, make_stages, release

MODEL = "words-pairs"
NIGHT = "2026-11-21"
IGNORED = ".site/\ndata/\nreleases/\nvar/\n"


def make(root: Path, remote: Path | None = None) -> Layout:
    """One commit, one live release, and DVC as `dvc init` leaves it; `remote` is a folder, and the default one."""
    layout = make_stages(root)
    (root / ".gitignore").write_text(IGNORED)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "code.py").write_text("one = 1\n")
    (root / ".dvc").mkdir()
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    there = f"    remote = there\n['remote \"there\"']\n    url = {remote}\n" if remote else ""
    (root / ".dvc" / "config").write_text(f"[core]\n    analytics = false\n{there}")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "made")
    release(layout, NIGHT)
    return layout


def another(layout: Layout, turn: float, night: str = NIGHT, live: bool = True) -> Manifest:
    """One more release, whose vectors differ by `turn`."""
    make_stages(layout.root, VECTORS + turn)
    return release(layout, night, live)


def tagged(layout: Layout, manifest: Manifest, night: str = NIGHT) -> str | None:
    return tag(layout, load(layout.params), MODEL, manifest, night)


def git(root: Path, *arguments: str) -> str:
    """A person's own git, with a name."""
    person = {f"GIT_{who}_{what}": "p@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    home = {"HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=root, env={**mine, **person, **home}, capture_output=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr.decode())
    return done.stdout.decode()


def dvc(root: Path, *arguments: str) -> str:
    done = projects.run(root, sys.executable, "-m", "dvc", *arguments)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def kindex(root: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command line on the project, by this checkout's code."""
    code = {"PYTHONPATH": f"{projects.ROOT / 'src'}{os.pathsep}{projects.ROOT}", **more}
    return projects.run(root, sys.executable, "-c", "from kindex.cli import main; main()", *arguments, **code)


def push_tag(layout: Layout, tag: str) -> remotes.Pushed:
    """As a night does: leave word, then push all that waits."""
    remotes.ask(layout, tag)
    return remotes.push(layout)
