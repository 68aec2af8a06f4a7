"""A flow that is stopped ends within `BOUND`, whatever runs, with one line, and takes along what it started."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kindex.core import mutex
from kindex.core.layout import Layout
from tasks.leftovers import descendants
from tests import projects
from tests.projects import LINKED, PARAMS

BOUND = 15.0  # seconds; a second or two where nothing else runs, and two minutes when it is left to Prefect
LINE = "stopped. Run it again to go on from here"
EXIT_CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]

WAITS = """\
import signal, subprocess, sys, time
from flows.stopping import stoppable
signal.signal(signal.SIGINT, signal.{handler})
with stoppable("nightly"):
    child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
    print(child.pid, flush=True)
    time.sleep({seconds})
    child.kill()
"""


def waiting(handler: str = "default_int_handler", seconds: float = 60) -> tuple[subprocess.Popen[str], int]:
    """A process that can be stopped, and the number of the one that it has started."""
    process = projects.start(projects.ROOT, sys.executable, "-c", WAITS.format(handler=handler, seconds=seconds))
    assert process.stdout
    return process, int(process.stdout.readline())


def is_gone(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return True


@pytest.mark.parametrize(("number", "code"), EXIT_CODES)
def test_it_says_so_and_takes_along_what_it_started(number, code):
    process, child = waiting()
    process.send_signal(number)
    said, _ = process.communicate(timeout=BOUND)
    assert (process.returncode, said) == (code, f"nightly: {LINE}\n")
    assert is_gone(child)


def test_a_signal_that_is_ignored_stays_so():
    process, _ = waiting("SIG_IGN", seconds=0.5)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=BOUND)
    assert (process.returncode, said) == (0, "")


def read_until(night: subprocess.Popen[str], words: str, within: float = 300.0) -> str:
    """What the night says until it says `words`."""
    said, deadline = "", time.monotonic() + within
    assert night.stdout
    while words not in said:
        assert select.select([night.stdout], [], [], max(0.0, deadline - time.monotonic()))[0], said
        came = os.read(night.stdout.fileno(), 1 << 16).decode()
        assert came, said
        said += came
    return said


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), EXIT_CODES[:2])
def test_a_night_that_trains_is_stopped_together_with_its_prefect_server(tmp_path, number, code):
    """As Ctrl-C, `timeout` and most supervisors do it: every process of the group gets the signal."""
    layout = projects.make(tmp_path / "project")
    lasting = PARAMS.replace("epochs: 3,", "epochs: 900000,")
    layout.params.write_text(lasting)
    night = projects.start(layout.root, sys.executable, "-m", "flows.nightly", "--only", LINKED)
    began = read_until(night, f"train@{LINKED}")
    while not layout.work("train", LINKED).exists():
        assert night.poll() is None
        time.sleep(0.05)
    processes = descendants(night.pid)
    assert len(processes) >= 3, "Prefect's server, the stage's command and where it is forked from"
    started = time.monotonic()
    os.killpg(night.pid, number)
    said, _ = night.communicate(timeout=300)
    assert time.monotonic() - started < BOUND
    assert night.returncode == code
    assert said.count(LINE) == 1
    assert "Traceback" not in began + said
    assert all(is_gone(pid) for pid in processes)
    assert_free(layout)
    layout.params.write_text(PARAMS)
    after = projects.nightly(layout.root, "--only", LINKED)
    assert after.returncode == 0, after.stdout + after.stderr
    assert "[ 3/6] split@shop: up to date" in after.stdout


def assert_free(layout: Layout) -> None:
    for name in ("night", "fence", f"train@{LINKED}"):
        with mutex.hold(layout.mutex(name), name):
            pass
