"""The parts of a dump, a process for each. What comes out does not depend on how many there are."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from kindex.core.errors import OutsideError
from kindex.sources.parts.dumppart import PartJob, read_part
from kindex.sources.parts.imports import die_with_parent

_read_bytes: "Synchronized[int]"
"""In a worker: what all workers have read, for the progress bar."""


def read_parts(jobs: list[PartJob], keep: Path, processes: int) -> Iterator[int]:
    """Read every part that is not kept yet; yields how many bytes of the files have been read since the last time.

    At an error the parts that are being read are finished, so that they are kept, and the others not begun.
    """
    jobs = list({job.folder(keep): job for job in jobs}.values())  # two equal files are one
    if processes == 1:
        for job in jobs:
            yield from read_part(job, keep)
        return
    context = get_context("spawn")
    read_bytes: Synchronized[int] = context.Value("q", 0)
    told = 0
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(read_bytes,)) as pool:
        running = {pool.submit(_work, job, keep): job for job in jobs}
        try:
            while running:
                for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    _finish(future, running.pop(future))
                now = read_bytes.value
                yield now - told
                told = now
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(read_bytes: "Synchronized[int]") -> None:
    global _read_bytes
    _read_bytes = read_bytes
    die_with_parent()


def _work(job: PartJob, keep: Path) -> None:
    for count in read_part(job, keep):
        with _read_bytes.get_lock():
            _read_bytes.value += count


def _finish(future: "Future[None]", job: PartJob) -> None:
    try:
        future.result()
    except BrokenProcessPool:
        raise OutsideError(
            f"a process that read the dump died, perhaps for want of memory (one of them read {job.name}). "
            "Run it again, it goes on at the part; a smaller source.processes in params.yaml needs less memory"
        ) from None
