"""The fork server of a night: a stage in a process of its own that begins, ends and fails as one started anew."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.stages.parts.handover import ADDRESS, handed_over
from tasks.forkserver import ForkServer
from tasks.leftovers import descendants
from tests.stages.catalogue_project import KEY, digests, night, project

LONGEST = 180.0  # seconds: the server imports for ten of the processor's, which others may want, too


@pytest.fixture(scope="module")
def split_once(tmp_path_factory) -> Layout:
    layout = project(tmp_path_factory.mktemp("forked") / "project")
    night(layout)
    assert stage(layout, "split", KEY).wait() == 0
    return layout


@pytest.fixture
def server(split_once, monkeypatch) -> Iterator[ForkServer]:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    one = ForkServer(split_once.root)
    one.start()
    wait_for(lambda: f"@{os.environ[ADDRESS]}" in Path("/proc/net/unix").read_text())
    yield one
    one.close()
    assert ADDRESS not in os.environ


def stage(layout: Layout, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    given = {**os.environ, "KINDEX_ROOT": str(layout.root), **settings}
    command = [sys.executable, "-m", "kindex.stages", *arguments]
    return subprocess.Popen(
        command,
        cwd=layout.root,
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    """A job in the background ignores it, and these tests may be one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def wait_for(holds, seconds: float = LONGEST) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def working(server: ForkServer) -> list[int]:
    assert server._process
    return descendants(server._process.pid)


def begun(layout: Layout, name: str, key: str) -> subprocess.Popen[str]:
    """A stage that holds its mutex and waits, for nobody reads what it traces."""
    held = layout.root / "held"
    if not held.exists():
        os.mkfifo(held)
    one = stage(layout, name, key, KINDEX_FAULT=f"{held}:trace")
    mutex = layout.mutex(f"{name}@{key}")
    wait_for(lambda: mutex.exists() and mutex.read_text())
    return one


@pytest.mark.slow
def test_a_stage_of_the_fork_server_writes_the_same_bytes_and_leaves_its_message(split_once, server):
    whole = digests(split_once.out("split", KEY))
    split_once.costs("split", KEY).unlink()
    one = stage(split_once, "split", KEY)
    assert one.communicate(timeout=LONGEST) == ("", "") and one.returncode == 0
    assert digests(split_once.out("split", KEY)) == whole and split_once.costs("split", KEY).exists()
    wrong = stage(split_once, "split", "nobody")
    assert "no catalogue named 'nobody'" in wrong.communicate(timeout=LONGEST)[1] and wrong.returncode == 2
    assert stage(split_once).wait() == 2
    died = stage(split_once, "split", KEY, KINDEX_FAULT="3:kill")
    assert died.wait() == -signal.SIGKILL
    full = stage(split_once, "split", KEY, KINDEX_FAULT="3:enospc")
    assert "No space left" in full.communicate(timeout=LONGEST)[1] and full.returncode == 6
    assert stage(split_once, "split", KEY).wait() == 0
    assert digests(split_once.out("split", KEY)) == whole


@pytest.mark.slow
def test_a_stage_ends_with_the_command_that_asked_for_it_and_by_ctrl_c(split_once, server):
    asked = begun(split_once, "split", KEY)
    wait_for(lambda: len(working(server)) == 1)
    asked.kill()
    wait_for(lambda: not working(server))
    interrupted = begun(split_once, "split", KEY)
    wait_for(lambda: len(working(server)) == 1)
    interrupted.send_signal(signal.SIGINT)
    assert interrupted.wait(LONGEST) == -signal.SIGINT
    wait_for(lambda: not working(server))


@pytest.mark.slow
def test_what_stages_used_is_counted_with_what_the_flow_used(split_once, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    one = ForkServer(split_once.root)
    one.start()
    wait_for(lambda: f"@{os.environ[ADDRESS]}" in Path("/proc/net/unix").read_text())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = stage(split_once, "validate", KEY)
    assert busy.wait(LONGEST) == 0
    assert one._process and Path(f"/proc/{one._process.pid}").exists()
    own = sum(map(int, _stat(one._process.pid)[11:13])) / os.sysconf("SC_CLK_TCK")
    one.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = read_json(split_once.costs("validate", KEY))["cpu_seconds"]
    assert used > own + 0.8 * told


@pytest.mark.slow
def test_without_its_server_a_stage_fails_when_it_works_and_runs_by_itself_before(split_once, server):
    asked = begun(split_once, "split", KEY)
    wait_for(lambda: len(working(server)) == 1)
    server._process.kill()
    assert asked.wait(LONGEST) == -signal.SIGKILL
    assert stage(split_once, "split", KEY).wait() == 0
    server.start()
    assert server._process.poll() is None


@pytest.mark.slow
def test_a_command_runs_its_stage_itself_when_the_server_knows_another_number_of_threads(split_once, server):
    settings = split_once.params.read_text()
    split_once.params.write_text(settings.replace("family: pairs", "family: pairs\n    threads: 2"))
    try:
        asked = begun(split_once, "train", "m")
        assert not working(server)
        asked.kill()
        asked.wait()
    finally:
        split_once.params.write_text(settings)


def test_there_is_nothing_to_hand_over_without_a_server(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    assert handed_over(["split", KEY]) is None
    monkeypatch.setenv(ADDRESS, f"kindex-{os.getpid()}-nobody-listens-here")
    assert handed_over(["split", KEY]) is None


def test_what_a_flow_started_just_before_it_was_killed_ends(monkeypatch):
    flow = subprocess.Popen(["true"])
    flow.wait()
    server = [sys.executable, "-m", "kindex.stages.forkserver", "kindex-never-listens", str(flow.pid)]
    assert subprocess.run(server, timeout=LONGEST).returncode == -signal.SIGKILL
    monkeypatch.setenv(ADDRESS, f"kindex-{flow.pid}-nobody-listens-here")
    with pytest.raises(SystemExit, match="was killed"):
        handed_over(["split", KEY])
