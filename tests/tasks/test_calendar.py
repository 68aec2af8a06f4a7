"""Promise 10: exactly one night for each logical date, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from tasks import calendar
from tasks.calendar import Calendar
from tests.projects import ROOT

# two hemispheres, half an hour (Lord Howe), changes at midnight (Cairo, Santiago, Beirut); and none at all
CHANGING = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Beirut",
]
ZONES = [*CHANGING, "UTC"]
TIMES = ["00:00", "00:30", "01:30", "02:00", "02:30", "23:30"]
HOUR = timedelta(hours=1)


def clock_changes(zone: str, year: int = 2026) -> list[date]:
    """Days of the year on which the zone's offset from UTC changes."""
    there, noon = ZoneInfo(zone), datetime(year, 1, 1, 12)
    offsets = [(noon + timedelta(days)).replace(tzinfo=there).utcoffset() for days in range(366)]
    return [(noon + timedelta(days)).date() for days in range(1, 365) if offsets[days] != offsets[days - 1]]


@pytest.mark.parametrize("at", TIMES)
@pytest.mark.parametrize("zone", ZONES)
def test_each_day_of_a_year_is_called_once(zone, at):
    plan = Calendar(time.fromisoformat(at), zone)
    days = [date(2025, 12, 31) + timedelta(step) for step in range(367)]
    starts = [plan.start(day) for day in days]
    gaps = {later - earlier for earlier, later in pairwise(starts)}
    assert min(gaps) >= 22 * HOUR
    assert max(gaps) <= 26 * HOUR
    for day, start in zip(days, starts):
        assert plan.due(start) == day
        assert plan.due(start - timedelta(microseconds=1)) == day - timedelta(1)


@pytest.mark.parametrize("zone", CHANGING)
def test_a_run_every_quarter_of_an_hour_round_a_change_meets_every_date_once_and_in_order(zone):
    days = clock_changes(zone)
    assert len(days) == 2
    for day in days:
        for at in TIMES:
            plan = Calendar(time.fromisoformat(at), zone)
            begin = datetime.combine(day, time(), UTC) - 60 * HOUR
            met = [plan.due(begin + step * HOUR / 4) for step in range(120 * 4)]
            assert met == sorted(met)
            assert sorted(set(met)) == [min(met) + timedelta(step) for step in range(len(set(met)))]


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_what_prefect_fires_is_one_night_for_each_date(zone):
    """Prefect's own schedule, asked anew every seven hours as its scheduler does: no date is lost, none comes twice."""
    import asyncio

    from prefect.server.schemas.schedules import CronSchedule

    for at in TIMES:
        plan = Calendar(time.fromisoformat(at), zone)
        schedule = CronSchedule(cron=f"{plan.at.minute} {plan.at.hour} * * *", timezone=zone)
        fired = set()
        for day in clock_changes(zone) or [date(2026, 3, 29)]:
            for step in range(-12, 12):
                asked = datetime.combine(day, time(), UTC) + 7 * step * HOUR
                fired |= {one.astimezone(UTC) for one in asyncio.run(schedule.get_dates(n=2, start=asked))}
        nights = [plan.due(one) for one in sorted(fired)]
        assert len(set(nights)) == len(nights), (zone, at)
        for first in clock_changes(zone):
            assert {first + timedelta(step) for step in range(-2, 3)} <= set(nights), (zone, at)
        assert all(plan.start(night) == one for night, one in zip(nights, sorted(fired)))


def project(tmp_path, schedule: str) -> Layout:
    (tmp_path / "infra").mkdir()
    text = f"deployments:\n  - name: nightly\n    schedules:\n      - {{{schedule}}}\n"
    (tmp_path / "infra" / "prefect.yaml").write_text(text)
    return Layout(tmp_path)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ('cron: "30 4 * * *", timezone: Europe/Berlin', Calendar(time(4, 30), "Europe/Berlin")),
        ('cron: "0  2 * * *"', Calendar(time(2), "UTC")),
        ('cron: "0 */6 * * *", timezone: Asia/Tokyo', Calendar(time(0), "Asia/Tokyo")),
        ("interval: 20", Calendar()),
    ],
)
def test_the_calendar_is_the_schedules(tmp_path, schedule, expected):
    assert calendar.read(project(tmp_path, schedule)) == expected


def test_the_calendar_as_shipped_and_without_a_schedule(tmp_path):
    assert calendar.read(Layout(ROOT)) == Calendar(time(2), "UTC")
    assert calendar.read(Layout(tmp_path)) == Calendar()


def test_an_unknown_zone_is_named_with_the_file_to_edit(tmp_path):
    with pytest.raises(ConfigError, match=r"timezone is 'Berlin', allowed: an IANA name.*Edit infra/prefect\.yaml"):
        calendar.read(project(tmp_path, 'cron: "0 2 * * *", timezone: Berlin'))


def test_a_night_that_begins_after_midnight_is_still_the_night_that_was_called():
    plan = Calendar(time(23, 55))
    assert plan.due(datetime(2026, 11, 22, 0, 5, tzinfo=UTC)) == date(2026, 11, 21)


def test_missed_nights_are_those_between():
    assert calendar.missed(["2026-11-17", "2026-11-18"], "2026-11-21") == ["2026-11-19", "2026-11-20"]
    assert calendar.missed([], "2026-11-21") == []
    assert calendar.missed(["2026-11-20"], "2026-11-21") == []
    assert calendar.missed(["2026-11-21"], "2026-11-21") == []
    assert calendar.missed(["2026-11-25"], "2026-11-21") == []
    assert calendar.missed(["2026-01-01"], "2026-11-21")[0] == "2026-10-21", "a month at most"
