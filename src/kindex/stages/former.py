"""What evaluation takes from the parent release, each file held against its manifest."""

from collections.abc import Sequence

import numpy as np

from kindex.core.files import read_json
from kindex.core.former import Former, open_former
from kindex.core.layout import Layout
from kindex.core.space import unit
from kindex.judge.before import Before
from kindex.judge.queries import read_queries

STILL = 0.95
"""Cosine of an item's vectors before and now from which it lies where it lay."""


def read_before(layout: Layout, model: str) -> Before | None:
    """What the locked parent of the model found; None without a parent.

    Raises `DamagedError` when the parent is missing here, is another release than the lock says, or is damaged.
    """
    former = open_former(layout, model)
    if former is None:
        return None
    path = layout.out("train", model) / "refresh.json"
    refresh = read_json(path) if path.is_file() else {}
    delta = refresh.get("built") == "delta" and (refresh.get("parent") or {}).get("digest") == former.lock.digest

    def still(kind: str, ids: Sequence[str], vectors_ND: np.ndarray) -> np.ndarray:
        return _still(former, kind, ids, vectors_ND)

    return Before(
        version=former.lock.version,
        delta=delta,
        report=read_json(former.file("report.json")) if former.has("report.json") else {},
        evidence=read_json(former.file("evidence.json")) if former.has("evidence.json") else {},
        queries=read_queries(former.file("queries.parquet")) if former.has("queries.parquet") else None,
        still=still,
    )


def _still(former: Former, kind: str, ids: Sequence[str], vectors_ND: np.ndarray) -> np.ndarray:
    if kind not in former.spaces or former.spaces[kind].vectors_ND.shape[1:] != vectors_ND.shape[1:]:
        return np.zeros(len(ids), bool)
    space = former.spaces[kind]
    rows_N = np.array([space.rows.get(name, -1) for name in ids], np.int64)
    cosine_N = np.einsum("nd,nd->n", unit(space.vectors_ND[rows_N]), unit(vectors_ND))
    return np.asarray((rows_N >= 0) & (cosine_N >= STILL))
