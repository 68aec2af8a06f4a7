"""`kindex status`, `plan` and `nights`, by what people read. The commands are called without the rest of the command line."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from kindex.cli import morning
from kindex.core import pause
from kindex.core.files import pretty_json
from kindex.core.quarantine import entry, keep_refused
from kindex.core.quarantine import table as quarantine_table
from tasks.stages import StageRun
from tests.tasks.test_journal import write
from tests.tasks.test_releases import MODEL, night, publish

FORECAST = {
    "night": "2026-11-22",
    "catalogues": {"words": {"moves": True, "why": "its source has changed"}},
    "stages": [
        {"stage": "ingest", "key": "words", "state": "stale", "why": "locks/words.json will move"},
        {"stage": "train", "key": MODEL, "state": "follows", "why": "if ingest@words gives other bytes than before"},
        {"stage": "index", "key": MODEL, "state": "current", "why": ""},
    ],
    "judged": {MODEL: False},
}


@pytest.fixture
def layout(tmp_path, monkeypatch):
    layout, params = night(tmp_path)
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    (layout.out("validate", "words")).mkdir(parents=True)
    rows = {"items": {"in": 1000, "passed": 998, "refused": 2, "refused_share": 0.002}}
    (layout.out("validate", "words") / "validation.json").write_bytes(pretty_json({"rows": rows}))
    runs = [StageRun("ingest", "words", "ran", "first time", 1.5), StageRun("train", MODEL, "ran", "first time", 65.0)]
    write(layout, runs, {MODEL: publish(layout, params, "2026-11-20")}, moved=["words"], total=70.0)
    return layout


@pytest.fixture
def kindex(layout, monkeypatch):
    """Exit code and what was printed."""
    app = typer.Typer()
    for command in (morning.status, morning.plan, morning.nights):
        app.command()(command)
    monkeypatch.setattr(morning, "ask", lambda layout, models: FORECAST)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return done.exit_code, done.output

    return run


def test_status_is_a_page_of_text(layout, kindex):
    code, text = kindex("status")
    assert code == 0
    assert re.search(r"^last night  2026-11-21: done in 1 min 10 s, finished ", text, re.M)
    assert "no schedule: infra/prefect.yaml" in text
    assert re.search(rf"^{MODEL}  v0001  2026-11-20  \d+ days? +2026-11-21 live$", text, re.M)
    assert re.search(r"^words +998 +2 \(0.20%\) +2026-11-21 +2026-11-21 +kindex quarantine words$", text, re.M)
    assert re.search(r"^waiting     messages for outside systems: 1 aliases, 1 model$", text, re.M)


def test_status_of_a_held_night_names_the_reason_and_where_to_look(layout, kindex):
    held = publish(*night(layout.root, recall=0.1, turn=0.5), "2026-11-22")
    write(layout, [], {MODEL: held}, exit_code=4, night="2026-11-22")
    text = kindex("status")[1]
    assert "2026-11-22: held (exit code 4)" in text
    assert f"{MODEL}: v0002 is held: link_recall_at_10 at least 0.2: 0.1 misses 0.2" in text
    assert "v0002/notes/report.html" in text


def test_status_of_a_stopped_catalogue_and_of_text_that_wants_to_move_the_cursor(layout, kindex):
    keep_refused(layout, "words", quarantine_table([entry("items", 1, "rule", "x", "here", {})]))
    runs = [StageRun("validate", "words", "failed", "\x1b[2Jtoo many\nand more", exit_code=3)]
    write(layout, runs, troubles=[(3, "\x1b[2Jtoo many\nand more")], exit_code=3, night="2026-11-22")
    text = kindex("status")[1]
    assert "\x1b" not in text and "\\x1b[2Jtoo many" in text and "and more" not in text
    assert "stopped at validate@words" in text and "unknown" in text


def test_status_for_a_program(layout, kindex):
    told = json.loads(kindex("status", "--json")[1])
    assert told["models"][MODEL]["live"] == "v0001" and told["catalogues"]["words"]["share"] == 0.002


def test_status_while_paused(layout, kindex):
    pause.write(layout, pause.Pause("moving house", "2026-11-21T00:00+00:00", "2999-01-01T00:00+00:00"))
    assert "paused until 2999-01-01 00:00 UTC: moving house. `kindex resume` lets nights go on" in kindex("status")[1]


def test_plan_says_what_why_and_how_long(layout, kindex):
    code, text = kindex("plan")
    assert code == 0
    assert re.search(r"^words +will move +its source has changed$", text, re.M)
    assert re.search(r"^ingest@words +will run  1.5 s, 1 run +locks/words.json will move$", text, re.M)
    assert re.search(rf"^train@{MODEL} +may run   1 min 05 s, 1 run of another kind +if ingest", text, re.M)
    assert f"{MODEL}: full expected: the live release is of a version without deltas" in text
    assert "in all about 1 min 10 s, from 1 min 10 s to 1 min 10 s" in text
    told = json.loads(kindex("plan", "--json")[1])
    assert told["builds"][MODEL]["built"] == "full" and told["total"]["median"] == 70.0


def test_plan_with_nothing_to_do(layout, kindex, monkeypatch):
    current = [{**one, "state": "current", "why": ""} for one in FORECAST["stages"]]
    monkeypatch.setattr(morning, "ask", lambda layout, models: {**FORECAST, "stages": current, "judged": {MODEL: True}})
    assert "nothing is stale: no stage will run\n" in kindex("plan")[1]
    monkeypatch.setattr(morning, "ask", lambda layout, models: {**FORECAST, "stages": current})
    assert f"but {MODEL} will be judged again by the gate as it is now" in kindex("plan")[1]


def test_a_forecast_that_fails_keeps_its_exit_code(layout):
    with pytest.raises(morning.ForecastError) as failed:
        morning.ask(layout, ())
    assert failed.value.exit_code == 2 and "no dvc.yaml" in str(failed.value)


def test_nights_makes_the_page(layout, kindex):
    code, text = kindex("nights")
    assert code == 0 and text.strip() == str(layout.nights / "index.html")
    assert "modules" not in (layout.nights / "index.html").read_text() and MODEL in (layout.nights / "index.html").read_text()
