"""The links of a catalogue by row number, read in batches, and what of them is set aside to choose by."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.codes import Codes, coded_batches
from kindex.core.errors import DataGateError
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.vocabulary import Vocabulary

ROWS = 1 << 22
"""Links that are looked at together: whole-length temporaries would be most of the memory at a hundred million."""


@dataclass(frozen=True)
class Observed:
    """P links in order of left row, then right row. `weight_P`, `time_P` (seconds) are None where all are alike."""

    left: Vocabulary
    right: Vocabulary
    start_L1: np.ndarray  # int64
    right_P: np.ndarray  # int32
    weight_P: np.ndarray | None  # float32
    time_P: np.ndarray | None  # int64

    def __len__(self) -> int:
        return len(self.right_P)

    def left_rows(self) -> np.ndarray:
        """The left row of each link (P int32)."""
        return np.repeat(np.arange(len(self.left), dtype=np.int32), np.diff(self.start_L1))

    @cached_property
    def right_kind_R(self) -> np.ndarray:
        """The number of each right row's kind among `right.ids` (R int64)."""
        return np.repeat(np.arange(len(self.right.ids)), [len(ids) for ids in self.right.ids.values()])

    def links(self, value_P: np.ndarray | None = None, kept_P: np.ndarray | None = None) -> Links:
        """All links, or those kept, with what each counts (None: 1)."""
        if kept_P is None:
            return Links(self.start_L1, self.right_P, len(self.right), value_P)
        at_K = np.flatnonzero(kept_P)
        value_K = None if value_P is None else value_P[at_K]
        return Links(np.searchsorted(at_K, self.start_L1), self.right_P[at_K], len(self.right), value_K)


def observe(train: Catalogue) -> Observed:
    """Read the links of `train`, once, by batches; memory is some 20 bytes a link.

    Raises `DataGateError` when there are none.
    """
    count = train.rows("links")
    if not count:
        raise DataGateError(f"the train part of {train.name} has no links to learn from: look at its source and its checks")
    sides = [(Codes(), Codes()), (Codes(), Codes())]
    columns = [(name, codes) for pair, names in zip(sides, ENDS, strict=True) for name, codes in zip(names, pair)]
    extra = [name for name in ("weight", "time") if name in train.part("links").schema.names]
    sizes = {"left": "i4", "left_kind": "i1", "right": "i4", "right_kind": "i1", "weight": "f4", "time": "i8"}
    types = {name: sizes[name] for name in ("left", "left_kind", "right", "right_kind", *extra)}
    read = {name: np.empty(count, kind) for name, kind in types.items()}
    first = 0
    for batch, codes in coded_batches(train.link_batches(list(types)), columns):
        end = first + batch.num_rows
        for (_, end_kind), (_, kinds_so_far) in zip(ENDS, sides, strict=True):
            if len(kinds_so_far) > 1 << 7 and read[end_kind].dtype == np.int8:  # a byte for each link is what most need
                read[end_kind] = read[end_kind].astype(np.int16)
        for name, column in zip(types, [*codes, *(batch[name].to_numpy(zero_copy_only=False) for name in extra)]):
            read[name][first:end] = column
        first = end
    left = _numbered(*sides[0], read["left"], read.pop("left_kind"))
    right = _numbered(*sides[1], read["right"], read.pop("right_kind"))
    weight_P, time_P = (_varied(read.pop(name, None)) for name in ("weight", "time"))
    return _in_order(left, right, read.pop("left"), read.pop("right"), weight_P, time_P)


ENDS = (("left", "left_kind"), ("right", "right_kind"))


def pieces(count: int) -> Iterator[slice]:
    """`ROWS` links at a time."""
    for first in range(0, count, ROWS):
        yield slice(first, min(first + ROWS, count))


def _numbered(ids: Codes, kinds: Codes, id_P: np.ndarray, kind_P: np.ndarray) -> Vocabulary:
    """The vocabulary of P (id, kind) pairs of codes. `id_P` is changed into the row of each, in place."""
    id_rank_V, kind_rank_K = ids.sort(), kinds.sort()
    present_KV = np.zeros((len(kinds), len(ids)), bool)
    for part in pieces(len(id_P)):
        present_KV[kind_rank_K[kind_P[part]], id_rank_V[id_P[part]]] = True
    row_KV = np.cumsum(present_KV.ravel(), dtype=np.int32).reshape(present_KV.shape) - 1
    for part in pieces(len(id_P)):
        id_P[part] = row_KV[kind_rank_K[kind_P[part]], id_rank_V[id_P[part]]]
    names = kinds.texts.to_pylist()
    return Vocabulary({name: tuple(ids.texts.filter(pa.array(here_V)).to_pylist()) for name, here_V in zip(names, present_KV)})


def _varied(value_P: np.ndarray | None) -> np.ndarray | None:
    """None where all values are the same, for then they say nothing."""
    return None if value_P is None or (value_P == value_P[0]).all() else value_P


def _in_order(
    left: Vocabulary, right: Vocabulary, left_P: np.ndarray, right_P: np.ndarray, *more: np.ndarray | None
) -> Observed:
    """A table of links is already in order when its ends are of one kind each; else it is sorted."""
    if not all(_ascends(left_P, right_P, part) for part in pieces(len(left_P))):
        code_P = left_P.astype(np.int64)
        code_P *= len(right)
        code_P += right_P
        del left_P, right_P
        if any(value_P is not None for value_P in more):
            order_P = np.argsort(code_P, kind="stable")
            code_P, more = code_P[order_P], tuple(None if value_P is None else value_P[order_P] for value_P in more)
        else:
            code_P.sort()
        left_P, right_P = (part_P.astype(np.int32) for part_P in np.divmod(code_P, len(right)))
    degree_L = counts(left_P, len(left))
    return Observed(left, right, np.concatenate([[0], np.cumsum(degree_L)]), right_P, *more)


def _ascends(left_P: np.ndarray, right_P: np.ndarray, part: slice) -> bool:
    piece = slice(part.start, part.stop + 1)  # with the first of the next
    left_B, right_B = left_P[piece], right_P[piece]
    step_B = left_B[1:] - left_B[:-1]
    return bool(((step_B > 0) | ((step_B == 0) & (right_B[1:] >= right_B[:-1]))).all())


def counts(row_P: np.ndarray, rows: int) -> np.ndarray:
    """How often each row occurs (int64)."""
    found = np.zeros(rows, np.int64)
    for part in pieces(len(row_P)):
        found += np.bincount(row_P[part], minlength=rows)
    return found
