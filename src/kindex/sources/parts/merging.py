"""Rows of links, as many as a disk holds, sorted by their ends, with repeated ones merged.

Ids become numbers in order of first appearance, then ranks in order of their text. The rows are dealt out by their left end
to parts that fit in memory, and each part is sorted (an external distribution sort: Knuth, TAOCP 3, 5.4.9). Sums are in the
order of the rows, so the result does not depend on how they came in batches.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from kindex.core.codes import Codes, coded_batches
from kindex.core.scratch import Scratch, by_part, pieces
from kindex.core.tables import ROW_GROUP, ROWS

PART = 1 << 22
"""Rows that are sorted in memory at a time; an item with more links than that is sorted in one part all the same."""

BINS = 1 << 16
TYPES = {"key": np.int64, "weight": np.float64, "time": np.int64, "heldout": np.bool_, "place": np.int64}
"""What a row of a part may have. `place` says where it came from; it is there only to name a refused row."""


@dataclass
class Merged:
    """N sorted, distinct links in scratch columns: ranks of the ends in `texts` and, by name, weight, time and heldout."""

    texts: tuple[pa.Array, pa.Array]
    columns: dict[str, Scratch]
    repeated: int = 0
    leaks: list[dict[str, np.ndarray]] = field(default_factory=list)  # held-out rows whose link is a train link, too
    used: tuple[np.ndarray, np.ndarray] = field(default_factory=lambda: (np.zeros(0, bool), np.zeros(0, bool)))

    @property
    def rows(self) -> int:
        return self.columns["left"].rows


def merged(batches: Iterable[pa.RecordBatch], extras: list[str], scratch: Path) -> Merged:
    """`batches` have `left` and `right`, texts without nulls, and the columns `extras` of `TYPES`."""
    ends = (Codes(), Codes())
    came = {name: Scratch(scratch, TYPES.get(name, np.int32)) for name in ("left", "right", *extras)}
    for batch, (left_N, right_N) in coded_batches(batches, [("left", ends[0]), ("right", ends[1])]):
        came["left"].append(left_N)
        came["right"].append(right_N)
        for name in extras:
            came[name].append(batch[name].to_numpy(zero_copy_only=False))
    ranks = (ends[0].sort(), ends[1].sort())
    found = Merged((ends[0].texts, ends[1].texts), {})
    found.used = (np.zeros(len(ends[0]), bool), np.zeros(len(ends[1]), bool))
    names = [name for name in extras if name != "place"]
    types = {"left": np.int32, "right": np.int32, **{name: TYPES[name] for name in names}, "weight": np.float32}
    found.columns = {name: Scratch(scratch, dtype) for name, dtype in types.items()}
    parts, columns = _dealt(came, ranks, extras, scratch)
    for column in came.values():
        column.close()
    for start, stop in parts:
        _merge({name: column.read(start, stop) for name, column in columns.items()}, found)
    for column in columns.values():
        column.close()
    return found


def _dealt(
    came: dict[str, Scratch], ranks: tuple[np.ndarray, np.ndarray], extras: list[str], scratch: Path
) -> tuple[list[tuple[int, int]], dict[str, Scratch]]:
    """The rows with their sort keys, so ordered that rows of one part, from a row to a row, are together."""
    rank_L, rank_R = ranks
    bin_L = (np.arange(len(rank_L)) * BINS // max(len(rank_L), 1))[rank_L].astype(np.int32)
    count_B = np.zeros(BINS, np.int64)
    for left_N in came["left"].pieces():
        count_B += np.bincount(bin_L[left_N], minlength=BINS)
    part_B = _parts(count_B)
    count_P = np.bincount(part_B, count_B, minlength=part_B[-1] + 1).astype(np.int64)
    end_P = np.cumsum(count_P)
    next_P = end_P - count_P
    bounds = list(zip(next_P.tolist(), end_P.tolist(), strict=True))
    columns = {name: Scratch(scratch, TYPES[name]) for name in ("key", *extras)}
    for piece in pieces(came["left"].rows):
        read = {name: column[piece] for name, column in came.items()}
        left_N = read["left"]
        read["key"] = rank_L[left_N].astype(np.int64) * len(rank_R) + rank_R[read["right"]]
        for part, row_K in by_part(part_B[bin_L[left_N]], len(next_P)):
            for name, column in columns.items():
                column.write(int(next_P[part]), read[name][row_K])
            next_P[part] += len(row_K)
    return bounds, columns


def _parts(count_B: np.ndarray) -> np.ndarray:
    """A part for each bin (uint16, ascending), of at most `PART` rows where a bin has no more."""
    part_B = np.zeros(len(count_B), np.uint16)
    part = full = 0
    for bin_, count in enumerate(count_B.tolist()):
        if full and full + count > PART:
            part, full = part + 1, 0
        part_B[bin_], full = part, full + count
    return part_B


def _merge(part: dict[str, np.ndarray], found: Merged) -> None:
    """Sort one part and append its distinct links. Without further columns a link's weight is how often it is there."""
    key_N = part.pop("key")
    if part:
        order_N = np.argsort(key_N, kind="stable")
        key_N, part = key_N[order_N], {name: values_N[order_N] for name, values_N in part.items()}
    else:
        key_N.sort()
    starts_M = _starts(key_N)
    if "place" in part:
        leak_N = _leaks(part["heldout"], starts_M)
        if leak_N.any():
            found.leaks.append({"key": key_N[leak_N], **{name: values_N[leak_N] for name, values_N in part.items()}})
            key_N, part = key_N[~leak_N], {name: values_N[~leak_N] for name, values_N in part.items()}
            starts_M = _starts(key_N)
    if not len(key_N):
        return
    left_M, right_M = np.divmod(key_N[starts_M], len(found.texts[1]))
    found.repeated += len(key_N) - len(starts_M)
    for used_V, code_M in zip(found.used, (left_M, right_M), strict=True):
        used_V[code_M] = True
    one = {"left": left_M, "right": right_M}
    one["weight"] = (
        np.add.reduceat(part["weight"], starts_M) if "weight" in part else np.diff(starts_M, append=len(key_N))
    ).astype(np.float32)
    if "time" in part:
        one["time"] = np.maximum.reduceat(part["time"], starts_M)
    if "heldout" in part:
        one["heldout"] = part["heldout"][starts_M]
    for name, column in found.columns.items():
        column.append(one[name])


def _starts(key_N: np.ndarray) -> np.ndarray:
    """Where each distinct key begins in sorted keys."""
    return np.flatnonzero(np.concatenate([key_N[:1] >= 0, key_N[1:] != key_N[:-1]]))


def _leaks(heldout_N: np.ndarray, starts_M: np.ndarray) -> np.ndarray:
    """Held-out rows (N bool) whose key has a train row as well."""
    if not len(heldout_N):
        return heldout_N
    train_M = ~np.logical_and.reduceat(heldout_N, starts_M)
    return heldout_N & np.repeat(train_M, np.diff(starts_M, append=len(heldout_N)))


def link_batches(found: Merged, kinds: tuple[str, str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The merged links as batches of `schema` with texts as dictionaries."""
    kind = {f"{end}_kind": pa.array([name]) for end, name in zip(("left", "right"), kinds, strict=True)}
    for start in range(0, found.rows, ROW_GROUP):
        read = {name: found.columns[name].read(start, start + ROW_GROUP) for name in schema.names if name not in kind}
        rows = min(ROW_GROUP, found.rows - start)
        columns: dict[str, pa.Array] = {}
        for name in schema.names:
            if name in kind:
                columns[name] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), kind[name])
            elif name in ("left", "right"):
                used_U, index_N = _compact(read[name])
                texts = found.texts[name == "right"].take(pa.array(used_U))
                columns[name] = pa.DictionaryArray.from_arrays(pa.array(index_N), texts)
            else:
                columns[name] = pa.array(read[name], schema.field(name).type)
        yield from pa.table(columns).to_batches(max_chunksize=ROWS)


def _compact(code_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes that occur, ascending, and each code's position among them (N int32)."""
    low, high = int(code_N.min()), int(code_N.max())
    occurs = np.zeros(high - low + 1, bool)
    occurs[code_N - low] = True
    place = np.cumsum(occurs, dtype=np.int32) - 1
    return np.flatnonzero(occurs) + low, place[code_N - low].astype(np.int32, copy=False)
