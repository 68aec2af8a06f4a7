"""Neighbour churn: how much the answers change between two releases."""

import hashlib

import numpy as np

from kindex.core.nearest import nearest
from kindex.core.space import Space


def neighbour_churn(live: Space, candidate: Space, k: int = 10, sample: int = 500) -> float:
    """Mean share, 0 to 1, of an item's `k` nearest that are not among its `k` nearest in the live space.

    Only items that both spaces have are asked about and answered, so that additions and deletions do not count; exact
    search, so that an index does not either. Turning or scaling a whole space changes nothing. The items asked about
    are chosen by a hash of their ids: the same ones night after night. With fewer than two shared ids nothing that users
    knew remains, and a vector that is not finite has no neighbours: 1.0.
    """
    shared = sorted(live.rows.keys() & candidate.rows.keys())
    if len(shared) < 2 or not all(np.isfinite(space.vectors_ND).all() for space in (live, candidate)):
        return 1.0
    asked = sorted(range(len(shared)), key=lambda row: hashlib.blake2b(shared[row].encode(), digest_size=8).digest())
    queries = np.array(sorted(asked[:sample]))
    former, now = (_neighbours(space, shared, queries, k) for space in (live, candidate))
    kept = sum(len(np.intersect1d(before_K, after_K)) for before_K, after_K in zip(former, now))
    return 1.0 - kept / former.size


def _neighbours(space: Space, shared: list[str], queries: np.ndarray, k: int) -> np.ndarray:
    """Rows (Q, K) in `shared` of each query's nearest, without itself."""
    vectors_ND = space.search_ND[[space.rows[name] for name in shared]]
    return nearest(vectors_ND, vectors_ND[queries], k, queries)[1]
