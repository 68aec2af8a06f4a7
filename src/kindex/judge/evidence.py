"""What a person looks at to believe the numbers: a map of the items, and neighbours of some that everybody knows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa

from kindex.core.hubs import CANDIDATES, Offsets
from kindex.core.nearest import nearest
from kindex.core.space import Space
from kindex.core.split import Split, id_fractions
from kindex.judge.before import Before
from kindex.judge.linked import occurring
from kindex.judge.maps import moved, pca_2d, placed_among, thumbnail, tsne_2d, turned_onto
from kindex.judge.tasks import as_column, rows_in
from kindex.judge.told import Column, Told

THUMBNAIL = 24
"""Pixels of a side at most; the map may hold thousands of them."""

HITS = 10
DIGITS = 4


@dataclass(frozen=True)
class Known:
    """How items are known: train links that lead to each (N) and from it (N), and rows by these, best known first."""

    to_N: np.ndarray
    away_N: np.ndarray
    order_N: np.ndarray


def well_known(split: Split, ids: Sequence[str]) -> Known:
    """The order is by train links that lead to the id, then from it, then by a hash of the id.

    The id may be answered as one kind and ask as another: a module is imported and imports.
    """
    texts = as_column(ids)
    to_N, away_N = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    if "links" in split.train.tables:
        whole = texts.combine_chunks()
        for count_N, name in ((to_N, "right"), (away_N, "left")):
            linked, count_V = occurring(split.train.part("links"), name)
            row_V = rows_in(pa.chunked_array([linked]), whole)
            count_N[row_V[row_V >= 0]] = count_V[row_V >= 0]
    return Known(to_N, away_N, np.lexsort((id_fractions(texts, "evidence"), -away_N, -to_N)))


def chosen_examples(order_N: np.ndarray, label: Column, count: int) -> list[int]:
    """The best known row of each label, then of the labels again, until there are `count`."""
    seen: Counter[int] = Counter()
    turns = []
    for place, row in enumerate(order_N[:5000].tolist()):
        code = int(label.code_N[row])
        turns.append((seen[code], place, row))
        seen[code] += 1
    return [row for _, _, row in sorted(turns)[:count]]


def examples(
    space: Space, rows: Sequence[int], about: Told, images: Mapping[str, np.ndarray], offsets: Offsets | None = None
) -> list[dict[str, Any]]:
    """Each row's item and its ten nearest, found by exact search; with `offsets` by the corrected score, as a release
    answers."""
    if not len(rows):
        return []

    def shown(row: int) -> dict[str, Any]:
        name = space.ids[row]
        picture = {"image": thumbnail(images[name], THUMBNAIL)} if name in images else {}
        more = {column.title: value for column in about.columns[1:] if (value := column.of(row)) is not None}
        return {"id": name, "label": about.label.of(row), **({"more": more} if more else {}), **picture}

    wanted = CANDIDATES if offsets else HITS
    scores_QK, rows_QK = nearest(space.search_ND, space.search_ND[list(rows)], wanted, np.array(rows, np.int64))
    found = []
    for row, scores_K, rows_K in zip(rows, scores_QK, rows_QK):
        if offsets:
            scores_K, rows_K = offsets.ranked(scores_K, rows_K)
        best = list(zip(scores_K, rows_K))[:HITS]
        hits = [{**shown(int(hit)), "score": round(float(score), DIGITS) + 0.0} for score, hit in best]
        found.append({**shown(row), "kind": space.kind, "hits": hits})
    return found


def item_map(
    space: Space,
    rows: np.ndarray,
    about: Told,
    images: Mapping[str, np.ndarray],
    seed: int,
    before: Before | None = None,
) -> dict[str, Any]:
    """The items of `rows` with their places by PCA and t-SNE of their unit vectors; labels are numbered by name.

    With the parent's map the places are gone on from; `before` then says of which release, how many items had a place, and
    how far these moved. `columns` holds what else the items can be coloured by: title, names, and the number of each item's
    (null: none).
    """
    unit_ND = space.unit_ND[rows]
    pca_N2, tsne_N2, since = _places(space, rows, unit_ND, seed, before)
    (labels, label_N), *further = [_numbered(column, rows) for column in about.columns]
    descriptions = about.described(rows)
    items = []
    for place, row in enumerate(rows):
        name = space.ids[row]
        item: dict[str, Any] = {"id": name, "label": label_N[place], "description": descriptions[place]}
        item["pca"] = pca_N2[place].tolist()
        if tsne_N2 is not None:
            item["tsne"] = tsne_N2[place].tolist()
        if name in images:
            item["image"] = thumbnail(images[name], THUMBNAIL)
        items.append(item)
    columns = [
        {"title": column.title, "labels": names, "label": number_N}
        for column, (names, number_N) in zip(about.columns[1:], further)
    ]
    shown = {"kind": space.kind, "label_title": "label", "labels": labels, "columns": columns, "items": items}
    return {**shown, "before": since} if since else shown


def _places(
    space: Space, rows: np.ndarray, unit_ND: np.ndarray, seed: int, before: Before | None
) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """PCA (N, 2) and t-SNE (N, 2), rounded, and what is told of last night's map.

    A delta night leaves every item where it was that still lies where it lay in the space, and puts the others among their
    neighbours; a model trained anew lets t-SNE go on from there. With fewer than half of the items placed it starts afresh.
    """
    pca_N2 = pca_2d(unit_ND)
    if before is None:
        return _rounded(pca_N2), _rounded(tsne_2d(unit_ND, seed)), {}
    ids = [space.ids[row] for row in rows]
    pca_N2 = turned_onto(pca_N2, before.places(space.kind, ids, "pca"))
    was_N2 = before.places(space.kind, ids, "tsne")
    placed_N = np.isfinite(was_N2).all(1)
    if placed_N.sum() < len(ids) / 2:
        return _rounded(pca_N2), _rounded(tsne_2d(unit_ND, seed)), {}
    start_N2 = was_N2.copy()
    if before.delta and before.still:
        start_N2[~before.still(space.kind, ids, space.vectors_ND[rows])] = np.nan
    start_N2 = placed_among(start_N2, unit_ND)
    if before.delta and np.isfinite(start_N2).all():
        tsne_N2: np.ndarray | None = start_N2
    else:
        tsne_N2 = tsne_2d(unit_ND, seed, placed_among(was_N2, unit_ND))
    gone = 0.0 if tsne_N2 is None else round(moved(tsne_N2, was_N2), 4)
    told = {"version": before.version, "shared": int(placed_N.sum()), "new": int((~placed_N).sum()), "moved": gone}
    return _rounded(pca_N2), _rounded(tsne_N2), told


@overload
def _rounded(points_N2: np.ndarray) -> np.ndarray: ...
@overload
def _rounded(points_N2: np.ndarray | None) -> np.ndarray | None: ...
def _rounded(points_N2: np.ndarray | None) -> np.ndarray | None:
    return None if points_N2 is None else np.round(points_N2, DIGITS) + 0.0


def _numbered(column: Column, rows: np.ndarray) -> tuple[list[str], list[int | None]]:
    """The names that occur in `rows`, ascending, and the number of each row's, None where it has none."""
    code_N = column.code_N[rows]
    present = np.unique(code_N[code_N >= 0])
    number_N = np.searchsorted(present, code_N).tolist()
    return [column.names[code] for code in present], [n if c >= 0 else None for n, c in zip(number_N, code_N)]
