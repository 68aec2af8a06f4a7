"""When a night is due, on every day of a clock change."""

from datetime import UTC, datetime, timedelta

import pytest

from kindex.core.layout import Layout
from kindex.morning.schedule import Schedule, moment_of, read_schedule
from tests.projects import ROOT

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
ZONES = ("UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")


def test_the_projects_own_schedule_is_read():
    schedule = read_schedule(Layout(ROOT))
    assert schedule is not None and schedule.after(NOW) is not None
    assert schedule.before(NOW) < NOW < schedule.after(NOW)


@pytest.mark.parametrize("zone", ZONES)
def test_every_date_of_a_year_has_exactly_one_night(zone):
    schedule, moment, seen = Schedule("0 2 * * *", zone), datetime(2026, 1, 1, 12, tzinfo=UTC), []
    for _ in range(366):
        moment = schedule.after(moment)
        seen.append(moment)
    steps = {later - sooner for sooner, later in zip(seen, seen[1:])}  # noqa: RUF007
    assert len(set(seen)) == 366 and max(steps) <= timedelta(hours=25) and min(steps) >= timedelta(hours=23)
    assert schedule.before(moment + timedelta(minutes=1)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1",
        "deployments: 3",
        "deployments: [{name: other, schedules: [{cron: '0 2 * * *'}]}]",
        "deployments: [{name: nightly, schedules: [{cron: '0 2 * * *', active: false}]}]",
        "deployments: [{name: nightly, schedules: [{interval: 3600}]}, 7]",
    ],
)
def test_what_is_no_schedule_is_none(tmp_path, text):
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "prefect.yaml").write_text(text)
    assert read_schedule(Layout(tmp_path)) is None


def test_a_schedule_that_nobody_can_read_has_no_next_night():
    assert Schedule("62 2 * * *", "UTC").after(NOW) is Schedule("0 2 * * *", "Mars/Olympus").before(NOW) is None


def test_moments_are_read_in_utc():
    assert moment_of("2026-11-22T01:00:00+01:00") == datetime(2026, 11, 22, tzinfo=UTC)
    assert moment_of("2026-11-22") == datetime(2026, 11, 22, tzinfo=UTC) and moment_of(None) is None
