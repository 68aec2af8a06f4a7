"""Build an index of one space: exact or approximate, by size or budget unless told, and the same bytes every time."""

import math
import time
from dataclasses import replace

import numpy as np

from kindex.core.errors import DataGateError, MetricGateError
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.budget import frontier, sweep
from kindex.index.index import Index, Trial
from kindex.index.kinds import automatic
from kindex.index.training import Material, empty
from kindex.index.tune import Truth, tune


def build(space: Space, params: IndexParams, where: str = "indexes") -> Index:
    """An index of `space`, with the smallest search setting that reaches `params.index_recall_at_10`.

    `kind: auto` takes exact search when no approximate index reaches it more cheaply; `budget` takes what keeps the limits,
    or comes nearest; a factory string that was asked for is kept at its largest setting, and the gate judges it. Raises
    `ConfigError` for a factory that faiss does not know or cannot train here (`where` names the block in params.yaml),
    `DataGateError` for an empty space and `MetricGateError` for vectors that are not finite.
    """
    check_vectors(space)
    if params.kind == "budget":
        return sweep(space, params, where)
    return _first_faithful(space, params, where)


def check_vectors(space: Space) -> None:
    """Raise `DataGateError` for an empty space and `MetricGateError` for vectors that are not finite."""
    if not len(space.ids):
        raise DataGateError(f"space {space.kind!r} has no vectors: the split has no item of this kind that can be placed")
    broken = np.flatnonzero(~np.isfinite(space.vectors_ND).all(1))
    if len(broken):
        raise MetricGateError(
            f"space {space.kind!r} has {len(broken)} vectors with NaN or infinity, first {space.ids[broken[0]]!r}"
        )


def choose(params: IndexParams, count: int, dimensions: int, metric: str = "cosine") -> tuple[str, ...]:
    """The faiss factory strings to try for `count` vectors, in order."""
    if params.kind == "auto":
        return automatic(count, dimensions, params.exact_below, metric)
    return ("Flat" if params.kind == "exact" else params.kind,)


def check_kind(params: IndexParams, dimensions: int, where: str) -> None:
    """Raise `ConfigError` for a factory string that faiss does not know, before a model is trained for it."""
    if params.kind not in ("auto", "exact", "budget"):
        empty(params.kind, dimensions, where)


def _first_faithful(space: Space, params: IndexParams, where: str) -> Index:
    """The first of `choose` that reaches the wanted index recall, or the last; the table has all that were tried."""
    began = time.perf_counter()
    material = Material(space.search_ND, space.metric, where)
    truth = Truth.of(space, params.sample)
    most = (truth.trial.predicted_p95_us or math.inf) if params.kind == "auto" else math.inf
    table: list[Trial] = []
    count, dimensions = material.vectors_ND.shape
    for factory in choose(params, count, dimensions, space.metric):
        faiss_index = material.of(factory)
        found = tune(faiss_index, factory, truth, params.index_recall_at_10, most)
        best = next(trial for trial in found if trial.chosen)
        found = tuple(replace(trial, build_seconds=material.build_seconds) for trial in found)
        former = [replace(trial, chosen=False) for trial in table]
        table = [*found, *former] if factory == "Flat" else [*former, *found]  # exact search stands first, for comparison
        if best.index_recall_at_10 >= params.index_recall_at_10:
            break
    if best.setting != "exact":
        table.insert(0, truth.trial)
    name, setting, recall = best.factory, best.setting, best.index_recall_at_10
    seconds = time.perf_counter() - began
    return Index(faiss_index, space.kind, space.metric, name, setting, recall, None, frontier(table), seconds)
