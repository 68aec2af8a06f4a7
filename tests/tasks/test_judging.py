"""A candidate beside the live release: what is compared, recorded and shown, with releases of an earlier kindex, too."""

from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq

from kindex.core import release
from kindex.core.decide import approve, reject
from kindex.core.files import pretty_json, read_json
from kindex.core.params import load
from kindex.judge.queries import queries_table, write_queries
from tasks import releases
from tests.ask.project import WORDS
from tests.tasks.test_releases import MODEL, night, publish

WHO = ("ada", "it is right", datetime(2026, 11, 21, tzinfo=UTC).isoformat())


def ask(layout, line):
    """Another threshold in the gate."""
    layout.params.write_text(layout.params.read_text().replace("at_least: 0.2}", f"at_least: 0.2}}, {line}"))
    return layout, load(layout.params)


def with_queries(layout, params, recall, count=100):
    """What each query scored, as evaluate writes it."""
    values_Q = np.full(count, recall) + np.linspace(-0.1, 0.1, count)
    scores = {"link_recall_at_10": {"word book": ([f"w{n}" for n in range(count)], values_Q)}}
    write_queries(layout.out("evaluate", MODEL) / "queries.parquet", queries_table(scores, {"word": list(WORDS)}))
    return layout, params


def test_the_first_release_has_nothing_to_be_compared_with(tmp_path):
    result = publish(*ask(night(tmp_path)[0], "{metric: neighbour_churn_at_10, at_most: 0.0}"))
    assert (result.outcome, dict(result.numbers)) == ("live", {})
    assert read_json(tmp_path / "releases" / MODEL / "v0001" / "notes" / "comparison.json") == {}


def test_numbers_names_and_page_of_a_comparison(tmp_path):
    publish(*with_queries(*night(tmp_path), 0.5))
    layout, params = with_queries(*night(tmp_path, turn=0.5), 0.5)
    refresh = {"built": "warm", "parent": {"version": "v0001"}, "compatibility": {"class": "aligned", "residual": 0.25}}
    (layout.out("train", MODEL) / "refresh.json").write_bytes(pretty_json({**refresh, "reasons": ["because"]}))
    result = publish(layout, params)
    assert result.outcome == "live"
    assert {"neighbour_churn_at_10", "vectors_norm_drift", "drift_label_psi", "shadow_overlap_at_10"} <= set(result.numbers)
    folder = layout.releases(MODEL) / result.version
    release.verify(layout.releases(MODEL))
    notes = read_json(folder / "notes" / "comparison.json")
    assert notes["numbers"] == dict(result.numbers)
    assert (notes["built"], notes["compatibility"]["class"], notes["compatibility"]["with_former"]) == (
        "warm",
        "aligned",
        True,
    )
    assert notes["shadow"]["asked"] == 8 and notes["shadow"]["failed"] == 0
    page = (folder / "notes" / "report.html").read_text()
    assert "Against live" in page and "trained anew and turned onto the parent" in page
    manifest = release.read_manifest(layout.releases(MODEL), result.version)
    assert "notes/comparison.json" in manifest.notes and "notes/comparison.json" not in manifest.files


def test_a_fall_on_the_shared_queries_holds_the_candidate(tmp_path):
    line = "{metric: link_recall_at_10, live_tolerance: 0.01}"
    publish(*ask(with_queries(*night(tmp_path), 0.5)[0], line))
    layout, _ = with_queries(*night(tmp_path, recall=0.47, turn=0.5), 0.47)
    path = layout.out("evaluate", MODEL) / "report.json"
    path.write_bytes(pretty_json({**read_json(path), "link_recall_at_10_low": 0.4, "link_recall_at_10_high": 0.54}))
    result = publish(*ask(layout, line))
    assert result.outcome == "held"
    (failure,) = result.failures
    assert "on 100 shared queries 0.47 against live 0.5, worse by 0.03" in failure


def test_a_live_release_of_an_earlier_kindex_is_compared_with_too(tmp_path):
    layout, params = night(tmp_path)
    publish(layout, params)
    manifest = release.read_manifest(layout.releases(MODEL), "v0001")
    assert not {"refresh.json", "queries.parquet"} & manifest.files.keys()
    result = publish(*night(tmp_path, turn=0.5))
    shown = read_json(layout.releases(MODEL) / result.version / "notes" / "comparison.json")
    assert shown["shadow"]["asked"] > 0, "its queries are chosen as they would have been stored"
    assert all("pair" not in row for row in shown["measures"])
    assert shown["compatibility"] == {"parent": None, "with_former": False}


def test_a_candidate_whose_index_does_not_answer_is_held(tmp_path, monkeypatch):
    from kindex.index.index import Index

    publish(*night(tmp_path))
    layout, params = night(tmp_path, turn=0.5)
    search = Index.search

    def broken(self, queries_QD, k):
        scores_QK, rows_QK = search(self, queries_QD, k)
        return scores_QK, np.full_like(rows_QK, -1)

    monkeypatch.setattr(Index, "search", broken)
    result = publish(layout, params)
    assert result.outcome == "held"
    assert any(failure.startswith("shadow_errors health: at most 0") for failure in result.failures)


def test_an_approved_release_stays_live_when_the_night_is_forced(tmp_path):
    publish(*night(tmp_path))
    layout, params = night(tmp_path, recall=0.1, turn=0.5)
    held = publish(layout, params)
    assert held.outcome == "held"
    approve(layout.releases(MODEL), held.version, *WHO)
    again = publish(layout, params, "2026-11-22")
    assert (again.outcome, again.version, again.live, again.new) == ("live", "v0002", "v0002", False)
    assert again.verdict["passed"] is False


def test_a_rejected_release_is_not_published_even_when_it_would_pass(tmp_path):
    publish(*night(tmp_path))
    layout, params = night(tmp_path, recall=0.1, turn=0.5)
    held = publish(layout, params)
    reject(layout.releases(MODEL), held.version, *WHO)
    layout.params.write_text(layout.params.read_text().replace("at_least: 0.2", "at_least: 0.05"))
    again = publish(layout, load(layout.params))
    assert again.verdict["passed"] is True
    assert (again.outcome, again.live) == ("held", "v0001")
    assert "rejected" in again.trouble


def test_a_settled_night_remembers_what_was_compared(tmp_path):
    publish(*night(tmp_path))
    layout, params = night(tmp_path, turn=0.5)
    made = publish(layout, params)
    found = releases.settled(layout, params, MODEL)
    assert found.numbers and dict(found.numbers) == dict(made.numbers)


def test_stored_queries_lie_in_the_release(tmp_path):
    layout, params = with_queries(*night(tmp_path), 0.5)
    publish(layout, params)
    table = pq.read_table(layout.releases(MODEL) / "v0001" / "queries.parquet")
    assert table.num_rows == 108
