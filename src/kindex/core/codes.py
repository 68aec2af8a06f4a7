"""Numbers for texts that come in batches: a dictionary that grows.

Arrow's dictionaries belong to one batch. `Codes` gives each distinct text one number over all batches, in order of first
appearance, and costs the distinct texts of each batch, not its rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.tables import place

TEXT = pa.dictionary(pa.int32(), pa.string())


class Codes:
    """`texts` (V strings) is the dictionary so far; a text's code is its position there."""

    def __init__(self) -> None:
        self.texts = pa.array([], pa.string())
        self._latest: dict[tuple[int, ...], tuple[pa.Array, np.ndarray]] = {}  # dictionaries by place, with their codes

    def __len__(self) -> int:
        return len(self.texts)

    def codes(self, columns: Sequence[pa.Array]) -> list[np.ndarray]:
        """The codes of each column's N texts (N int32 each; null is -1). Texts may be plain or dictionaries.

        It costs one look at all texts known so far and at each dictionary that the last call did not have: take several
        columns at once, and let those that can share a dictionary.
        """
        coded = [column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column) for column in columns]
        own = {place(column.dictionary): column.dictionary for column in coded}
        fresh = {at: texts for at, texts in own.items() if at not in self._latest}
        latest = {at: known for at, known in self._latest.items() if at in own}
        if fresh:
            known = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), self.texts)
            parts = [pa.DictionaryArray.from_arrays(np.arange(len(texts), dtype=np.int32), texts) for texts in fresh.values()]
            together = pa.chunked_array([known, *parts], TEXT).unify_dictionaries()
            self.texts = together.chunk(0).dictionary
            for (at, texts), part in zip(fresh.items(), together.chunks[1:], strict=True):
                latest[at] = texts, part.indices.to_numpy()
        self._latest = latest
        return [_indices(column, latest[place(column.dictionary)][1]) for column in coded]

    def sort(self) -> np.ndarray:
        """Put `texts` in ascending order of their UTF-8 bytes; the new code of each former one (V int32)."""
        self._latest = {}
        order_V = pc.sort_indices(self.texts)
        self.texts = self.texts.take(order_V)
        rank_V = np.empty(len(order_V), np.int32)
        rank_V[order_V.to_numpy()] = np.arange(len(order_V), dtype=np.int32)
        return rank_V


GROUP = 8
"""Batches that are coded at once, where each may have a dictionary of its own."""


def coded_batches(
    batches: Iterable[pa.RecordBatch], columns: Sequence[tuple[str, Codes]], at_once: int = GROUP
) -> Iterator[tuple[pa.RecordBatch, list[np.ndarray]]]:
    """Each batch with the codes of the `columns` named (N int32 each). Several columns may share one `Codes`.

    `at_once` batches are in memory; 1 will do for those of a file that kindex wrote, which share dictionaries.
    """
    remaining = iter(batches)
    while group := list(islice(remaining, at_once)):
        coded: list[list[np.ndarray]] = [[] for _ in columns]
        for codes in {id(codes): codes for _, codes in columns}.values():
            own = [number for number, (_, of) in enumerate(columns) if of is codes]
            found = iter(codes.codes([batch[columns[number][0]] for number in own for batch in group]))
            for number in own:
                coded[number] = list(islice(found, len(group)))
        while group:  # what was handed out is let go, before the next group is read
            yield group.pop(0), [one.pop(0) for one in coded]


def _indices(coded: pa.DictionaryArray, code_V: np.ndarray) -> np.ndarray:
    """The indices of a dictionary array in another numbering (N int32), null as -1."""
    if not coded.null_count:
        return code_V[coded.indices.to_numpy()].astype(np.int32, copy=False)
    index_N = pc.fill_null(coded.indices, -1).to_numpy()
    return np.append(code_V, np.int32(-1))[index_N].astype(np.int32, copy=False)  # -1 takes what was appended
