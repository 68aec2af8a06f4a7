"""Other libraries of nearest neighbours, for `benchmarks.index`: all are graphs; imported when they are asked for."""

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.index_vectors import Case, K, Line, ask_us, middle_and_p95
from kindex.index.tune import HNSW_WIDTHS


def peers(case: Case) -> Iterator[tuple[str, Callable[[], Line]]]:
    """Those that can be imported, each with 16 links a node and otherwise its own defaults for building."""
    for library, name, make in (
        ("usearch", "usearch f32", lambda: usearch(case, "f32")),
        ("usearch", "usearch f16", lambda: usearch(case, "f16")),
        ("usearch", "usearch i8", lambda: usearch(case, "i8")),
        ("voyager", "voyager f32", lambda: voyager(case)),
        ("hnswlib", "hnswlib f32", lambda: hnswlib(case)),
    ):
        try:
            __import__(f"{library}.index" if library == "usearch" else library)
        except ImportError as error:
            print(f"({name} left out: {error})", file=sys.stderr)
            continue
        yield name, make


Search = Callable[[np.ndarray, int], np.ndarray]
"""Queries (Q, D) and a search width: rows (Q, K + 1)."""


def widened(case: Case, name: str, seconds: float, size: float, search: Search) -> Line:
    """The first of faiss's ladder of widths with which a graph reaches the target, or the last."""
    for width in HNSW_WIDTHS:
        recall = case.recall(search(case.queries_QD, width))
        if recall >= case.target:
            break
    us = middle_and_p95(ask_us(lambda query_1D: search(query_1D, width), case.queries_QD))
    return Line(name, f"ef={width}", seconds, recall, us, size / len(case.vectors_ND))


def usearch(case: Case, kind: str) -> Line:
    from usearch.index import Index

    index = Index(ndim=case.vectors_ND.shape[1], metric="cos", dtype=kind, connectivity=16)
    began = time.process_time()
    index.add(np.arange(len(case.vectors_ND)), case.vectors_ND, threads=1)
    seconds = time.process_time() - began

    def search(queries_QD: np.ndarray, width: int) -> np.ndarray:
        index.expansion_search = width
        found = index.search(queries_QD, K + 1, threads=1).keys.astype(np.int64)
        return found.reshape(len(queries_QD), K + 1)

    return widened(case, f"usearch {kind}", seconds, float(index.serialized_length), search)


def voyager(case: Case) -> Line:
    from voyager import Index, Space

    index = Index(Space.Cosine, num_dimensions=case.vectors_ND.shape[1], M=16)
    began = time.process_time()
    index.add_items(case.vectors_ND, np.arange(len(case.vectors_ND)), num_threads=1)
    seconds = time.process_time() - began
    search = lambda queries_QD, width: index.query(queries_QD, K + 1, 1, width)[0].astype(np.int64)  # noqa: E731
    return widened(case, "voyager f32", seconds, float(len(index.as_bytes())), search)


def hnswlib(case: Case) -> Line:
    import hnswlib as library

    index = library.Index("ip", case.vectors_ND.shape[1])
    index.init_index(len(case.vectors_ND), M=16)
    began = time.process_time()
    index.add_items(case.vectors_ND, num_threads=1)
    seconds = time.process_time() - began

    def search(queries_QD: np.ndarray, width: int) -> np.ndarray:
        index.set_ef(max(width, K + 1))
        return index.knn_query(queries_QD, K + 1, num_threads=1)[0].astype(np.int64)

    return widened(case, "hnswlib f32", seconds, float(index.index_file_size()), search)
