"""Gate → release → promote on stage outputs that are there, without DVC: what goes live, what is held, what is left alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from kindex.core import outbox, release
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, read_json
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params, load
from kindex.core.pointer import rollback
from kindex.judge import churn
from tasks import releases
from tasks.releases import Provenance, Published
from tests.ask.project import VECTORS, make_stages

MODEL = "words-pairs"
HEALTHY = {"vectors_nan": 0.0, "vectors_zero": 0.0, "vectors_collapse": 0.1}


def night(root: Path, recall: float = 0.5, turn: float = 0.0, salt: str = "", shuffle: bool = False) -> tuple[Layout, Params]:
    """Stage outputs of a night: `recall` is the report's figure, `turn` moves the vectors, so that the content differs."""
    vectors_ND = (VECTORS[::-1] if shuffle else VECTORS) + np.float32(turn)
    layout = make_stages(root, vectors_ND, recall, salt)
    report = {**HEALTHY, "link_recall_at_10": recall}
    (layout.out("evaluate", MODEL) / "report.json").write_bytes(pretty_json(report))
    targets = [f"{stage}@{'words' if stage in CATALOGUE_STAGES else MODEL}" for stage in STAGES]
    made = {"md5": f"{recall} {turn} {salt}", "size": 1}
    stages = {target: {"cmd": "make", "outs": [{"path": target, **made}]} for target in targets}
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    return layout, load(layout.params)


def publish(layout: Layout, params: Params, date: str = "2026-11-21") -> Published:
    return releases.publish(layout, params, MODEL, Provenance(date, "abc", "d" * 64))


def messages(layout: Layout) -> list[tuple[str, str]]:
    return [(message.kind, message.key) for message in outbox.pending(layout.outbox)]


def test_the_first_release_goes_live(tmp_path):
    result = publish(*night(tmp_path))
    assert (result.outcome, result.version, result.parent, result.live, result.new) == ("live", "v0001", None, "v0001", True)
    manifest = release.verify(Layout(tmp_path).releases(MODEL))
    assert manifest.digest == result.digest
    assert {name: manifest.about[name] for name in ("night", "git", "passed")} == {
        "night": "2026-11-21",
        "git": "abc",
        "passed": True,
    }
    assert messages(Layout(tmp_path)) == [("model", f"2026-11-21/{MODEL}/v0001"), ("aliases", MODEL)]


def test_the_page_names_the_release_that_it_became(tmp_path):
    layout, params = night(tmp_path)
    first = publish(layout, params)
    second = publish(*night(tmp_path, turn=0.5))
    for result in (first, second):
        page = (layout.releases(MODEL) / result.version / "notes" / "report.html").read_text()
        assert result.version in page
        assert result.digest[:12] in page


def test_doing_it_again_changes_nothing(tmp_path):
    layout, params = night(tmp_path)
    first = publish(layout, params)
    before = {path: path.read_bytes() for path in layout.releases(MODEL).rglob("*") if path.is_file()}
    waiting = messages(layout)
    again = publish(layout, params, "2026-11-22")
    assert (again.outcome, again.version, again.new) == ("live", first.version, False)
    assert {path: path.read_bytes() for path in layout.releases(MODEL).rglob("*") if path.is_file()} == before
    assert sorted(messages(layout)) == sorted(waiting)


def test_a_candidate_below_its_gate_is_held_and_the_live_one_stays(tmp_path):
    publish(*night(tmp_path))
    layout, params = night(tmp_path, recall=0.1, turn=0.5)
    result = publish(layout, params)
    assert (result.outcome, result.version, result.parent, result.live) == ("held", "v0002", "v0001", "v0001")
    assert result.failures == ["link_recall_at_10 at least 0.2: 0.1 misses 0.2"]
    assert release.current(layout.releases(MODEL)).version == "v0001"
    aliases = next(message.payload for message in outbox.pending(layout.outbox) if message.kind == "aliases")
    assert aliases == {"model": MODEL, "candidate": "v0002", "champion": "v0001"}


def test_a_better_one_goes_live_after_one_that_was_held(tmp_path):
    publish(*night(tmp_path))
    publish(*night(tmp_path, recall=0.1, turn=0.5))
    result = publish(*night(tmp_path, recall=0.6, turn=0.7))
    assert (result.version, result.parent, result.live) == ("v0003", "v0001", "v0003")


def test_a_night_with_nothing_new_finds_its_release(tmp_path):
    layout, params = night(tmp_path)
    assert releases.settled(layout, params, MODEL) is None
    made = publish(layout, params)
    found = releases.settled(layout, params, MODEL)
    assert found is not None
    assert (found.outcome, found.version, found.digest, found.live) == ("unchanged", made.version, made.digest, "v0001")
    assert found.verdict == made.verdict


@pytest.mark.parametrize("change", ["outputs", "gate", "lock", "release"])
def test_what_makes_publishing_due_again(tmp_path, change):
    layout, params = night(tmp_path)
    publish(layout, params)
    if change == "outputs":
        layout, params = night(tmp_path, turn=0.5)
    elif change == "gate":
        layout.params.write_text(layout.params.read_text().replace("at_least: 0.2", "at_least: 0.3"))
        params = load(layout.params)
    elif change == "lock":
        layout.lock("words").write_text(layout.lock("words").read_text() + " ")
    else:
        (layout.releases(MODEL) / "v0001" / "manifest.json").unlink()
    assert releases.settled(layout, params, MODEL) is None


def test_what_a_person_rolled_back_is_not_published_again(tmp_path):
    publish(*night(tmp_path))
    layout, params = night(tmp_path, turn=0.5)
    publish(layout, params)
    rollback(layout.releases(MODEL))
    assert releases.settled(layout, params, MODEL).live == "v0001"
    forced = publish(layout, params)
    assert (forced.outcome, forced.version, forced.live) == ("held", "v0002", "v0001")
    assert "rolled back by hand" in forced.trouble


def test_a_night_killed_before_the_promotion_goes_on_there(tmp_path, monkeypatch):
    layout, params = night(tmp_path)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kindex.core.pointer.promote", die)
        with pytest.raises(KeyboardInterrupt):
            publish(layout, params)
    assert release.current(layout.releases(MODEL)) is None
    assert releases.settled(layout, params, MODEL) is None
    result = publish(layout, params)
    assert (result.outcome, result.version, result.new) == ("live", "v0001", False)
    assert release.names(layout.releases(MODEL)) == ["v0001"]


def test_a_damaged_live_release_stops_the_night_by_name(tmp_path):
    layout, params = night(tmp_path)
    publish(layout, params)
    (layout.releases(MODEL) / "v0001" / "report.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"v0001/report\.json is damaged"):
        publish(*night(tmp_path, turn=0.5))


@pytest.mark.parametrize(("shuffle", "outcome"), [(False, "live"), (True, "held")])
def test_churn_against_the_live_release_can_hold_a_candidate(tmp_path, monkeypatch, shuffle, outcome):
    # with eight words everyone is among the ten nearest: count the first two
    monkeypatch.setattr(churn.compare, "__kwdefaults__", {"k": 2, "sample": 500})
    layout, params = night(tmp_path)
    publish(layout, params)
    layout, _ = night(tmp_path, salt=" again", shuffle=shuffle)
    strict = "at_least: 0.2}, {metric: neighbour_churn_at_10, at_most: 0.05}"
    layout.params.write_text(layout.params.read_text().replace("at_least: 0.2}", strict))
    result = publish(layout, load(layout.params))
    assert result.outcome == outcome, result.failures


def test_the_nights_message(tmp_path):
    layout, _ = night(tmp_path)
    made = Provenance("2026-11-21", "abc", "d" * 64)
    releases.tell_night(layout, made, "2026-11-21T02:00:00+00:00", {MODEL: "v0001 live"})
    (message,) = outbox.pending(layout.outbox)
    assert (message.kind, message.key) == ("night", "2026-11-21")
    assert message.payload == {**vars(made), "started": "2026-11-21T02:00:00+00:00", "outcome": {MODEL: "v0001 live"}}


def test_where_it_comes_from(tmp_path):
    layout, _ = night(tmp_path)
    made = releases.provenance(layout, "2026-11-21")
    assert made.night == "2026-11-21"
    assert len(made.dvc_lock_sha256) == 64
    assert read_json(tmp_path / "dvc.lock")["stages"]
