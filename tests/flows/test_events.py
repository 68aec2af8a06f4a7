"""What of a night is told, and to whom: events, the artifacts of a flow run, a night's alerts over real HTTP."""

import json
from types import SimpleNamespace

import pytest

from flows import running, telling, unopened
from flows.artifacts import markdown
from flows.events import events
from flows.options import Options
from flows.summary import Account, ModelAccount
from kindex.core import outbox
from kindex.core.errors import BusyError, ConfigError
from kindex.core.layout import Layout
from tasks.links import address
from tasks.releases import Published
from tests.flows.pretending import pretend
from tests.flows.test_night import night
from tests.projects import LINKED, PARAMS, PICTURED
from tests.tasks.hearing import hearing

FAILED_LINE = {"metric": "link_recall_at_10", "rule": "at least 2", "reason": "it is 0.9", "passed": False}
HELD = Published(LINKED, "held", "v0002", "ab" * 32, "v0001", "v0001", True, {"passed": False, "lines": [FAILED_LINE]})
LIVE = Published(PICTURED, "live", "v0001", "ab" * 32, None, "v0001", True)


@pytest.fixture
def layout(tmp_path) -> Layout:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Layout(tmp_path)


def test_a_held_model_names_its_failed_lines_its_report_and_the_comparison(layout):
    made, _ = night(layout)
    made.record.published = {LINKED: HELD, PICTURED: LIVE}
    held, fine, rest = events(made)
    assert (held.kind, held.subject) == ("held", LINKED)
    assert held.reason == "v0002 is held back. link_recall_at_10 at least 2: it is 0.9"
    assert held.report == str(layout.releases(LINKED) / "v0002" / "notes" / "report.html")
    assert held.look == f"kindex diff {LINKED} v0001 v0002"
    assert (fine.kind, fine.subject, rest.kind, rest.subject) == ("fine", PICTURED, "fine", "night")


def test_a_candidate_that_an_earlier_night_held_is_neither_told_again_nor_fine(layout):
    made, _ = night(layout, LINKED)
    made.record.published = {LINKED: Published(LINKED, "unchanged", "v0002", "ab" * 32, "v0001", "v0001", False)}
    assert events(made) == []


def test_what_belongs_to_no_model_is_the_nights(layout):
    made, _ = night(layout)
    made.record.published = {LINKED: LIVE, PICTURED: LIVE}
    made.record.troubles = [(6, "the share is not mounted")]
    made.left_out = "nobody ran 2026-11-19 to 2026-11-20"
    told = {(event.kind, event.subject): event.reason for event in events(made)}
    assert told[("failed", "night")] == "the share is not mounted"
    assert "2026-11-19 to 2026-11-20" in told[("skipped", "night")]


def test_nights_are_heard_of_when_they_fail_are_held_recover_are_skipped_or_refused(tmp_path, monkeypatch):
    with hearing() as heard:
        monkeypatch.setenv("KINDEX_ALERT_URLS", heard.url())
        made = pretend(tmp_path, monkeypatch)
        made.outcomes = {("2026-11-21", LINKED): "failed", ("2026-11-21", PICTURED): "held"}
        assert running.by_hand("nightly", Options(), made.body) == 3
        made.later(days=2)
        running.deployed("nightly", Options(scheduled=True), made.body)
        unopened.refused("nightly", Options("2026-11-24"), BusyError("the night is busy: held by process 7"))
        unopened.refused("nightly", Options("2026-11-24"), ConfigError("params.yaml is wrong"))
        made.later(days=1)
        assert running.by_hand("nightly", Options(), made.body) == 0
    told = [title.removeprefix("kindex: ") for title in heard.titles]
    assert told == [
        f"{LINKED} failed (night 2026-11-21)",
        f"{PICTURED} held (night 2026-11-21)",
        f"{LINKED} recovered (night 2026-11-23)",
        f"{PICTURED} recovered (night 2026-11-23)",
        "night skipped (night 2026-11-23)",
        "night skipped (night 2026-11-24)",
        "night failed (night 2026-11-24)",
        "night recovered (night 2026-11-24)",
    ]
    refused = json.loads((made.layout.nights / "2026-11-24.json").read_text())["runs"][:2]
    assert [(run["outcome"], run["exit_code"]) for run in refused] == [("refused", 5), ("refused", 2)]


def test_alerts_and_the_journal_that_fail_are_notices_and_the_exit_code_stays(tmp_path, monkeypatch, capsys):
    def broken(*arguments, **named):
        raise OSError(28, "No space left on device")

    made = pretend(tmp_path, monkeypatch)
    monkeypatch.setattr("tasks.journal.write", broken)
    monkeypatch.setattr("tasks.alerts.raise_and_send", broken)
    assert running.by_hand("nightly", Options(), made.body) == 0
    said = capsys.readouterr().out
    assert "notice: the journal: [Errno 28] No space left on device" in said
    assert "notice: alerts: [Errno 28] No space left on device" in said


def test_the_page_of_a_flow_run_shows_text_as_text(layout):
    nasty = "a|b <script>x</script> [x](http://evil)"
    models = [
        ModelAccount(LINKED, [], HELD, report=str(layout.root / "r.html")),
        ModelAccount(PICTURED, [], None, live="v0007"),
    ]
    text = markdown(layout, "nightly", Account("2026-11-21", models, False, {}, 42.4, [(3, nasty)], ["MLflow is down"], {}, 4))
    assert f"| {LINKED} | v0002 held, v0001 live | 0 of 1 lines<br>link\\_recall\\_at\\_10" in text
    assert f"[report](file://{layout.root}/r.html)" in text
    assert f"| {PICTURED} | none; v0007 stays live |  |  |" in text
    assert "<script" not in text
    assert "](http://evil" not in text.replace("\\]", "")
    assert "notice: MLflow is down" in text
    assert "[All nights](file://" in text


def test_links_go_over_http_where_the_project_is_served(layout, monkeypatch):
    monkeypatch.setenv("KINDEX_PAGES_URL", "https://kindex.example.org/books/")
    page = layout.releases(LINKED) / "v 1" / "report.html"
    assert address(layout, page) == f"https://kindex.example.org/books/releases/{LINKED}/v%201/report.html"
    assert address(layout, "/elsewhere/x", "file://") == "file:///elsewhere/x"
    monkeypatch.setenv("KINDEX_PAGES_URL", "javascript:alert(1)//")
    assert address(layout, page, "file://") == f"file://{page}"


def test_a_release_is_tagged_once_and_what_waits_is_pushed_at_the_end(layout, monkeypatch):
    tagged, pushed = [], []

    def tag(layout, params, model, manifest, night):
        tagged.append(f"{model}@{night}.1")
        return tagged[-1]

    def push(layout):
        pushed.append([message.payload["tag"] for message in outbox.pending(layout.outbox / "remote")])
        return SimpleNamespace(waiting=1, reason="refused")

    monkeypatch.setattr("tasks.tags.tag", tag)
    monkeypatch.setattr("tasks.remote.push", push)
    monkeypatch.setattr("tasks.remote.configured", lambda layout: "storage")
    monkeypatch.setattr("kindex.core.release.read_manifest", lambda *_: SimpleNamespace(about={"night": "2026-11-20"}))
    made, _ = night(layout)
    made.record.published = {PICTURED: LIVE}
    for _ in range(2):
        telling.keep(made, PICTURED)
    assert tagged == [f"{PICTURED}@2026-11-20.1"], "named by the night that made it"
    assert pushed == [], "no model waits for the remote"
    telling.replay(made)
    assert pushed == [tagged]
    assert made.record.notices == ["the DVC remote: 1 tag waits to be pushed (refused)"]
