"""`python -m tests.reliability [NUMBER ...]`: try the promises in their long form and write docs/reliability.md.

The figures of promises that are not named stay as they were on the page's record, `docs/reliability.json`.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from kindex.core.files import pretty_json, write_atomic
from tests.reliability import Seen, promises

DOCS = Path(__file__).parents[2] / "docs"
RECORD, PAGE = DOCS / "reliability.json", DOCS / "reliability.md"

HEAD = """\
# Reliability

What kindex promises, how each promise was tried, and what was seen. Written by `make reliability`; the same functions run
in a small form with the tests (`tests/reliability/`). A line that says **no** is a promise that was not kept when last tried.

| # | promise | wanted | tried | held | seconds | on |
|---|---|---|---|---|---|---|
"""


def main() -> int:
    """Returns 0 when all that was tried held."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="promises to try (default: all)")
    parser.add_argument("--count", type=int, metavar="N", help="so many tries of each, instead of the long form's")
    parser.add_argument("--small", action="store_true", help="the small form, to see that it runs; writes nothing")
    given = parser.parse_args()
    known = {module.NUMBER: module for module in promises()}
    if unknown := set(given.numbers) - set(known):
        parser.error(f"no promise numbered {min(unknown)}, allowed: {', '.join(map(str, sorted(known)))}")
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    failed = 0
    for number in given.numbers or sorted(known):
        promise = known[number]
        row = attempt(promise, given.count or (promise.SMALL if given.small else promise.LONG))
        failed += not row["held"]
        if not given.small:
            record[str(number)] = row
            write_atomic(RECORD, pretty_json(record))
            write_atomic(PAGE, page(known, record).encode())
    return 1 if failed else 0


def attempt(promise: ModuleType, count: int) -> dict[str, Any]:
    """Try one promise; a row of the record."""
    print(f"{promise.NUMBER:>2} {promise.PROMISE}: {count} tries", flush=True)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kindex-reliability-") as scratch:
        try:
            seen = promise.tried(Path(scratch), count, lambda line: print(f"   {line}", flush=True))
        except Exception as error:  # one broken trial must not cost the others their figures
            seen = Seen(1, [f"{type(error).__name__}: {error}"])
    seconds = time.perf_counter() - began
    for failure in seen.failures[:10]:
        print(f"   FAILED {failure}", flush=True)
    print(f"   {'held' if seen.held else 'NOT HELD'}: {seen.tries} tries in {seconds:.0f} s", flush=True)
    day = datetime.now(UTC).date().isoformat()
    return {
        "tries": seen.tries,
        "failures": len(seen.failures),
        "first_failures": seen.failures[:5],
        "notes": seen.notes,
        "held": seen.held,
        "seconds": round(seconds, 1),
        "day": day,
    }


def page(known: Mapping[int, ModuleType], record: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    lines, below = [], []
    for number, promise in sorted(known.items()):
        row = record.get(str(number))
        if row is None:
            lines.append(f"| {number} | {promise.PROMISE} | {promise.WANTED} | not yet | | | |")
            continue
        held = "yes" if row["held"] else f"**no**, {row['failures']} failed"
        cells = [number, promise.PROMISE, promise.WANTED, f"{row['tries']:,}", held, f"{row['seconds']:,.0f}", row["day"]]
        lines.append(f"| {' | '.join(map(str, cells))} |")
        about = (promise.__doc__ or "").strip()
        found = "\n".join(f"- {line}" for line in [*row["notes"], *(f"failed: {one}" for one in row["first_failures"])])
        below.append(f"## {number}. {promise.PROMISE}\n\n{about}\n" + (f"\n{found}\n" if found else ""))
    machine = f"Tried on {platform.system()} {platform.machine()}, Python {platform.python_version()}."
    return f"{HEAD}" + "\n".join(lines) + f"\n\n{machine}\n\n" + "\n".join(below)


if __name__ == "__main__":
    sys.exit(main())
