"""Build an index of one space: exact or approximate, by size unless told, and the same bytes every time."""

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from kindex.core.errors import ConfigError, DataGateError, MetricGateError
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.index import Index, faiss_one_thread
from kindex.index.tune import tune

MANY = 200_000
"""Vectors from which a full scan of compressed codes costs more than training and probing lists."""

TRAIN_VECTORS_PER_LIST = 64
"""k-means is most of what an inverted file costs to build, and more vectors than this do not improve its lists."""


def build(space: Space, params: IndexParams, where: str = "indexes") -> Index:
    """An index of `space`, with the smallest search setting that reaches `params.index_recall_at_10`.

    `kind: auto` falls back to exact search when no setting of the approximate index reaches it; a factory string that
    was asked for is kept at its largest setting, and the gate judges it. Raises `ConfigError` for a factory that faiss
    does not know or cannot train here (`where` names the block in params.yaml), `DataGateError` for an empty space and
    `MetricGateError` for vectors that are not finite.
    """
    if not len(space.ids):
        raise DataGateError(f"space {space.kind!r} has no vectors: the split has no item of this kind that can be placed")
    broken = np.flatnonzero(~np.isfinite(space.vectors_ND).all(1))
    if len(broken):
        raise MetricGateError(
            f"space {space.kind!r} has {len(broken)} vectors with NaN or infinity, first {space.ids[broken[0]]!r}"
        )
    factory = choose(params, *space.vectors_ND.shape)
    index = _tuned(space, params, factory, where)
    if params.kind == "auto" and index.index_recall_at_10 < params.index_recall_at_10:
        exact = _tuned(space, params, "Flat", where)
        missed = tuple(replace(trial, chosen=False) for trial in index.trials[1:])
        seconds = index.build_seconds + exact.build_seconds
        return replace(exact, trials=exact.trials + missed, build_seconds=seconds)
    return index


def choose(params: IndexParams, count: int, dimensions: int) -> str:
    """The faiss factory string for `count` vectors: `params.kind`, or by size when that is `auto`.

    4-bit product codes scanned in registers (André et al. 2015) with exact re-ranking are the cheapest to build and lose
    least up to some hundred thousand vectors; then inverted lists with 8-bit codes.
    """
    if params.kind == "exact" or (params.kind == "auto" and count <= params.exact_below):
        return "Flat"
    if params.kind != "auto":
        return params.kind
    parts = max((part for part in range(1, dimensions // 2 + 1) if dimensions % part == 0), default=1)
    if count < MANY and parts >= dimensions / 4:
        return f"PQ{parts}x4fs,RFlat"
    return f"IVF{2 ** round(math.log2(4 * math.sqrt(count)))},SQ8"


def check_kind(params: IndexParams, dimensions: int, where: str) -> None:
    """Raise `ConfigError` for a factory string that faiss does not know, before a model is trained for it."""
    if params.kind not in ("auto", "exact"):
        _empty(params.kind, dimensions, where)


def _empty(factory: str, dimensions: int, where: str) -> Any:
    faiss = faiss_one_thread()
    try:
        return faiss.index_factory(dimensions, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError:
        raise ConfigError(
            f"{where}.kind is {factory!r}, which faiss cannot make for {dimensions} dimensions. Allowed: auto, "
            "exact, or a factory string such as HNSW32 or IVF256,SQ8 (the wiki page 'The index factory'). Edit params.yaml"
        ) from None


def _tuned(space: Space, params: IndexParams, factory: str, where: str) -> Index:
    began = time.perf_counter()
    faiss_index = _train(space, factory, where)
    seconds = time.perf_counter() - began
    trials = tune(faiss_index, factory, space, params)
    chosen = next(trial for trial in trials if trial.chosen)
    return Index(faiss_index, space.kind, space.metric, factory, chosen.setting, chosen.index_recall_at_10, trials, seconds)


def _train(space: Space, factory: str, where: str) -> Any:
    faiss = faiss_one_thread()
    vectors_ND = np.ascontiguousarray(space.search_ND)
    faiss_index = _empty(factory, vectors_ND.shape[1], where)
    inverted = faiss.try_extract_index_ivf(faiss_index)
    if inverted is not None:
        inverted.cp.max_points_per_centroid = TRAIN_VECTORS_PER_LIST
        inverted.cp.min_points_per_centroid = 1  # below 39 faiss only prints a warning
    try:
        faiss_index.train(vectors_ND)
        faiss_index.add(vectors_ND)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(
            f"{where}.kind is {factory!r}, which cannot be built from {len(vectors_ND)} vectors ({reason}). Edit params.yaml"
        ) from None
    _require_inner_products(faiss_index, space.metric, f"{where}.kind is {factory!r}")
    return faiss_index


def _require_inner_products(faiss_index: Any, metric: str, what: str) -> None:
    """Refuse transforms that do not keep inner products, for then the index's scores are not the space's."""
    faiss = faiss_one_thread()
    inner = faiss.downcast_index(faiss_index)
    if isinstance(inner, faiss.IndexRefine):
        inner = faiss.downcast_index(inner.base_index)
    if not isinstance(inner, faiss.IndexPreTransform):
        return
    for transform in (faiss.downcast_VectorTransform(inner.chain.at(place)) for place in range(inner.chain.size())):
        turns = isinstance(transform, faiss.LinearTransform) and not transform.have_bias
        if not turns and not (metric == "cosine" and isinstance(transform, faiss.NormalizationTransform)):
            name = type(transform).__name__
            raise ConfigError(
                f"{what}, whose {name} changes inner products. Allowed: OPQ or RR before an index. Edit params.yaml"
            )
