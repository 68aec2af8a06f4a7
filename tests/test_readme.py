"""The README's blocks run, on a fresh copy of the project and its real default catalogues; so do those of the docs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kindex.core.params import parse
from tests import projects

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "tour.md", ROOT / "docs" / "operations.md"]
NOT_AGAIN = {"make nightly", "make test", ". .venv/bin/activate"}
"""Run once before, running now, and done by PATH."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    return [command for line in lines if line.startswith("$ ") and (command := line[2:]) not in NOT_AGAIN]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """A copy of what git would clone, after `make nightly`; the environment is this one."""
    root = tmp_path_factory.mktemp("readme") / "kindex"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    share_environment(root / ".venv")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    made = run(root, "make nightly")
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.count(", live (new; parent none)") == 3
    return root


def share_environment(venv: Path) -> None:
    """This environment under another name, marked as set up, so that make installs nothing into it."""
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".ready":
            (venv / part.name).symlink_to(part)
    wanted = subprocess.run(
        "cat pyproject.toml constraints.txt | sha256sum",
        shell=True,
        cwd=venv.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    (venv / ".ready").write_text(wanted.stdout)


def run(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = projects.environment(root, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", PYTHONPATH=str(root))
    ours = {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS")}
    return subprocess.run(["sh", "-c", command], cwd=root, env=ours, capture_output=True, text=True, check=False, timeout=900)


def test_every_command_of_the_pages_works(fresh):
    assert len(commands()) > 10
    for command in commands():
        done = run(fresh, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, command


def test_the_readmes_python_works(fresh, tmp_path):
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks(PAGES[0], "python")))
    done = run(fresh, f"{sys.executable} {script}")
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("torch.optim.") for line in done.stdout.splitlines()), done.stdout
    assert len(done.stdout.splitlines()) == 3


def test_the_second_night_is_unchanged(fresh):
    done = run(fresh, "make nightly")
    assert done.returncode == 0, done.stderr
    assert "unchanged, no stage ran and no release was made" in done.stdout


def test_the_readmes_own_catalogue_is_a_right_params_yaml():
    import yaml

    (block,) = blocks(PAGES[0], "yaml")
    params = parse({**yaml.safe_load(block), "evaluate": {}})
    assert params.model("orders-pairs").catalogue == "orders"


def test_the_readme_is_short():
    assert len(PAGES[0].read_text().splitlines()) <= 150
