"""A project whose next night is known to the last digit: what promises that disturb that night are held against."""

import atexit
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from kindex.ask.live import open_live
from kindex.core import publish, release
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Seen
from tests.reliability.forked import Night, begin, import_all

T = TypeVar("T")
MODEL = projects.LINKED
FIRST, SECOND = "2026-11-20", "2026-11-21"
PATIENCE = 5.0
_forks = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Made:
    """A project after its first night. `points` are the fault points of its second ("7 rename CURRENT"), of `seconds`."""

    layout: Layout
    before: str  # the digest that is live
    after: str  # the digest that the second night makes live
    points: list[str]
    seconds: float

    def copy(self, root: Path) -> Layout:
        """A copy in place of whatever was in `root`."""
        shutil.rmtree(root, ignore_errors=True)
        return projects.copy(self.layout, root)


@cache
def made() -> Made:
    """One catalogue and one model; a percent of the source has changed since the first night. Made once for each process."""
    scratch = Path(tempfile.mkdtemp(prefix="kindex-reliability-made-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    layout = projects.make(scratch / "first")
    lines = layout.params.read_text().splitlines()
    stamps = range(lines.index("  stamps:"), lines.index("models:"))
    kept = [line for place, line in enumerate(lines) if place not in stamps and projects.PICTURED not in line]
    layout.params.write_text("\n".join(kept) + "\n")
    _whole(begin(layout, FIRST, inside=True, modules=scratch / "modules"))
    import_all((scratch / "modules").read_text().split())
    links = layout.root / "links.csv"
    links.write_text(links.read_text() + "basket-0,fruit-0\nbasket-40,fruit-1\nbasket-40,fruit-3\n")
    second, began = projects.copy(layout, scratch / "second"), time.monotonic()
    _whole(begin(second, SECOND, f"{scratch / 'points'}:trace", inside=True))
    points = (scratch / "points").read_text().splitlines()
    return Made(layout, digest(layout), digest(second), points, time.monotonic() - began)


def _whole(night: Night) -> None:
    if code := night.code():
        raise RuntimeError(f"a night that nobody disturbs ended with {code}: {night.said[-2000:]}")


def digest(layout: Layout) -> str:
    """Of the live release, each file of it held against the manifest. Raises `DamagedError`."""
    return release.verify(layout.releases(MODEL)).digest


def leftovers(layout: Layout) -> list[Path]:
    """What a night that died, or failed, left lying, and the next one should have removed."""
    work = [*(layout.root / "data" / ".work").glob("*/*"), *(layout.root / "data" / ".checkpoints").glob("*")]
    return [*publish.leftovers(layout.releases(MODEL)), *work, *layout.root.glob("releases/*/.gone-*")]


def outliving(layout: Layout) -> list[str]:
    """Processes in the project's folder that go on when no night runs; one that is ending gets `PATIENCE`."""
    found, deadline = [], time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "cwd").readlink().is_relative_to(layout.root):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        if not found:
            break
        time.sleep(0.05)
    return found


def ends_well(layout: Layout, night: Night, final: str) -> str:
    """Why the night did not end with 0, the release `final` live and nothing left lying or running; "" when it did."""
    code = night.code()
    if code:
        return f"exit {code}: {night.said[-300:]}"
    if left := leftovers(layout):
        return f"{left[0]} was left"
    if left := outliving(layout):
        return f"{left[0]} runs on"
    return "" if (found := digest(layout)) == final else f"the digest {found[:12]} is not {final[:12]}"


def read(layout: Layout, *allowed: str) -> str:
    """Open the live release, which checks every file that answers, and ask it: what is wrong, or ""."""
    try:
        live = open_live(MODEL, root=layout.root)
        hits = live.similar("fruit-1", k=3)
    except (KindexError, OSError) as error:
        return f"a reader met {type(error).__name__}: {error}"
    known = live.manifest.digest in allowed and len(hits) == 3
    return "" if known else f"a reader got {live.manifest.version} {live.manifest.digest[:12]}"


def in_two(items: Sequence[T], scratch: Path, work: Callable[[Sequence[T], Path], Seen]) -> list[Seen]:
    """Every other item for each of two processes, in a folder of its own; what each saw."""
    pipes = [_forks.Pipe(duplex=False) for _ in range(2)]
    processes = [
        _forks.Process(target=_send, args=(there, work, items[place::2], scratch / f"of{place}"))
        for place, (_, there) in enumerate(pipes)
    ]
    for process, (_, there) in zip(processes, pipes):
        process.start()
        there.close()
    seen = []
    for process, (here, _) in zip(processes, pipes):
        try:
            seen.append(here.recv())
        except EOFError:
            seen.append(Seen(1, ["the process that tried it died"]))
        process.join()
    return seen


def _send(there: Connection, work: Callable[[Sequence[T], Path], Seen], items: Sequence[T], scratch: Path) -> None:
    scratch.mkdir(parents=True)
    try:
        there.send(work(items, scratch))
    except Exception as error:
        there.send(Seen(1, [f"{type(error).__name__}: {error}"]))
