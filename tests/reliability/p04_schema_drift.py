"""After a night that passed, every column of every table of a source is dropped, renamed, given another type and emptied, a
column is added, and the columns are put in another order: links, items and images, as CSV, JSON lines, Parquet and a
database. All but the last must stop the next night with exit code 3 and a table of what was expected and what was found,
which names the column, and leave the outputs of the former night as they were. Columns are read by name, so in another order
they give the same bytes. A CSV has no types: there, a number or date of another type is told as the rule that refused it.

A few of the changes are tried on whole nights, too, which must publish nothing and leave CURRENT as it is.
"""

import csv
from collections.abc import Callable
from pathlib import Path

from kindex.core import release
from kindex.core.layout import Layout
from tests.reliability import Seen, chain, forked, undisturbed
from tests.reliability.drifting import CHANGES, FACES, Drift, drifts, places

NUMBER = 4
PROMISE = "schema drift"
WANTED = (
    "every column added, dropped, renamed, retyped, emptied: exit 3, a difference table, no release; reordered: the same bytes"
)
LONG, SMALL, SLOW = 123, 6, True

HEAD = ("table", "column", "expected", "found")
ROLES = {"title": "description", "genre": "label", "id": "label"}
"""What a column becomes, as whose emptiness it is told where a file's schema still has its type; without ids, no labels."""


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """`count` changes, and of each kind of change a whole night when there are as many of them."""
    seen, all_of_them = Seen(), drifts()
    whole = {}
    for place in places():
        layout = chain.made(scratch / place.file, place.source, chain.PICTURES if place.rows is FACES else chain.PAIRS)
        place.write(layout.root, place.rows)
        chain.night(layout)
        whole[place.file] = layout
    for drift in all_of_them[:count]:
        before = whole[drift.place.file]
        layout = chain.copied(before, scratch / "night")
        drift.place.write(layout.root, drift.rows)
        seen.expect(*_night(drift, layout, before))
        if seen.tries % 25 == 0:
            say(f"{seen.tries} changes, {len(seen.failures)} failures")
    seen.notes.append(f"{min(count, len(all_of_them))} of {len(all_of_them)} changes of {len(places())} tables")
    if count >= len(all_of_them):
        _whole_nights(seen, scratch, say)
    return seen


def _night(drift: Drift, layout: Layout, before: Layout) -> tuple[bool, str]:
    """Whether the night went as promised, and what it is called if not."""
    try:
        error = chain.stopped(layout)
    except Exception as broken:
        return False, f"{drift.name}: a traceback: {type(broken).__name__}: {broken}"
    same = chain.outputs(layout, "validate") == chain.outputs(before, "validate")
    if drift.change == "reordered":
        tables = [name for name in chain.outputs(before, "validate") if name.endswith(".parquet")]
        now, then = (chain.outputs(one, "validate") for one in (layout, before))
        return error is None and all(now[name] == then[name] for name in tables), f"{drift.name}: {error or 'other bytes'}"
    said = str(error)
    if drift.change == "retyped" and drift.place.file.endswith(".csv"):
        told = drift.column in said
    else:
        rows = [line.split() for line in said.splitlines()]
        told = list(HEAD) in rows and (drift.column in said or ROLES.get(drift.column, drift.column) in said)
    held = error is not None and error.exit_code == 3 and told and same
    return held, f"{drift.name}: former outputs the same: {same}: {said}"


def _whole_nights(seen: Seen, scratch: Path, say: Callable[[str], None]) -> None:
    """Each kind of change to links.csv, in a night with DVC and all that comes after it."""
    made = undisturbed.made()
    rows = list(csv.reader((made.layout.root / "links.csv").read_text().splitlines()))
    changed = {
        "added": [[*row, "more"] for row in rows],
        "dropped": [row[:1] for row in rows],
        "renamed": [["box", "fruit"], *rows[1:]],
        "retyped": [rows[0], *([row[0], ""] for row in rows[1:])],  # what is left when a text is none
        "emptied": [rows[0], *(["", row[1]] for row in rows[1:])],
        "reordered": [row[::-1] for row in rows],
    }
    for change in CHANGES:
        layout = made.copy(scratch / "own")
        (layout.root / "links.csv").write_text("".join(",".join(row) + "\n" for row in changed[change]))
        releases = layout.releases(undisturbed.MODEL)
        before = (releases / release.CURRENT).read_bytes(), release.names(releases)
        night = forked.begin(layout, undisturbed.SECOND, inside=True)
        code, after = night.code(), ((releases / release.CURRENT).read_bytes(), release.names(releases))
        went = code == 0 if change == "reordered" else code == 3 and after == before
        seen.expect(went, f"a whole night, {change}: exit code {code}, releases {before[1]} → {after[1]}")
        say(f"a whole night, {change}: exit code {code}")
    seen.notes.append(f"{len(CHANGES)} whole nights, of which the reordered one alone published")
