"""Choose how hard an approximate index searches: the first step of a ladder that is faithful enough, never the fastest.

Faiss's own `explore` chooses by time, so its choice differs from run to run; and the setting is written into the index
file, so the file would too.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.nearest import nearest
from kindex.core.space import Space
from kindex.core.split import id_fractions
from kindex.index.cost import exact_us, p95, predicted_us
from kindex.index.faiss_parts import faiss_one_thread, parts, stored_bytes
from kindex.index.index import Index, Trial
from kindex.index.places import Places, found_live

K = 10
REFINE_FACTORS = (1, 2, 4, 8, 16, 32, 64)
HNSW_WIDTHS = (16, 32, 64, 128, 256, 512)
TIMED = 100
"""Queries that are asked one at a time, for people to see what one takes here."""


@dataclass(frozen=True)
class Truth:
    """The sample's rows (Q), the scores (Q, K) of their nearest by exact search, and what exact search costs."""

    vectors_ND: np.ndarray
    queries_Q: np.ndarray
    exact_QK: np.ndarray
    trial: Trial

    @classmethod
    def of(cls, space: Space, size: int) -> "Truth":
        vectors_ND, queries_Q = np.ascontiguousarray(space.search_ND), sample(space, size)
        began = time.thread_time()
        exact_QK, _ = nearest(vectors_ND, vectors_ND[queries_Q], K, queries_Q)
        rate = _rate(len(queries_Q), began)
        count, dimensions = vectors_ND.shape
        trial = Trial("Flat", "exact", 1.0, 4.0 * dimensions, 0.0, exact_us(count, dimensions, K + 1), rate)
        return cls(vectors_ND, queries_Q, exact_QK, trial)


Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Queries (Q, D), k → scores and rows (Q, k) of the space, as faiss gives them."""


def tune(
    faiss_index: Any, factory: str, truth: Truth, target: float, most_us: float = math.inf, places: Places | None = None
) -> tuple[Trial, ...]:
    """Measure settings from the cheapest up, until one reaches index recall@10 `target`, and leave it set: it is `chosen`.

    Steps, but for the first, that are predicted to take `most_us` or more are left out. When none reaches the target, the
    most faithful (of these the first) is chosen.
    """
    size = _size(faiss_index, truth)
    search = partial(found_live, faiss_index, places=places)
    tried: list[Trial] = []
    for setting in ladder(faiss_index):
        apply(faiss_index, setting)
        predicted = _predicted(faiss_index, truth)
        if tried and predicted is not None and predicted >= most_us:
            break
        tried.append(_measure(search, factory, setting, truth, size, predicted))
        if tried[-1].index_recall_at_10 >= target:
            tried += _trimmed(faiss_index, tried[-1], truth, target, search)
            break
    enough = [trial for trial in tried if trial.index_recall_at_10 >= target]
    best = enough[-1] if enough else max(tried, key=lambda trial: trial.index_recall_at_10)
    apply(faiss_index, best.setting)
    return tuple(replace(trial, chosen=trial is best) for trial in tried)


def measured(index: Index, truth: Truth) -> Trial:
    """The index as it stands, at the setting that is fixed in it: `chosen`."""
    search = partial(found_live, index.faiss_index, places=index.places)
    size, predicted = _size(index.faiss_index, truth), _predicted(index.faiss_index, truth)
    return replace(_measure(search, index.factory, index.setting, truth, size, predicted), chosen=True)


def exact(index: Index) -> Trial:
    """What `measured` finds of exact search, which need not be asked how faithful it is."""
    size = round(stored_bytes(index.faiss_index) / index.count, 1)
    return Trial("Flat", "exact", 1.0, size, 0.0, exact_us(index.count, index.dimensions, K + 1), chosen=True)


def _measure(search: Search, factory: str, setting: str, truth: Truth, size: float, predicted: float | None) -> Trial:
    count = min(K + 1, len(truth.vectors_ND))
    asked_QD = truth.vectors_ND[truth.queries_Q]
    began = time.thread_time()
    scores_QK, rows_QK = search(asked_QD, count)
    rate = _rate(len(asked_QD), began)
    recall = index_recall(truth.vectors_ND, truth.queries_Q, rows_QK, truth.exact_QK)
    taken = []
    for row in range(min(TIMED, len(asked_QD))):
        start = time.thread_time_ns()  # CPU time: a neighbour on the machine must not count
        search(asked_QD[row : row + 1], count)
        taken.append((time.thread_time_ns() - start) / 1000)
    p50_us, p95_us = (round(float(found), 1) for found in np.percentile(taken, (50, 95)))
    error = score_error(truth.vectors_ND, truth.queries_Q, scores_QK, rows_QK)
    return Trial(factory, setting, recall, size, error, predicted, rate, p50_us, p95_us)


def _size(faiss_index: Any, truth: Truth) -> float:
    """Bytes of the file, divided by the vectors that it answers for."""
    return round(stored_bytes(faiss_index) / len(truth.vectors_ND), 1)


def _predicted(faiss_index: Any, truth: Truth) -> float | None:
    asked_QD = truth.vectors_ND[truth.queries_Q[: 2 * TIMED]]
    return p95(predicted_us(faiss_index, asked_QD, min(K + 1, len(truth.vectors_ND))))


def _trimmed(faiss_index: Any, reached: Trial, truth: Truth, target: float, search: Search) -> list[Trial]:
    """Of a setting of two numbers that grew together: halve the second, then the first, while the target is still reached.

    The last that reaches it is the last in the list of those that do.
    """
    names = dict(part.split("=") for part in reached.setting.split(",") if "=" in part)
    found: list[Trial] = []
    for name in reversed(names) if len(names) > 1 else ():
        while int(names[name]) > 1:
            tried = names | {name: str(int(names[name]) // 2)}
            setting = ",".join(f"{key}={value}" for key, value in tried.items())
            apply(faiss_index, setting)
            predicted = _predicted(faiss_index, truth)
            found.append(_measure(search, reached.factory, setting, truth, reached.bytes_per_vector, predicted))
            if found[-1].index_recall_at_10 < target:
                break
            names = tried
    return found


def ladder(faiss_index: Any) -> list[str]:
    """The settings of this kind of index, cheapest first, as faiss's `ParameterSpace` spells them."""
    faiss = faiss_one_thread()
    refine, _, inner = parts(faiss_index)
    inverted = faiss.try_extract_index_ivf(faiss_index)
    if inverted is not None:
        widths = [f"nprobe={2**power}" for power in range(inverted.nlist.bit_length()) if 2**power <= inverted.nlist]
    elif isinstance(inner, faiss.IndexHNSW):
        widths = [f"efSearch={width}" for width in HNSW_WIDTHS]
    else:
        widths = []
    factors = [f"k_factor_rf={factor}" for factor in REFINE_FACTORS] if refine is not None else []
    if widths and factors:
        # both grow together: a wide probe is wasted when few of its finds are re-ranked, and the other way round
        steps = range(max(len(widths), len(factors)))
        return [f"{widths[min(n, len(widths) - 1)]},{factors[min(n, len(factors) - 1)]}" for n in steps]
    return widths or factors or ["exact" if isinstance(inner, faiss.IndexFlat) and refine is None else "fixed"]


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


def score_error(vectors_ND: np.ndarray, queries_Q: np.ndarray, scores_QK: np.ndarray, rows_QK: np.ndarray) -> float:
    """Mean absolute difference of an index's `scores_QK` from the true ones, divided by the mean size of these.

    Infinite when a score is not a finite number, as those of half-precision codes of vectors above 65 504.
    """
    found_QK = rows_QK >= 0
    true_QK = np.einsum("qd,qkd->qk", vectors_ND[queries_Q], vectors_ND[np.maximum(rows_QK, 0)])
    if not np.isfinite(scores_QK[found_QK]).all():
        return math.inf
    off = float(np.abs(scores_QK - true_QK, where=found_QK, out=np.zeros_like(true_QK)).sum())
    return off / max(float(np.abs(true_QK[found_QK]).sum()), 1e-30)


def _rate(queries: int, began: float) -> float:
    """Queries per second of this thread's CPU time since `began`: what else the machine does must not count."""
    return round(queries / max(time.thread_time() - began, 1e-9), 1)
