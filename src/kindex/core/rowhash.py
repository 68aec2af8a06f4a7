"""Hashes of the rows of one table: of what names a row, of all that it holds, and their sums by the items that they touch.

Texts get codes, so that each distinct one is hashed once, and a row costs a few operations of numpy. Hashes are put aside on
disk, dealt out by the first bits of their keys, and each part is sorted by itself: memory grows with the items, not the rows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.codes import Codes, coded_batches
from kindex.core.division import mix, text_hashes
from kindex.core.scratch import Scratch, by_part
from kindex.core.tables import Stream, batches_of

KEYS = {
    "links": ("left_kind", "left", "right_kind", "right"),
    "items": ("kind", "id"),
    "images": ("id",),
    "captions": ("id", "place"),
}
"""Which columns name a row."""

ENDS = (("left_kind", "left"), ("right_kind", "right"))
SALT = "kindex/rows"


HASHES = np.dtype([("key", np.uint64), ("content", np.uint64)])

PART = 1 << 22
"""Rows that are sorted at a time."""


@dataclass(frozen=True)
class Rows:
    """`HASHES` of so many rows, keys ascending and each once. `pieces` gives some at a time, as often as it is asked."""

    count: int
    pieces: Callable[[], Iterator[np.ndarray]]

    def __len__(self) -> int:
        return self.count


class HashedTable:
    """One table. Texts get codes, so that each distinct one is hashed once; a second pass is made only for repeated rows.

    What is put aside lies in nameless files below `scratch`.
    """

    def __init__(self, kind: str, part: pa.Table | Stream, scratch: Path) -> None:
        self.kind, self.part, self.scratch, self.names = kind, part, scratch, sorted(part.schema.names)
        self.texts: dict[str, Codes] = {}
        ids = Codes()
        for name in self.names:
            if pa.types.is_string(part.schema.field(name).type):
                self.texts[name] = ids if name in ("left", "right", "id") else Codes()
        self.ends = ENDS if kind == "links" else (("kind", "id"),) if kind == "items" else ((None, "id"),)
        self.evidence: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._salted: dict[str, np.ndarray] = {}
        self.rows, repeated_R = self._in_order(self._dealt())
        if len(repeated_R):
            self._again(repeated_R)

    def _dealt(self) -> list[Scratch]:
        """The hashes of all rows in parts of about `PART`, by the first bits of their keys; and their evidence."""
        bits = ((self.part.num_rows - 1) // PART).bit_length() if self.part.num_rows else 0
        parts = [Scratch(self.scratch, HASHES) for _ in range(1 << bits)]
        for key_B, content_B, codes in self._hashes():
            self._touch(content_B, codes)
            hashes_B = np.empty(len(key_B), HASHES)
            hashes_B["key"], hashes_B["content"] = key_B, content_B
            part_B = (key_B >> np.uint64(1) >> np.uint64(63 - bits)).astype(np.uint16)  # numpy shifts by 63 at most
            for part, row_K in by_part(part_B, len(parts)):
                parts[part].append(hashes_B[row_K])
        return parts

    def _in_order(self, parts: list[Scratch]) -> tuple[Rows, np.ndarray]:
        """All rows in order, and the contents of those that were there more than once, ascending."""
        whole, repeated = Scratch(self.scratch, HASHES), [np.zeros(0, np.uint64)]
        for part in parts:
            with part:
                hashes_N, again_R = _distinct(part.read(0, part.rows))
            whole.append(hashes_N)
            repeated.append(again_R)
        return Rows(whole.rows, whole.pieces), np.unique(np.concatenate(repeated))

    def _hashes(self) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
        """Key, content and the codes of texts, for each batch."""
        columns = list(self.texts.items())
        for batch, coded in coded_batches(batches_of(self.part, self.names), columns, at_once=1):
            codes = dict(zip(self.texts, coded, strict=True))
            key_B, content_B = (np.zeros(batch.num_rows, np.uint64) for _ in range(2))
            for name in self.names:
                hash_B = self._salt(name)[codes[name]] if name in codes else _numbers(batch[name], name)
                content_B += hash_B
                if name in KEYS[self.kind]:
                    key_B += hash_B
            yield mix(key_B), mix(content_B), codes

    def _salt(self, name: str) -> np.ndarray:
        """The hash of each text as a value of this column; the last one is of none (null)."""
        texts, known_V = self.texts[name].texts, self._salted.setdefault(name, np.zeros(1, np.uint64))
        if len(known_V) <= len(texts):
            new_V = text_hashes(texts[len(known_V) - 1 :], f"{SALT}/{name}")
            self._salted[name] = np.concatenate([known_V[:-1], new_V, np.zeros(1, np.uint64)])
        return self._salted[name]

    def _touch(self, content_B: np.ndarray, codes: Mapping[str, np.ndarray]) -> None:
        """Add rows to the evidence of the items at their ends."""
        for kind_name, name in self.ends:
            kinds = [("image", slice(None))] if kind_name is None else _by_code(self.texts[kind_name], codes[kind_name])
            for kind, rows in kinds:
                sum_V, seen_V = self.evidence.get(kind, (np.zeros(0, np.uint64), np.zeros(0, bool)))
                if (more := len(self.texts[name]) - len(sum_V)) > 0:
                    grown = more + len(self.texts[name]) // 2
                    sum_V, seen_V = np.append(sum_V, np.zeros(grown, np.uint64)), np.append(seen_V, np.zeros(grown, bool))
                np.add.at(sum_V, codes[name][rows], content_B[rows])
                seen_V[codes[name][rows]] = True
                self.evidence[kind] = sum_V, seen_V

    def _again(self, repeated_R: np.ndarray) -> None:
        """The evidence of the rows, each once."""
        self.evidence, seen_R = {}, np.zeros(len(repeated_R), bool)
        for _, content_B, codes in self._hashes():
            at_B = np.minimum(np.searchsorted(repeated_R, content_B), len(repeated_R) - 1)
            copy_B = repeated_R[at_B] == content_B
            row_C = np.flatnonzero(copy_B)
            at_F, first_F = np.unique(at_B[row_C], return_index=True)
            copy_B[row_C[first_F[~seen_R[at_F]]]] = False
            seen_R[at_F] = True
            self._touch(content_B[~copy_B], {name: code_B[~copy_B] for name, code_B in codes.items()})


def _distinct(hashes_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hashes by ascending key, each once, and the contents of rows that repeat another; rows that differ under one key
    are summed."""
    hashes_N = hashes_N[np.argsort(hashes_N["key"], kind="stable")]
    key_N = hashes_N["key"]
    if not (key_N[1:] == key_N[:-1]).any():
        return hashes_N, np.zeros(0, np.uint64)
    hashes_N = hashes_N[np.lexsort((hashes_N["content"], key_N))]
    again_N = np.zeros(len(hashes_N), bool)
    again_N[1:] = hashes_N[1:] == hashes_N[:-1]
    once_S = hashes_N[~again_N]
    begin_K = np.flatnonzero(np.diff(once_S["key"], prepend=once_S["key"][:1] - np.uint64(1)))
    made_K = once_S[begin_K]
    made_K["content"] = np.add.reduceat(once_S["content"], begin_K)
    return made_K, hashes_N["content"][again_N]


def _by_code(texts: Codes, code_B: np.ndarray) -> Iterator[tuple[str, slice | np.ndarray]]:
    """Each kind that occurs, with its rows; most batches have one."""
    if len(code_B) and (code_B == code_B[0]).all():
        yield texts.texts[int(code_B[0])].as_py(), slice(None)
        return
    for code in np.unique(code_B).tolist():
        yield texts.texts[code].as_py(), np.flatnonzero(code_B == code)


def _numbers(column: pa.Array, name: str) -> np.ndarray:
    """Hashes (N uint64) of numbers, or of bytes; null is 0."""
    salt = text_hashes(pa.array([name]), SALT)[0]
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return np.where(column.is_null(), np.uint64(0), text_hashes(pc.fill_null(column, b""), f"{SALT}/{name}"))
    number_N = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0).to_numpy(zero_copy_only=False)
    if number_N.dtype.kind == "f":
        bits_N = (number_N + number_N.dtype.type(0)).astype(np.float64).view(np.uint64)  # -0.0 is 0.0
    else:
        bits_N = number_N.astype(np.int64).view(np.uint64)
    hash_N = mix(mix(bits_N + salt) ^ salt)
    return np.where(column.is_null().to_numpy(zero_copy_only=False), np.uint64(0), hash_N) if column.null_count else hash_N
