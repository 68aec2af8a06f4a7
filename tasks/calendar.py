"""Logical dates: which night a run belongs to. A night is the day on which the schedule last called, in the schedule's zone.

The schedule is the one of the deployment `nightly` in `infra/prefect.yaml`, 02:00 UTC as shipped. A night that begins late, or
after midnight, is still the night that was called; no change of the clocks makes or loses one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from kindex.morning.schedule import read_schedule

DAILY = re.compile(r"(\d{1,2}) (\d{1,2}) \* \* \*")
MOST_MISSED = 31
"""Nights that are made up for at most; what was missed before them stays missed."""


@dataclass(frozen=True)
class Calendar:
    """Nights are called at the time `at` of every day in `timezone` (IANA name)."""

    at: time = time(0, 0)
    timezone: str = "UTC"

    def start(self, day: date) -> datetime:
        """When the night of `day` is called, in UTC.

        A time that the clocks skip counts as if they had not been moved yet, one that comes twice counts the first time: the
        same moments at which Prefect fires, and strictly later from day to day.
        """
        there = datetime.combine(day, self.at, ZoneInfo(self.timezone))
        return min(there.replace(fold=fold).astimezone(UTC) for fold in (0, 1))

    def due(self, now: datetime) -> date:
        """The last night that was called at or before `now`, a moment with its zone."""
        there = now.astimezone(ZoneInfo(self.timezone)).date()
        return next(day for day in (there + timedelta(step) for step in (1, 0, -1, -2)) if self.start(day) <= now)


def read(layout: Layout) -> Calendar:
    """The project's calendar. A schedule that does not call once a day leaves the days of its zone, from midnight on.

    Raises `ConfigError` for a zone that nobody knows.
    """
    schedule = read_schedule(layout)
    if schedule is None:
        return Calendar()
    try:
        ZoneInfo(schedule.timezone)
    except (LookupError, ValueError, OSError):
        allowed = "an IANA name such as UTC or Europe/Berlin"
        raise ConfigError(f"timezone is {schedule.timezone!r}, allowed: {allowed}. Edit infra/prefect.yaml") from None
    found = DAILY.fullmatch(" ".join(schedule.cron.split()))
    if not found or int(found[1]) > 59 or int(found[2]) > 23:
        return Calendar(timezone=schedule.timezone)
    return Calendar(time(int(found[2]), int(found[1])), schedule.timezone)


def tonight(layout: Layout, now: datetime | None = None) -> str:
    """The logical date of a run that begins now. Raises `ConfigError`."""
    return read(layout).due(now or datetime.now(UTC)).isoformat()


def between(first: str, last: str) -> list[str]:
    """All logical dates from `first` to `last`, both included; none when `last` is before."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days)).isoformat() for days in range((end - begin).days + 1)]


def missed(former: Iterable[str], night: str) -> list[str]:
    """The nights that nobody ran between the last of `former` and `night`, at most `MOST_MISSED`, oldest first."""
    last = max((night for night in former if night), default="")
    return between(last, night)[1:-1][-MOST_MISSED:] if last else []
