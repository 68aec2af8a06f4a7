"""What a link catalogue is judged by: queries with held-out links, candidates, and the train links that are masked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.split import Split, id_fractions


@dataclass(frozen=True)
class LinkTask:
    """Rank all items of `right_kind` for each query of `left_kind`; its held-out links should come first.

    `train_LR` is a scipy CSR matrix of ones over all left and right items; `known_QR` what may not be answered, because
    train has it or because it is the query itself. Held-out link P is of query `heldout_query_P` to candidate
    `heldout_item_P`; they are sorted by query.
    """

    left_kind: str
    right_kind: str
    left_ids: tuple[str, ...]
    right_ids: tuple[str, ...]
    query_rows_Q: np.ndarray
    train_LR: Any
    known_QR: Any
    heldout_query_P: np.ndarray
    heldout_item_P: np.ndarray

    @property
    def queries(self) -> int:
        return len(self.query_rows_Q)

    @property
    def popularity_R(self) -> np.ndarray:
        """Train links of each candidate (R float64)."""
        return np.asarray(self.train_LR.sum(axis=0), np.float64).ravel()


def all_items(split: Split) -> pa.Table:
    """The items of both sides, each (kind, id) once, in a stable order."""
    columns = ["id", "kind", "label", "description"]
    both = pa.concat_tables([split.train.items.select(columns), split.heldout.items.select(columns)])
    order = pa.array(np.arange(both.num_rows))
    first = both.append_column("order", order).group_by(["kind", "id"]).aggregate([("order", "min")])["order_min"]
    return both.take(pa.array(np.sort(first.to_numpy()))).combine_chunks()


def link_tasks(split: Split, sample: int) -> list[LinkTask]:
    """One task for each pair of kinds that has held-out links, with at most `sample` queries in all.

    The queries are chosen by a hash of the left item's id, so that they stay the same as a catalogue grows.
    """
    heldout = split.heldout.tables.get("links")
    if heldout is None or not heldout.num_rows:
        return []
    pairs = heldout.group_by(["left_kind", "right_kind", "left"]).aggregate([])
    pairs = pairs.append_column("fraction", pa.array(id_fractions(pairs["left"], "evaluate")))
    order = [(name, "ascending") for name in ("fraction", "left", "left_kind", "right_kind")]
    chosen = pairs.sort_by(order).slice(0, sample)
    items = all_items(split)
    groups = sorted(set(zip(chosen["left_kind"].to_pylist(), chosen["right_kind"].to_pylist())))
    return [_task(split, items, chosen, left_kind, right_kind) for left_kind, right_kind in groups]


def _task(split: Split, items: pa.Table, chosen: pa.Table, left_kind: str, right_kind: str) -> LinkTask:
    left_ids, right_ids = _ids(items, left_kind), _ids(items, right_kind)
    train_LR = _matrix(_between(split.train.links, left_kind, right_kind), left_ids, right_ids)
    queries = _between(chosen, left_kind, right_kind)["left"].combine_chunks().sort()
    query_rows_Q = pc.index_in(queries, left_ids).to_numpy(zero_copy_only=False).astype(np.int64)
    known_QR = train_LR[query_rows_Q]
    if left_kind == right_kind:
        from scipy.sparse import identity

        # an edge of a graph says the same in both directions, and nothing is its own answer
        own = identity(len(left_ids), np.float32, format="csr")
        known_QR = (known_QR + train_LR.T.tocsr()[query_rows_Q] + own[query_rows_Q]).tocsr()
    heldout = _between(split.heldout.links, left_kind, right_kind)
    pairs = _matrix(heldout.filter(pc.is_in(heldout["left"], queries)), queries, right_ids).tocoo()
    return LinkTask(
        left_kind,
        right_kind,
        tuple(left_ids.to_pylist()),
        tuple(right_ids.to_pylist()),
        query_rows_Q,
        train_LR,
        known_QR,
        pairs.row.astype(np.int64),
        pairs.col.astype(np.int64),
    )


def _ids(items: pa.Table, kind: str) -> pa.Array:
    return items.filter(pc.equal(items["kind"], kind))["id"].combine_chunks()


def _between(links: pa.Table, left_kind: str, right_kind: str) -> pa.Table:
    return links.filter(pc.and_(pc.equal(links["left_kind"], left_kind), pc.equal(links["right_kind"], right_kind)))


def _matrix(links: pa.Table, left_ids: pa.Array, right_ids: pa.Array) -> Any:
    """The links as a CSR matrix (L, R) of float32 ones, columns sorted. Validation made sure that both ends are items."""
    from scipy.sparse import csr_matrix

    left_N = pc.index_in(links["left"].combine_chunks(), left_ids).to_numpy(zero_copy_only=False)
    right_N = pc.index_in(links["right"].combine_chunks(), right_ids).to_numpy(zero_copy_only=False)
    shape = (len(left_ids), len(right_ids))
    matrix = csr_matrix((np.ones(links.num_rows, np.float32), (left_N, right_N)), shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
