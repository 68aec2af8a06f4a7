"""Choose how hard an approximate index searches: the first step of a ladder that is faithful enough, never the fastest.

Faiss's own `explore` chooses by time, so its choice differs from run to run; and the setting is written into the index
file, so the file would too.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.nearest import nearest
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.core.split import id_fractions
from kindex.index.index import Trial, faiss_one_thread

K = 10
REFINE_FACTORS = (1, 2, 4, 8, 16, 32, 64)
HNSW_WIDTHS = (16, 32, 64, 128, 256, 512)


def tune(faiss_index: Any, factory: str, space: Space, params: IndexParams) -> tuple[Trial, ...]:
    """Measure settings from the cheapest up, until one reaches `params.index_recall_at_10`, and leave it set.

    The first trial is exact search, for comparison. When none reaches it the most faithful (then the first) is set.
    """
    queries = sample(space, params.sample)
    vectors_ND = space.search_ND
    began = time.perf_counter()
    exact_QK, _ = nearest(vectors_ND, vectors_ND[queries], K, queries)
    exact = Trial("Flat", "exact", 1.0, 4.0 * space.vectors_ND.shape[1], _rate(len(queries), began))
    size = round(faiss_one_thread().serialize_index(faiss_index).nbytes / len(space.ids), 1)
    steps = ladder(faiss_index)
    measured: list[Trial] = []
    for setting in steps:
        apply(faiss_index, setting)
        began = time.perf_counter()
        _, rows_QK = faiss_index.search(np.ascontiguousarray(vectors_ND[queries]), min(K + 1, len(space.ids)))
        rate = _rate(len(queries), began)
        measured.append(Trial(factory, setting, index_recall(vectors_ND, queries, rows_QK, exact_QK), size, rate))
        if measured[-1].index_recall_at_10 >= params.index_recall_at_10:
            break
    best = max(measured, key=lambda trial: trial.index_recall_at_10)
    apply(faiss_index, best.setting)
    tried = tuple(replace(trial, chosen=trial is best) for trial in measured)
    return tried if steps == ["exact"] else (exact, *tried)


def ladder(faiss_index: Any) -> list[str]:
    """The settings of this kind of index, cheapest first, as faiss's `ParameterSpace` spells them."""
    faiss = faiss_one_thread()
    bare = faiss.downcast_index(faiss_index)
    refined = isinstance(bare, faiss.IndexRefine)
    inner = faiss.downcast_index(bare.base_index) if refined else bare
    if isinstance(inner, faiss.IndexPreTransform):
        inner = faiss.downcast_index(inner.index)
    inverted = faiss.try_extract_index_ivf(faiss_index)
    if inverted is not None:
        widths = [f"nprobe={2**power}" for power in range(inverted.nlist.bit_length()) if 2**power <= inverted.nlist]
    elif isinstance(inner, faiss.IndexHNSW):
        widths = [f"efSearch={width}" for width in HNSW_WIDTHS]
    else:
        widths = []
    factors = [f"k_factor_rf={factor}" for factor in REFINE_FACTORS] if refined else []
    if widths and factors:
        # both grow together: a wide probe is wasted when few of its finds are re-ranked, and the other way round
        steps = range(max(len(widths), len(factors)))
        return [f"{widths[min(n, len(widths) - 1)]},{factors[min(n, len(factors) - 1)]}" for n in steps]
    return widths or factors or ["exact" if isinstance(bare, faiss.IndexFlat) else "fixed"]


def apply(faiss_index: Any, setting: str) -> None:
    """Fix `setting` in the index; it is written with it."""
    if setting not in ("exact", "fixed"):
        faiss_one_thread().ParameterSpace().set_index_parameters(faiss_index, setting)


def sample(space: Space, size: int) -> np.ndarray:
    """Rows of `size` items (or all), by a hash of their ids, so that most stay the same as a catalogue grows."""
    order = np.argsort(id_fractions(pa.chunked_array([pa.array(space.ids, pa.string())]), "index sample"), kind="stable")
    return np.sort(order[:size])


def index_recall(vectors_ND: np.ndarray, queries_Q: np.ndarray, rows_QK: np.ndarray, exact_QK: np.ndarray) -> float:
    """Mean share of the `K` nearest other items that were found.

    `rows_QK` are an index's answers to `vectors_ND[queries_Q]`, one more than K because each may hold the query itself;
    `exact_QK` the scores of exact search without it. An answer counts when its true score is not below the last exact
    one, so that a duplicate is as good as its twin.
    """
    if not exact_QK.shape[1]:
        return 1.0
    k = exact_QK.shape[1]
    shares = np.empty(len(queries_Q))
    for number, (query, rows_K) in enumerate(zip(queries_Q, rows_QK)):
        others = np.unique(rows_K[(rows_K >= 0) & (rows_K != query)])
        true = vectors_ND[others] @ vectors_ND[query]
        nearness = 1e-5 * max(1.0, abs(float(exact_QK[number, -1])))
        shares[number] = min(k, np.count_nonzero(true >= exact_QK[number, -1] - nearness)) / k
    return float(shares.mean())


def _rate(queries: int, began: float) -> float:
    return round(queries / max(time.perf_counter() - began, 1e-9), 1)
