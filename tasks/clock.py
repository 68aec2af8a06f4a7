"""Where a night's time went. Seconds are exclusive: what is measured inside another block is taken out of that one."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Clock:
    """Seconds by owner ("imports", "DVC", "Prefect", "MLflow", "work" …), and the seconds since the process began.

    Of several nights in one process only the first counts from there: the others say `since_process=False`.
    """

    def __init__(self, *, since_process: bool = True) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._began = time.perf_counter() - (_age_of_process() if since_process else 0.0)
        self.seconds["imports"] += time.perf_counter() - self._began  # the interpreter, and what got us here

    @contextmanager
    def of(self, owner: str) -> Iterator[None]:
        """Count the block for `owner`, but for the blocks inside it that count for another."""
        began = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[owner] += spent - self._inner.pop()
            if self._inner:
                self._inner[-1] += spent

    def move(self, seconds: float, source: str, target: str) -> None:
        """Part of what was counted for `source` was `target`'s: a stage says itself how long its work took."""
        moved = min(max(seconds, 0.0), self.seconds[source])
        self.seconds[source] -= moved
        self.seconds[target] += moved

    @property
    def total(self) -> float:
        return time.perf_counter() - self._began


def _age_of_process() -> float:
    """Seconds since the kernel started this process, or 0 where /proc does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
