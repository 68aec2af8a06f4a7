"""A night is its logical date. Round every day of a year on which a clock of six zones changes, and for six hours at which
nights may be called, a schedule calls too often, late and twice; the computer's clock goes back by hours, and by days;
nights are started by hand with the same date again. The flow, its fence, its journal and its calendar are the real ones,
and so are the releases that each night makes; stages are pretended. At the end each date has exactly one release, none is
left out, they came in order, and a clock that went back by days made nothing.

Prefect's own calendar is asked, too: what it fires in those weeks is one night for each date.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import running
from flows.night import Night
from flows.options import Options
from kindex.core import publish, release
from kindex.core.pointer import promote
from tasks.calendar import Calendar
from tasks.releases import Published
from tests.flows.pretending import Pretended, pretend
from tests.projects import LINKED, PICTURED
from tests.reliability import Seen
from tests.tasks.test_calendar import CHANGING, TIMES, clock_changes, test_what_prefect_fires_is_one_night_for_each_date

NUMBER = 10
PROMISE = "clocks: every DST day, the same date twice, a clock that jumps back"
WANTED = "every DST day of a year × 6 zones; exactly one release per logical date"
LONG, SMALL, SLOW = 12, 1, False
DAYS = 2  # before and after the change


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """`count` days on which a clock changes, of the twelve that six zones have; with each, all hours of `TIMES`."""
    seen, calls = Seen(), Counter[str]()
    days = [(zone, day) for zone in CHANGING for day in clock_changes(zone)][:count]
    for zone, day in days:
        for at in TIMES if count >= LONG else TIMES[3:4]:
            with pretended(scratch / f"{zone}-{day}-{at}".replace("/", "-").replace(":", "")) as made:
                made.plan = Calendar(time.fromisoformat(at), zone)
                round_a_change(made, day, f"{zone} {day}, called at {at}", seen, calls)
    if count >= LONG:
        for zone in CHANGING:
            by_prefect(zone, seen)
    say(f"{len(days)} days, {sum(calls.values())} starts")
    zones = len({zone for zone, _ in days})
    seen.notes.append(
        f"{len(days)} days in {zones} zones: " + ", ".join(f"{many:,} {what}" for what, many in sorted(calls.items()))
    )
    return seen


@contextlib.contextmanager
def pretended(folder: Path) -> Iterator[Pretended]:
    folder.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        yield pretend(folder, patch)


def round_a_change(made: Pretended, day: date, where: str, seen: Seen, calls: Counter[str]) -> None:
    """From `DAYS` before to `DAYS` after: a start every five hours, every fourth one by hand again, every fifth with a wrong
    clock before it."""
    body = releasing(made)
    made.now, end = made.plan.start(day - timedelta(DAYS)), made.plan.start(day + timedelta(DAYS))
    step = 0
    while made.now <= end:
        if step % 5 == 2:
            backwards(made, body, f"{where}, start {step}", seen)
            calls["starts with a clock that went back"] += 2
        quietly(running.deployed, Options(scheduled=True), body)
        calls["starts by the schedule"] += 1
        if step % 4 == 1:
            seen.expect(quietly(running.by_hand, Options(), body) == 0, f"{where}, start {step}: by hand again")
            calls["starts by hand"] += 1
        made.later(hours=5)
        step += 1
    wanted = [(day + timedelta(offset)).isoformat() for offset in range(-DAYS, DAYS + 1)]
    wanted = [night for night in wanted if night <= made.plan.due(made.now - timedelta(hours=5)).isoformat()]
    for model in (LINKED, PICTURED):
        nights = [str(manifest.about["night"]) for manifest in release.versions(made.layout.releases(model))]
        seen.expect(nights == wanted, f"{where}: {model} has releases of {nights}, wanted {wanted}")
        calls["releases"] += len(nights)


def backwards(made: Pretended, body: Callable[[Night], None], where: str, seen: Seen) -> None:
    """A clock that goes back by hours stays in its night; by days it is refused, and nothing is written. Then it is right."""
    right, before = made.now, len(made.ran)
    made.later(hours=-7)
    quietly(running.deployed, Options(scheduled=True), body)
    made.later(days=-3)
    code = quietly(running.by_hand, Options(), body)
    seen.expect(code == 6 and len(made.ran) == before, f"{where}: a clock three days back ended with {code}")
    made.now = right


def releasing(made: Pretended) -> Callable[[Night], None]:
    """A night whose releases hold what is known on its date, so that the same date again is the same release."""

    def body(night: Night) -> None:
        date = night.options.night
        made.ran.append(date)
        for model in night.models:
            releases = made.layout.releases(model)
            live = release.current(releases)
            manifest, new = publish.build(releases, model, {"data.txt": date.encode()}, {}, {"night": date})
            night.require_current()
            promote(releases, manifest.version, live.version if live else None)
            outcome, former = "live" if new else "unchanged", live.version if live else None
            night.record.published[model] = Published(
                model, outcome, manifest.version, manifest.digest, former, manifest.version, True
            )

    return body


def quietly(run: Callable[..., Any], options: Options, body: Callable[[Night], None]) -> Any:
    """What a start returns, without its words."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return run("nightly", options, body)


def by_prefect(zone: str, seen: Seen) -> None:
    try:
        test_what_prefect_fires_is_one_night_for_each_date(zone)
        seen.expect(True, zone)
    except AssertionError as error:
        seen.expect(False, f"what Prefect fires in {zone}: {error}")
