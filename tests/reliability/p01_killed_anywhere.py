"""Every write, fsync, rename and boundary of a stage is a numbered fault point. A night that re-embeds a percent of the
data dies (kill -9) at each of them; then the live release is read, checked byte by byte and asked, and the night is run
again: its release must be, to the last digit of its digest, that of a night which nobody disturbed, and nothing may be left
lying, or running.

Then nights with real processes are killed at random moments, the whole group of processes or only one of them, while a
reader opens the live release and asks it without a pause.
"""

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kindex.core.layout import Layout
from tasks.leftovers import descendants
from tests.reliability import Say, Seen
from tests.reliability.forked import Night, begin
from tests.reliability.undisturbed import SECOND, ends_well, in_two, made, read

NUMBER = 1
PROMISE = "kill -9 anywhere in a night, run again: nothing lost, the last good release answers throughout"
WANTED = "every fault point and 200 random kills; 0 bad reads, all final digests equal"
LONG, SMALL = 200, 1
SLOW = "long"


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` random kills, and so many fault points; all of them when that is 200 or more."""
    seen, points = Seen(), made().points
    say(f"a night has {len(points)} fault points and takes {made().seconds:.1f} s in one process")
    chosen = points if count >= LONG else points[len(points) // 2 :: max(1, len(points) // count)][:count]
    for found in in_two(chosen, scratch / "points", at_points):
        _add(seen, found)
    say(f"{len(chosen)} fault points, {len(seen.failures)} failures")
    reads = 2 * len(chosen)
    seen.notes.append(
        f"{len(chosen)} of the {len(points)} fault points of a night, {count} random kills, half of them of one process"
    )
    for found in in_two(range(count), scratch / "kills", at_random):
        _add(seen, found)
        reads += int(found.notes[0])
    seen.notes.append(f"{reads:,} reads of the live release before, during and after")
    return seen


def _add(seen: Seen, found: Seen) -> None:
    seen.tries += found.tries
    seen.failures += found.failures


def at_points(points: Sequence[str], scratch: Path) -> Seen:
    """Die at each point, read, run again, read."""
    seen = Seen()
    for point in points:
        layout = made().copy(scratch / "own")
        died = begin(layout, SECOND, f"{point.split()[0]}:kill", inside=True).code()
        seen.expect(died == -signal.SIGKILL, f"{point}: was not reached")
        seen.expect(not (wrong := read(layout, made().before, made().after)), f"{point}: then {wrong}")
        wrong = ends_well(layout, begin(layout, SECOND, inside=True), made().after) or read(layout, made().after)
        seen.expect(not wrong, f"{point}: then {wrong}")
    return seen


def at_random(seeds: Sequence[int], scratch: Path) -> Seen:
    """Kill at random moments and run again; the note is the number of reads."""
    seen, reads = Seen(), 0
    for seed in seeds:
        layout, chance = made().copy(scratch / "own"), random.Random(seed)
        night, moment = begin(layout, SECOND), time.monotonic() + chance.uniform(0, 2 * made().seconds)
        reads += watched(layout, night, moment, seen)
        victim = "all" if seed % 2 else "one"
        if night.poll() is None:
            with suppress(ProcessLookupError):
                if victim == "all":
                    os.killpg(night.pid, signal.SIGKILL)
                else:
                    os.kill(chance.choice([night.pid, *descendants(night.pid)]), signal.SIGKILL)
        reads += watched(layout, night, float("inf"), seen)  # of one process: the night may go on
        wrong = ends_well(layout, second(layout), made().after) or read(layout, made().after)
        seen.expect(not wrong, f"random kill {seed} ({victim}): then {wrong}")
        reads += 1
    seen.notes.append(str(reads))
    return seen


def watched(layout: Layout, night: Night, until: float, seen: Seen) -> int:
    """Read without a pause till the moment, or till the night ends; how often."""
    reads = 0
    while night.poll() is None and time.monotonic() < until:
        reads += 1
        if wrong := read(layout, made().before, made().after):
            seen.failures.append(wrong)
        time.sleep(0.02)
    return reads


def second(layout: Layout) -> Night:
    """The night again; after an exit 5 once more, for a stage may outlive its killed parent by a moment."""
    for _ in range(10):
        night = begin(layout, SECOND, inside=True)
        if night.code() != 5:
            break
    return night
