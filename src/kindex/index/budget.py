"""An index by budget: try many kinds, keep the table, take the one that keeps every limit most cheaply.

What decides is a function of the vectors: index recall, bytes, and the time that `kindex.index.cost` predicts. Measured times
stand beside them for people. See docs/decisions/0009-index-by-budget.md.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.cost import least_bytes
from kindex.index.index import Index, Trial
from kindex.index.kinds import swept
from kindex.index.training import Material, empty
from kindex.index.tune import Truth, apply, tune

SCORES_WITHIN = 0.01
"""The most that scores may be off, on average. 8-bit codes are off by 0.002; bits alone, not re-ranked, by up to 0.02."""

SLOWEST = 4.0
"""Where exact search takes too many bytes, the most that another kind is tried at, in times of exact search."""


def sweep(space: Space, params: IndexParams, where: str) -> Index:
    """Build every kind of `kindex.index.kinds.swept`, and keep the best by `preference`.

    Kinds whose codes alone are above `bytes_per_vector` are built only when no other keeps the budget.
    """
    material = Material(space.search_ND, space.metric, where)
    truth = Truth.of(space, params.sample)
    count, dimensions = material.vectors_ND.shape
    small: list[str] = []
    large: list[str] = []
    for factory in swept(count, dimensions):
        fits = least_bytes(empty(factory, dimensions, where)) <= (params.bytes_per_vector or float("inf"))
        (small if fits else large).append(factory)
    began = time.perf_counter()
    trials: list[Trial] = []
    best: tuple[Trial, Any] | None = None
    for factories in (small, large):
        for factory in factories:
            found, faiss_index = _tried(material, factory, truth, params)
            trials += found
            first = min(found, key=lambda trial: preference(trial, params))
            if best is None or preference(first, params) < preference(best[0], params):
                best = first, faiss_index
        if best is not None and excess(best[0], params) == 0:
            break
    assert best is not None  # exact search is always tried
    chosen, faiss_index = best
    apply(faiss_index, chosen.setting)
    table = frontier([replace(trial, chosen=trial is chosen) for trial in trials])
    return Index(
        faiss_index,
        space.kind,
        space.metric,
        chosen.factory,
        chosen.setting,
        chosen.index_recall_at_10,
        excess(chosen, params),
        table,
        time.perf_counter() - began,
    )


def _tried(material: Material, factory: str, truth: Truth, params: IndexParams) -> tuple[list[Trial], Any]:
    faiss_index = material.of(factory)
    trials = tune(faiss_index, factory, truth, params.index_recall_at_10, _most_us(truth.trial, params))
    return [replace(trial, build_seconds=material.build_seconds) for trial in trials], faiss_index


def _most_us(exact: Trial, params: IndexParams) -> float:
    """No index is of use that is slower than exact search, unless it is asked to be small."""
    us, allowed = _us(exact), (params.p95_ms or 0.0) * 1000
    if params.bytes_per_vector is not None and exact.bytes_per_vector > params.bytes_per_vector:
        return max(SLOWEST * us, allowed)
    return max(us, allowed) if params.bytes_per_vector is None else us


def preference(trial: Trial, params: IndexParams) -> tuple[float, ...]:
    """Smaller is better. Nearest to the wanted index recall, then nearest to the limits, then cheapest.

    What has no limit is made small: time, or bytes when time has a limit and bytes have none. The other one decides a tie,
    then index recall.
    """
    us, size = _us(trial), trial.bytes_per_vector
    costs = (size, us) if params.p95_ms is not None and params.bytes_per_vector is None else (us, size)
    return (_unfaithful(trial, params), _over(trial, params), *costs, -trial.index_recall_at_10)


def excess(trial: Trial, params: IndexParams) -> float:
    """The share by which the trial misses the limit that it misses most; 0 when it keeps every one."""
    return max(_unfaithful(trial, params), _over(trial, params))


def missed(trial: Trial, params: IndexParams) -> str:
    """Each limit that the trial misses and by how much, for people; "" when it keeps every one."""
    found = []
    if _unfaithful(trial, params):
        found.append(f"index recall@10 is {trial.index_recall_at_10:.4f}, wanted {params.index_recall_at_10:g}")
    for name, value, limit in _limits(trial, params):
        if value > limit:
            found.append(f"{name} is {value:.4g}, {value / limit - 1:.1%} above the limit of {limit:g}")
    return "; ".join(found)


def frontier(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials, each marked whether it is on the frontier of index recall, bytes and predicted time."""
    points = [(-trial.index_recall_at_10, trial.bytes_per_vector, _us(trial)) for trial in trials]
    beaten = [any(other != point and all(a <= b for a, b in zip(other, point)) for other in points) for point in points]
    return tuple(replace(trial, frontier=not worse) for trial, worse in zip(trials, beaten))


def _limits(trial: Trial, params: IndexParams) -> list[tuple[str, float, float]]:
    limits = (
        ("p95_ms", _us(trial) / 1000, params.p95_ms),
        ("bytes_per_vector", trial.bytes_per_vector, params.bytes_per_vector),
    )
    return [(name, value, limit) for name, value, limit in limits if limit is not None]


def _over(trial: Trial, params: IndexParams) -> float:
    return max((max(0.0, value / limit - 1) for _, value, limit in _limits(trial, params)), default=0.0)


def _unfaithful(trial: Trial, params: IndexParams) -> float:
    """How far below the wanted index recall; an index whose scores are wrong has found nothing."""
    recall = trial.index_recall_at_10 if trial.score_error <= SCORES_WITHIN else 0.0
    return max(0.0, 1 - recall / params.index_recall_at_10)


def _us(trial: Trial) -> float:
    return float("inf") if trial.predicted_p95_us is None else trial.predicted_p95_us
