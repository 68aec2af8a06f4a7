"""The neighbours of every item, and the points of an atlas, as Parquet, block by block: memory does not grow with the answers.

Row groups hold a fixed number of items, so that equal vectors give equal bytes. Each is whole when it is written.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.ask.export_source import Source, unwatched
from kindex.core.nearest import all_pairs, nearest
from kindex.core.space import Space, unit

GROUP_ROWS = 1 << 17
"""Rows of a row group of neighbours."""

GROUP_POINTS = 1 << 14
"""Rows of a row group of an atlas, which hold a vector each."""

NEAR = 3
"""Mapped neighbours between which an item is placed that is not on the map itself."""

NEIGHBOURS = pa.schema([("id", pa.string()), ("rank", pa.int32()), ("neighbour", pa.string()), ("score", pa.float32())])
"""`rank` counts from 1; `score` is the space's similarity."""

Counted = Callable[[int], object]
"""Called with the number of items that are done."""


def write_neighbours(path: Path, source: Source, k: int, done: Counted = unwatched) -> int:
    """Every item with its `k` nearest others, best first, ties in order of row; the number of rows."""
    space, rows = source.space, 0
    k = max(0, min(k, len(space.ids) - 1))
    ids = pa.array(space.ids, pa.string())
    with _writer(path, NEIGHBOURS.with_metadata(source.metadata()), dictionary=["rank"]) as writer:
        for first, scores_GK, rows_GK in _grouped(space, k, max(1, GROUP_ROWS // max(1, k)), done):
            asked = np.repeat(np.arange(first, first + len(rows_GK)), k)
            rank = np.tile(np.arange(1, k + 1, dtype=np.int32), len(rows_GK))
            columns = [
                ids.take(pa.array(asked)),
                pa.array(rank),
                ids.take(pa.array(rows_GK.ravel())),
                pa.array(scores_GK.ravel()),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=NEIGHBOURS), row_group_size=max(1, len(asked)))
            rows += len(asked)
    return rows


def write_atlas(path: Path, source: Source, k: int, done: Counted = unwatched) -> int:
    """One row for each item, as embedding-atlas reads it; the number of rows.

    Columns whose names begin with two underscores are hidden in its tables. `__neighbors` is {ids: rows of the file,
    distances}, nearest first; a distance is 1 - cosine, or minus the dot product.
    """
    space = source.space
    about = {name: values for name, values in source.about.items() if name not in ("id", "projection_x", "projection_y")}
    width, places_N2 = space.vectors_ND.shape[1], places(source)
    known = [("id", pa.string()), *((name, pa.string()) for name in about)]
    placed = [("projection_x", pa.float32()), ("projection_y", pa.float32()), ("__vector", pa.list_(pa.float32(), width))]
    neighbours = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))])
    schema = pa.schema([*known, *placed, ("__neighbors", neighbours)], source.metadata())
    ids, k = pa.array(space.ids, pa.string()), max(0, min(k, len(space.ids) - 1))
    with _writer(path, schema, dictionary=[name for name in about if name != "description"]) as writer:
        for first, scores_GK, rows_GK in _grouped(space, k, GROUP_POINTS, done):
            group = slice(first, first + len(rows_GK))
            offsets = pa.array(np.arange(len(rows_GK) + 1, dtype=np.int32) * k)
            distances_GK = np.float32(1 if space.metric == "cosine" else 0) - scores_GK
            lists = [pa.ListArray.from_arrays(offsets, pa.array(part.ravel())) for part in (rows_GK, distances_GK)]
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(space.vectors_ND[group].ravel()), width)
            columns = [ids[group], *(values[group] for values in about.values())]
            columns += [pa.array(places_N2[group, 0]), pa.array(places_N2[group, 1]), vectors]
            columns.append(pa.StructArray.from_arrays(lists, ["ids", "distances"]))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=max(1, len(rows_GK)))
    return len(space.ids)


def places(source: Source) -> np.ndarray:
    """A place for each item (N, 2 float32): that of the report's t-SNE map; by principal components when there is none.

    An item that is not on the map is put between the `NEAR` mapped items nearest to it by cosine, weighted by their scores
    (as openTSNE begins to place new points). Its place says less than that of a mapped item.
    """
    space = source.space
    if not len(space.ids):
        return np.empty((0, 2), np.float32)
    if not source.places:
        from kindex.judge.maps import pca_2d

        return pca_2d(space.unit_ND).astype(np.float32)
    mapped = np.array(sorted(space.rows[name] for name in source.places))
    places_M2 = np.array([source.places[space.ids[row]] for row in mapped])
    places_N2 = np.empty((len(space.ids), 2))
    places_N2[mapped] = places_M2
    others = np.setdiff1d(np.arange(len(space.ids)), mapped)
    scores_OK, near_OK = nearest(unit(space.vectors_ND[mapped]), unit(space.vectors_ND[others]), NEAR)
    weights_OK = np.maximum(scores_OK.astype(np.float64), 1e-6)
    places_N2[others] = (places_M2[near_OK] * weights_OK[:, :, None]).sum(1) / weights_OK.sum(1)[:, None]
    return places_N2.astype(np.float32)


def _grouped(space: Space, k: int, size: int, done: Counted) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """All neighbours in groups of `size` items: first row, scores (G, K), rows (G, K)."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    first = waiting = 0

    def joined() -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([scores for scores, _ in held]), np.concatenate([rows for _, rows in held])

    for block, scores_BK, rows_BK in all_pairs(space.search_ND, k):
        held.append((scores_BK, rows_BK))
        waiting += len(rows_BK)
        done(block.stop)
        if waiting >= size:
            scores_WK, rows_WK = joined()
            while waiting >= size:
                yield first, scores_WK[:size], rows_WK[:size]
                scores_WK, rows_WK, first, waiting = scores_WK[size:], rows_WK[size:], first + size, waiting - size
            held = [(scores_WK.copy(), rows_WK.copy())]
    if waiting:
        yield first, *joined()


def _writer(path: Path, schema: pa.Schema, dictionary: list[str]) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=dictionary)
