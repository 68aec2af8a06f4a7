"""What one query costs, predicted from the work it does: a sum of counted steps, each with its measured price.

Measured time differs from run to run, and a choice made by it would, too; then the same inputs would not give the same bytes.
The steps are a function of the index and the query. Their prices were fitted once by `python -m benchmarks.index_prices` (how
well: docs/indexes.md); on another machine all kinds are slower or faster together, more or less.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kindex.index.faiss_parts import faiss_one_thread, parts
from kindex.index.prices import CALL, PRICES, TURN

Steps = dict[str, np.ndarray]
"""How often each query (Q) takes a step, by `<part> <step>`. The steps of a part, each for the whole query:

- `each`: once, or once for each list that is probed (tables of distances to code words, heaps);
- `code`: for each vector or code compared;
- `wide`: for each of its numbers, once compared;
- `far`: for each comparison, times the base-2 logarithm of the part's megabytes (+ 1): what lies far from the core is slow;
- `kept`: for each time that a code joins the best so far, as often as it would in random order.
"""

STEPS = ("each", "code", "wide", "far", "kept")


def predicted_us(faiss_index: Any, queries_QD: np.ndarray, k: int) -> np.ndarray | None:
    """Microseconds (Q) of each query for `k` answers, alone and on one thread; None for a kind that has no prices."""
    steps = work(faiss_index, queries_QD, k)
    if steps is None or not all(name.partition(" ")[0] in PRICES for name in steps):
        return None
    turned = sum(part.d_in * part.d_out for part in parts(faiss_index)[1] if hasattr(part, "have_bias"))
    return (CALL + TURN * turned + sum(_price(name) * count_Q for name, count_Q in steps.items())) / 1000


def exact_us(count: int, dimensions: int, k: int) -> float:
    """What `predicted_us` says of exact search over `count` vectors."""
    steps = _part("Flat", np.ones(1), np.full(1, float(count)), dimensions, 4 * count * dimensions, k)
    return p95((CALL + sum(_price(name) * count_1 for name, count_1 in steps.items())) / 1000)


def p95(predicted_Q: Any) -> Any:
    """What 95 of 100 do not exceed; None of None."""
    return None if predicted_Q is None else round(float(np.percentile(predicted_Q, 95)), 2)


def least_bytes(faiss_index: Any) -> float:
    """Bytes that each vector takes at least in the file of this index, which may still be empty; 0 when not known."""
    faiss = faiss_one_thread()
    refine, _, inner = parts(faiss_index)
    size = float(parts(refine.refine_index)[2].code_size) if refine is not None else 0.0
    if isinstance(inner, faiss.IndexIVF):
        return size + inner.code_size + 8  # and its row
    if isinstance(inner, faiss.IndexHNSW):
        return size + faiss.downcast_index(inner.storage).code_size + 4 * inner.hnsw.nb_neighbors(0)
    return size + getattr(inner, "code_size", 0)


def _price(name: str) -> float:
    part, _, step = name.partition(" ")
    return PRICES[part][STEPS.index(step)]


def work(faiss_index: Any, queries_QD: np.ndarray, k: int) -> Steps | None:
    """The steps of each query; None for a kind that is not known here."""
    faiss = faiss_one_thread()
    refine, chain, inner = parts(faiss_index)
    count = int(faiss_index.ntotal)
    ones_Q = np.ones(len(queries_QD))
    steps: Steps = {}
    kept = k
    if refine is not None:
        kept = min(count, math.ceil(k * refine.k_factor))
        _, _, storage = parts(refine.refine_index)
        steps |= _part(f"refine-{_name(storage)}", ones_Q, kept * ones_Q, storage.d, count * storage.code_size, k)
    for part in chain:
        queries_QD = part.apply(np.ascontiguousarray(queries_QD))
    name = _name(inner)
    if isinstance(inner, faiss.IndexIVF):
        if type(coarse := faiss.downcast_index(inner.quantizer)) not in (faiss.IndexFlat, faiss.IndexFlatIP):
            return None
        probes = min(inner.nprobe, inner.nlist)
        _, lists_QP = coarse.search(np.ascontiguousarray(queries_QD), probes)
        sizes_L = np.array([inner.invlists.list_size(one) for one in range(inner.nlist)])
        codes_Q = np.where(lists_QP >= 0, sizes_L[lists_QP], 0).sum(1).astype(float)
        steps |= _part("lists", ones_Q, inner.nlist * ones_Q, inner.d, 4 * inner.d * inner.nlist, probes)
        return steps | _part(name, probes * ones_Q, codes_Q, inner.d, count * inner.code_size, kept)
    if isinstance(inner, faiss.IndexHNSW):
        compared_Q = np.array(list(_compared(inner, queries_QD, kept)), float)
        size = count * (faiss.downcast_index(inner.storage).code_size + 4 * inner.hnsw.nb_neighbors(0))
        return steps | _part(name, ones_Q, compared_Q, inner.d, size, 0)
    return steps | _part(name, ones_Q, count * ones_Q, inner.d, count * getattr(inner, "code_size", 0), kept)


def _part(name: str, each_Q: np.ndarray, codes_Q: np.ndarray, dimensions: int, size: int, kept: int) -> Steps:
    far_Q = codes_Q * math.log2(1 + size / 2**20)
    kept_Q = kept * (1 + np.log(np.maximum(1, codes_Q / max(1, kept))))
    counts = (each_Q, codes_Q, codes_Q * dimensions, far_Q, kept_Q)
    return {f"{name} {step}": count_Q for step, count_Q in zip(STEPS, counts)}


def _compared(graph: Any, queries_QD: np.ndarray, k: int) -> Iterator[int]:
    """Distances that each query computes on its way through the graph, as faiss counts them."""
    faiss = faiss_one_thread()
    for row in range(len(queries_QD)):
        faiss.cvar.hnsw_stats.reset()
        graph.search(np.ascontiguousarray(queries_QD[row : row + 1]), k)
        yield faiss.cvar.hnsw_stats.ndis


def _name(index: Any) -> str:
    """How `PRICES` calls this kind; a name that it does not have when its steps are not known.

    Scalar codes are compared many at a time for a multiple of 8 dimensions, bits for a multiple of 64; others are not priced.
    """
    faiss = faiss_one_thread()
    if isinstance(index, faiss.IndexHNSW):
        return f"HNSW-{_name(faiss.downcast_index(index.storage))}"
    if isinstance(index, faiss.IndexScalarQuantizer | faiss.IndexIVFScalarQuantizer):
        names = {faiss.ScalarQuantizer.QT_8bit: "SQ8", faiss.ScalarQuantizer.QT_fp16: "SQfp16"}
        name = names.get(index.sq.qtype, "?") if index.d % 8 == 0 else "?"
    elif isinstance(index, faiss.IndexRaBitQ | faiss.IndexIVFRaBitQ):
        name = f"RaBitQ{index.rabitq.nb_bits}" if index.d % 64 == 0 else "?"
    elif isinstance(index, faiss.IndexRaBitQFastScan | faiss.IndexIVFRaBitQFastScan):
        name = f"RaBitQfs{index.rabitq.nb_bits}" if index.d % 64 == 0 else "?"
    elif isinstance(index, faiss.IndexPQFastScan | faiss.IndexIVFPQFastScan):
        name = "PQ4fs"
    elif isinstance(index, faiss.IndexFlat | faiss.IndexIVFFlat):
        name = "Flat"
    else:
        name = "?"
    return f"IVF-{name}" if isinstance(index, faiss.IndexIVF) else name
