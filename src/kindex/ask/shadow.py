"""A shadow run: the stored queries of one release, put to another as people put them, through its index.

Nothing that a candidate answers is served. What is counted is how much of the former answers it gives, and what it does not
answer as it should: an exception, too few hits, a score that is not a number, a hit that is the item itself or unknown.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from kindex.ask.live import Hit, Live
from kindex.core.aside import side_by_side
from kindex.core.errors import KindexError
from kindex.core.nearest import nearest
from kindex.core.space import Space
from kindex.index.index import Index
from kindex.index.tune import index_recall, sample

K = 10

ERRORS = 10
"""Errors that are told; all are counted."""

GAP_SAMPLE = 100
"""Items of each kind that `index_gap` asks an index for."""


def shadow_run(former: Live, candidate: Live, queries: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Put each (kind, id) to both.

    Queries whose item the candidate no longer has are `gone`, and so are former answers that it no longer has: neither counts
    as an error or against the overlap, for drift tells of them.
    """
    overlaps: list[float] = []
    errors: list[dict[str, str]] = []
    gone = first = 0
    for kind, name in queries:
        if kind not in former.spaces or name not in former.spaces[kind].rows:
            continue
        if kind not in candidate.spaces or name not in candidate.spaces[kind].rows:
            gone += 1
            continue
        answers, wrong = _asked(candidate, kind, name)
        if wrong:
            errors.append({"kind": kind, "id": name, "error": wrong})
            continue
        expected = [hit.id for hit in _asked(former, kind, name)[0] if hit.id in candidate.spaces[kind].rows]
        found = {hit.id for hit in answers}
        if expected:
            overlaps.append(sum(one in found for one in expected) / len(expected))
            first += expected[0] == answers[0].id
    return {
        "asked": len(overlaps) + len(errors) + gone,
        "gone": gone,
        "compared": len(overlaps),
        "overlap": round(sum(overlaps) / len(overlaps), 6) if overlaps else None,
        "same_first": round(first / len(overlaps), 6) if overlaps else None,
        "unlike": sum(one < 0.5 for one in overlaps),
        "failed": len(errors),
        "errors": errors[:ERRORS],
    }


def index_gap(candidate: Live) -> float:
    """By how much the index as it lies in its file misses the index recall@10 that it says of itself, of the worst kind.

    What the index stage measured was in memory: that it built a good index does not say that a good one was written.
    """
    gaps = side_by_side(*(partial(_gap, candidate.spaces[kind], index) for kind, index in candidate.indexes.items()))
    return round(max([0.0, *gaps]), 6)


def _gap(space: Space, index: Index) -> float:
    rows_Q = sample(space, GAP_SAMPLE)
    vectors_ND = np.ascontiguousarray(space.search_ND)
    exact_QK, _ = nearest(vectors_ND, vectors_ND[rows_Q], K, rows_Q)
    try:
        found_QK = index.search(vectors_ND[rows_Q], K + 1)[1]
    except (KindexError, ValueError, RuntimeError):
        found_QK = np.full((len(rows_Q), 1), -1)
    return index.index_recall_at_10 - index_recall(vectors_ND, rows_Q, found_QK, exact_QK)


def _asked(live: Live, kind: str, name: str) -> tuple[list[Hit], str]:
    """The hits, and what is wrong with them, if anything."""
    try:
        hits = live.similar(name, K, kind)
    except (KindexError, ValueError, RuntimeError, LookupError) as error:
        return [], f"{type(error).__name__}: {error}"
    others = len(live.spaces[kind].ids) - 1
    # an approximate index may find fewer than ten of very few items, never none
    if others and not hits:
        return [], f"no answer, of {others} items"
    if any(not math.isfinite(hit.score) for hit in hits):
        return [], "a score that is not a number"
    if any(hit.id == name for hit in hits):
        return [], "the item itself among its neighbours"
    return (hits, "") if hits else ([], "")
