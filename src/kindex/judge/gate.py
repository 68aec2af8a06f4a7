"""The gate: may this candidate go live? Pure: numbers and thresholds in, a verdict with a reason for every line out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kindex.core.errors import ConfigError, choices
from kindex.core.params import Threshold
from kindex.judge.compared import NUMBERS as COMPARED
from kindex.judge.compared import is_compared
from kindex.judge.measures import is_name, names
from kindex.judge.paired import Pair

LOWER_ENDS = ("_mse", "_loss", "_perplexity", "_bias", "_hubness", "_median_rank")
LOWER_BEGINS = (
    *("vectors_", "neighbour_churn", "uncovered_", "hubness", "drift_", "shadow_errors", "shadow_index_gap"),
    *("index_budget_", "index_p95_", "index_bytes_"),
)
"""How the names of metrics end or begin whose smaller values are better, whatever baseline's name stands in front."""

HEALTH = {"vectors_nan": 0.0, "vectors_zero": 0.0, "vectors_collapse": 0.9}
"""Judged in every gate, without being asked: the most that each may be. See `kindex.judge.health`."""

HEALTH_AGAINST = {"shadow_errors": 0.0, "shadow_index_gap": 0.1}
"""The same, where a live release was compared with. See `kindex.ask.shadow`."""

_ROUNDING = 1e-9  # 0.15 - 0.10 is a lead of 0.05


@dataclass(frozen=True)
class Line:
    """One rule applied. `value` and `limit` are None where there is none, or where it is not a finite number."""

    metric: str
    rule: str
    value: float | None
    limit: float | None
    passed: bool
    reason: str


@dataclass(frozen=True)
class Verdict:
    """`passed` when every line did."""

    passed: bool
    lines: tuple[Line, ...]

    @property
    def failures(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if not line.passed)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"passed": self.passed, "lines": [asdict(line) for line in self.lines]}


def better(metric: str) -> Literal["higher", "lower"]:
    """Which way `metric` improves."""
    return "lower" if metric.endswith(LOWER_ENDS) or metric.startswith(LOWER_BEGINS) else "higher"


def check_names(thresholds: Sequence[Threshold], where: str) -> None:
    """Raise `ConfigError`, before a night is spent on it, for a metric that no report has; `where` is the gate's block."""
    known = {*names(), *COMPARED}
    for place, threshold in enumerate(thresholds):
        for key, name in (("metric", threshold.metric), ("beats", threshold.beats)):
            if name is not None and name not in known and not (is_name(name) or is_compared(name)):
                raise ConfigError(f"{where}.{place}.{key} is {name!r}: {choices(name, known)}. Edit params.yaml")


def judge(
    report: Mapping[str, float],
    live: Mapping[str, float] | None,
    thresholds: Sequence[Threshold],
    compared: Mapping[str, float] | None = None,
    pairs: Mapping[str, Pair] | None = None,
) -> Verdict:
    """Judge a candidate's flat `report` against `thresholds` and against the `live` release's report (None: no live one).

    `compared` are the numbers of the candidate and the live release together, such as `neighbour_churn_at_10`
    (`kindex.judge.comparison`); without a live release a threshold on one of them passes and says so. `<metric>_low` and
    `<metric>_high`, where a report has them, are its 95 % interval. They enter by who bears the burden of proof:

    - `at_least`, `at_most` are plain floors and ceilings for the value: an interval does not excuse it.
    - `beats`: the candidate must prove that it earns its keep. The value must lead by `by`, and the pessimistic end of its
      interval must still be on the right side of the other metric.
    - `live_tolerance`: a fall must be proven before it blocks. It must be larger than the tolerance, and not within noise:
      where `pairs` has the metric, over the queries that both releases share, by the paired bootstrap, whose whole interval
      must lie on the worse side; else by the candidate's own interval, whose optimistic end must be worse than live.

    Comparing the candidate's own interval with the other's value is sound, too, only wider: the two were measured on the same
    held-out queries, and with a correlation of at least one half between them the standard error of the difference,
    sqrt(s1² + s2² - 2 r s1 s2), is at most the candidate's own (s1 = s2).

    A metric that is missing, or NaN or infinite anywhere in `report`, is a failed line, never an exception. Where `live`
    cannot be compared with, the line passes and says so: else a new metric could never come into use.
    """
    numbers = {**report, **(compared or {})}
    asked = [_line(threshold, numbers, live, pairs or {}) for threshold in thresholds]
    limits = HEALTH | {metric: limit for metric, limit in HEALTH_AGAINST.items() if metric in (compared or {})}
    health = [_health(metric, limit, numbers) for metric, limit in limits.items()]
    lines = (*asked, *health, *_not_finite(numbers, {line.metric for line in (*asked, *health)}))
    return Verdict(all(line.passed for line in lines), lines)


def _line(
    threshold: Threshold, report: Mapping[str, float], live: Mapping[str, float] | None, pairs: Mapping[str, Pair]
) -> Line:
    metric, rule = threshold.metric, describe(threshold)
    value = _finite(report, metric)
    if live is None and value is None and is_compared(metric):
        return Line(metric, rule, None, None, True, "no live release to compare with")
    if value is None:
        return Line(metric, rule, None, None, False, _absent(metric, report))
    if threshold.at_least is not None:
        return _bound(metric, rule, value, threshold.at_least, value >= threshold.at_least)
    if threshold.at_most is not None:
        return _bound(metric, rule, value, threshold.at_most, value <= threshold.at_most)
    if threshold.beats is not None:
        return _beats(threshold, rule, value, report)
    return _live(threshold, rule, value, report, live, pairs.get(metric))


def describe(threshold: Threshold) -> str:
    """The rule for people, e.g. 'beats popularity_link_recall_at_10 by 0.05'."""
    if threshold.at_least is not None:
        return f"at least {threshold.at_least:g}"
    if threshold.at_most is not None:
        return f"at most {threshold.at_most:g}"
    if threshold.beats is not None:
        return f"beats {threshold.beats}" + (f" by {threshold.by:g}" if threshold.by else "")
    return f"not worse than live by more than {threshold.live_tolerance:g}"


def _bound(metric: str, rule: str, value: float, limit: float, passed: bool) -> Line:
    return Line(metric, rule, value, limit, passed, "" if passed else f"{value:.4g} misses {limit:g}")


def _beats(threshold: Threshold, rule: str, value: float, report: Mapping[str, float]) -> Line:
    metric, other = threshold.metric, _finite(report, str(threshold.beats))
    if other is None:
        return Line(metric, rule, value, None, False, _absent(str(threshold.beats), report))
    sign = 1.0 if better(metric) == "higher" else -1.0
    limit = other + sign * threshold.by
    lead = sign * (value - other)
    if lead <= 0 or lead < threshold.by - _ROUNDING:
        return Line(metric, rule, value, limit, False, f"{value:.4g} against {other:.4g} is a lead of {lead:.4g}")
    worst = _finite(report, f"{metric}_low" if sign > 0 else f"{metric}_high")
    if worst is not None and sign * (worst - other) <= 0:
        reason = f"the lead over {other:.4g} is within noise: the interval of {value:.4g} reaches {worst:.4g}"
        return Line(metric, rule, value, limit, False, reason)
    return Line(metric, rule, value, limit, True, "")


def _live(
    threshold: Threshold,
    rule: str,
    value: float,
    report: Mapping[str, float],
    live: Mapping[str, float] | None,
    pair: Pair | None,
) -> Line:
    metric = threshold.metric
    former = _finite(live or {}, metric)
    if former is None:
        reason = "no live release to compare with" if live is None else "the live release has no such figure"
        return Line(metric, rule, value, None, True, reason)
    sign = 1.0 if better(metric) == "higher" else -1.0
    tolerance = threshold.live_tolerance or 0.0
    limit, fall = former - sign * tolerance, sign * (former - value)
    if pair is not None:
        return Line(metric, rule, value, limit, *_by_pairs(pair, sign, tolerance))
    if fall <= tolerance + _ROUNDING:
        return Line(metric, rule, value, limit, True, "")
    best = _finite(report, f"{metric}_high" if sign > 0 else f"{metric}_low")
    if best is not None and sign * (best - former) >= 0:
        reason = f"worse than live {former:.4g}, but within noise: its interval reaches {best:.4g}"
        return Line(metric, rule, value, limit, True, reason)
    return Line(metric, rule, value, limit, False, f"{value:.4g} is worse than live {former:.4g} by {fall:.4g}")


def _by_pairs(pair: Pair, sign: float, tolerance: float) -> tuple[bool, str]:
    """Whether the fall over the shared queries is tolerated or unproven, and what was seen."""
    least, most = sorted((-sign * pair.low, -sign * pair.high))
    seen = f"on {pair.shared:,} shared queries {pair.now:.4g} against live {pair.former:.4g}"
    lost = -sign * pair.difference
    if lost <= tolerance + _ROUNDING:
        return True, seen
    said = f"{seen}, worse by {lost:.4g}, interval {least:.4g} to {most:.4g}"
    return (True, f"{said}: within noise") if least <= 0 else (False, said)


def _health(metric: str, limit: float, report: Mapping[str, float]) -> Line:
    rule = f"health: at most {limit:g}"
    value = _finite(report, metric)
    if value is None:
        return Line(metric, rule, None, limit, False, _absent(metric, report))
    return _bound(metric, rule, value, limit, value <= limit)


def _not_finite(report: Mapping[str, float], judged: set[str]) -> Iterator[Line]:
    """A failed line for every other number that is not one."""
    for metric in sorted(report.keys() - judged):
        if _finite(report, metric) is None:
            yield Line(metric, "health: a finite number", None, None, False, _absent(metric, report))


def _finite(report: Mapping[str, float], metric: str) -> float | None:
    value = report.get(metric)
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if usable and value is not None else None


def _absent(metric: str, report: Mapping[str, float]) -> str:
    if metric in report:
        return f"{metric} is {report[metric]!r}, which is not a finite number"
    return f"the report has no {metric}: {choices(metric, report)}"
