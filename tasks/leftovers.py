"""A night that is killed leaves the Prefect server behind that it had started for itself: the next one ends it.

Prefect stops its ephemeral server when Python ends well. After a kill -9 of the night alone it would run on for ever.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, read_json, write_atomic
from kindex.core.layout import Layout

LAST_SECONDS = 3.0  # for the kernel to take a killed process's memory back
SERVER = b"prefect.server.api.server"


def note_server(layout: Layout) -> None:
    """Remember this process's own Prefect servers, by id and start, so that no stranger is ever taken for one."""
    found = {str(pid): started(pid) for pid in descendants(os.getpid()) if SERVER in _command(pid)}
    write_atomic(_note(layout), canonical_json(found))


def end_server(layout: Layout) -> None:
    """End the servers that a killed night left. The caller holds the night's mutex, so nobody uses them."""
    try:
        noted = read_json(_note(layout))
        for pid, began in noted.items():
            if began and started(int(pid)) == began:
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
    except (DamagedError, ValueError, AttributeError):
        return
    _note(layout).unlink(missing_ok=True)


def end_descendants() -> None:
    """Kill what this process started. Returns when all of it is gone, after `LAST_SECONDS` at most."""
    waiting = {pid: started(pid) for pid in descendants(os.getpid())}
    for pid in waiting:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + LAST_SECONDS
    while any(_lives(pid, began) for pid, began in waiting.items()) and time.monotonic() < deadline:
        time.sleep(0.01)


def descendants(pid: int) -> list[int]:
    """Processes that `pid` started, and those that they started; none where /proc does not say."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def started(pid: int) -> str:
    """When the process began, in the kernel's ticks; an empty string when there is none."""
    return _stat(pid)[1]


def _lives(pid: int, began: str) -> bool:
    """Whether that process still holds anything: a zombie does not."""
    state, when = _stat(pid)
    return state not in ("", "Z", "X") and when == began


def _stat(pid: int) -> tuple[str, str]:
    """The state of a process and when it began, as proc(5) has them; empty strings when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _note(layout: Layout) -> Path:
    return layout.var / "ephemeral-server.json"
