"""Hashes of the rows of one table: of what names a row, of all that it holds, and their sums by the items that they touch.

Texts get codes, so that each distinct one is hashed once, and a row costs a few operations of numpy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.codes import Codes, coded_batches
from kindex.core.division import mix, text_hashes
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


@dataclass(frozen=True)
class Rows:
    """Hashes of N rows (uint64), keys ascending and each once."""

    key_N: np.ndarray
    content_N: np.ndarray

    def __len__(self) -> int:
        return len(self.key_N)


class HashedTable:
    """One table. Texts get codes, so that each distinct one is hashed once; a second pass is made only for repeated rows."""

    def __init__(self, kind: str, part: pa.Table | Stream) -> None:
        self.kind, self.part, self.names = kind, part, sorted(part.schema.names)
        self.texts: dict[str, Codes] = {}
        ids = Codes()
        for name in self.names:
            if pa.types.is_string(part.schema.field(name).type):
                self.texts[name] = ids if name in ("left", "right", "id") else Codes()
        self.ends = ENDS if kind == "links" else (("kind", "id"),) if kind == "items" else ((None, "id"),)
        self.evidence: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._salted: dict[str, np.ndarray] = {}
        keys, contents = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        for key_B, content_B, codes in self._hashes():
            keys.append(key_B)
            contents.append(content_B)
            self._touch(content_B, codes)
        self.rows = self._in_order(np.concatenate(keys), np.concatenate(contents))

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

    def _in_order(self, key_N: np.ndarray, content_N: np.ndarray) -> Rows:
        order_N = np.argsort(key_N, kind="stable")
        sorted_N = key_N[order_N]
        if not (sorted_N[1:] == sorted_N[:-1]).any():
            return Rows(sorted_N, content_N[order_N])
        order_N = np.lexsort((content_N, key_N))
        key_S, content_S = key_N[order_N], content_N[order_N]
        first_S = np.ones(len(key_S), bool)
        first_S[1:] = (key_S[1:] != key_S[:-1]) | (content_S[1:] != content_S[:-1])
        keep_N = np.zeros(len(key_N), bool)
        keep_N[order_N[first_S]] = True
        self._again(keep_N)
        key_S, content_S = key_S[first_S], content_S[first_S]
        begin_K = np.flatnonzero(np.diff(key_S, prepend=key_S[:1] - np.uint64(1)))  # rows that differ under one key are summed
        return Rows(key_S[begin_K], np.add.reduceat(content_S, begin_K))

    def _again(self, keep_N: np.ndarray) -> None:
        """The evidence of the rows kept."""
        self.evidence, start = {}, 0
        for _, content_B, codes in self._hashes():
            keep_B = keep_N[start : start + len(content_B)]
            self._touch(content_B[keep_B], {name: code_B[keep_B] for name, code_B in codes.items()})
            start += len(content_B)


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
