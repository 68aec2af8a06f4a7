"""What a link catalogue is judged by: queries with held-out links, candidates, and the train links that are masked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.codes import Codes, coded_batches
from kindex.core.split import Split, id_fractions
from kindex.judge.linked import Linked


@dataclass(frozen=True)
class LinkTask:
    """Rank all items of `right_kind` for each query of `left_kind`; its held-out links should come first.

    `train` are the links over all left and right items; `known_QR`, a scipy CSR matrix, what may not be answered, because
    train has it or because it is the query itself. Held-out link P is of query `heldout_query_P` to candidate
    `heldout_item_P`; they are sorted by query.
    """

    left_kind: str
    right_kind: str
    left_ids: pa.Array
    right_ids: pa.Array
    query_rows_Q: np.ndarray
    train: Linked
    known_QR: Any
    heldout_query_P: np.ndarray
    heldout_item_P: np.ndarray

    @property
    def queries(self) -> int:
        return len(self.query_rows_Q)


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
    if "links" not in split.heldout.tables or not split.heldout.rows("links"):
        return []
    asked = _asked(split)
    asked = asked.append_column("fraction", pa.array(id_fractions(asked["left"], "evaluate")))
    order = [(name, "ascending") for name in ("fraction", "left", "left_kind", "right_kind")]
    chosen = asked.sort_by(order).slice(0, sample)
    items = all_items(split)
    groups = sorted(set(zip(chosen["left_kind"].to_pylist(), chosen["right_kind"].to_pylist())))
    return [_task(split, items, chosen, left_kind, right_kind) for left_kind, right_kind in groups]


def _asked(split: Split) -> pa.Table:
    """The left items of held-out links, once for each pair of kinds: left_kind, right_kind, left."""
    names = ("left_kind", "right_kind", "left")
    texts, keys = [Codes() for _ in names], [np.zeros(0, np.int64)]
    for _, codes in coded_batches(split.heldout.link_batches(names), list(zip(names, texts, strict=True)), at_once=1):
        left_kind_B, right_kind_B, left_B = (code_B.astype(np.int64) for code_B in codes)
        keys.append(np.unique(left_kind_B << 48 | right_kind_B << 32 | left_B))
    key_K = np.unique(np.concatenate(keys))
    codes = [key_K >> 48, key_K >> 32 & 0xFFFF, key_K & 0xFFFFFFFF]
    return pa.table({name: of.texts.take(pa.array(code_K)) for name, of, code_K in zip(names, texts, codes, strict=True)})


def _task(split: Split, items: pa.Table, chosen: pa.Table, left_kind: str, right_kind: str) -> LinkTask:
    left_ids, right_ids = _ids(items, left_kind), _ids(items, right_kind)
    kinds = (left_kind, right_kind)
    train = Linked.read(split.train.part("links"), kinds, left_ids, right_ids)
    queries = chosen.filter(pa.array(_between(chosen, left_kind, right_kind)))["left"].combine_chunks().sort()
    query_rows_Q = rows_in(pa.chunked_array([queries]), left_ids).astype(np.int64)
    known_QR = train.of(query_rows_Q)
    if left_kind == right_kind:
        from scipy.sparse import identity

        # an edge of a graph says the same in both directions, and nothing is its own answer
        own = identity(len(left_ids), np.float32, format="csr")
        known_QR = (known_QR + train.to(query_rows_Q) + own[query_rows_Q]).tocsr()
    heldout = Linked.read(split.heldout.part("links"), kinds, queries, right_ids)
    return LinkTask(
        left_kind,
        right_kind,
        left_ids,
        right_ids,
        query_rows_Q,
        train,
        known_QR,
        np.repeat(np.arange(heldout.n_left), np.diff(heldout.start_L1)),
        heldout.right_P.astype(np.int64),
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
