"""Every fault point of a stage (promises 1 and 2, in their small form): die or fail there, run again, same bytes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kindex.core.layout import Layout
from tests.stages.catalogue_project import KEY, digests, night, project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def validated(tmp_path_factory) -> Layout:
    layout = project(tmp_path_factory.mktemp("faults") / "undisturbed")
    night(layout)
    return layout


def split(layout: Layout, fault: str = "") -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "KINDEX_ROOT": str(layout.root), "KINDEX_FAULT": fault}
    command = [sys.executable, "-m", "kindex.stages", "split", KEY]
    return subprocess.run(command, cwd=layout.root, env=settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("how", ["kill", "enospc"])
def test_a_stage_that_dies_at_any_point_leaves_the_whole_or_nothing_and_runs_again(validated, tmp_path, how):
    trace = tmp_path / "points"
    assert split(validated, f"{trace}:trace").returncode == 0
    whole = digests(validated.out("split", KEY))
    points = trace.read_text().splitlines()
    assert len(points) > 8 and len(whole) == 5
    for number, point in enumerate(points, 1):
        layout = Layout(tmp_path / f"{how}-{number}")
        shutil.copytree(validated.root, layout.root)
        before = layout.out("split", KEY)
        died = split(layout, f"{number}:{how}")
        assert died.returncode == (-9 if how == "kill" else 6), f"{point}: {died.stderr}"
        assert "Traceback" not in died.stderr, point
        assert not before.exists() or digests(before) == whole, f"{point}: partial outputs were published"
        again = split(layout)
        assert again.returncode == 0, f"{point}: {again.stderr}"
        assert digests(layout.out("split", KEY)) == whole, point
        assert not list((layout.root / "data" / ".work").rglob("*")), point


def test_a_stage_dies_with_its_parent(validated, tmp_path):
    """A killed `dvc` must not leave a stage that writes on."""
    script = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); time.sleep(60)"
    slow = [sys.executable, "-m", "kindex.stages", "validate", KEY]
    parent = subprocess.Popen(
        [sys.executable, "-c", script, *slow],
        cwd=validated.root,
        env={**os.environ, "KINDEX_ROOT": str(validated.root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = Path("/proc") / parent.stdout.readline().strip()
    while not validated.mutex(f"validate@{KEY}").exists():  # it has begun, and has asked the kernel before
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not child.exists() or (child / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the stage outlived its parent")
