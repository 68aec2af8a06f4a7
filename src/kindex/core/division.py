"""Which links are held out, found in one pass over batches of them.

An item may have its hash, and its anchor so far, in memory; a link may not. A link that could be held out is decided as soon
as both its items have a link that outranks it, for an anchor can only be replaced by one that ranks higher.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from kindex.core.codes import Codes, coded_batches

ENDS = ("left", "right")
LINK_KEYS = ["left_kind", "left", "right_kind", "right"]
HALF = 1 << 42
"""Dates are seconds between -HALF and HALF."""

BINS = 1 << 16
FRACTION_BITS = 53
Candidates = Callable[[np.ndarray, pa.RecordBatch], tuple[np.ndarray, np.ndarray]]
"""From a batch and its rows' hashes: which rows may be held out (N bool), and how they rank as anchors (N uint64)."""


def by_hash(share: float) -> Candidates:
    """A share of the hashes; the largest hash ranks highest."""
    return lambda hash_N, _: (fraction(hash_N) < share, hash_N >> np.uint64(64 - FRACTION_BITS))


def by_time(times: Callable[[], Iterator[np.ndarray]], share: float) -> Candidates:
    """The newest `share` of the links; the oldest ranks highest, among several the one with the largest hash.

    Of the links of the second where the share begins, hashes choose. `times` gives all dates, in parts, each time it is asked.
    """
    begin, rest = share_begins(times, share)

    def candidates(hash_N: np.ndarray, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
        time_N = batch["time"].to_numpy(zero_copy_only=False)
        may_N = (time_N > begin) | ((time_N == begin) & (fraction(hash_N) < rest))
        age_N = (HALF - np.clip(time_N, -HALF + 1, HALF)).astype(np.uint64)
        return may_N, (age_N << np.uint64(20)) | (hash_N >> np.uint64(44))

    return candidates


def share_begins(times: Callable[[], Iterator[np.ndarray]], share: float) -> tuple[int, float]:
    """The second in which the newest `share` begins, and the part of that second's links that belongs to it."""
    low, high, rows = HALF, -HALF, 0
    for time_N in times():
        low, high = min(low, int(time_N.min(initial=HALF))), max(high, int(time_N.max(initial=-HALF)))
        rows += len(time_N)
    wanted, newer, same = int(share * rows), 0, rows
    if not wanted:
        return HALF, 0.0
    while low < high:  # count in ever smaller bins
        width = (high - low) // BINS + 1
        count_B = np.zeros(BINS, np.int64)
        for time_N in times():
            inside_N = time_N[(time_N >= low) & (time_N <= high)]
            count_B += np.bincount((inside_N - low) // width, minlength=BINS)
        newer_B = newer + np.cumsum(count_B[::-1])[::-1] - count_B
        at = int(np.flatnonzero((newer_B <= wanted) & (newer_B + count_B > wanted))[0])
        newer, same = int(newer_B[at]), int(count_B[at])
        low, high = low + at * width, min(high, low + (at + 1) * width - 1)
    return low, (wanted - newer) / same


def heldout_rows(batches: Iterable[pa.RecordBatch], salt: str, candidates: Candidates) -> np.ndarray:
    """Which links are held out (N bool). Batches have `LINK_KEYS`, and what `candidates` looks at."""
    ids, kinds = _Hashed(salt), _Hashed(f"{salt}/kind")
    anchors, held, open_rows = _Anchors(), [], _Open()
    columns = [("left", ids.codes), ("right", ids.codes), ("left_kind", kinds.codes), ("right_kind", kinds.codes)]
    start = 0
    for batch, (left_N, right_N, left_kind_N, right_kind_N) in coded_batches(batches, columns, at_once=1):
        id_hash_V, kind_hash_K = ids.hashes(), kinds.hashes()
        hash_N = mix(
            mix(id_hash_V[left_N] ^ mix(kind_hash_K)[left_kind_N]) + mix(id_hash_V[right_N] ^ mix(kind_hash_K)[right_kind_N])
        )
        may_N, rank_N = candidates(hash_N, batch)
        for kind_N, id_N in ((left_kind_N, left_N), (right_kind_N, right_N)):
            anchors.see(kind_N, id_N, rank_N, len(ids.codes))
        row_M = np.flatnonzero(may_N)
        found = _Open(start + row_M, rank_N[row_M], *(part[row_M] for part in (left_kind_N, left_N, right_kind_N, right_N)))
        decided = found.outranked(anchors)
        held_N = np.zeros(len(may_N), bool)
        held_N[row_M[decided]] = True
        held.append(held_N)
        open_rows = open_rows.joined(found.only(~decided))
        start += len(may_N)
    held_N = np.concatenate(held) if held else np.zeros(0, bool)
    held_N[open_rows.row_M[open_rows.outranked(anchors)]] = True
    return held_N


class _Hashed:
    """Codes of texts, and the blake2b of each text (V uint64), which costs the distinct texts."""

    def __init__(self, salt: str) -> None:
        self.codes = Codes()
        self._salt = salt
        self._hash_V = np.zeros(0, np.uint64)

    def hashes(self) -> np.ndarray:
        if len(self._hash_V) < len(self.codes):
            new = text_hashes(self.codes.texts[len(self._hash_V) :], self._salt)
            self._hash_V = np.concatenate([self._hash_V, new])
        return self._hash_V


class _Anchors:
    """The highest rank among the links of each item, by kind and id code."""

    def __init__(self) -> None:
        self._highest: dict[int, np.ndarray] = {}

    def see(self, kind_N: np.ndarray, id_N: np.ndarray, rank_N: np.ndarray, ids: int) -> None:
        for kind, rows in _by_kind(kind_N):
            known_V = self._highest.get(kind, np.zeros(0, np.uint64))
            if len(known_V) < ids:
                known_V = np.concatenate([known_V, np.zeros(ids + ids // 2 - len(known_V), np.uint64)])
                self._highest[kind] = known_V
            np.maximum.at(known_V, id_N[rows], rank_N[rows])

    def of(self, kind_N: np.ndarray, id_N: np.ndarray) -> np.ndarray:
        """The highest rank of each row's item (N uint64)."""
        highest_N = np.zeros(len(id_N), np.uint64)
        for kind, rows in _by_kind(kind_N):
            highest_N[rows] = self._highest[kind][id_N[rows]]
        return highest_N


@dataclass(frozen=True)
class _Open:
    """Rows that could be held out: where they are, how they rank, and their items."""

    row_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    rank_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    left_kind_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    left_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    right_kind_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    right_M: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def outranked(self, anchors: _Anchors) -> np.ndarray:
        """Rows (M bool) that are the anchor of neither item."""
        left_M, right_M = anchors.of(self.left_kind_M, self.left_M), anchors.of(self.right_kind_M, self.right_M)
        return (left_M > self.rank_M) & (right_M > self.rank_M)

    def only(self, keep_M: np.ndarray) -> "_Open":
        return _Open(*(part[keep_M] for part in vars(self).values()))

    def joined(self, other: "_Open") -> "_Open":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Open(*(np.concatenate(pair) for pair in pairs))


def _by_kind(kind_N: np.ndarray) -> Iterator[tuple[int, slice | np.ndarray]]:
    """Each kind that occurs, with its rows; links mostly have one kind at an end."""
    if not len(kind_N):
        return
    if (kind_N == kind_N[0]).all():
        yield int(kind_N[0]), slice(None)
        return
    for kind in np.unique(kind_N).tolist():
        yield kind, np.flatnonzero(kind_N == kind)


def text_hashes(texts: pa.Array, salt: str) -> np.ndarray:
    """blake2b, keyed by the salt, of each of V texts (V uint64)."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    blake2b = hashlib.blake2b
    return np.frombuffer(b"".join([blake2b(t, digest_size=8, key=key).digest() for t in _raw(texts)]), "<u8")


def _raw(texts: pa.Array) -> Iterator[bytes]:
    for start in range(0, len(texts), 1 << 16):
        yield from texts[start : start + (1 << 16)].cast(pa.binary()).to_pylist()


def fraction(hash_N: np.ndarray) -> np.ndarray:
    """uint64 hashes as float64 in [0, 1), by their upper 53 bits."""
    return (hash_N >> np.uint64(64 - FRACTION_BITS)).astype(np.float64) * 2.0**-FRACTION_BITS


def mix(hash_N: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014): every input bit moves every output bit."""
    hash_N = (hash_N ^ (hash_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_N = (hash_N ^ (hash_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_N ^ (hash_N >> np.uint64(31))
