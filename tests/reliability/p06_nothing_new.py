"""A first night is run in full, then again and again with nothing new: at once, on the next date, after every file was
touched, from a copy of the project in another folder, in another time zone with another hash seed and locale, and after a
night that was killed. Each must say so in one line, run no stage, make no release, and leave every file of data, releases
and dvc.lock as it is.

The long form takes the catalogue `modules` and its model as they are shipped, and holds an empty night's CPU seconds (of
all its processes) against the full night's; the small form takes a catalogue of forty baskets, where a full night is mostly
imports.
"""

import os
import random
import resource
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml

from kindex.core.files import sha256_file
from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Say, Seen, forked

NUMBER = 6
PROMISE = "nothing new: run the night again"
WANTED = 'no new release, one "unchanged" line, < 5 % of a full night'
LONG, SMALL, SLOW = 24, 2, "long"
UNCHANGED = "unchanged, no stage ran and no release was made"
MOST = 0.05
MODEL = "modules-pairs"

Start = tuple[Layout, dict[str, str]]
"""Where a night is run, and what its environment has besides."""


@dataclass(frozen=True)
class Night:
    """What one cost, and what it said."""

    code: int
    said: str
    cpu: float
    wall: float


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` empty nights."""
    seen = Seen()
    layout, full = first_night(scratch / "home", shipped=count >= LONG)
    made, costs, walls = state(layout), [], []
    for number in range(count):
        how = list(WAYS)[number % len(WAYS)]
        day = (date(2027, 1, 1) + timedelta((number + len(WAYS) - 1) // len(WAYS))).isoformat()
        layout, surroundings = WAYS[how](layout, number)
        empty = night(layout, day, **surroundings)
        lines = [line for line in empty.said.strip().splitlines() if not line.startswith(" ")]
        one_line = empty.said.count(UNCHANGED) == 1 and len(lines) <= 3  # and that Prefect is down, and the time
        seen.expect(empty.code == 0 and one_line, f"{how}: exit {empty.code}: {empty.said[-300:]}")
        changed = sorted(dict(state(layout).items() ^ made.items()))
        seen.expect(not changed, f"{how}: changed {changed[:3]}")
        costs.append(empty.cpu)
        walls.append(empty.wall)
        if full:
            seen.expect(empty.cpu < MOST * full.cpu, f"{how}: {empty.cpu / full.cpu:.1%} of a full night")
            say(f"{how}: {empty.cpu:.2f} CPU s, {empty.cpu / full.cpu:.1%} of a full night, which has {full.cpu:.1f}")
    mean, clock = sum(costs) / count, sum(walls) / count
    seen.notes.append(f"{count} empty nights ({', '.join(WAYS)}): {mean:.2f} CPU s ({clock:.1f} s on the clock) in the mean")
    if full:
        seen.notes.append(
            f"a full night of the shipped model modules-pairs: {full.cpu:.1f} CPU s ({full.wall:.1f} s on the clock)"
        )
        seen.notes.append(f"that is {mean / full.cpu:.1%} of a full night in the mean, {max(costs) / full.cpu:.1%} at most")
    return seen


def first_night(root: Path, *, shipped: bool) -> tuple[Layout, Night | None]:
    """A project of one model after its first night, and that night if its costs mean anything."""
    layout, model = projects.make(root), MODEL if shipped else projects.LINKED
    blocks = yaml.safe_load((projects.ROOT / "params.yaml" if shipped else layout.params).read_text())
    keep = {model, blocks["models"][model]["catalogue"]}
    for name in ("catalogues", "models", "indexes", "gates"):
        blocks[name] = {key: block for key, block in blocks[name].items() if key in keep}
    layout.params.write_text(yaml.safe_dump(blocks))
    if not shipped:
        begun = forked.begin(layout, "2027-01-01", inside=True)
        first = Night(begun.code(), begun.said, 0.0, 0.0)
    else:
        first = night(layout, "2027-01-01")
    if first.code:
        raise RuntimeError(f"the first night ended with {first.code}: {first.said[-2000:]}")
    return layout, first if shipped else None


def night(layout: Layout, day: str, **surroundings: str) -> Night:
    before, began = cpu(), time.monotonic()
    done = projects.nightly(layout.root, "--date", day, **surroundings)
    return Night(done.returncode, done.stdout + done.stderr, cpu() - before, time.monotonic() - began)


def cpu() -> float:
    """Of all children that ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def state(layout: Layout) -> dict[str, str]:
    """Every file that a night might have written, by its path and sha256."""
    folders = ("data", "releases", "locks")
    files = [path for folder in folders for path in (layout.root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(layout.root).as_posix(): sha256_file(path) for path in [*files, layout.root / "dvc.lock"]}


def as_it_is(layout: Layout, number: int) -> Start:
    return layout, {}


def touched(layout: Layout, number: int) -> Start:
    for path in layout.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and "releases" not in path.parts:
            os.utime(path)
    return layout, {}


def elsewhere(layout: Layout, number: int) -> Start:
    return projects.copy(layout, layout.root.with_name(f"copy-{number}")), {}


def surroundings(layout: Layout, number: int) -> Start:
    return layout, {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": str(number), "LC_ALL": "C", "OMP_NUM_THREADS": "2"}


def after_a_kill(layout: Layout, number: int) -> Start:
    victim = projects.start(layout.root, sys.executable, "-m", "flows.nightly", PREFECT_API_URL="http://127.0.0.1:9/api")
    time.sleep(random.Random(number).uniform(0.2, 2.0))
    projects.kill_group(victim)
    return layout, {}


WAYS = {
    "at once": as_it_is,
    "on the next date": as_it_is,
    "every file touched": touched,
    "in another folder": elsewhere,
    "in other surroundings": surroundings,
    "after a night that was killed": after_a_kill,
}
