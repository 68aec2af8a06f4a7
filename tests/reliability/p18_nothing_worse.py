"""A project of planted readers and books publishes a first night; then the model, the index or the data are made worse in one
of the ways of `tests/reliability/degrading.py` each night, in the real stages train, index and evaluate, and published as a
night does. Held means: CURRENT is the same file, the live release is whole, the alias `champion` of a real MLflow store
points where it did, and the page of the held release shows the line of the gate that the way was made for. What a stage or
a reader refuses before there is a verdict must be named by its error. At the end a night that lost 1 % of its links goes
live: not all is refused.
"""

import html
import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from kindex.core import release
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from tasks import tracking
from tests.reliability import Say, Seen, planted
from tests.reliability.degrading import WAYS, data, table
from tests.reliability.planted import MODEL, Interference

NUMBER = 18
PROMISE = "nothing worse goes live"
WANTED = "10 ways blocked, alias and CURRENT unmoved, the report says why"
LONG, SMALL, SLOW = len(WAYS), 3, True


def tried(scratch: Path, count: int, say: Say) -> Seen:
    seen = Seen()
    own_store = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    with mock.patch.dict(os.environ, own_store, clear=True):
        layout = planted.project(scratch / "project")
        first = planted.night(layout, "2026-11-01")
        champion = aliases(layout)["champion"]
        seen.expect(first.outcome == "live", "the first night")
        refused = 0
        for day, (way, (what, line)) in enumerate(list(WAYS.items())[:count], 2):
            pointer = (layout.releases(MODEL) / release.CURRENT).read_bytes()
            trouble, stage = degraded(layout, f"2026-11-{day:02}", what, line)
            refused += stage
            if (layout.releases(MODEL) / release.CURRENT).read_bytes() != pointer:
                trouble = "CURRENT moved"
            elif release.verify(layout.releases(MODEL)).digest != first.digest:
                trouble = "the live release is another"
            elif aliases(layout)["champion"] != champion:
                trouble = "the alias champion moved"
            seen.expect(not trouble, f"{way}: {trouble}")
            say(f"{way}: {trouble or 'held by ' + line}")
        last = planted.night(layout, "2026-12-01", data(table("links", lambda links: links[:-40])))
        seen.expect(last.outcome == "live", f"a night that is not worse: {last.outcome}, {last.failures}")
        seen.expect(aliases(layout)["champion"] != champion, "the alias champion follows a night that is not worse")
    seen.notes.append(
        f"{min(count, len(WAYS)) - refused} held by the gate, {refused} stopped by a stage or by the reader before a verdict"
    )
    seen.notes.append(f"nights that are not worse went live before and after: {first.version} and {last.version}")
    return seen


def degraded(layout: Layout, date: str, what: Interference, line: str) -> tuple[str, bool]:
    """What is wrong with how this night ended, if anything, and whether it ended before a verdict."""
    try:
        made = planted.night(layout, date, what)
    except KindexError as error:
        return ("" if line in str(error) else f"stopped for another reason: {error}"), True
    if made.outcome != "held":
        return f"{made.version} is {made.outcome}", False
    why = next((one["reason"] for one in made.verdict["lines"] if one["metric"] == line and not one["passed"]), None)
    if why is None:
        return f"held for another reason: {made.failures}", False
    page = html.unescape((layout.releases(MODEL) / made.version / "notes" / "report.html").read_text())
    return ("" if why in page else f"the page does not say {why!r}"), False


def aliases(layout: Layout) -> dict[str, str]:
    """Name → number of the registered model, once MLflow has been told all that waits."""
    from tasks.tracking.store import connect

    told = tracking.replay(layout, insist=True)
    if told.waiting:
        raise RuntimeError(f"MLflow was not told: {told.reason}")
    found: Callable[[str], object] = connect(layout).client.get_registered_model
    return {name: str(number) for name, number in found(MODEL).aliases.items()}  # type: ignore[attr-defined]
