"""Ways to make a model, an index or the data worse, each with the line of the gate that must notice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue
from kindex.core.space import Space, read_space, write_space
from kindex.core.split import Split
from tests.reliability.planted import MODEL, Interference


def vectors(change: Callable[[np.ndarray], np.ndarray], *kinds: str) -> Interference:
    """Train's vectors of these kinds (default: all) changed before they are indexed."""

    def trained(folder: Path) -> None:
        for path in sorted((folder / "spaces").glob("*.parquet")):
            space = read_space(path)
            if space.kind in (kinds or (space.kind,)):
                path.unlink()
                changed_ND = change(space.vectors_ND.copy()).astype(np.float32)
                write_space(path, Space(space.kind, space.ids, changed_ND, space.metric, space.frame))

    return Interference(trained=trained)


def setting(block: str, **values: Any) -> Interference:
    return Interference(settings=lambda blocks: blocks[block][MODEL].update(values))


def index_file(change: Callable[[Any], Any]) -> Interference:
    """Index's files replaced by what `change` makes of the exact index, with the same description beside them."""

    def indexed(folder: Path) -> None:
        for path in sorted(folder.glob("*.faiss")):
            faiss.write_index(change(faiss.read_index(str(path))), str(path))

    return Interference(indexed=indexed)


def data(change: Callable[[Catalogue], Catalogue], *, heldout: bool = False) -> Interference:
    return Interference(split=lambda split: Split(change(split.train), change(split.heldout) if heldout else split.heldout))


def table(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Catalogue], Catalogue]:
    return lambda catalogue: replace(catalogue, tables={**catalogue.tables, name: change(catalogue.tables[name])})


def _noise(vectors_ND: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).normal(size=vectors_ND.shape)


def _some(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(vectors_ND: np.ndarray) -> np.ndarray:
        vectors_ND[:3] = value
        return vectors_ND

    return change


def _golden_apart(vectors_ND: np.ndarray) -> np.ndarray:
    """The two golden books, b000 and b001 of groups 0 and 1, change places with two of other groups."""
    vectors_ND[[0, 1, 12, 13]] = vectors_ND[[12, 13, 0, 1]]
    return vectors_ND


def _rolled(index: Any) -> Any:
    moved = faiss.IndexFlatIP(index.d)
    moved.add(np.roll(index.reconstruct_n(0, index.ntotal), 1, axis=0))
    return moved


def _at_random(links: pa.Table) -> pa.Table:
    order = np.random.default_rng(2).permutation(links.num_rows)
    return links.set_column(links.schema.get_field_index("right"), links.schema.field("right"), links["right"].take(order))


def _without(column: str, names: set[str]) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: rows.filter(pc.invert(pc.is_in(rows[column], value_set=pa.array(sorted(names)))))


def _fewer_books(catalogue: Catalogue) -> Catalogue:
    gone = {f"b{number:03}" for number in range(80, 120)}
    return table("links", _without("right", gone))(table("items", _without("id", gone))(catalogue))


def _flood(items: pa.Table) -> pa.Table:
    rows = [{"id": f"spam{number}", "kind": "book", "label": "spam", "description": "buy"} for number in range(90)]
    return pa.concat_tables([items, pa.Table.from_pylist(rows, items.schema)])


def _one_label(items: pa.Table) -> pa.Table:
    place = items.schema.get_field_index("label")
    return items.set_column(place, items.schema.field("label"), pa.array(["unknown"] * items.num_rows, pa.string()))


WAYS: dict[str, tuple[Interference, str]] = {
    "model: the vectors of books belong to other books": (
        vectors(lambda one_ND: np.roll(one_ND, 1, axis=0), "book"),
        "link_recall_at_10",
    ),
    "index: of coarse codes": (setting("indexes", kind="PQ2x2", index_recall_at_10=0.1), "index_recall_at_10"),
    "data: half of the links are lost": (data(table("links", lambda links: links[::2])), "drift_rows"),
    "model: noise": (vectors(_noise), "link_recall_at_10"),
    "model: not trained": (setting("models", epochs=1, learning_rate=1e-9, dimensions=2), "link_recall_at_10"),
    "model: all vectors point one way": (vectors(lambda one_ND: 1 + 0.01 * one_ND), "vectors_collapse"),
    "model: three vectors are zero": (vectors(_some(0.0)), "vectors_zero"),
    "model: three vectors are no numbers": (vectors(_some(np.nan)), "3 vectors with NaN or infinity"),
    "model: vectors ten times as long": (vectors(lambda one_ND: 10 * one_ND), "vectors_norm_drift"),
    "model: the golden list has strange neighbours": (vectors(_golden_apart, "book"), "neighbour_churn_at_10_golden"),
    "index: answers with the next item": (index_file(_rolled), "shadow_index_gap"),
    "index: empty": (index_file(lambda index: faiss.IndexFlatIP(index.d)), "holds positions 0"),
    "index: many times as large": (setting("indexes", kind="HNSW64"), "index_bytes_ratio"),
    "data: links at random": (data(table("links", _at_random)), "link_recall_at_10"),
    "data: a third of the books is gone": (data(_fewer_books, heldout=True), "drift_items_removed"),
    "data: a flood of new items": (data(table("items", _flood)), "drift_items_added"),
    "data: every label is the same": (data(table("items", _one_label), heldout=True), "drift_label_psi"),
}
