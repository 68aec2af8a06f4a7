"""A flow that is stopped (Ctrl-C, SIGTERM, a closed terminal) says so and ends within seconds, with all that it started.

Left to Prefect, it tries for two minutes to tell a server that Ctrl-C has ended, too. Nothing else needs to be put in
order: a stop leaves no more than a kill does, and the next run goes on from there.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tasks import leftovers
from tasks.orchestration import Conductor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable(name: str, conductor: Conductor | None = None) -> Iterator[None]:
    """During the block, the first of `SIGNALS` ends this process with 128 and its number. One that is ignored stays so."""
    former = {kind: signal.getsignal(kind) for kind in SIGNALS}
    for kind, handler in former.items():
        if handler is not signal.SIG_IGN:
            signal.signal(kind, lambda number, _: _end(name, number, conductor))
    try:
        yield
    finally:
        for kind, handler in former.items():
            signal.signal(kind, handler)


def _end(name: str, number: int, conductor: Conductor | None) -> None:
    for kind in SIGNALS:
        signal.signal(kind, signal.SIG_IGN)
    with suppress(OSError):  # the terminal may be closed
        os.write(2, f"{name}: stopped. Run it again to go on from here\n".encode())  # print may be at work on a line
    if conductor:
        conductor.cancel(f"stopped by {signal.Signals(number).name}")
    leftovers.end_descendants()
    os._exit(128 + number)
