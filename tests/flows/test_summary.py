"""The words at the end of a night, on values."""

import pytest

from flows.summary import WIDTH, Account, ModelAccount, as_rows, headline, named, summary, times
from tasks.releases import Published
from tasks.stages import StageRun

EVIDENCE = {
    "headline": {
        "metric": "link_recall_at_10",
        "value": 0.44,
        "low": 0.42,
        "high": 0.4571,
        "better": "higher",
        "baselines": {"SVD": 0.345, "popularity": 0.0251},
    },
    "report": {"index_recall_at_10": 0.9961},
    "examples": [
        {"id": f"q{n}", "label": "torch", "hits": [{"id": f"h{n}{k}", "score": 0.9 - k / 10} for k in range(5)]}
        for n in range(6)
    ],
}
PASSED = {"passed": True, "lines": [{"metric": "m", "rule": "at least 0.9", "reason": "", "passed": True}] * 6}
LIVE = Published("m", "live", "v0003", "3fa9" * 16, "v0002", "v0003", True, PASSED)
LOW = {"metric": "link_recall_at_10", "rule": "at least 0.9", "reason": "0.44 misses 0.9", "passed": False}
HELD = Published("m", "held", "v0004", "aa" * 32, "v0003", "v0003", True, {"passed": False, "lines": [*PASSED["lines"], LOW]})
RUNS = [
    StageRun("ingest", "c", "up to date", "", 0.1),
    StageRun("train", "m", "ran", "models.m.dimensions changed", 41.26, 39.0),
]


def account(**changes: object) -> Account:
    given = {
        "night": "2026-11-21",
        "models": [ModelAccount("m", RUNS, LIVE, EVIDENCE, "/p/releases/m/v0003/notes/report.html")],
        "unchanged": False,
        "seconds": {"work": 39.0, "imports": 2.3, "DVC": 1.0, "MLflow": 0.01},
        "total": 43.02,
        "exit_code": 0,
    }
    return Account(**{**given, **changes})


def test_a_night_that_published():
    assert summary(account()).splitlines() == [
        "night 2026-11-21",
        "",
        "m",
        "  stages      ingest    up to date     0.1 s",
        "              train     ran           41.3 s  models.m.dimensions changed",
        "  quality     link recall@10 0.440 [0.420, 0.457]",
        "              baselines: SVD 0.345, popularity 0.025",
        "  index       index recall@10 0.996",
        "  gate        passed, 6 of 6 lines",
        "  release     v0003 3fa93fa93fa9, live (new; parent v0002)",
        "  neighbours  q0 (torch): h00 0.90, h01 0.80, h02 0.70",
        "              q1 (torch): h10 0.90, h11 0.80, h12 0.70",
        "              q2 (torch): h20 0.90, h21 0.80, h22 0.70",
        "              q3 (torch): h30 0.90, h31 0.80, h32 0.70",
        "              q4 (torch): h40 0.90, h41 0.80, h42 0.70",
        "  report      /p/releases/m/v0003/notes/report.html",
        "",
        "time  43.0 s: work 39.0, imports 2.3, DVC and starting stages 1.0",
        "pages `make ui` opens Prefect's and MLflow's pages on this machine",
    ]


def test_a_night_with_nothing_new_is_one_line_and_the_time():
    lines = summary(account(unchanged=True)).splitlines()
    assert lines == [
        "night 2026-11-21: unchanged, no stage ran and no release was made (m v0003 live)",
        "time  43.0 s: work 39.0, imports 2.3, DVC and starting stages 1.0",
    ]


def test_an_unchanged_night_still_names_a_candidate_that_waits():
    lines = summary(account(unchanged=True, models=[ModelAccount("m", [], HELD)])).splitlines()
    assert "(m v0004 held, v0003 live)" in lines[0]


def test_a_held_candidate_says_which_line_failed():
    text = summary(account(models=[ModelAccount("m", RUNS, HELD, EVIDENCE)]))
    assert "FAILED, 6 of 7 lines passed" in text
    assert "link_recall_at_10 at least 0.9: 0.44 misses 0.9" in text
    assert "v0004 aaaaaaaaaaaa, held back: v0003 stays live" in text


def test_what_stopped_and_what_went_without():
    text = summary(account(troubles=[(3, "validate@c: too many rows")], notices=["MLflow is down"], exit_code=3))
    assert "stopped: validate@c: too many rows (exit code 3)" in text
    assert "notice: MLflow is down" in text
    text = summary(account(troubles=[(3, "in.csv has no column 'a'\ntable   column\nin.csv  \x1ba")], exit_code=3))
    assert "stopped: in.csv has no column 'a' (exit code 3)\n  table   column\n  in.csv  \N{REPLACEMENT CHARACTER}a\n" in text


def test_no_line_is_wider_than_a_log_and_no_id_reaches_the_terminal_raw():
    nasty = {**EVIDENCE, "examples": [{"id": "x\x1b[31m\u202ered" + "y" * 300, "hits": [{"id": "a\nb", "score": 1.0}]}]}
    text = summary(account(models=[ModelAccount("m", RUNS, LIVE, nasty)]))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_line_holds_as_many_neighbours_as_fit_whole():
    long = [{"id": letter * 40, "score": 0.5} for letter in "abc"]
    text = summary(account(models=[ModelAccount("m", RUNS, LIVE, {**EVIDENCE, "examples": [{"id": "q", "hits": long}]})]))
    assert f"q: {'a' * 40} 0.50\n" in text, "the second would have been cut"


@pytest.mark.parametrize("evidence", [{}, {"headline": None}, {"headline": {"metric": "x", "value": None}}])
def test_a_missing_figure_is_said_to_be_missing(evidence):
    assert headline(evidence) == ["not measured"]


def test_a_figure_that_should_be_small_says_so():
    head = {"metric": "reconstruction_mse", "value": 0.0123, "better": "lower", "baselines": {"PCA": 0.02}}
    assert headline({"headline": head}) == ["reconstruction mse 0.012 (lower is better)", "baselines: PCA 0.020"]


def test_a_label_that_the_id_says_already_is_left_out():
    assert named({"id": "torch.nn", "label": "torch"}) == "torch.nn"
    assert named({"id": "digit-0588", "label": "8"}) == "digit-0588 (8)"


def test_pages_that_answer_are_named():
    assert summary(account(pages={"prefect": "http://a", "mlflow": "http://b"})).endswith(
        "pages mlflow http://b, prefect http://a"
    )


def test_the_time_goes_by_size():
    assert times(account(seconds={"imports": 1.0, "work": 5.0, "releases": 2.0})).startswith(
        "time  43.0 s: work 5.0, gate and releases 2.0, imports 1.0"
    )


def test_rows_of_the_table_in_prefect():
    assert as_rows(RUNS)[1] == {
        "target": "train@m",
        "outcome": "ran",
        "why": "models.m.dimensions changed",
        "seconds": "41.3",
    }
