"""The choice by budget: against a slow reference on made tables, whatever the clock says, and when nothing fits."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from kindex.core.params import IndexParams, parse
from kindex.core.space import METRICS, Space, write_space
from kindex.index.budget import excess, frontier, missed, preference
from kindex.index.build import build
from kindex.index.index import Trial, load
from tests.index.test_index import clustered
from tests.stages import small_project


def made_up(rng: np.random.Generator, rows: int) -> list[Trial]:
    """Few distinct values, so that there are ties and trials that keep none, some or all limits."""
    recall, size, us = (
        rng.choice([0.8, 0.9, 0.95, 1.0], rows),
        rng.choice([10, 20, 40], rows),
        rng.choice([50, 100, 300], rows),
    )
    wrong = rng.random(rows) < 0.1
    return [
        Trial(f"kind{n}", "fixed", float(recall[n]), float(size[n]), 0.5 if wrong[n] else 0.0, float(us[n]))
        for n in range(rows)
    ]


def slow_choice(trials: list[Trial], params: IndexParams) -> Trial:
    """In words, with lists: who is faithful; of these who fits, or comes nearest; of these the cheapest."""

    def over(trial: Trial) -> float:
        shares = [0.0]
        if params.p95_ms is not None:
            shares.append((trial.predicted_p95_us or 0) / 1000 / params.p95_ms - 1)
        if params.bytes_per_vector is not None:
            shares.append(trial.bytes_per_vector / params.bytes_per_vector - 1)
        return max(shares)

    def recall(trial: Trial) -> float:
        return 0.0 if trial.score_error > 0.01 else min(trial.index_recall_at_10, params.index_recall_at_10)

    left = [trial for trial in trials if recall(trial) == max(map(recall, trials))]
    left = [trial for trial in left if over(trial) == min(map(over, left))]
    by_bytes = params.p95_ms is not None and params.bytes_per_vector is None
    for cost in ("bytes_per_vector", "predicted_p95_us") if by_bytes else ("predicted_p95_us", "bytes_per_vector"):
        left = [trial for trial in left if getattr(trial, cost) == min(getattr(other, cost) for other in left)]
    return next(trial for trial in left if trial.index_recall_at_10 == max(other.index_recall_at_10 for other in left))


def test_the_choice_is_that_of_a_slow_reference() -> None:
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(400):
        trials = made_up(rng, int(rng.integers(1, 9)))
        limits = {"p95_ms": rng.choice([None, 0.01, 0.1]), "bytes_per_vector": rng.choice([None, 5.0, 20.0])}
        params = IndexParams(kind="budget", index_recall_at_10=float(rng.choice([0.85, 0.95, 1.0])), **limits)
        chosen = min(trials, key=lambda trial: preference(trial, params))
        assert chosen is slow_choice(trials, params), (params, trials)
        assert (excess(chosen, params) == 0) == (missed(chosen, params) == "")
        seen.add((excess(chosen, params) > 0, params.p95_ms is None, params.bytes_per_vector is None))
    assert len(seen) == 8  # with and without either limit, kept and missed


def test_the_frontier_is_what_nothing_beats() -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        trials = made_up(rng, 8)
        for place, marked in enumerate(frontier(trials)):
            mine = trials[place]
            beaten = False
            for other in trials:
                no_worse = (
                    other.index_recall_at_10 >= mine.index_recall_at_10
                    and other.bytes_per_vector <= mine.bytes_per_vector
                    and (other.predicted_p95_us or 0) <= (mine.predicted_p95_us or 0)
                )
                better = (
                    other.index_recall_at_10 > mine.index_recall_at_10
                    or other.bytes_per_vector < mine.bytes_per_vector
                    or (other.predicted_p95_us or 0) < (mine.predicted_p95_us or 0)
                )
                beaten = beaten or (no_worse and better)
            assert marked == replace(mine, frontier=not beaten)


def test_the_clock_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    space, params = clustered(600, 16), IndexParams(kind="budget", sample=60)
    plain = build(space, params)
    plain.save(tmp_path / "plain.faiss")
    rng = np.random.default_rng(0)
    for clock in ("thread_time_ns", "perf_counter", "process_time"):
        monkeypatch.setattr(time, clock, lambda: int(rng.integers(1, 2**40)))
    wild = build(space, params)
    wild.save(tmp_path / "wild.faiss")
    assert (tmp_path / "plain.faiss").read_bytes() == (tmp_path / "wild.faiss").read_bytes()
    assert [trial.row() for trial in plain.trials] == [trial.row() for trial in wild.trials]
    assert [trial.measured() for trial in plain.trials] != [trial.measured() for trial in wild.trials]
    assert not {"p50_us", "p95_us", "build_seconds", "queries_per_second"} & set(plain.trials[0].row())
    build(space, IndexParams(kind=plain.factory, sample=60)).save(tmp_path / "pinned.faiss")
    assert (tmp_path / "plain.faiss").read_bytes() == (tmp_path / "pinned.faiss").read_bytes()


@pytest.mark.parametrize("metric", METRICS)
def test_limits_are_kept_and_the_file_is_plain_faiss(metric: str, tmp_path: Path) -> None:
    import faiss

    space = clustered(900, 24, metric)
    index = build(space, IndexParams(kind="budget", bytes_per_vector=60, sample=100))
    assert index.budget_excess == 0 and index.index_recall_at_10 >= 0.95
    index.save(tmp_path / "thing.faiss")
    assert (tmp_path / "thing.faiss").stat().st_size / 900 <= 60
    assert load(tmp_path / "thing.faiss", index.about()).about() == index.about()
    chosen = [trial for trial in index.trials if trial.chosen]
    assert [trial.factory for trial in chosen] == [index.factory] and chosen[0].frontier
    assert {trial.factory for trial in index.trials}.isdisjoint({"Flat", "HNSW16", "IVF128,Flat"})  # above 60 bytes: not built
    scores_QK, rows_QK = index.search(space.vectors_ND[:20], 10)
    plain = faiss.read_index(str(tmp_path / "thing.faiss"))
    found_QK, _ = plain.search(space.search_ND[:20].copy(), 10)
    np.testing.assert_allclose(np.sort(found_QK), np.sort(scores_QK), rtol=1e-4)
    true_QN = space.search_ND[:20] @ space.search_ND.T
    np.testing.assert_allclose(scores_QK, np.take_along_axis(true_QN, rows_QK, 1), atol=0.02 * np.abs(true_QN).max())


def test_an_impossible_budget_takes_the_nearest_faithful_one_and_says_by_how_much() -> None:
    space = clustered(600, 16)
    index = build(space, IndexParams(kind="budget", bytes_per_vector=2, sample=60))
    chosen = next(trial for trial in index.trials if trial.chosen)
    assert index.index_recall_at_10 >= 0.95
    assert index.budget_excess == pytest.approx(chosen.bytes_per_vector / 2 - 1)
    faithful = [trial for trial in index.trials if trial.index_recall_at_10 >= 0.95 and trial.score_error <= 0.01]
    assert chosen.bytes_per_vector == min(trial.bytes_per_vector for trial in faithful)
    assert {"Flat", "HNSW16"} <= {trial.factory for trial in index.trials}  # all were built, for none keeps the limit
    line = missed(chosen, IndexParams(kind="budget", bytes_per_vector=2))
    assert (
        line
        == f"bytes_per_vector is {chosen.bytes_per_vector:.4g}, {chosen.bytes_per_vector / 2 - 1:.1%} above the limit of 2"
    )
    fast = build(space, IndexParams(kind="budget", p95_ms=1e-6, sample=60))
    assert fast.budget_excess is not None and fast.budget_excess > 100 and fast.index_recall_at_10 >= 0.95


@pytest.mark.parametrize("count", [1, 2, 9])
@pytest.mark.parametrize("dimensions", [1, 7, 50])
def test_tiny_spaces_have_a_budget_too(count: int, dimensions: int) -> None:
    space = clustered(count, dimensions, "dot")
    index = build(space, IndexParams(kind="budget", p95_ms=5))
    assert index.index_recall_at_10 >= 0.95 and index.budget_excess == 0
    assert sorted(index.search(space.vectors_ND[:1], 10)[1][0].tolist()) == list(range(count))


def test_vectors_beyond_half_precision_are_not_kept_in_it() -> None:
    space = clustered(600, 16)
    large = Space("large", space.ids, space.vectors_ND * np.float32(1e6), "dot")
    index = build(large, IndexParams(kind="budget", p95_ms=1, sample=60))
    assert "fp16" not in index.factory and index.index_recall_at_10 >= 0.95
    scores_QK, rows_QK = index.search(large.vectors_ND[:10], 5)
    true_QN = large.vectors_ND[:10] @ large.vectors_ND.T
    np.testing.assert_allclose(scores_QK, np.take_along_axis(true_QN, rows_QK, 1), rtol=0.05)


def test_limits_are_checked_in_the_first_second() -> None:
    def params(**block: object) -> IndexParams:
        raw = {
            "catalogues": {"a": {"source": {"kind": "files"}, "checks": {}, "split": {}}},
            "models": {"a-b": {"catalogue": "a", "family": "pairs"}},
            "indexes": {"a-b": block},
            "gates": {"a-b": []},
            "evaluate": {},
        }
        return parse(raw).indexes["a-b"]

    assert params(kind="budget", p95_ms=2, bytes_per_vector=100).bytes_per_vector == 100
    with pytest.raises(ConfigError, match=r"indexes\.a-b.*p95_ms is 2.*only kind: budget keeps; kind is 'auto'.*params\.yaml"):
        params(p95_ms=2)
    with pytest.raises(ConfigError, match=r"bytes_per_vector is 0.0, allowed: above 0"):
        params(kind="budget", bytes_per_vector=0.0)
    with pytest.raises(ConfigError, match=r"index_recall_at_10 is 1.2, allowed: above 0, up to 1"):
        params(index_recall_at_10=1.2)


def test_the_stage_keeps_the_table_without_a_clock_and_says_what_was_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout(tmp_path)
    write_space(layout.out("train", "small-model") / "spaces" / "thing.parquet", small_project.space_of(600))
    params = small_project.params("pairs")
    params.indexes["small-model"] = IndexParams(kind="budget", bytes_per_vector=3, sample=40)
    out, costs = small_project.run("index", layout, params)
    again, _ = small_project.run("index", layout, params, "-again")
    assert small_project.contents(out) == small_project.contents(again)
    about = json.loads((out / "thing.json").read_text())
    assert about["budget_excess"] > 1
    said = capsys.readouterr().err
    assert f"indexes.small-model: no index of thing keeps the budget. Nearest: {about['factory']} " in said
    assert "bytes_per_vector is" in said and "above the limit of 3" in said
    table = json.loads((out / "table.json").read_text())
    measured = costs["measured"]["thing"]  # type: ignore[index]
    assert list(measured) == [f"{row['factory']} {row['setting']}" for row in table]
    assert all({"p50_us", "p95_us", "build_seconds"} <= set(row) for row in measured.values())


def test_the_page_shows_what_was_measured_beside_what_was_predicted() -> None:
    from kindex.judge.page.account import index_table

    row = Trial("IVF64,Flat", "nprobe=4", 0.97, 80.0, 0.0, 41.5, 9000.0, 30.0, 44.4, 0.5, frontier=True)
    costs = {"index": {"measured": {"thing": {"IVF64,Flat nprobe=4": row.measured()}}}}
    shown = index_table({"index_table": [{"kind": "thing", **row.row()}]}, costs)
    assert shown is not None and shown["timed"]
    assert (shown["rows"][0]["p95"], shown["rows"][0]["frontier"], shown["rows"][0]["chosen"]) == ("44.40", True, False)
    assert "41.50" in shown["rows"][0]["cells"]
    bare = index_table({"index_table": [{"kind": "thing", **row.row()}]}, {})
    assert bare is not None and not bare["timed"]


@pytest.mark.slow
def test_a_gate_can_hold_a_missed_budget(tmp_path: Path) -> None:
    from kindex.core.params import Threshold
    from kindex.judge.gate import check_names
    from kindex.judge.gate import judge as gate

    layout = small_project.linked_project(tmp_path)
    params = small_project.params("pairs")
    params.indexes["small-model"] = IndexParams(kind="budget", bytes_per_vector=4, sample=20)
    out, _ = small_project.run("index", layout, params)
    evaluated, _ = small_project.run("evaluate", layout, params)
    report = json.loads((evaluated / "report.json").read_text())
    worst = max(json.loads((out / f"{kind}.json").read_text())["budget_excess"] for kind in ("book", "reader"))
    assert report["index_budget_excess"] == pytest.approx(worst) and worst > 1
    line = Threshold(metric="index_budget_excess", at_most=0)
    check_names([line], "gates.small-model")
    assert not gate(report, None, [line]).passed and gate(report | {"index_budget_excess": 0.0}, None, [line]).passed
