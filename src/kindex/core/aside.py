"""Work side by side, on the cores that this process may use: results do not depend on how many there are."""

import os
import threading
from collections.abc import Callable
from typing import Any


def cores() -> int:
    """How many this process may use: one when OpenMP and BLAS were told to use several, for they are busy then.

    A container or `taskset` may leave fewer than the machine has.
    """
    if os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(*works: Callable[[], Any]) -> list[Any]:
    """What each of the works returns, in their order. With one core they run one after the other, else each in a thread.

    No work may write what another one reads. The first exception, in the order of the works, is raised when all have ended;
    Ctrl-C is raised at once and leaves the threads, which do not outlive the process.
    """
    if cores() < 2 or len(works) < 2:
        return [work() for work in works]
    results: list[Any] = [None] * len(works)
    errors: list[BaseException | None] = [None] * len(works)

    def run(place: int) -> None:
        try:
            results[place] = works[place]()
        except BaseException as error:
            errors[place] = error

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if error is not None:
            raise error
    return results
