"""The ends of links as numbers: which items they are, what became of those, and whether a link is there twice."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from kindex.checks.links import ABSENT, KEYS, PASSED, REFUSED, UNKNOWN
from kindex.core.codes import Codes, coded_batches
from kindex.core.tables import Stream
from kindex.core.texts import mend


class Ends:
    """The ids and kinds of items, numbered in ascending order of their text; texts that no item has come after them."""

    def __init__(self, items: pa.Table) -> None:
        self.ids, self.kinds = Codes(), Codes()
        for codes, column in ((self.ids, "id"), (self.kinds, "kind")):
            codes.codes(list(items[column].chunks))
            codes.sort()
        self._shape = len(self.kinds), len(self.ids)
        self._items = [
            np.concatenate([np.zeros(0, np.int32), *codes.codes(list(items[column].chunks))])
            for codes, column in ((self.kinds, "kind"), (self.ids, "id"))
        ]
        # after the known kinds and ids: one for those that no item has, and one for none, which is code -1
        self._state = np.full((self._shape[0] + 2, self._shape[1] + 2), UNKNOWN, np.int8)

    def repeated_items(self) -> np.ndarray:
        """Items (I bool) of which there is one before with the same kind and id."""
        return repeats_anywhere(self._items)

    def judge(self, passed_I: np.ndarray) -> None:
        """Say which items (I bool) passed."""
        kind_I, id_I = self._items
        self._state[kind_I, id_I] = REFUSED
        self._state[kind_I[passed_I], id_I[passed_I]] = PASSED
        self._state[-1, :] = self._state[:, -1] = ABSENT

    def states(self, kind_N: np.ndarray, id_N: np.ndarray) -> np.ndarray:
        """What each end is (N int8), from its codes."""
        return self._state[np.minimum(kind_N, self._shape[0]), np.minimum(id_N, self._shape[1])]

    def coded(self, links: Stream) -> Iterator[tuple[pa.RecordBatch, list[np.ndarray], np.ndarray]]:
        """Batches of the links as they came, the codes of their `KEYS` (N int32 each), and rows whose text is not UTF-8."""
        columns = [(key, self.kinds if key.endswith("kind") else self.ids) for key in KEYS]
        came: list[tuple[pa.RecordBatch, np.ndarray]] = []

        def mended() -> Iterator[pa.RecordBatch]:
            for batch in links.batches(None):
                texts, flawed_N = _mended(batch)
                came.append((batch, flawed_N))
                yield texts

        for _, codes in coded_batches(mended(), columns, at_once=1):
            batch, flawed_N = came.pop(0)
            yield batch, codes, flawed_N


def _mended(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, np.ndarray]:
    """The keys of a batch with text that is not UTF-8 escaped, and the rows that had any (N bool)."""
    flawed_N, columns = np.zeros(batch.num_rows, bool), []
    for key in KEYS:
        texts, broken_V = mend(batch[key].dictionary)
        columns.append(pa.DictionaryArray.from_arrays(batch[key].indices, texts) if broken_V.any() else batch[key])
        if broken_V.any():
            index_N = batch[key].indices.fill_null(len(broken_V)).to_numpy()
            flawed_N |= np.append(broken_V, False)[index_N]
    return pa.record_batch(columns, KEYS), flawed_N


class Repeats:
    """Which links have been there before. Links come sorted, so a repeated one follows its like; `sorted` says if not."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._last: list[np.ndarray] | None = None
        self._known = [len(ends.kinds if key.endswith("kind") else ends.ids) for key in KEYS]
        self.sorted = True

    def seen(self, codes: list[np.ndarray]) -> np.ndarray:
        """Rows (N bool) that are the same link as the row before; `codes` of `KEYS` (N int32 each)."""
        rows = len(codes[0])
        if self._last is not None:
            codes = [np.concatenate(pair) for pair in zip(self._last, codes, strict=True)]
        self._last = [code_N[-1:] for code_N in codes]
        same_N, later_N = np.ones(len(codes[0]) - 1, bool), np.zeros(len(codes[0]) - 1, bool)
        for code_N in codes:
            later_N |= same_N & (code_N[1:] > code_N[:-1])  # the first key that differs decides
            same_N &= code_N[1:] == code_N[:-1]
        self.sorted &= self._in_order(codes, same_N | later_N)
        return same_N if len(same_N) == rows else np.concatenate([[False], same_N])

    def _in_order(self, codes: list[np.ndarray], in_order_N: np.ndarray) -> bool:
        """Whether no row comes before its predecessor. Codes are in the order of the texts but for texts that no item has
        and for none, whose rows are looked at one by one."""
        odd_N = np.zeros(len(codes[0]), bool)
        for code_N, known in zip(codes, self._known, strict=True):
            odd_N |= (code_N < 0) | (code_N >= known)
        doubt_N = odd_N[1:] | odd_N[:-1]
        if not (in_order_N | doubt_N).all():
            return False
        return all(self._key(codes, row) <= self._key(codes, row + 1) for row in np.flatnonzero(doubt_N).tolist())

    def _key(self, codes: list[np.ndarray], row: int) -> list[tuple[bool, str]]:
        return [self._text(key, int(code_N[row])) for key, code_N in zip(KEYS, codes, strict=True)]

    def _text(self, key: str, code: int) -> tuple[bool, str]:
        texts = self._ends.kinds.texts if key.endswith("kind") else self._ends.ids.texts
        return code < 0, "" if code < 0 else texts[code].as_py()  # none comes last, as in a sorted table


def repeats_anywhere(codes: list[np.ndarray]) -> np.ndarray:
    """Rows (N bool) that are the same link as some row before, in any order of the rows."""
    order_N = np.lexsort(codes[::-1])
    same_N = np.ones(max(len(order_N) - 1, 0), bool)
    for code_N in codes:
        same_N &= code_N[order_N][1:] == code_N[order_N][:-1]
    repeats_N = np.zeros(len(order_N), bool)
    repeats_N[order_N[1:][same_N]] = True
    return repeats_N


def repeated_ids(table: pa.Table) -> np.ndarray:
    """Rows (N bool) whose `id` a row before has."""
    return repeats_anywhere([np.concatenate([np.zeros(0, np.int32), *Codes().codes(list(table["id"].chunks))])])
