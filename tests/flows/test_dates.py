"""Promise 10 in its small form: one night for each logical date, by schedule, by hand, and after a clock that went back."""

import json
import shutil
from datetime import time, timedelta

import pytest

from flows import backfill, running
from flows.options import Options
from kindex.core import pause
from kindex.core.errors import ConfigError
from kindex.core.pause import Pause
from tasks.calendar import Calendar
from tests.flows.pretending import Pretended, pretend
from tests.projects import LINKED, PICTURED
from tests.tasks.test_calendar import CHANGING, TIMES, clock_changes


@pytest.fixture
def made(tmp_path, monkeypatch) -> Pretended:
    return pretend(tmp_path, monkeypatch)


def scheduled(made: Pretended, **options) -> str:
    return running.deployed("nightly", Options(scheduled=True, **options), made.body)


def by_hand(made: Pretended, **options) -> int:
    return running.by_hand("nightly", Options(**options), made.body)


def test_a_scheduled_night_that_comes_twice_is_left_alone_and_one_that_failed_is_not(made):
    made.outcomes[("2026-11-21", PICTURED)] = "failed"
    with pytest.raises(Exception, match="exit code 3"):
        scheduled(made)
    made.outcomes.clear()
    assert scheduled(made) == ""
    assert scheduled(made) == "night 2026-11-21 is done already. Nothing ran; --force runs it again"
    assert made.ran == ["2026-11-21", "2026-11-21"]


@pytest.mark.parametrize("outcome", ["held", "unchanged"])
def test_a_night_that_was_held_or_unchanged_is_done(made, outcome):
    made.outcomes = {("2026-11-21", model): outcome for model in (LINKED, PICTURED)}
    if outcome == "held":
        with pytest.raises(Exception, match="exit code 4"):
            scheduled(made)
    else:
        scheduled(made)
    assert "done already" in scheduled(made)


def test_a_night_of_one_model_is_not_the_others(made):
    assert by_hand(made, models=(LINKED,)) == 0
    assert scheduled(made) == ""
    assert made.ran == ["2026-11-21", "2026-11-21"]


def test_by_hand_the_same_date_may_run_again(made):
    assert [by_hand(made), by_hand(made)] == [0, 0]
    journal = json.loads((made.layout.nights / "2026-11-21.json").read_text())
    assert [run["flow"] for run in journal["runs"]] == ["nightly", "nightly"]


LONG = [pytest.param(zone, 2, marks=pytest.mark.slow) for zone in CHANGING]


@pytest.mark.parametrize(("zone", "days"), [("Europe/Berlin", 1), ("Africa/Cairo", 1), *LONG])
def test_round_a_clock_change_runs_that_come_late_twice_and_too_often_make_one_night_for_each_date(made, zone, days):
    for day in clock_changes(zone)[:days]:
        for at in TIMES if days > 1 else ("00:30", "02:30"):
            made.plan, made.ran = Calendar(time.fromisoformat(at), zone), []
            made.now = made.plan.start(day - timedelta(2))
            while made.now <= made.plan.start(day + timedelta(2)):
                scheduled(made)
                made.later(hours=5)
            assert made.ran == sorted(set(made.ran)), "no date twice"
            wanted = [(day + timedelta(step)).isoformat() for step in range(-2, 2)]
            assert made.ran[:4] == wanted, "and none left out"
            shutil.rmtree(made.layout.var)


def test_a_clock_that_goes_back_by_hours_stays_in_its_night_and_by_days_is_refused(made, capsys):
    scheduled(made)
    made.later(hours=-5)  # the calendar would say yesterday
    assert "night 2026-11-21 is done already" in scheduled(made)
    made.later(days=-3)
    assert by_hand(made) == 6
    assert "the clock went back" in capsys.readouterr().err
    made.later(days=10)
    assert by_hand(made) == 0
    assert made.ran == ["2026-11-21", "2026-11-27"]


def test_missed_nights_are_left_or_run_as_the_parameter_says(made, capsys):
    scheduled(made)
    made.later(days=3)
    scheduled(made)
    assert "nobody ran 2026-11-22 to 2026-11-23" in notes(made, "2026-11-24")
    made.later(days=3)
    scheduled(made, missed="each")
    assert made.ran == ["2026-11-21", "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"]
    made.later(days=2)
    assert by_hand(made, missed="each") == 0
    assert made.ran[-2:] == ["2026-11-28", "2026-11-29"]


def notes(made: Pretended, night: str) -> str:
    return "\n".join(json.loads((made.layout.nights / f"{night}.json").read_text())["runs"][-1]["notices"])


def test_paused_nights_are_left_out_and_are_not_missed(made, capsys):
    scheduled(made)
    pause.write(made.layout, Pause("the disk is moved", "2026-11-21T09:00+00:00"))
    made.later(days=1)
    assert "the disk is moved" in scheduled(made)
    assert by_hand(made) == 0
    assert "`kindex resume` ends the pause" in capsys.readouterr().out
    pause.clear(made.layout)
    made.later(days=1)
    scheduled(made, missed="each")
    assert made.ran == ["2026-11-21", "2026-11-23"]
    pause.write(made.layout, Pause("again", "2026-11-23T09:00+00:00"))
    assert by_hand(made, again=True) == 0
    assert made.ran[-1] == "2026-11-23", "a person who insists"


def filled(made: Pretended, *arguments: str) -> int:
    return backfill.main(arguments)


def test_backfill_runs_the_dates_in_order_and_leaves_out_those_that_are_done(made, monkeypatch, capsys):
    monkeypatch.setattr(backfill, "nightly", made.body)
    made.later(days=-3)
    by_hand(made)
    made.later(days=3)
    assert filled(made, "--from", "2026-11-18", "--to", "2026-11-21") == 0
    assert made.ran == ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]
    assert "3 of 4 nights to run" in capsys.readouterr().out
    assert filled(made, "--from", "2026-11-18", "--to", "2026-11-21") == 0
    assert len(made.ran) == 4
    assert filled(made, "--from", "2026-11-20", "--to", "2026-11-21", "--force", "--only", LINKED) == 0
    assert made.ran[4:] == ["2026-11-20", "2026-11-21"]


def test_backfill_goes_on_after_data_that_is_refused_and_stops_at_what_breaks(made, monkeypatch, capsys):
    def body(night):
        made.body(night)
        if night.options.night == "2026-11-20":
            night.record.troubles.append((2, "params.yaml is wrong"))

    monkeypatch.setattr(backfill, "nightly", body)
    made.outcomes[("2026-11-19", LINKED)] = "failed"
    assert filled(made, "--from", "2026-11-18", "--to", "2026-11-21") == 2
    assert made.ran == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert "stopped at 2026-11-20; 1 nights are left" in capsys.readouterr().err


def test_backfill_before_the_last_night_is_refused(made, monkeypatch, capsys):
    monkeypatch.setattr(backfill, "nightly", made.body)
    by_hand(made)
    assert filled(made, "--from", "2026-11-18", "--to", "2026-11-20") == 2
    assert "Sources are read as they are now" in capsys.readouterr().err
    assert made.ran == ["2026-11-21"]
    assert [path.stem for path in made.layout.nights.glob("*.json")] == ["2026-11-21"], "a slip is no night"


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [("2026-11-20", "2026-11-19", "lies after"), ("2026-11-20", "2026-11-22", "allowed: up to tonight's date, 2026-11-21")],
)
def test_a_wrong_range_is_refused(made, first, last, message):
    with pytest.raises(ConfigError, match=message):
        backfill.backfill(Options(), first, last)
