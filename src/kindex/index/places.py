"""Places: which row of its space each position of an index holds, where the two differ.

A graph cannot remove, so an item that left it, or whose vector changed, keeps its position as a tombstone: the search goes
through it and never answers it. What is new stands at the end. Without places, a position is a row.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import read_table, write_table
from kindex.core.errors import DamagedError
from kindex.index.faiss_parts import faiss_one_thread, parts

GONE = -1
"""The place of a tombstone."""

BROADER = 4
"""How much wider a graph is searched for queries that found too few among tombstones, again and again."""


@dataclass(frozen=True, eq=False)
class Places:
    """`row_P` (int32): the row that each position holds, or `GONE`."""

    row_P: np.ndarray

    @cached_property
    def tombstones(self) -> int:
        return int(np.count_nonzero(self.row_P == GONE))

    @cached_property
    def living(self) -> Any:
        """Faiss's selector of the positions that may be answered."""
        return faiss_one_thread().IDSelectorBitmap(np.packbits(self.row_P != GONE, bitorder="little"))


def write_places(path: Path, places: Places) -> None:
    """One Parquet file with the int32 column `row`, one entry for each position of the index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, pa.table({"row": pa.array(places.row_P, pa.int32())}))


def read_places(path: Path) -> Places:
    """The places in `path`. Raises `DamagedError` naming a file that holds none."""
    table = read_table(path).combine_chunks()
    if table.column_names != ["row"] or table["row"].type != pa.int32() or table["row"].null_count:
        raise DamagedError(f"{path} holds no places: allowed is one column, row (int32), without gaps")
    rows = table["row"].combine_chunks()
    return Places(np.from_dlpack(rows) if len(rows) else np.empty(0, np.int32))  # `to_numpy` would import pandas


def check_places(path: Path, places: Places, positions: int, count: int) -> None:
    """Raise `DamagedError` unless each of the index's positions is a tombstone or one of `count` rows, each row once."""
    if len(places.row_P) != positions:
        raise DamagedError(f"{path} has {len(places.row_P)} places, and its index {positions} positions")
    live = places.row_P[places.row_P != GONE]
    if len(live) != count or (len(live) and (live.min() < 0 or live.max() >= count)) or len(np.unique(live)) != count:
        raise DamagedError(f"{path} does not place each of {count} rows once: it names {len(np.unique(live))} in {len(live)}")


def found_live(faiss_index: Any, asked_QD: np.ndarray, k: int, places: Places | None) -> tuple[np.ndarray, np.ndarray]:
    """Faiss's answers as scores (Q, K) and rows (Q, K): tombstones are passed over, and not counted among the `k`.

    A query that is surrounded by tombstones may find fewer than `k`: it is asked again, more broadly, up to the whole graph.
    """
    if places is None:
        scores_QK, rows_QK = faiss_index.search(asked_QD, k)
        return scores_QK, rows_QK
    breadth = max(parts(faiss_index)[2].hnsw.efSearch, k)
    scores_QK, found_QK = faiss_index.search(asked_QD, k, params=_params(faiss_index, places, breadth))
    while breadth < len(places.row_P) and len(short_S := np.flatnonzero((found_QK < 0).any(1))):
        breadth *= BROADER
        again = faiss_index.search(np.ascontiguousarray(asked_QD[short_S]), k, params=_params(faiss_index, places, breadth))
        scores_QK[short_S], found_QK[short_S] = again
    return scores_QK, np.where(found_QK < 0, GONE, places.row_P[found_QK]).astype(np.int64)


def _params(faiss_index: Any, places: Places, breadth: int) -> Any:
    """The index's own search setting, with the selector of what may be answered put in."""
    faiss = faiss_one_thread()
    refine, chain, _ = parts(faiss_index)
    made = faiss.SearchParametersHNSW(sel=places.living, efSearch=breadth)
    if chain:
        made = faiss.SearchParametersPreTransform(index_params=made)
    return made if refine is None else faiss.IndexRefineSearchParameters(base_index_params=made, k_factor=refine.k_factor)
