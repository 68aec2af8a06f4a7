"""Small catalogues of links whose numbers can be counted by hand, and planted ones that a model can learn."""

from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.judge.tasks import LinkTask


def items(*kinds: tuple[str, list[str]], labels: dict[str, str] | None = None) -> pa.Table:
    rows = [
        {"id": name, "kind": kind, "label": (labels or {}).get(name), "description": f"the {kind} {name}"}
        for kind, names in kinds
        for name in names
    ]
    return pa.Table.from_pylist(rows, ITEMS)


def links(pairs: list[tuple[str, str]], left_kind: str = "reader", right_kind: str = "book") -> pa.Table:
    rows = [{"left": a, "left_kind": left_kind, "right": b, "right_kind": right_kind, "weight": 1.0} for a, b in pairs]
    return pa.Table.from_pylist(rows, LINKS)


def split_of(all_items: pa.Table, train: pa.Table, heldout: pa.Table) -> Split:
    return Split(
        Catalogue("small", {"items": all_items, "links": train}), Catalogue("small", {"items": all_items, "links": heldout})
    )


def whole(task: LinkTask) -> Any:
    """All train links, a scipy CSR matrix (L, R)."""
    return task.train.of(np.arange(task.train.n_left))


def planted(readers: int = 300, books: int = 200, groups: int = 20, seed: int = 0) -> tuple[Split, dict[str, Space]]:
    """Readers of one group read the books of that group; the spaces know it, the labels say it."""
    rng = np.random.default_rng(seed)
    reader_ids, book_ids = [f"r{n:03}" for n in range(readers)], [f"b{n:03}" for n in range(books)]
    train, heldout = [], []
    for reader in range(readers):
        own = np.arange(reader % groups, books, groups)
        other = rng.integers(0, books, 3)
        read = rng.permutation(np.unique(np.concatenate([own, other]))).tolist()
        train += [(reader_ids[reader], book_ids[book]) for book in read[2:]]
        heldout += [(reader_ids[reader], book_ids[book]) for book in read[:2]]
    labels = {name: f"group {n % groups}" for names in (reader_ids, book_ids) for n, name in enumerate(names)}
    table = items(("reader", reader_ids), ("book", book_ids), labels=labels)
    centres = rng.normal(size=(groups, 12))

    def space(kind: str, ids: list[str]) -> Space:
        vectors = centres[np.arange(len(ids)) % groups] * 2 + rng.normal(size=(len(ids), 12))
        return Space(kind, tuple(ids), vectors.astype(np.float32), "cosine", "planted")

    spaces = {"reader": space("reader", reader_ids), "book": space("book", book_ids)}
    return split_of(table, links(train), links(heldout)), spaces
