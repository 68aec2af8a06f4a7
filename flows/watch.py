"""Alert when tonight is late. Run it apart from the nights, by cron or another worker: it tells when those died."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from flows.options import parser_of
from kindex.core import nights, pause
from kindex.core.errors import DamagedError, KindexError, OutsideError
from kindex.core.layout import Layout, find
from kindex.morning.standing import working
from tasks import alerts, calendar, environment, fencing
from tasks.alerts import Event

HOURS = 6.0
ABOUT = """\
Alert when the night that was called last has not ended so many hours later, because it did not begin, died, or still works.

Exit code 0: it ended, has time left, or nights are paused. 6: it is late. The same lateness is told once."""


def watch(layout: Layout, hours: float, now: datetime | None = None) -> tuple[int, str]:
    """Exit code and what there is to say; an alert when the night is late. Raises `ConfigError`."""
    environment.settle(layout)
    now = now or datetime.now(UTC)
    plan = calendar.read(layout)
    day = plan.due(now)
    called, night = plan.start(day), day.isoformat()
    if paused := pause.read(layout, now):
        return 0, f"nights are {paused}"
    if ended := last_end(layout, night):
        return 0, f"night {night} ended at {ended}"
    if now < called + timedelta(hours=hours):
        return 0, f"night {night} was called at {called:%H:%M} UTC and has until {called + timedelta(hours=hours):%H:%M} UTC"
    reason = why_late(layout, night, called)
    event = Event("late", "night", reason, look="kindex status; kindex doctor")
    notices = alerts.raise_and_send(layout, environment.server(layout), [event], night)
    return OutsideError.exit_code, "; ".join([reason, *(f"alerts: {notice}" for notice in notices)])


def last_end(layout: Layout, night: str) -> str:
    """When a run of the night ended that was not refused; an empty string when none did."""
    path = layout.nights / f"{night}.json"
    try:
        runs = nights.read_night(path).runs if path.exists() else ()
    except DamagedError:
        return ""
    return max((str(run.get("finished", "")) for run in runs if run.get("outcome") != "refused"), default="")


def why_late(layout: Layout, night: str, called: datetime) -> str:
    """What is known of a night that did not end; the same text each time that it is asked, so that it is told once."""
    began = fencing.last_started(layout)
    head = f"night {night}, called at {called:%Y-%m-%d %H:%M} UTC,"
    if not began or datetime.fromisoformat(began) < called:
        return f"{head} did not begin: does the worker run, and does its schedule call?"
    if working(layout):
        return f"{head} began at {began} and still works"
    return f"{head} began at {began} and died: run `python -m flows.nightly` to go on from there"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = parser_of("watch", ABOUT)
    parser.add_argument(
        "--hours", type=float, default=HOURS, help=f"that a night may take, from its call on (default: {HOURS:g})"
    )
    given = parser.parse_args(arguments)
    try:
        code, said = watch(find(given.root), given.hours)
    except KindexError as error:
        code, said = error.exit_code, str(error)
    print(f"watch: {said}", file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
