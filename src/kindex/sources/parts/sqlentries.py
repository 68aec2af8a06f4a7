"""Entries of a snapshot: what was read of a row, and when. The last entry of a row says what it is now.

An entry names its row by a hash, for a row that went must leave nothing but that. Hashes have 64 bits: of ten million rows,
two share one with a probability of 3e-6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.division import text_hashes

HEAD = pa.schema(
    [
        ("key", pa.uint64()),  # of the columns that name a row, or of all when none do
        ("copy", pa.int32()),  # of rows that are alike when no columns name them: 0, 1, …
        ("row", pa.uint64()),  # of all columns that are read; of a row that went, how: `TOMBSTONE` or `ABSENT`
        ("at", pa.float64()),  # the watermark as a number, -inf without one
        ("gone", pa.bool_()),  # deleted: then there are no values
    ]
)
TOMBSTONE, ABSENT = np.uint64(0), np.uint64(1)

MARK = "="
"""Before the names of columns with values (binary, as the database writes them), which may be any."""


def schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([*HEAD, *((MARK + name, pa.binary()) for name in columns)])


@dataclass(frozen=True)
class Heads:
    """N entries without their values, ascending by key and copy, and of each row one: the last."""

    key_N: np.ndarray
    copy_N: np.ndarray
    row_N: np.ndarray
    at_N: np.ndarray
    gone_N: np.ndarray

    def __len__(self) -> int:
        return len(self.key_N)

    @property
    def alive(self) -> int:
        return len(self) - int(self.gone_N.sum())

    def find(self, key_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the first entry of each key is, and whether there is one (M bool)."""
        at_M = np.minimum(np.searchsorted(self.key_N, key_M), max(len(self) - 1, 0))
        return at_M, self.key_N[at_M] == key_M if len(self) else np.zeros(len(key_M), bool)

    def take(self, chosen: np.ndarray) -> "Heads":
        return Heads(*(getattr(self, f"{name}_N")[chosen] for name in HEAD.names))

    @classmethod
    def of(cls, table: pa.Table | pa.RecordBatch) -> "Heads":
        return cls(*(np.asarray(table[name].to_numpy(zero_copy_only=False)) for name in HEAD.names))


NONE = Heads(*(np.zeros(0, kind) for kind in (np.uint64, np.int32, np.uint64, np.float64, np.bool_)))


def last(heads: Heads, generation_N: np.ndarray) -> np.ndarray:
    """Positions of the last entry of each (key, copy), in that order.

    Last is the highest watermark, then the latest reading, then the larger hash: an order of entries, whatever order they
    are given in and however often. So increments may come late, twice, or shuffled.
    """
    order_N = np.lexsort((heads.row_N, heads.gone_N, generation_N, heads.at_N, heads.copy_N, heads.key_N))
    key_N, copy_N = heads.key_N[order_N], heads.copy_N[order_N]
    ends_N = np.ones(len(order_N), bool)
    ends_N[:-1] = (key_N[1:] != key_N[:-1]) | (copy_N[1:] != copy_N[:-1])
    return order_N[ends_N]


def hashes(columns: Sequence[pa.Array], salt: str) -> np.ndarray:
    """A hash (N uint64) of each row of these binary columns; null and empty differ, and so do "a","bc" and "ab","c"."""
    parts = [_framed(column) for column in columns]
    whole = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.binary())) if len(parts) > 1 else parts[0]
    return text_hashes(whole, f"kindex/sql/{salt}") if len(whole) else np.zeros(0, np.uint64)


def _framed(column: pa.Array) -> pa.Array:
    length = pc.binary_length(column).cast(pa.string()).cast(pa.binary())
    framed = pc.binary_join_element_wise(length, column, pa.scalar(b":", pa.binary()))
    return pc.fill_null(framed, pa.scalar(b"-", pa.binary()))


def watermarks(column: pa.Array) -> np.ndarray:
    """Each value as a number (N float64): itself, or seconds since 1970 of a date. -inf for what is neither, or no number."""
    coded = pc.dictionary_encode(column)
    value_V = np.array([*(number(text) for text in coded.dictionary.to_pylist()), -np.inf])
    return value_V[pc.fill_null(coded.indices, len(value_V) - 1).to_numpy(zero_copy_only=False)]


def number(text: bytes) -> float:
    try:
        shown = text.decode()
        try:
            value = float(shown)
        except ValueError:
            value = moment(shown).timestamp()
    except (ValueError, OverflowError):
        return -np.inf
    return value if np.isfinite(value) else -np.inf


def moment(text: str) -> datetime:
    """A date of ISO 8601, UTC where it does not say. Raises `ValueError`."""
    read = datetime.fromisoformat(text.strip())
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def is_gone(column: pa.Array) -> np.ndarray:
    """Whether a tombstone column (N) says that a row is deleted: a date, a true, a number but 0; not null, false, 0 or ""."""
    no = pa.array([b"", b"0", b"0.0", b"f", b"false", b"n", b"no", b"F", b"FALSE", b"False", b"N", b"NO", b"No"], pa.binary())
    return np.asarray(pc.invert(pc.or_(pc.is_null(column), pc.is_in(column, no))).to_numpy(zero_copy_only=False))
