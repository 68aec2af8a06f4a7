"""The links of a catalogue by row number, read in batches; on disk where they are many."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.codes import Codes, coded_batches
from kindex.core.errors import DataGateError
from kindex.core.scratch import Column, column, occurrences, pieces
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.vocabulary import Vocabulary

ON_DISK = 1 << 24
"""Links from which on they are put aside, some at a time in memory."""


@dataclass(frozen=True)
class Observed:
    """P links in order of left row, then right row. `weight_P`, `time_P` (seconds) are None where all are alike.

    Columns of links are arrays, or lie below `scratch`.
    """

    left: Vocabulary
    right: Vocabulary
    start_L1: np.ndarray  # int64
    right_P: Column  # int32
    weight_P: Column | None  # float32
    time_P: Column | None  # int64
    scratch: Path | None = None

    def __len__(self) -> int:
        return len(self.right_P)

    @cached_property
    def right_kind_R(self) -> np.ndarray:
        """The number of each right row's kind among `right.ids` (R int64)."""
        return np.repeat(np.arange(len(self.right.ids)), [len(ids) for ids in self.right.ids.values()])

    def links(self, value_P: Column | None = None, kept_P: np.ndarray | None = None) -> Links:
        """All links, or those kept, with what each counts (None: 1)."""
        if kept_P is None:
            return Links(self.start_L1, self.right_P, len(self.right), value_P)
        at_K = np.flatnonzero(kept_P)
        value_K = None if value_P is None else value_P[at_K]
        return Links(np.searchsorted(at_K, self.start_L1), self.right_P[at_K], len(self.right), value_K)


def observe(train: Catalogue, scratch: Path | None = None) -> Observed:
    """Read the links of `train`, once, by batches. Many of them are kept in nameless files below `scratch`, if it is given;
    in memory they are some 20 bytes each.

    Raises `DataGateError` when there are none.
    """
    count = train.rows("links")
    if not count:
        raise DataGateError(f"the train part of {train.name} has no links to learn from: look at its source and its checks")
    sides = [(Codes(), Codes()), (Codes(), Codes())]
    columns = [(name, codes) for pair, names in zip(sides, ENDS, strict=True) for name, codes in zip(names, pair)]
    extra = [name for name in ("weight", "time") if name in train.part("links").schema.names]
    scratch = scratch if count >= ON_DISK else None
    sizes = {"left": "i4", "left_kind": "i2", "right": "i4", "right_kind": "i2", "weight": "f4", "time": "i8"}
    types = {name: sizes[name] for name in ("left", "left_kind", "right", "right_kind", *extra)}
    read = {name: column(count, kind, scratch) for name, kind in types.items()}
    first = 0
    for batch, codes in coded_batches(train.link_batches(list(types)), columns):
        end = first + batch.num_rows
        for name, value_B in zip(types, [*codes, *(batch[name].to_numpy(zero_copy_only=False) for name in extra)]):
            read[name][first:end] = value_B
        first = end
    left = _numbered(*sides[0], read["left"], read.pop("left_kind"))
    right = _numbered(*sides[1], read["right"], read.pop("right_kind"))
    weight_P, time_P = (_varied(read.pop(name, None)) for name in ("weight", "time"))
    return _in_order(left, right, read.pop("left"), read.pop("right"), (weight_P, time_P), scratch)


ENDS = (("left", "left_kind"), ("right", "right_kind"))


def _numbered(ids: Codes, kinds: Codes, id_P: Column, kind_P: Column) -> Vocabulary:
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


def _varied(value_P: Column | None) -> Column | None:
    """None where all values are the same, for then they say nothing."""
    if value_P is None or all((value_P[part] == value_P[:1]).all() for part in pieces(len(value_P))):
        return None
    return value_P


def _in_order(
    left: Vocabulary,
    right: Vocabulary,
    left_P: Column,
    right_P: Column,
    more: tuple[Column | None, Column | None],
    scratch: Path | None,
) -> Observed:
    """A table of links is already in order when its ends are of one kind each; else it is sorted, in memory."""
    if not all(_ascends(left_P, right_P, part) for part in pieces(len(left_P))):
        code_P = left_P[:].astype(np.int64)
        code_P *= len(right)
        code_P += right_P[:]
        del left_P, right_P
        if any(value_P is not None for value_P in more):
            order_P = np.argsort(code_P, kind="stable")
            code_P, (weight_P, time_P) = code_P[order_P], (None if value_P is None else value_P[order_P] for value_P in more)
            more = weight_P, time_P
        else:
            code_P.sort()
        left_P, right_P = (part_P.astype(np.int32) for part_P in np.divmod(code_P, len(right)))
    degree_L = occurrences(left_P, len(left))
    return Observed(left, right, np.concatenate([[0], np.cumsum(degree_L)]), right_P, *more, scratch)


def _ascends(left_P: Column, right_P: Column, part: slice) -> bool:
    piece = slice(part.start, part.stop + 1)  # with the first of the next
    left_B, right_B = left_P[piece], right_P[piece]
    step_B = left_B[1:] - left_B[:-1]
    return bool(((step_B > 0) | ((step_B == 0) & (right_B[1:] >= right_B[:-1]))).all())
