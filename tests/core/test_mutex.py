"""One holder at a time; the kernel lets go when the holder is killed."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from kindex.core import mutex
from kindex.core.errors import BusyError

HOLD = """
import sys, time
from pathlib import Path
from kindex.core import mutex
with mutex.hold(Path(sys.argv[1]), "the night"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    path = tmp_path / "deep" / "night.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    yield path, holder
    holder.kill()
    holder.wait()


def test_a_second_holder_is_refused_at_once_with_the_first_ones_process(held):
    path, holder = held
    began = time.monotonic()
    with pytest.raises(BusyError, match=rf"the night is busy: held by process {holder.pid}"), mutex.hold(path, "the night"):
        pytest.fail("both hold it")
    assert time.monotonic() - began < 2
    assert BusyError.exit_code == 5


def test_the_refusal_waits_a_moment_for_the_holders_name(held):
    path, holder = held
    name = path.read_text()
    path.write_text("")  # it holds it and has not yet said who it is
    writer = threading.Timer(0.15, path.write_text, [name])
    writer.start()
    with pytest.raises(BusyError, match=f"held by process {holder.pid}"), mutex.hold(path, "the night"):
        pytest.fail("both hold it")
    writer.join()


def test_a_dead_holders_name_is_not_given_as_the_living_ones(held):
    path, _ = held
    path.write_text('{"pid": 4194999, "what": "the night"}')  # beyond the kernel's largest process number
    with pytest.raises(BusyError, match="held by another process"), mutex.hold(path, "the night"):
        pytest.fail("both hold it")


def test_a_killed_holder_leaves_nothing_to_clean(held):
    path, holder = held
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with mutex.hold(path, "the night"):
        pass
    with mutex.hold(path, "the night"):  # and again, after it was let go
        pass


def test_waiting_gets_it_when_the_holder_ends(held):
    path, holder = held
    began = time.monotonic()
    with pytest.raises(BusyError), mutex.hold(path, "the night", wait_seconds=0.2):
        pass
    assert time.monotonic() - began >= 0.2
    holder.kill()
    with mutex.hold(path, "the night", wait_seconds=10):
        pass


def test_an_error_in_the_block_lets_go(tmp_path):
    with pytest.raises(RuntimeError), mutex.hold(tmp_path / "x", "x"):
        raise RuntimeError("inside")
    with mutex.hold(tmp_path / "x", "x"):
        pass
