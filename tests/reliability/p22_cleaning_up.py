"""While releases are published and two readers open, check and ask the live one without a pause, a third process cleans up
as `kindex gc --keep 2` does, without a pause as well. After each publishing the live release, its forerunners that have to
stay and the locked parent must be whole; and there must be less than was published, or the cleaning was none.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from kindex.core import release
from kindex.core.errors import BusyError, KindexError
from kindex.core.layout import Layout
from kindex.core.parent import Parent, write_parent
from tasks.collecting import collect
from tests.reliability import Say, Seen
from tests.reliability.reading import MODEL, publish, readers

NUMBER = 22
PROMISE = "cleaning up never deletes what is live, or needed"
WANTED = "gc during publishing and reading: 200 rounds, 0 missing files"
LONG, SMALL = 200, 8
SLOW = True
KEEP = 2
_forks = multiprocessing.get_context("fork")


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` rounds: publish, then look at what has to stay; the parent is locked anew every tenth round."""
    seen = Seen()
    layout = publish(scratch / "project", 1)
    releases = layout.releases(MODEL)
    with cleaning(layout) as cleaned, readers(layout, 2) as told:
        for number in range(2, count + 2):
            publish(layout.root, number)
            pointer = release.current(releases)
            assert pointer
            if number % 10 == 2:
                parent = pointer
                write_parent(layout.parent(MODEL), Parent(pointer.version, pointer.digest, "2026-11-21"))
            for version in {pointer.version, *pointer.former[-KEEP:], parent.version}:
                seen.expect(*_whole(releases, version, number))
            if number % 50 == 0:
                say(f"{number} of {count}")
    times, gone, trouble = cleaned[0]
    for one in told:
        seen.tries += one.reads
        seen.failures += one.wrong
    seen.failures += trouble
    seen.expect(gone > count / 2, f"only {gone} of {count} releases were cleaned away")
    seen.expect(not list(releases.glob(".gone-*")), "something that was taken out of sight was not deleted")
    reads = sum(one.reads for one in told)
    seen.notes.append(f"{count} publishes, {times} cleanings that removed {gone} releases, {reads:,} reads by 2 readers")
    return seen


def _whole(releases: Path, version: str, number: int) -> tuple[bool, str]:
    try:
        release.verify(releases, version)
    except KindexError as error:
        return False, f"round {number}: {error}"
    return True, ""


@contextmanager
def cleaning(layout: Layout) -> Iterator[list[tuple[int, int, list[str]]]]:
    """A process that cleans without a pause; when the block ends, the list holds what `_clean` says."""
    stop: Event = _forks.Event()
    here, there = _forks.Pipe(duplex=False)
    cleaner = _forks.Process(target=_clean, args=(layout, stop, there), daemon=True)
    cleaner.start()
    told: list[tuple[int, int, list[str]]] = []
    try:
        yield told
    finally:
        stop.set()
        told.append(here.recv() if here.poll(60) else (0, 0, ["the cleaner died"]))
        cleaner.join(10)


def _clean(layout: Layout, stop: Event, there: Connection) -> None:
    """Clean until told to stop, and once more; how often, what went, and what went wrong."""
    cleaned, gone, trouble, last = 0, 0, [], False
    while not last:
        last = stop.is_set()
        try:
            found = collect(layout, KEEP)
            cleaned, gone = cleaned + 1, gone + sum(name.startswith("releases/") for name in found.removed)
        except BusyError:  # a release was being built for ten seconds
            continue
        except Exception as error:
            trouble.append(f"cleaning: {type(error).__name__}: {error}")
    there.send((cleaned, gone, trouble))
