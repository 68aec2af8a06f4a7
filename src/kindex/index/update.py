"""Change an index in place: delete, replace and add, in the way that its kind allows. What was trained stays.

| kind | way |
|---|---|
| inverted lists | `updated`: vectors leave their lists and join others; labels become the rows of now |
| graph | `marked`: nothing can leave, so there are tombstones (`kindex.index.places`); what is new is linked in |
| a plain list of codes, or of floats | `encoded`: all vectors once more with the same code words, which takes no training |

Others cannot be changed: faiss builds an NSG once, for all of its vectors.
"""

from typing import Any

import numpy as np

from kindex.core.errors import DamagedError
from kindex.index.changes import Changes
from kindex.index.faiss_parts import faiss_one_thread, parts
from kindex.index.places import GONE, Places
from kindex.index.training import prepare

UPDATED, MARKED, ENCODED = "updated", "marked", "encoded"

LISTS = ("IndexIVFFlat", "IndexIVFScalarQuantizer", "IndexIVFPQ", "IndexIVFPQFastScan", "IndexIVFRaBitQ")
"""Kinds of inverted lists whose entries are found by their label alone. IVFPQR and the like keep more of them elsewhere."""

GRAPHS = ("IndexHNSWFlat", "IndexHNSWSQ", "IndexHNSWPQ")


def way(faiss_index: Any) -> str | None:
    """How an index of this kind can be changed; None when it cannot."""
    faiss = faiss_one_thread()
    inner = parts(faiss_index)[2]
    if type(inner).__name__ in LISTS:
        return UPDATED
    if type(inner).__name__ in GRAPHS:
        return MARKED
    return ENCODED if isinstance(inner, faiss.IndexFlatCodes | faiss.IndexFastScan) else None


def tombstones(places: Places | None, changes: Changes) -> tuple[int, int]:
    """How many of how many positions would be tombstones in a graph."""
    positions = len(places.row_P) if places else len(changes.row_F)
    return positions - int(np.count_nonzero(changes.same_F)), positions + len(changes.fresh_C)


def change(faiss_index: Any, places: Places | None, vectors_ND: np.ndarray, changes: Changes) -> Places | None:
    """Make `faiss_index` one of `vectors_ND` (as they are searched), and give its places; None: positions are rows.

    The same index and the same vectors give the same bytes. Raises `DamagedError` when the index does not hold what the
    space that it came with says.
    """
    how, vectors_ND = way(faiss_index), np.ascontiguousarray(vectors_ND)
    if how is None:
        raise ValueError(f"an index of the kind {type(faiss_index).__name__} cannot be changed in place")
    if how == MARKED:
        return _mark(faiss_index, places, vectors_ND, changes)
    if how == UPDATED:
        _move(faiss_index, vectors_ND, changes)
    else:
        faiss_index.reset()
        faiss_index.add(vectors_ND)
    return None


def _move(faiss_index: Any, vectors_ND: np.ndarray, changes: Changes) -> None:
    faiss = faiss_one_thread()
    refine, _, inner = parts(faiss_index)
    base = faiss_index if refine is None else faiss.downcast_index(refine.base_index)
    if len(changes.row_F) != inner.ntotal:
        raise DamagedError(f"the index of lists holds {inner.ntotal} vectors, and its space {len(changes.row_F)}")
    bitmap = np.packbits(changes.kept_F == GONE, bitorder="little")
    base.remove_ids(faiss.IDSelectorBitmap(bitmap))
    for number in range(inner.nlist):
        if size := inner.invlists.list_size(number):
            pointer = inner.invlists.get_ids(number)
            labels = faiss.rev_swig_ptr(pointer, size)  # a view: what is written here stands in the list
            labels[:] = changes.kept_F[labels]
            inner.invlists.release_ids(number, pointer)
    if len(changes.fresh_C):
        base.add_with_ids(np.ascontiguousarray(vectors_ND[changes.fresh_C]), changes.fresh_C)
    if refine is not None:
        refine.refine_index.reset()
        refine.refine_index.add(vectors_ND)
        refine.ntotal = len(vectors_ND)


def _mark(faiss_index: Any, places: Places | None, vectors_ND: np.ndarray, changes: Changes) -> Places | None:
    faiss = faiss_one_thread()
    inner = parts(faiss_index)[2]
    former_P = places.row_P if places else np.arange(len(changes.row_F))
    if len(former_P) != inner.ntotal:
        raise DamagedError(f"the graph holds {inner.ntotal} vectors, and its space {len(former_P)}")
    kept_P = np.where(former_P == GONE, GONE, changes.kept_F[former_P])
    if len(changes.fresh_C):
        prepare(inner)
        # faiss draws the levels of new nodes from a generator that is not in the file
        inner.hnsw.rng = faiss.RandomGenerator(int(inner.ntotal))
        faiss_index.add(np.ascontiguousarray(vectors_ND[changes.fresh_C]))
    now_P = np.concatenate([kept_P, changes.fresh_C]).astype(np.int32)
    return None if np.array_equal(now_P, np.arange(len(vectors_ND))) else Places(now_P)
