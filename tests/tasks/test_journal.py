"""The journal of the nights: what is kept of a run, for whom, and what a damaged or a long file costs."""

import json

import pytest

from kindex.core.files import canonical_json, pretty_json, read_json
from kindex.core.layout import Layout
from kindex.core.nights import read_history, read_night
from kindex.core.params import load
from kindex.core.pointer import rollback
from kindex.core.quarantine import entry, keep_refused
from kindex.core.quarantine import table as quarantine_table
from tasks import journal, nights_page
from tasks.releases import Published
from tasks.stages import StageRun
from tests.tasks.test_releases import MODEL, night, publish

DATE = "2026-11-21"
STARTED = "2026-11-21T02:00:00+00:00"


def write(layout: Layout, runs: list[StageRun] = [], published: dict[str, Published] | None = None, **more):  # noqa: B006
    facts = {"night": DATE, "flow": "nightly", "started": STARTED, "exit_code": 0, "seconds": {"DVC": 1.23456}, "total": 2.0}
    path = journal.write(
        layout,
        load(layout.params),
        **{**facts, "runs": {run.target: run for run in runs}, "published": published or {}, **more},
    )
    assert path == layout.nights / f"{more.get('night', DATE)}.json"
    return read_json(path)["runs"][-1]


def ran(stage: str, key: str = MODEL, outcome: str = "ran", seconds: float = 1.0, why: str = "first time") -> StageRun:
    return StageRun(stage, key, outcome, why, seconds)


def test_a_published_model_keeps_its_verdict_numbers_and_stages(tmp_path):
    layout, params = night(tmp_path)
    (layout.out("validate", "words")).mkdir(parents=True)
    rows = {"items": {"in": 9, "passed": 8, "refused": 1, "refused_share": 0.1}}
    (layout.out("validate", "words") / "validation.json").write_bytes(pretty_json({"rows": rows}))
    (layout.out("train", MODEL) / "refresh.json").write_bytes(pretty_json({"built": "delta", "generation": 3, "share": 0.01}))
    compared = {"neighbour_churn_at_10": 0.25, "neighbour_churn_at_10_label_red": 0.5, "drift_rows": float("inf")}
    result = Published(**{**vars(publish(layout, params)), "numbers": compared})
    runs = [ran("evaluate"), ran("ingest", "words", "up to date", 0.1, ""), ran("train", seconds=4.56789)]
    kept = write(layout, runs, {MODEL: result}, moved=["words"])
    assert (kept["outcome"], kept["exit_code"], kept["flow"], kept["seconds"]) == ("done", 0, "nightly", {"DVC": 1.235})
    words = kept["catalogues"]["words"]
    assert (words["moved"], words["rows"], words["refused"]) == (True, {"items": 8}, {"items": 1})
    model = kept["models"][MODEL]
    assert [stage["stage"] for stage in model["stages"]] == ["train", "evaluate"]
    assert model["stages"][0]["seconds"] == 4.568
    assert (model["outcome"], model["version"], model["live"], model["built"]) == ("live", "v0001", "v0001", "delta")
    assert model["refresh"]["generation"] == 3 and model["digest"] == result.digest
    assert model["verdict"]["passed"] and model["verdict"]["lines"][0]["metric"] == "link_recall_at_10"
    assert model["numbers"]["link_recall_at_10"] == 0.5 and model["headline"]["value"] == 0.5
    assert model["churn"] == 0.25 and not {"drift_rows", "neighbour_churn_at_10_label_red"} & model["numbers"].keys()


def test_a_held_candidate_says_why_and_the_date_remembers_the_strongest(tmp_path):
    layout, params = night(tmp_path)
    write(layout, [ran("train")], {MODEL: publish(layout, params)})
    held = publish(*night(tmp_path, recall=0.1, turn=0.5))
    kept = write(layout, [ran("train")], {MODEL: held}, exit_code=4)
    assert kept["outcome"] == "held" and kept["models"][MODEL]["live"] == "v0001"
    assert kept["models"][MODEL]["verdict"]["lines"][0]["passed"] is False
    write(layout)
    (found,) = read_history(layout.nights).nights
    assert "v0002 held" not in nights_page.render(layout).read_text()  # as the page does
    assert len(found.runs) == 3 and found.model(MODEL)["outcome"] == "live" and found.outcome == "held"


def test_outcomes_follow_from_what_happened(tmp_path):
    layout, params = night(tmp_path)
    result = publish(layout, params)
    idle = Published(**{**vars(result), "outcome": "unchanged"})
    assert write(layout, [ran("train", outcome="up to date")], {MODEL: idle})["outcome"] == "unchanged"
    assert write(layout, [ran("train", outcome="restored")], {MODEL: result})["outcome"] == "done"
    failed = write(layout, [ran("ingest", "words", "failed", why="no such file")], troubles=[(3, "no such file")], exit_code=3)
    assert failed["outcome"] == "failed"
    assert failed["models"][MODEL]["outcome"] == "failed" and failed["models"][MODEL]["live"] == "v0001"
    assert failed["catalogues"]["words"]["stopped"] == "ingest@words"
    assert write(layout, troubles=[(5, "a newer night published")], exit_code=5)["outcome"] == "refused"
    assert write(layout, outcome="refused", notices=["paused"])["outcome"] == "refused"


def test_a_stopped_validation_tells_what_it_refused(tmp_path):
    layout, _ = night(tmp_path)
    rows = [entry(table, 1, "rule", "x", "here", {}) for table in ("links", "items", "links")]
    keep_refused(layout, "words", quarantine_table(rows))
    kept = write(layout, [ran("validate", "words", "failed")], troubles=[(3, "too many")], exit_code=3)
    assert kept["catalogues"]["words"]["refused"] == {"items": 1, "links": 2}


def test_secrets_surrogates_and_numbers_that_are_none_stay_out(tmp_path):
    layout, params = night(tmp_path)
    result = publish(layout, params)
    line = {"metric": "m", "rule": "at least 1", "value": float("nan"), "limit": 1, "passed": False, "reason": "r", "new": 1}
    odd = Published(**{**vars(result), "outcome": "held", "verdict": {"passed": False, "lines": [line]}})
    told = [(6, "postgresql://user:canary@db/x is down \ud800"), (6, "x" * 5000)]
    kept = write(layout, [], {MODEL: odd}, troubles=told, notices=["https://token-canary@host"], exit_code=6)
    text = (layout.nights / f"{DATE}.json").read_text(encoding="utf-8")
    assert "canary" not in text and "//***@db/x" in text and "NaN" not in text and str(tmp_path) not in text
    assert len(kept["troubles"][1][1]) == 2001
    assert kept["models"][MODEL]["verdict"]["lines"] == [
        {"metric": "m", "rule": "at least 1", "value": None, "limit": 1, "passed": False, "reason": "r"}
    ]


def test_a_rollback_is_seen_in_the_pointer(tmp_path):
    layout, params = night(tmp_path)
    publish(layout, params)
    second = publish(*night(tmp_path, turn=0.5))
    rollback(layout.releases(MODEL))
    kept = write(layout, [], {MODEL: Published(**{**vars(second), "outcome": "unchanged", "live": "v0001"})})
    assert kept["models"][MODEL]["withdrawn"] == ["v0002"] and kept["models"][MODEL]["live"] == "v0001"


def test_only_the_models_of_the_run_are_told(tmp_path):
    layout, _ = night(tmp_path)
    kept = write(layout, models=[])
    assert kept["models"] == {} and kept["catalogues"] == {}


def test_a_damaged_file_is_set_aside_and_the_date_goes_on(tmp_path):
    layout, _ = night(tmp_path)
    write(layout)
    path = layout.nights / f"{DATE}.json"
    path.write_bytes(path.read_bytes()[:40])
    assert read_history(layout.nights).damaged == (path.name,)
    write(layout)
    assert len(read_night(path).runs) == 1
    assert path.with_name(f"{path.name}.damaged").exists() and not read_history(layout.nights).damaged


def test_a_day_of_many_runs_keeps_those_that_did_something(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "MOST_RUNS", 3)
    runs = [
        {"outcome": outcome, "n": n} for n, outcome in enumerate(["unchanged", "done", "unchanged", "failed", "unchanged"])
    ]
    assert [run["n"] for run in journal.shortened(runs)] == [1, 3, 4]
    assert [run["n"] for run in journal.shortened([{**run, "outcome": "done"} for run in runs])] == [2, 3, 4]


@pytest.mark.parametrize("place", range(1, 5))
def test_a_crash_leaves_the_former_journal_whole(tmp_path, monkeypatch, place):
    layout, _ = night(tmp_path)
    write(layout)
    before = (layout.nights / f"{DATE}.json").read_bytes()
    monkeypatch.setattr("kindex.core.files._reached", 0)
    monkeypatch.setenv("KINDEX_FAULT", f"{place}:eio")
    with pytest.raises(OSError):
        write(layout)
    monkeypatch.delenv("KINDEX_FAULT")
    now = (layout.nights / f"{DATE}.json").read_bytes()
    assert now == before or (place == 4 and len(json.loads(now)["runs"]) == 2)  # 4: renamed, not yet synced
    assert [path.name for path in layout.nights.iterdir()] == [f"{DATE}.json"]


def test_history_reads_what_it_knows_and_skips_what_is_no_night(tmp_path):
    layout = Layout(tmp_path)
    assert read_history(layout.nights).nights == ()
    layout.nights.mkdir(parents=True)
    good = {"night": "2026-01-02", "runs": [{"models": {"m": {"outcome": "new-word", "live": "v1"}, "n": 7}}, "no run"]}
    files = {"2026-01-02.json": good, "2026-01-03.json": {"night": "2026-01-01", "runs": []}, "2026-01-04.json": [1]}
    for name, content in {**files, "notes.json": {}, "2026-01-05.json": {"night": "2026-01-05", "runs": []}}.items():
        (layout.nights / name).write_bytes(canonical_json(content))
    history = read_history(layout.nights)
    assert [found.date for found in history.nights] == ["2026-01-02", "2026-01-05"]
    assert history.damaged == ("2026-01-03.json", "2026-01-04.json")
    assert history.models() == ["m"] and history.nights[0].model("m")["live"] == "v1"
    last = read_history(layout.nights, newest=1)
    assert ([found.date for found in last.nights], last.earlier, last.damaged) == (["2026-01-05"], 3, ())
    assert history.nights[1].outcome == "" and history.nights[1].seconds == 0 and history.nights[1].last == {}
