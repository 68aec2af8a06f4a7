"""The vectors that indexes are measured on, the exact answers, and the time of queries asked one at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

K = 10


@dataclass(frozen=True)
class Line:
    """What one contender did; `recall` and times with the setting shown."""

    name: str
    setting: str
    build_seconds: float
    recall: float
    us: tuple[float, float]  # p50 and p95
    bytes_per_vector: float
    predicted_us: float | None = None


@dataclass(frozen=True)
class Case:
    """The vectors, and 1,000 of them as queries with the exact scores of their nearest others."""

    vectors_ND: np.ndarray
    rows_Q: np.ndarray
    exact_QK: np.ndarray
    target: float

    def recall(self, found_QK: np.ndarray) -> float:
        """Share of the K nearest others that are found; one that is as near as the last counts."""
        true_QK = np.einsum("qd,qkd->qk", self.vectors_ND[self.rows_Q], self.vectors_ND[found_QK])
        good_QK = (true_QK >= self.exact_QK[:, -1:] - 1e-5) & (found_QK != self.rows_Q[:, None])
        return float(np.minimum(good_QK.sum(1), K).mean() / K)

    @property
    def queries_QD(self) -> np.ndarray:
        return self.vectors_ND[self.rows_Q]


def generated(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """Unit vectors (N, D) in clusters of 200 on average, of uneven sizes, that overlap; early numbers vary more than late.

    Less kind than clusters that stand apart: there, the first list that is probed holds everything.
    """
    rng = np.random.default_rng(seed)
    width_D = np.arange(1, dimensions + 1, dtype=np.float32) ** -0.5
    clusters = max(2, count // 200)
    centres_CD = rng.normal(size=(clusters, dimensions)).astype(np.float32)
    weight_C = rng.gamma(1.0, size=clusters)
    own_N = rng.choice(clusters, count, p=weight_C / weight_C.sum())
    vectors_ND = (centres_CD[own_N] + rng.standard_normal((count, dimensions), np.float32)) * width_D
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)


def read(path: Path) -> np.ndarray:
    """The vectors of a space's Parquet file, at length 1."""
    from kindex.core.space import read_space

    return read_space(path).unit_ND


def query_us(faiss_index: Any, queries_QD: np.ndarray, k: int) -> np.ndarray:
    """CPU microseconds (Q) of each query, asked alone."""
    return ask_us(lambda query_1D: faiss_index.search(query_1D, k), queries_QD)


def ask_us(ask: Callable[[np.ndarray], Any], queries_QD: np.ndarray) -> np.ndarray:
    """CPU microseconds (Q) of `ask` for each query (1, D), after a first round that nobody times.

    CPU time, for a neighbour on the machine must not count; a query on one thread waits for nothing.
    """
    queries = [np.ascontiguousarray(queries_QD[row : row + 1]) for row in range(len(queries_QD))]
    for query_1D in queries[:20]:
        ask(query_1D)
    taken = []
    for query_1D in queries:
        began = time.thread_time_ns()
        ask(query_1D)
        taken.append(time.thread_time_ns() - began)
    return np.array(taken) / 1000


def middle_and_p95(us_Q: np.ndarray) -> tuple[float, float]:
    p50, p95 = np.percentile(us_Q, (50, 95)).tolist()
    return p50, p95
