"""Which item has which row of a table of vectors."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Vocabulary:
    """Ids by kind, both ascending; rows are counted through the kinds in that order."""

    ids: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, kinds: pa.ChunkedArray, ids: pa.ChunkedArray) -> tuple[Self, np.ndarray]:
        """The vocabulary of N (kind, id) pairs, and the row of each (N int64)."""
        kind_names, kind_N = _ranked(kinds)
        id_names, id_N = _ranked(ids)
        code_V, row_N = np.unique(kind_N * max(len(id_names), 1) + id_N, return_inverse=True)
        kind_V, id_V = np.divmod(code_V, max(len(id_names), 1))
        by_kind = {
            name: tuple(id_names[code] for code in id_V[kind_V == number].tolist()) for number, name in enumerate(kind_names)
        }
        return cls(by_kind), row_N.astype(np.int64)

    def __len__(self) -> int:
        return sum(len(ids) for ids in self.ids.values())

    @cached_property
    def rows(self) -> dict[tuple[str, str], int]:
        """The row of each (kind, id)."""
        pairs = ((kind, name) for kind, ids in self.ids.items() for name in ids)
        return {pair: row for row, pair in enumerate(pairs)}

    def kept(self, row_K: np.ndarray) -> Self:
        """Some rows (K, ascending) as a vocabulary of their own."""
        spans = self.spans()
        bounds = {kind: np.searchsorted(row_K, [span.start, span.stop]) for kind, span in spans.items()}
        some = {
            kind: tuple(self.ids[kind][row - spans[kind].start] for row in row_K[first:end].tolist())
            for kind, (first, end) in bounds.items()
        }
        return type(self)({kind: ids for kind, ids in some.items() if ids})

    def spans(self) -> dict[str, slice]:
        """The rows of each kind."""
        ends = np.cumsum([len(ids) for ids in self.ids.values()]).tolist()
        return {kind: slice(end - len(ids), end) for (kind, ids), end in zip(self.ids.items(), ends, strict=True)}


def _ranked(texts: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The distinct texts in ascending order, and the position of each text among them (N int64)."""
    encoded = pc.dictionary_encode(texts.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    order_V = pc.sort_indices(encoded.dictionary).to_numpy()
    rank_V = np.empty(len(order_V), np.int64)
    rank_V[order_V] = np.arange(len(order_V))
    return encoded.dictionary.take(pa.array(order_V)).to_pylist(), rank_V[encoded.indices.to_numpy()]
