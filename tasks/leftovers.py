"""What is killed leaves the servers behind that it had started: the next of its kind ends them.

Prefect stops its ephemeral server when Python ends well, and `make ui` its pages. After a kill -9 they would run on for ever.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, read_json, write_atomic
from kindex.core.layout import Layout

LAST_SECONDS = 3.0  # for the kernel to take a killed process's memory back
SERVER = b"prefect.server.api.server"
NIGHT, PAGES = "ephemeral-server", "ui-servers"


def own_servers() -> list[int]:
    """The Prefect servers that this process has started."""
    return [pid for pid in descendants(os.getpid()) if SERVER in _command(pid)]


def note(layout: Layout, whose: str, servers: Iterable[int]) -> None:
    """Remember servers by id and start, so that no stranger is ever taken for one. `whose`: `NIGHT` or `PAGES`."""
    write_atomic(_note(layout, whose), canonical_json({str(pid): started(pid) for pid in servers}))


def end(layout: Layout, whose: str) -> None:
    """End the servers that were noted, with all that they started, and forget them. The caller holds the mutex of `whose`,
    so nobody else uses them."""
    path = _note(layout, whose)
    with contextlib.suppress(DamagedError, ValueError, AttributeError):
        for pid, began in read_json(path).items() if path.exists() else ():
            if began and started(int(pid)) == began:
                for one in [*descendants(int(pid)), int(pid)]:
                    with contextlib.suppress(OSError):
                        os.kill(one, signal.SIGKILL)
    path.unlink(missing_ok=True)


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


def _note(layout: Layout, whose: str) -> Path:
    return layout.var / f"{whose}.json"
