"""What a link catalogue is judged by: queries with held-out links, candidates, and the train links that are masked."""

from collections.abc import Sequence
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
    left_ids: pa.Array
    right_ids: pa.Array
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
    """The items of both sides with all their string columns, each (kind, id) once, in a stable order."""
    texts = [name for name in split.train.items.column_names if _is_text(split.train.items.schema.field(name).type)]
    train, heldout = (decoded(side.items.select(texts)) for side in (split.train, split.heldout))
    if train.equals(heldout):
        return train.combine_chunks()
    both = pa.concat_tables([train, heldout])
    order = pa.array(np.arange(both.num_rows))
    first = both.append_column("order", order).group_by(["kind", "id"]).aggregate([("order", "min")])["order_min"]
    return both.take(pa.array(np.sort(first.to_numpy()))).combine_chunks()


def decoded(table: pa.Table) -> pa.Table:
    """The table with plain strings in place of dictionaries, which neither sorting nor grouping takes."""
    fields = [pa.field(f.name, pa.string()) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields))


def rows_in(texts: pa.ChunkedArray, ids: pa.Array) -> np.ndarray:
    """The row in `ids` of each text (N int32), -1 where it has none; takes plain strings and dictionaries, and makes no
    Python object of any."""
    coded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    whole = coded.unify_dictionaries().combine_chunks()
    row_V = pc.fill_null(pc.index_in(whole.dictionary.cast(pa.string()), ids), -1).to_numpy()
    return np.append(row_V, np.int32(-1))[pc.fill_null(whole.indices, len(row_V)).to_numpy()]


def as_column(texts: Sequence[str]) -> pa.ChunkedArray:
    """Ids as a column for `rows_in`."""
    return pa.chunked_array([pa.array(texts, pa.string())])


def link_tasks(split: Split, sample: int) -> list[LinkTask]:
    """One task for each pair of kinds that has held-out links, with at most `sample` queries in all.

    The queries are chosen by a hash of the left item's id, so that they stay the same as a catalogue grows.
    """
    links = split.heldout.tables.get("links")
    if links is None or not links.num_rows:
        return []
    pairs = decoded(links.select(["left_kind", "right_kind", "left"])).group_by(["left_kind", "right_kind", "left"])
    asked = pairs.aggregate([])
    asked = asked.append_column("fraction", pa.array(id_fractions(asked["left"], "evaluate")))
    order = [(name, "ascending") for name in ("fraction", "left", "left_kind", "right_kind")]
    chosen = asked.sort_by(order).slice(0, sample)
    items = all_items(split)
    groups = sorted(set(zip(chosen["left_kind"].to_pylist(), chosen["right_kind"].to_pylist())))
    return [_task(split, items, chosen, left_kind, right_kind) for left_kind, right_kind in groups]


def _task(split: Split, items: pa.Table, chosen: pa.Table, left_kind: str, right_kind: str) -> LinkTask:
    left_ids, right_ids = _ids(items, left_kind), _ids(items, right_kind)
    train_LR = _matrix(split.train.links, left_kind, right_kind, left_ids, right_ids)
    queries = chosen.filter(pa.array(_between(chosen, left_kind, right_kind)))["left"].combine_chunks().sort()
    query_rows_Q = rows_in(pa.chunked_array([queries]), left_ids).astype(np.int64)
    known_QR = train_LR[query_rows_Q]
    if left_kind == right_kind:
        from scipy.sparse import identity

        # an edge of a graph says the same in both directions, and nothing is its own answer
        own = identity(len(left_ids), np.float32, format="csr")
        known_QR = (known_QR + train_LR.T.tocsr()[query_rows_Q] + own[query_rows_Q]).tocsr()
    pairs = _matrix(split.heldout.links, left_kind, right_kind, queries, right_ids).tocoo()
    return LinkTask(
        left_kind,
        right_kind,
        left_ids,
        right_ids,
        query_rows_Q,
        train_LR,
        known_QR,
        pairs.row.astype(np.int64),
        pairs.col.astype(np.int64),
    )


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or (pa.types.is_dictionary(type) and pa.types.is_string(type.value_type)))


def _ids(items: pa.Table, kind: str) -> pa.Array:
    return items.filter(pc.equal(items["kind"], kind))["id"].combine_chunks()


def _between(links: pa.Table, left_kind: str, right_kind: str) -> np.ndarray:
    """Links from one kind to the other (N bool)."""
    left_N, right_N = (
        rows_in(links[name], pa.array([kind])) for name, kind in (("left_kind", left_kind), ("right_kind", right_kind))
    )
    return np.asarray((left_N == 0) & (right_N == 0))


def _matrix(links: pa.Table, left_kind: str, right_kind: str, left_ids: pa.Array, right_ids: pa.Array) -> Any:
    """The links from one kind to the other, of these ids, as a CSR matrix (L, R) of float32 ones, columns sorted."""
    from scipy.sparse import csr_matrix

    left_N, right_N = rows_in(links["left"], left_ids), rows_in(links["right"], right_ids)
    chosen_N = _between(links, left_kind, right_kind) & (left_N >= 0)
    left_N, right_N = left_N[chosen_N], right_N[chosen_N]
    matrix = csr_matrix((np.ones(len(left_N), np.float32), (left_N, right_N)), (len(left_ids), len(right_ids)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
