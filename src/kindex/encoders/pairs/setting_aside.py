"""What is set aside of the links, to choose settings by and to stop at: decided by hashes of ids, and the same every night."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kindex.core.scratch import occurrences
from kindex.core.split import fraction
from kindex.encoders.pairs.observed import Observed
from kindex.encoders.parts.vocabulary import Vocabulary

JUDGED = 4000
"""Left items that are enough to choose settings by."""

JUDGED_SHARE = 0.1
"""Of the links of such an item, set aside."""


def set_aside(observed: Observed, share: float | None) -> np.ndarray:
    """Which links settings are chosen by (P bool), decided by a hash of ids; each row of both tables keeps a link.

    By default a tenth of the links of some `JUDGED` left items: an item with few links weighs as much as one with many. In a
    graph of one kind of node, and for a given `share`, a part of all links: there a link and its reverse fall on the same
    side, or one would tell the other.
    """
    left_hash_L, right_hash_R = (_hashes(side) for side in (observed.left, observed.right))
    asked_L = np.ones(len(observed.left), bool)
    if share is None:
        share = JUDGED_SHARE
        if not set(observed.left.ids) & set(observed.right.ids):
            asked_L = fraction(_mixed(left_hash_L)) < JUDGED / max(len(observed.left), 1)
    hidden_P = np.empty(len(observed), bool)
    for first, end, left_P in _chunks(observed):
        # the sum does not know which end is which
        both_P = _mixed(left_hash_L[left_P] + right_hash_R[observed.right_P[first:end]])
        hidden_P[first:end] = (fraction(both_P) < share) & asked_L[left_P]
    at_H = np.flatnonzero(hidden_P)
    rows = (np.searchsorted(observed.start_L1, at_H, side="right") - 1, observed.right_P[at_H])
    degrees = (np.diff(observed.start_L1), occurrences(observed.right_P, len(observed.right)))
    # both sides by the links that are hidden now: one after the other would part a link from its reverse
    keep = [degree_V > np.bincount(row_H, minlength=len(degree_V)) for row_H, degree_V in zip(rows, degrees, strict=True)]
    hidden_P[at_H] = keep[0][rows[0]] & keep[1][rows[1]]
    return hidden_P


@dataclass(frozen=True)
class Shown:
    """A part of what was observed, with rows of its own: its left row i is row `left_K[i]` of the whole, and so on."""

    observed: Observed
    left_K: np.ndarray
    right_K: np.ndarray
    at_P: np.ndarray  # its links among those of the whole


def some_rows(observed: Observed, links: int) -> Shown:
    """The links of so many left items, by the hash that `set_aside` asks them by, as have about `links` together."""
    degree_L = np.diff(observed.start_L1)
    shown_L = fraction(_mixed(_hashes(observed.left))) < links / max(len(observed), 1)
    at_P = np.flatnonzero(np.repeat(shown_L, degree_L))
    left_K, right_K = np.flatnonzero(shown_L), np.unique(observed.right_P[at_P])
    weight_P, time_P = (None if whole is None else whole[at_P] for whole in (observed.weight_P, observed.time_P))
    part = Observed(
        observed.left.kept(left_K),
        observed.right.kept(right_K),
        np.concatenate([[0], np.cumsum(degree_L[shown_L])]),
        np.searchsorted(right_K, observed.right_P[at_P]).astype(np.int32),
        weight_P,
        time_P,
    )
    return Shown(part, left_K, right_K, at_P)


def _chunks(observed: Observed, rows: int = 1 << 16) -> Iterator[tuple[int, int, np.ndarray]]:
    """The links of so many left rows at a time: first, end, and their left rows."""
    degree_L = np.diff(observed.start_L1)
    for row in range(0, len(degree_L), rows):
        part_L = np.arange(row, min(row + rows, len(degree_L)))
        yield int(observed.start_L1[row]), int(observed.start_L1[part_L[-1] + 1]), np.repeat(part_L, degree_L[part_L])


def _hashes(vocabulary: Vocabulary) -> np.ndarray:
    """A 64-bit hash of each row's kind and id (V uint64)."""
    digests = []
    for kind, ids in vocabulary.ids.items():
        key = hashlib.blake2b(f"validation/{kind}".encode(), digest_size=32).digest()
        digests += [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest() for name in ids]
    return np.frombuffer(b"".join(digests), "<u8")


def _mixed(hash_P: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    hash_P = (hash_P ^ (hash_P >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_P = (hash_P ^ (hash_P >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_P ^ (hash_P >> np.uint64(31))
