"""2 to 8 nights are begun on one project in the same moment: one works, the others end with exit 5 and name its process.
Then a night is killed (-9, the whole group) while it holds the project, and the next one, which comes at once, must get it:
flock goes with the process, and no file has to be cleaned. At last `python -m flows.nightly` is started beside a night that
works, and the time until it is refused taken.
"""

import re
import sys
import time
from pathlib import Path

from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Say, Seen
from tests.reliability.forked import Night, begin
from tests.reliability.undisturbed import SECOND, ends_well, made

NUMBER = 8
PROMISE = "of nights begun at once exactly one works, and a killed one holds up nobody"
WANTED = "2 to 8 nights: 1 works, the others exit 5 in < 2 s; after kill -9 of the holder the next one gets the lock"
LONG, SMALL = 42, 1
SLOW = "long"
MOST_SECONDS = 2.0


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` rounds of 2, 3 … 8 nights at once, each followed by a kill of the holder."""
    seen, refused = Seen(), []
    for round_ in range(count):
        layout = made().copy(scratch / "own")
        many = 2 + (round_ + 3 * (count == 1)) % 7
        nights = [begin(layout, SECOND, inside=True) for _ in range(many)]
        times = ended(nights)
        codes = sorted(night.code() for night in nights)
        seen.expect(codes == [0] + [5] * (many - 1), f"{many} nights at once ended with {codes}")
        told = [night.said for night in nights if night.code() == 5]
        seen.expect(all(re.search(r"is busy: held by process \d+", text) for text in told), f"a refusal says {told[:1]}")
        refused += [seconds for night, seconds in zip(nights, times) if night.code() == 5]
        wrong = ends_well(layout, begin(layout, SECOND, inside=True), made().after)
        seen.expect(not wrong, f"after {many} nights at once: {wrong}")
        seen.expect(not (wrong := killed(scratch)), f"after kill -9 of the holder: {wrong}")
        if round_ % 7 == 6:
            say(f"{round_ + 1} of {count} rounds")
    seen.notes.append(f"{len(refused)} refusals while up to 8 forked nights begin at once, the slowest {max(refused):.2f} s")
    if count >= 5:
        alone = interpreters(made().copy(scratch / "own"), count // 5, seen)
        seen.expect(max(alone) < MOST_SECONDS, f"a refusal took {max(alone):.1f} s")
        seen.notes.append(f"{len(alone)} with Python's start, one at a time: {min(alone):.2f} to {max(alone):.2f} s")
    return seen


def ended(nights: list[Night]) -> list[float]:
    """Seconds from now to the end of each."""
    began, times = time.monotonic(), [0.0] * len(nights)
    while None in (codes := [night.poll() for night in nights]):
        for place, code in enumerate(codes):
            times[place] = times[place] or (time.monotonic() - began if code is not None else 0.0)
        time.sleep(0.005)
    return [seconds or time.monotonic() - began for seconds in times]


def killed(scratch: Path) -> str:
    """Kill a night that works, then run one at once; what is wrong."""
    own = made().copy(scratch / "killed")
    holder = begin(own, SECOND)
    while "ingest@" not in holder.said and holder.poll() is None:
        time.sleep(0.01)
    holder.kill()
    return ends_well(own, begin(own, SECOND, inside=True), made().after)


def interpreters(layout: Layout, count: int, seen: Seen) -> list[float]:
    """Seconds that `python -m flows.nightly` takes to be refused while a night works, `count` times."""
    holder = begin(layout, SECOND, f"{len(made().points) * 9}:kill")  # a fault that is never reached
    while "ingest@" not in holder.said and holder.poll() is None:
        time.sleep(0.01)
    times = []
    for _ in range(count):
        began = time.monotonic()
        refused = projects.nightly(layout.root, "--date", SECOND)
        if holder.poll() is not None:
            break
        times.append(time.monotonic() - began)
        seen.expect(refused.returncode == 5, f"an interpreter started beside a night ended with {refused.returncode}")
    seen.expect(not (wrong := ends_well(layout, holder, made().after)), f"the night beside them: {wrong}")
    return times or [float(sys.maxsize)]
