"""The k best answers to a block of queries, while scores come in block by block and are not kept.

A score and its row are one int64, the key: keys sort as (score, then lower row) does, and no two are equal. So plain sorting
of numbers, which the processor does many at a time, is enough, and ties need no care of their own.
"""

import numpy as np

_NO_SCORE = np.int64(-0x7F800001 << 32)  # the key of -inf with the last of all rows
_LAST_ROW = 0xFFFFFFFF
_CROWD = 16  # where more than one score in so many is above the floor, the floor is raised first
_MERGED = 32  # new keys of one query that are merged at a time, at least


class Best:
    """The `k` largest of all scores offered to each of B queries; equal scores in order of row.

    Offers must come in ascending order of row: a later score has to be above the `k`-th best so far to matter.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.keys_BK = np.full((queries, k), _NO_SCORE)
        self.floor_B = np.full(queries, -np.inf, np.float32)
        self._rows: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._waiting = 0
        self._raised = False

    def offer(self, scores: np.ndarray, first: int, across: bool = False) -> None:
        """Scores (B, C) of the answers from row `first` on; `across` they are (C, B). Scores of -inf never count."""
        queries, k = self.keys_BK.shape
        if not k:
            return
        crowd = scores.size // _CROWD
        at = self._above(scores, across) if self._raised else None
        if at is None or len(at) > crowd:
            self._raised = True
            np.maximum(self.floor_B, floors(scores.T if across else scores, k), out=self.floor_B)
            at = self._above(scores, across)
        if not len(at):
            return
        i, j = np.divmod(at, scores.shape[1])
        rows, columns = (j, i) if across else (i, j)
        self._rows.append(rows.astype(np.uint16))
        self._keys.append(_keys(scores[i, j], first + columns))
        self._waiting += len(at)
        if self._waiting > queries * k:
            self._merge()

    def found(self) -> tuple[np.ndarray, np.ndarray]:
        """Float32 scores and int64 rows (B, k), best first. Meaningless where fewer than `k` scores were offered."""
        self._merge()
        keys_BK = np.sort(self.keys_BK, axis=1)[:, ::-1]
        return _scores(keys_BK), _LAST_ROW - (keys_BK & _LAST_ROW)

    def _above(self, scores: np.ndarray, across: bool) -> np.ndarray:
        """Places in `scores`, flattened, of what is above its query's floor."""
        return np.flatnonzero(np.greater(scores, self.floor_B if across else self.floor_B[:, None]))

    def _merge(self) -> None:
        if not self._waiting:
            return
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        self._rows, self._keys, self._waiting = [], [], 0
        queries, k = self.keys_BK.shape
        order = np.argsort(rows, kind="stable")  # 16 bits: numpy's radix sort
        rows, keys = rows[order].astype(np.int64), keys[order]
        counts_B = np.bincount(rows, minlength=queries)
        place = np.arange(len(rows)) - (np.cumsum(counts_B) - counts_B)[rows]
        step = max(k, _MERGED)
        for start in range(0, int(counts_B.max()), step):
            asked = np.flatnonzero(counts_B > start)
            width = min(step, int(counts_B.max()) - start)
            wide = np.full((len(asked), k + width), _NO_SCORE)
            wide[:, :k] = self.keys_BK[asked]
            part = (place >= start) & (place < start + width)
            wide[np.searchsorted(asked, rows[part]), k + place[part] - start] = keys[part]
            wide.partition(width, axis=1)
            self.keys_BK[asked] = wide[:, width:]
        np.maximum(self.floor_B, _scores(self.keys_BK.min(1)), out=self.floor_B)


def floors(scores_BC: np.ndarray, k: int) -> np.ndarray:
    """What at least `k` scores of each row are above (B float32; -inf where that is not known).

    The largest of each of some groups of columns are scores of different columns, so `k` scores are not less than the `k`-th
    largest of them.
    """
    width = max(1, scores_BC.shape[1] // (4 * k))
    groups = scores_BC.shape[1] // width
    if groups < k:
        return np.full(len(scores_BC), -np.inf, np.float32)
    largest_BG = scores_BC[:, : groups * width].reshape(-1, width, groups).max(1)
    largest_BG.partition(groups - k, axis=1)
    return np.nextafter(largest_BG[:, groups - k], np.float32(-np.inf))


def _keys(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    bits = (scores + np.float32(0)).view(np.int32)  # -0 is 0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # negative numbers count down in IEEE 754
    return (ordered.astype(np.int64) << 32) | (_LAST_ROW - rows)


def _scores(keys: np.ndarray) -> np.ndarray:
    ordered = (keys >> 32).astype(np.int32)
    return (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).view(np.float32)
