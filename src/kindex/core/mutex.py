"""One holder at a time, by flock: the kernel lets go when the holder dies, so a kill leaves nothing to clean."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kindex.core.errors import BusyError


@contextmanager
def hold(path: Path, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold `path` for the block. Raises `BusyError` naming the holder when it is not free within `wait_seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with path.open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(f"{what} is busy: held by {_holder(path)}. Wait for it, or stop that process") from None
                time.sleep(0.05)
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "what": what}))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def _holder(path: Path) -> str:
    # whoever took it a moment ago may not have written its name yet, or a killed one's name may still stand there
    deadline = time.monotonic() + 0.5
    while True:
        with suppress(OSError, ValueError, KeyError, TypeError):
            pid = int(json.loads(path.read_text())["pid"])
            with suppress(PermissionError):  # another user's: alive
                os.kill(pid, 0)
            return f"process {pid}"
        if time.monotonic() >= deadline:
            return "another process"
        time.sleep(0.02)
