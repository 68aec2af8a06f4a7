"""How everything stands, by what `kindex status` reads: releases, journal, schedule, outbox."""

import json
import os
from datetime import UTC, datetime

import pytest

from kindex.core import mutex, outbox, pause
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.pointer import rollback
from kindex.morning.members import age, failures
from kindex.morning.standing import standing
from tasks.stages import StageRun
from tests.tasks.test_journal import write
from tests.tasks.test_releases import MODEL, night, publish

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def found(layout: Layout, now: datetime = NOW) -> dict:
    told = standing(layout, load(layout.params), now)
    json.dumps(told, allow_nan=False)
    return told


@pytest.fixture
def layout(tmp_path) -> Layout:
    """One release that is live, and a candidate that its gate held the night after."""
    layout, params = night(tmp_path)
    write(layout, [StageRun("train", MODEL, "ran", "first time", 3.0)], {MODEL: publish(layout, params, "2026-11-20")})
    held = publish(*night(tmp_path, recall=0.1, turn=0.5), "2026-11-21")
    write(layout, [], {MODEL: held}, exit_code=4, night="2026-11-22")
    return layout


def test_a_project_that_never_ran_a_night(tmp_path):
    layout, _ = night(tmp_path)
    told = found(layout)
    assert told["last_night"] is None and told["working"] is None and told["next_night"]["late_since"] is None
    assert told["models"][MODEL] == {
        "live": None,
        "night": None,
        "age_days": None,
        "damaged": "",
        "candidate": None,
        "last": None,
    }
    assert told["catalogues"]["words"]["rows"] is None


def test_the_live_release_its_age_and_the_held_candidate(layout):
    told = found(layout)
    model = told["models"][MODEL]
    assert (model["live"], model["night"], model["age_days"]) == ("v0001", "2026-11-20", 3)
    assert model["candidate"]["version"] == "v0002" and "link_recall_at_10 at least 0.2" in model["candidate"]["why"][0]
    assert model["candidate"]["report"].endswith("v0002/notes/report.html")
    assert model["last"]["outcome"] == "held" and model["last"]["night"] == "2026-11-22" and model["last"]["why"]
    assert (told["last_night"]["night"], told["last_night"]["exit_code"]) == ("2026-11-22", 4)


def test_a_candidate_that_was_taken_back(layout):
    publish(*night(layout.root, recall=0.7, turn=1.0), "2026-11-23")
    rollback(layout.releases(MODEL))
    model = found(layout)["models"][MODEL]
    assert model["live"] == "v0001" and model["candidate"]["why"] == ["taken back by a person"]


def test_damage_is_told_in_its_place(layout):
    (layout.releases(MODEL) / "CURRENT").write_text("{")
    (layout.nights / "2026-11-23.json").write_text("{")
    told = found(layout)
    assert "CURRENT" in told["models"][MODEL]["damaged"] and told["models"][MODEL]["last"]["night"] == "2026-11-22"
    assert told["damaged"] == [str(layout.nights / "2026-11-23.json")]


def test_a_failed_night_says_what_failed_and_where_its_rows_went(layout):
    runs = [StageRun("validate", "words", "failed", "too many rows were refused", 1.0, exit_code=3)]
    write(layout, runs, troubles=[(3, "validate@words: too many rows were refused")], exit_code=3, night="2026-11-23")
    told = found(layout)
    assert told["last_night"]["outcome"] == "failed"
    assert told["last_night"]["troubles"] == ["validate@words: too many rows were refused"]
    assert told["models"][MODEL]["last"]["why"] == ["validate@words: too many rows were refused"]
    assert told["catalogues"]["words"]["stopped"] == "validate@words"


def test_an_unchanged_night_does_not_hide_the_one_before_it_on_the_same_date(layout):
    write(layout, night="2026-11-22")
    assert found(layout)["last_night"]["outcome"] == "held" and found(layout)["last_night"]["runs"] == 2


def test_a_night_is_late_when_none_began_since_it_was_due(layout):
    (layout.root / "infra").mkdir()
    schedule = "deployments: [{name: nightly, schedules: [{cron: '0 2 * * *', timezone: UTC}]}]"
    (layout.root / "infra" / "prefect.yaml").write_text(schedule)
    told = found(layout)["next_night"]  # the journal's runs began on the 21st
    assert told["due"] == "2026-11-24T02:00+00:00" and told["late_since"] == "2026-11-23T02:00+00:00"
    assert found(layout, NOW.replace(hour=7))["next_night"]["late_since"] is None
    write(layout, night="2026-11-23", started="2026-11-23T02:00:10+00:00")
    assert found(layout)["next_night"]["late_since"] is None
    pause.write(layout, pause.Pause("moving house", "2026-11-23T09:00+00:00", "2026-11-26T00:00+00:00"))
    told = found(layout, NOW.replace(day=25))["next_night"]
    assert told["paused"]["because"] == "moving house" and told["late_since"] is None
    assert found(layout, NOW.replace(day=26))["next_night"]["paused"] is None


def test_what_waits_and_who_works(layout):
    for message in outbox.pending(layout.outbox):
        outbox.failed(message, "no answer from https://user:canary@host")
    outbox.put(layout.outbox / "remote", "push", {"tag": "t"}, "t")
    told = found(layout)
    assert (
        told["waiting"]["messages"]["push"] == 1
        and sum(told["waiting"]["messages"].values()) == 4
        and "canary" not in told["waiting"]["reason"]
    )
    with mutex.hold(layout.mutex("night"), "the night"):
        assert found(layout)["working"] == os.getpid()
    assert found(layout)["working"] is None
    layout.mutex("night").write_text('{"pid": 4194304}')  # killed: more than Linux gives by default
    assert found(layout)["working"] is None


def test_ages_and_reasons():
    assert age("2026-11-20", NOW) == 3 and age("2026-11-24", NOW) == 0 and age("", NOW) is None
    assert failures({"lines": [{"metric": "m", "rule": "r", "reason": "x", "passed": False}, {"passed": True}, 3]}) == [
        "m r: x"
    ]
