"""Hubs: items that are near to everything. Two corrections that let the others be answered, too.

Both leave a space as it is and change only the score of neighbours, by one number for each answered item:

    score(i, j) = scale * similarity(i, j) - offset[j] - own(i)

*Local scaling* (CSLS: Conneau, Lample, Ranzato, Denoyer and Jégou 2018, section 2.3): scale 2, offset r[j], own r(i), where
r is an item's mean similarity to its `K` nearest. Above 0, two items are nearer than both are to what surrounds them.
*Inverted softmax* (Smith, Turban, Hamblin and Hammerla 2017): P(i | j) among all items, as log P / `BETA` with the mean in
place of the sum: scale 1, offset log(mean over n of exp(BETA * similarity(n, j))) / BETA, own 0; n is never j itself.
Above 0, i is nearer to j than items are on (soft) average.

Scores stay similarities: larger is nearer. Since own(i) is the same for all answers, neighbours can be found by searching
for the similarity alone, taking more candidates than are wanted, and ranking them anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import read_table, write_table
from kindex.core.errors import DamagedError
from kindex.core.nearest import blocks, nearest
from kindex.core.space import Space
from kindex.core.split import id_fractions

CORRECTIONS = ("local_scaling", "inverted_softmax")

K = 10
"""Neighbours whose mean similarity scales a neighbourhood, as in the paper."""

BETA = 30.0
"""Inverse temperature of the inverted softmax, for similarities in -1..1."""

SOFTMAX_ITEMS = 4096
"""Items that the mean of the inverted softmax is taken over, at most; the paper samples, too."""

CANDIDATES = 300
"""Taken by similarity to be ranked anew, at least; ten times as many as are asked for, if that is more. Of the ten that all
pairs give, they hold 999 in 1,000 with local scaling and 985 with the inverted softmax (9,095 modules, 50 dimensions)."""

Near = Callable[[slice], np.ndarray]
"""Rows → the mean similarity of each (B) to the `K` nearest others."""


@dataclass(frozen=True)
class Offsets:
    """A correction of one space: `offset_N` (float32) of each item in the order of the space's ids."""

    correction: str
    offset_N: np.ndarray

    @property
    def scale(self) -> float:
        return 2.0 if self.correction == "local_scaling" else 1.0

    def ranked(self, scores_K: np.ndarray, rows_K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One query's candidates by corrected score, nearest first: (K) float32 scores and rows.

        Similarities come in, nearest first, without the query itself. The query's own r is the mean of the first of them:
        so a vector that no item has can ask, too.
        """
        own = scores_K[:K].mean(dtype=np.float64) if self.correction == "local_scaling" and len(scores_K) else 0.0
        corrected_K = (self.scale * scores_K - self.offset_N[rows_K] - own).astype(np.float32)
        order_K = np.lexsort((rows_K, -corrected_K))
        return corrected_K[order_K], rows_K[order_K]

    def lifted(self, search_ND: np.ndarray) -> np.ndarray:
        """Vectors (N, D + 1) whose product with `asking` is the corrected score, but for own(i)."""
        return np.concatenate([np.float32(self.scale) * search_ND, -self.offset_N[:, None]], axis=1)


def asking(search_QD: np.ndarray) -> np.ndarray:
    """Queries (Q, D + 1) for `Offsets.lifted`."""
    return np.concatenate([search_QD, np.ones((len(search_QD), 1), np.float32)], axis=1)


def correct(correction: str, search_ND: np.ndarray, order_N: np.ndarray, near: Near | None = None) -> Offsets:
    """The offsets of vectors whose dot product is the similarity; the same vectors give the same bytes.

    `order_N` says which items come first where not all are looked at. `near` takes the place of exact search where that
    would take too long. Memory: one block of scores at a time.
    """
    count, width = search_ND.shape
    if correction == "local_scaling" and near is None:
        scores_NK, _ = nearest(search_ND, search_ND, K, np.arange(count))
        return Offsets(correction, scores_NK.mean(1, dtype=np.float32) if scores_NK.shape[1] else np.zeros(count, np.float32))
    offset_N = np.empty(count, np.float32)
    if correction == "local_scaling" and near is not None:
        for block in blocks(count, (K + 1) * width):
            offset_N[block] = near(block)
        return Offsets(correction, offset_N)
    sample = np.sort(np.argsort(order_N, kind="stable")[:SOFTMAX_ITEMS])
    for block in blocks(count, len(sample)):
        scaled_BS = BETA * (search_ND[block] @ search_ND[sample].T)
        own_BS = sample == np.arange(count)[block, None]
        scaled_BS[own_BS] = -np.inf
        others_B = len(sample) - own_BS.sum(1)
        most_B = np.where(others_B > 0, scaled_BS.max(1), 0)
        mean_B = np.exp(scaled_BS - most_B[:, None]).sum(1, dtype=np.float64) / np.maximum(others_B, 1)
        offset_N[block] = np.where(others_B > 0, most_B + np.log(np.maximum(mean_B, 1e-300)), 0) / BETA
    return Offsets(correction, offset_N)


def correct_space(correction: str, space: Space, near: Near | None = None) -> Offsets:
    """`correct` for a space; the items of a sample are chosen by a hash of their ids."""
    ids = pa.chunked_array([pa.array(space.ids, pa.string())])
    return correct(correction, space.search_ND, id_fractions(ids, "hubs"), near)


def write_offsets(path: Path, offsets: Offsets, space: Space) -> None:
    """One Parquet file: id and offset in the order of the space, and the correction as schema metadata."""
    table = pa.table({"id": pa.array(space.ids, pa.string()), "offset": pa.array(offsets.offset_N)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, table.replace_schema_metadata({"kindex.neighbours": offsets.correction}))


def read_offsets(path: Path, space: Space) -> Offsets:
    """The offsets in `path`. Raises `DamagedError` naming the file when they are not of this space's items."""
    table = read_table(path).combine_chunks()
    correction = (table.schema.metadata or {}).get(b"kindex.neighbours", b"").decode(errors="replace")
    known = table.column_names == ["id", "offset"] and correction in CORRECTIONS
    if not known or table["offset"].type != pa.float32():
        raise DamagedError(f"{path} holds no offsets of {' or '.join(CORRECTIONS)}")
    if not table["id"].combine_chunks().equals(pa.array(space.ids, pa.string())):
        raise DamagedError(f"{path} is not of the space {space.kind!r}: their ids differ")
    offsets = table["offset"].combine_chunks()
    offset_N = np.from_dlpack(offsets) if not offsets.null_count else np.full(1, np.nan)  # `to_numpy` would import pandas
    if not np.isfinite(offset_N).all():
        raise DamagedError(f"{path} has offsets that are not finite numbers")
    return Offsets(correction, offset_N)
