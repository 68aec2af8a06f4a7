"""Independent parts of a fit side by side, each made by the operations that would make it alone: the same bytes, sooner."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch

from kindex.core import aside

T = TypeVar("T")


class Working:
    """How many threads are at it: parts of a part go side by side only where a core is idle."""

    def __init__(self) -> None:
        self.threads, self._lock = 1, threading.Lock()

    def change(self, by: int) -> None:
        with self._lock:
            self.threads += by


working = Working()


def beside(*works: Callable[[], Any]) -> list[Any]:
    """What each of the works returns, in their order; none may write what another reads. See `kindex.core.aside`."""
    if aside.cores() < 2:
        return aside.side_by_side(*works)
    threads = torch.get_num_threads()

    def alike(work: Callable[[], Any]) -> Any:
        torch.set_num_threads(threads)  # OpenMP asks each thread for its number, and sums depend on it
        working.change(1)
        try:
            return work()
        finally:
            working.change(-1)

    working.change(-1)  # the caller waits
    try:
        return aside.side_by_side(*(partial(alike, work) for work in works))
    finally:
        working.change(1)


def each(items: Sequence[T], work: Callable[[T], Any], device: torch.device) -> list[Any]:
    """What `work` returns for each of the items, in their order; on a CPU every other one by a second core, if one is idle."""
    if device.type != "cpu" or len(items) < 2 or working.threads >= aside.cores():
        return [work(item) for item in items]
    made: list[Any] = [None] * len(items)
    made[::2], made[1::2] = beside(*(partial(_all, items[first::2], work) for first in (0, 1)))
    return made


def _all(items: Sequence[T], work: Callable[[T], Any]) -> list[Any]:
    return [work(item) for item in items]
