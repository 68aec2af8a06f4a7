"""Two runs, taken apart into the steps that a night takes (fence, check, build, promote), are put together in random order:
the one that began first must never publish once the other has begun. The same without the fence, by compare-and-swap on the
parent alone: what was judged against a release that is live no more is refused.
"""

import random
from pathlib import Path

from kindex.core import publish, release
from kindex.core.errors import BusyError
from kindex.core.layout import Layout
from kindex.core.pointer import promote
from tasks import fencing
from tests.reliability import Say, Seen
from tests.tasks.test_fencing import MODEL, interleave, run

NUMBER = 9
PROMISE = "a zombie that resumes after a newer run has published is refused"
WANTED = "100 of 100 interleavings, with the fence and by compare-and-swap on the parent"
LONG, SMALL = 500, 8
SLOW = False
LATE, NEWER = "2026-11-20", "2026-11-21"


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` interleavings with the fence, and as many without it."""
    seen, waits, refused, orders = Seen(), fencing.WAIT, 0, set()
    fencing.WAIT = 0.0  # one process plays both runs: waiting for the other would be for ever
    try:
        for seed in range(count):
            log = fenced(Layout(scratch / f"fenced{seed}"), random.Random(seed))
            live = release.live(Layout(scratch / f"fenced{seed}").releases(MODEL))
            began = log.index(f"{NEWER} began")
            right = live.about["night"] == NEWER and f"{LATE} live" not in log[began:]
            seen.expect(right, f"interleaving {seed}: {', '.join(log)}")
            refused += f"{LATE} refused" in log
            orders.add(tuple(log))
    finally:
        fencing.WAIT = waits
    swapped = sum(by_swap(scratch / f"bare{seed}", random.Random(seed), seen, seed) for seed in range(count))
    seen.notes.append(f"with the fence the late run was refused in {refused} of {count}; in the rest it had ended before")
    seen.notes.append(f"{len(orders)} different orders of beginning, being refused and going live")
    seen.notes.append(f"without it, of {count} pairs judged against one release, the second was refused in {swapped}")
    return seen


def fenced(layout: Layout, chance: random.Random) -> list[str]:
    """What happened, in order."""
    log: list[str] = []
    late, newer = run(layout, LATE, log), run(layout, NEWER, log)
    next(late)  # it began first; then the night's mutex failed
    interleave([late, newer], chance)
    return log


def by_swap(releases: Path, chance: random.Random, seen: Seen, seed: int) -> bool:
    """Two candidates judged against the same live release, promoted in either order; whether the second was refused."""
    first, _ = publish.build(releases, MODEL, {"a": b"0"}, {}, {})
    promote(releases, first.version, None)
    both = [publish.build(releases, MODEL, {"a": content}, {}, {})[0] for content in (b"1", b"2")]
    chance.shuffle(both)
    promote(releases, both[0].version, first.version)
    try:
        promote(releases, both[1].version, first.version)
        refused = False
    except BusyError:
        refused = True
    pointer = release.current(releases)
    seen.expect(
        refused and pointer is not None and pointer.version == both[0].version, f"pair {seed}: the second went live, too"
    )
    return refused
