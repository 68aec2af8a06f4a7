"""The same numbered fault points as in promise 1, but each of them fails: no space on the device (ENOSPC), input/output
error (EIO). The night must say so without a traceback, the live release must be the former or the whole new one, and a
night after it must end as one that nobody disturbed and leave nothing lying.

Then for real: a project on a tmpfs of 64 MB is filled up before and during a night. It must end with exit 6 and name the
space that it needs, or the disk; CURRENT must not have moved to anything but a whole release; and with room again all is
well.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.reliability import Say, Seen
from tests.reliability.forked import begin
from tests.reliability.undisturbed import SECOND, ends_well, in_two, made, read

NUMBER = 2
PROMISE = "a full disk or an I/O error costs a night, never the live release"
WANTED = "ENOSPC and EIO at every fault point, and a real disk of 64 MB: CURRENT whole, leftovers cleaned, the space named"
LONG, SMALL = 1000, 1
SLOW = "long"
ERRORS = ("enospc", "eio")
SPACE = re.compile(r"needs [\d,]+ MB below \S+, which has [\d,]+ MB free|No space left on device")


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """So many fault points, all of them when `count` is as many; a tenth as many fillings of the real disk, 30 at most."""
    seen, points = Seen(), made().points
    chosen = points if count >= len(points) else points[len(points) // 3 :: max(1, len(points) // count)][:count]
    faults = [(point, how) for point in chosen for how in ERRORS[:count]]
    codes: dict[str, int] = {}
    for found in in_two(faults, scratch / "faults", at_points):
        seen.tries += found.tries
        seen.failures += found.failures
        for code in found.notes:
            codes[code] = codes.get(code, 0) + 1
    ended = ", ".join(f"{code} in {number}" for code, number in sorted(codes.items()))
    seen.notes.append(f"{len(faults)} faults at {len(chosen)} of {len(points)} points; exit codes: {ended}")
    say(seen.notes[-1])
    with small_disk(scratch / "disk") as disk:
        if disk is None:
            seen.notes.append("no file system of 64 MB could be mounted here: the real disk was not tried")
            return seen
        fillings = min(30, max(1, count // 10))
        for number in range(fillings):
            filled(disk, number, made().seconds, seen)
        seen.notes.append(f"a tmpfs of 64 MB, filled {fillings} times, before the night and at moments in it")
    return seen


def at_points(faults: Sequence[tuple[str, str]], scratch: Path) -> Seen:
    """Fail at each point, read, run again; the notes are exit codes."""
    seen = Seen()
    for point, how in faults:
        layout = made().copy(scratch / "own")
        night = begin(layout, SECOND, f"{point.split()[0]}:{how}", inside=True)
        seen.notes.append(str(code := night.code()))
        wrong = "a traceback" if "Traceback" in night.said else read(layout, made().before, made().after)
        if code == 0 and not wrong and "notice" not in night.said:
            wrong = "exit 0 and nobody was told"
        seen.expect(not wrong, f"{how} at {point}: {wrong} (exit {code})")
        wrong = ends_well(layout, begin(layout, SECOND, inside=True), made().after)
        seen.expect(not wrong, f"after {how} at {point}: {wrong}")
    return seen


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A tmpfs of 64 MB; None where we may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, check=False)
    try:
        yield None if mounted.returncode else folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "-l", folder], check=True)


def filled(disk: Path, number: int, seconds: float, seen: Seen) -> None:
    """Fill the disk before the night, or at some moment in it; then empty it and run again."""
    layout = made().copy(disk / "project")
    filler, share = disk / "filler", (number % 10) / 10
    if number % 10 == 0:
        fill(filler, spare=1_000_000)
    night = begin(layout, SECOND, inside=True)
    until = time.monotonic() + share * seconds
    while night.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    fill(filler)
    what = f"a disk that is full {'before' if not share else f'{100 * share:.0f} % into'} the night"
    try:
        code = night.code(60)
    except TimeoutError:
        code = -9
        seen.failures.append(f"{what}: the night did not end in a minute: {night.said[-200:]}")
    wrong = "a traceback" if "Traceback" in night.said else read(layout, made().before, made().after)
    if not wrong and code not in (0, 6):
        wrong = f"exit {code}"
    if not wrong and code == 6 and not SPACE.search(night.said):
        wrong = "the message does not name the space"
    seen.expect(not wrong, f"{what}: {wrong}: {night.said[-300:] if wrong else ''}")
    filler.unlink()
    seen.expect(
        not (wrong := ends_well(layout, begin(layout, SECOND, inside=True), made().after)), f"{what}, then room: {wrong}"
    )


def fill(filler: Path, spare: int = 0) -> None:
    """Take all of the disk but for `spare` bytes."""
    status = os.statvfs(filler.parent)
    with suppress(OSError), filler.open("ab") as handle:
        left = status.f_bavail * status.f_frsize - spare
        while left > 0:
            handle.write(bytes(min(left, 1 << 16)))
            handle.flush()
            left -= 1 << 16
