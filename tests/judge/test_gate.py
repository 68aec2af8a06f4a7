"""The gate: each rule on both sides of its limit, in both directions, with and without intervals; and ten degradations."""

import json
import math

import pytest

from kindex.core.errors import ConfigError
from kindex.core.params import Threshold
from kindex.judge.compared import NUMBERS
from kindex.judge.gate import HEALTH, better, check_names, judge
from kindex.judge.measures import MEASURES
from kindex.judge.paired import Pair

CHURNED = {"neighbour_churn_at_10": 0.1}
HEALTHY = {"vectors_nan": 0.0, "vectors_zero": 0.0, "vectors_collapse": 0.3}


def line(report, live=None, *, compared=None, **rule):
    """The line of one threshold on the metric `m` (or `metric`)."""
    threshold = Threshold(**{"metric": "m", **rule})
    return judge({**HEALTHY, **report}, live, [threshold], compared).lines[0]


@pytest.mark.parametrize(
    ("value", "rule", "passed"),
    [
        (0.95, {"at_least": 0.95}, True),
        (0.9499, {"at_least": 0.95}, False),
        (0.2, {"at_most": 0.2}, True),
        (0.2001, {"at_most": 0.2}, False),
    ],
)
def test_floors_and_ceilings_include_their_limit_and_ignore_intervals(value, rule, passed):
    found = line({"m": value, "m_low": 0.0, "m_high": 1.0}, **rule)
    assert (found.passed, found.value, found.limit) == (passed, value, next(iter(rule.values())))


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "by", "passed"),
    [
        ("m", 0.31, None, None, 0.0, True),
        ("m", 0.30, None, None, 0.0, False),  # a draw is no win
        ("m", 0.29, None, None, 0.0, False),
        ("m", 0.35, None, None, 0.05, True),  # exactly the margin, in spite of binary fractions
        ("m", 0.34, None, None, 0.05, False),
        ("m", 0.36, 0.31, 0.41, 0.05, True),  # the low end need only be ahead, not ahead by the margin
        ("m", 0.36, 0.29, 0.43, 0.05, False),  # ahead, but within noise
        ("m", 0.36, 0.30, 0.42, 0.05, False),
        ("m_mse", 0.29, None, None, 0.0, True),
        ("m_mse", 0.31, None, None, 0.0, False),
        ("m_mse", 0.25, 0.20, 0.29, 0.05, True),
        ("m_mse", 0.25, 0.10, 0.31, 0.05, False),
        ("m_mse", 0.27, 0.26, 0.28, 0.05, False),
    ],
)
def test_beats_wants_a_proven_lead(metric, value, low, high, by, passed):
    ends = {} if low is None else {f"{metric}_low": low, f"{metric}_high": high}
    assert line({metric: value, "base": 0.30, **ends}, metric=metric, beats="base", by=by).passed is passed


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "passed"),
    [
        ("m", 0.50, None, None, True),
        ("m", 0.48, None, None, True),  # at the tolerance
        ("m", 0.479, None, None, False),
        ("m", 0.479, 0.40, 0.499, False),  # even the best end is worse than live: proven
        ("m", 0.479, 0.40, 0.501, True),  # live is inside: noise
        ("m", 0.70, 0.6, 0.8, True),
        ("m", 0.495, 0.49, 0.499, True),  # proven, but tolerated
        ("m_mse", 0.52, None, None, True),
        ("m_mse", 0.53, None, None, False),
        ("m_mse", 0.53, 0.51, 0.55, False),
        ("m_mse", 0.53, 0.49, 0.57, True),
        ("m_mse", 0.30, 0.29, 0.31, True),
    ],
)
def test_a_fall_below_live_blocks_when_it_is_large_and_proven(metric, value, low, high, passed):
    ends = {} if low is None else {f"{metric}_low": low, f"{metric}_high": high}
    found = line({metric: value, **ends}, {metric: 0.50}, metric=metric, live_tolerance=0.02)
    assert found.passed is passed
    assert found.limit == pytest.approx(0.48 if metric == "m" else 0.52)


def test_without_a_live_figure_the_line_passes_and_says_why():
    assert line({"m": 0.1}, None, live_tolerance=0.02).reason == "no live release to compare with"
    for live in ({}, {"m": math.nan}):
        found = line({"m": 0.1}, live, live_tolerance=0.02)
        assert (found.passed, found.reason) == (True, "the live release has no such figure")


def test_missing_metrics_are_failed_lines_that_name_the_known_ones():
    found = line({"link_recall_at_10": 0.5}, metric="link_recal_at_10", at_least=0.1)
    assert not found.passed
    assert "did you mean link_recall_at_10" in found.reason
    assert "the report has no base" in line({"m": 1.0}, beats="base").reason
    verdict = judge({}, None, [])
    assert not verdict.passed
    assert [line.metric for line in verdict.failures] == list(HEALTH)


def test_every_measure_improves_the_way_that_the_report_says():
    for measure in MEASURES:
        if measure.better != "none":
            assert better(measure.name) == measure.better, measure.name
            for _, baseline in measure.beside:
                assert better(baseline) == measure.better, baseline


GATE = [
    Threshold(metric="link_recall_at_10", beats="popularity_link_recall_at_10", by=0.05),
    Threshold(metric="link_recall_at_10", live_tolerance=0.02),
    Threshold(metric="index_recall_at_10", at_least=0.95),
    Threshold(metric="reconstruction_mse", beats="pca_reconstruction_mse"),
    Threshold(metric="reconstruction_mse", live_tolerance=0.01),
    Threshold(metric="neighbour_churn_at_10", at_most=0.5),
]
GOOD = {
    **HEALTHY,
    "link_recall_at_10": 0.50,
    "link_recall_at_10_low": 0.48,
    "link_recall_at_10_high": 0.52,
    "popularity_link_recall_at_10": 0.20,
    "index_recall_at_10": 0.99,
    "reconstruction_mse": 0.05,
    "pca_reconstruction_mse": 0.08,
}


def test_the_good_candidate_passes():
    verdict = judge(GOOD, GOOD, GATE, CHURNED)
    assert verdict.passed and verdict.failures == ()
    assert len(verdict.lines) == len(GATE) + len(HEALTH)


@pytest.mark.parametrize(
    ("change", "churn", "blamed"),
    [
        ({"link_recall_at_10": 0.40, "link_recall_at_10_high": 0.42}, 0.1, "link_recall_at_10"),
        ({"link_recall_at_10": 0.22, "link_recall_at_10_low": 0.2, "link_recall_at_10_high": 0.6}, 0.1, "link_recall_at_10"),
        ({"popularity_link_recall_at_10": 0.47}, 0.1, "link_recall_at_10"),
        ({"index_recall_at_10": 0.90}, 0.1, "index_recall_at_10"),
        ({"reconstruction_mse": 0.09}, 0.1, "reconstruction_mse"),
        ({"vectors_nan": 1}, 0.1, "vectors_nan"),
        ({"vectors_zero": 1}, 0.1, "vectors_zero"),
        ({"vectors_collapse": 0.99}, 0.1, "vectors_collapse"),
        ({"link_recall_at_10": math.nan}, 0.1, "link_recall_at_10"),
        ({"coverage_at_10": math.inf}, 0.1, "coverage_at_10"),  # no threshold asks for it
        ({}, 0.9, "neighbour_churn_at_10"),
        ({}, None, "neighbour_churn_at_10"),
    ],
)
def test_each_way_of_being_worse_is_blocked_and_blamed(change, churn, blamed):
    verdict = judge({**GOOD, **change}, GOOD, GATE, None if churn is None else {"neighbour_churn_at_10": churn})
    assert not verdict.passed
    assert {line.metric for line in verdict.failures} == {blamed}
    assert all(line.reason for line in verdict.failures)


def test_the_verdict_is_json_even_with_nan():
    verdict = judge({**GOOD, "index_recall_at_10": math.nan}, None, GATE, CHURNED)
    written = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert written["passed"] is False
    (failed,) = (line for line in written["lines"] if not line["passed"])
    assert failed == {
        "metric": "index_recall_at_10",
        "rule": "at least 0.95",
        "value": None,
        "limit": None,
        "passed": False,
        "reason": "index_recall_at_10 is nan, which is not a finite number",
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"metric": "link_recal_at_10", "at_least": 0.1},
            r"gates\.m\.0\.metric is 'link_recal_at_10': did you mean link_recall_at_10",
        ),
        ({"metric": "mrr", "beats": "popularty_mrr"}, r"gates\.m\.0\.beats is 'popularty_mrr': did you mean popularity_mrr"),
    ],
)
def test_a_misspelt_metric_is_found_before_the_night(line, said):
    with pytest.raises(ConfigError, match=said):
        check_names([Threshold(**line)], "gates.m")


def test_every_number_of_a_report_may_be_gated():
    known = [
        "link_recall_at_10_low",
        "svd_ndcg_at_20",
        "pca_reconstruction_mse",
        "vectors_zero",
        "neighbour_churn_at_10",
        "queries",
    ]
    check_names([Threshold(metric=name, at_most=1.0) for name in known], "gates.m")


@pytest.mark.parametrize(
    ("metric", "difference", "low", "high", "passed"),
    [
        ("m", -0.01, -0.015, -0.005, True),  # proven, but tolerated
        ("m", -0.03, -0.04, -0.02, False),  # proven
        ("m", -0.03, -0.07, 0.01, True),  # noise
        ("m", 0.05, 0.04, 0.06, True),
        ("m_mse", 0.03, 0.02, 0.04, False),
        ("m_mse", 0.03, -0.01, 0.07, True),
        ("m_mse", -0.05, -0.06, -0.04, True),
    ],
)
def test_shared_queries_decide_where_there_are_enough(metric, difference, low, high, passed):
    pair = Pair(1950, 0.5, 0.5 + difference, low, high)
    # the reports alone would say the opposite: their values are of other queries, their intervals wide
    value = 0.5 if not passed else 0.5 + (0.3 if metric == "m_mse" else -0.3)
    report = {metric: value, f"{metric}_low": value, f"{metric}_high": value, **HEALTHY}
    verdict = judge(report, {metric: 0.5}, [Threshold(metric=metric, live_tolerance=0.02)], None, {metric: pair})
    assert verdict.lines[0].passed is passed
    assert "on 1,950 shared queries" in verdict.lines[0].reason
    assert judge(report, {metric: 0.5}, [Threshold(metric=metric, live_tolerance=0.02)]).lines[0].passed is not passed


def test_without_a_live_release_a_threshold_on_both_together_passes_and_says_so():
    threshold = Threshold(metric="neighbour_churn_at_10_golden", at_most=0.1)
    (found, *_) = judge(HEALTHY, None, [threshold]).lines
    assert (found.passed, found.value, found.reason) == (True, None, "no live release to compare with")
    assert not judge(HEALTHY, HEALTHY, [threshold], {}).passed, "with one it must be there"


def test_a_shadow_run_with_errors_fails_unasked():
    verdict = judge(HEALTHY, HEALTHY, [], {"shadow_errors": 2.0})
    assert [line.metric for line in verdict.failures] == ["shadow_errors"]


@pytest.mark.parametrize(("gap", "failures"), [(0.1, []), (0.101, ["shadow_index_gap"])])
def test_an_index_that_is_not_what_it_says_of_itself_fails_unasked(gap, failures):
    verdict = judge(HEALTHY, HEALTHY, [], {"shadow_index_gap": gap})
    assert [line.metric for line in verdict.failures] == failures


def test_numbers_of_two_releases_may_be_gated():
    names = [*NUMBERS, "neighbour_churn_at_10_label_torch", "drift_rows_links"]
    check_names([Threshold(metric=name, at_most=1.0) for name in names], "gates.m")
    with pytest.raises(ConfigError, match="did you mean neighbour_churn_at_10_golden"):
        check_names([Threshold(metric="neighbour_churn_at_10_goldn", at_most=1.0)], "gates.m")
