"""What a person looks at to believe the numbers: a map of the items, and neighbours of some that everybody knows."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.nearest import nearest
from kindex.core.space import Space
from kindex.core.split import Split, id_fractions
from kindex.judge.maps import pca_2d, thumbnail, tsne_2d
from kindex.judge.tasks import all_items

THUMBNAIL = 24
"""Pixels of a side at most; the map may hold thousands of them."""

HITS = 10
DIGITS = 4


def about_items(split: Split, space: Space) -> tuple[list[str | None], list[str | None]]:
    """Label and description of each id of `space`, None where there is none."""
    items = all_items(split)
    items = items.filter(pc.equal(items["kind"], space.kind))
    rows = pc.index_in(pa.array(space.ids, pa.string()), items["id"].combine_chunks())
    return items["label"].take(rows).to_pylist(), items["description"].take(rows).to_pylist()


def well_known(split: Split, ids: tuple[str, ...]) -> np.ndarray:
    """Rows of `ids`, best known first: by train links that lead to the id, then from it, then by a hash of the id.

    The id may be answered as one kind and ask as another: a module is imported and imports.
    """
    to: Counter[str] = Counter()
    away: Counter[str] = Counter()
    links = split.train.tables.get("links")
    if links is not None:
        for counter, column in ((to, "right"), (away, "left")):
            counted = pc.value_counts(links[column].combine_chunks())
            counter.update(dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist())))
    fraction_N = id_fractions(pa.chunked_array([pa.array(ids, pa.string())]), "evidence")
    to_N, away_N = (np.array([counter[name] for name in ids], np.int64) for counter in (to, away))
    return np.lexsort((fraction_N, -away_N, -to_N))


def chosen_examples(order: np.ndarray, labels: list[str | None], count: int) -> list[int]:
    """The best known row of each label, then of the labels again, until there are `count`."""
    seen: Counter[str | None] = Counter()
    turns = []
    for place, row in enumerate(order[:5000]):
        turns.append((seen[labels[row]], place, int(row)))
        seen[labels[row]] += 1
    return [row for _, _, row in sorted(turns)[:count]]


def examples(
    space: Space, rows: list[int], labels: list[str | None], images: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Each row's item and its ten nearest by cosine, found by exact search."""
    if not rows:
        return []

    def shown(row: int) -> dict[str, Any]:
        name = space.ids[row]
        picture = {"image": thumbnail(images[name], THUMBNAIL)} if name in images else {}
        return {"id": name, "label": labels[row], **picture}

    scores_QK, rows_QK = nearest(space.unit_ND, space.unit_ND[rows], HITS, np.array(rows))
    found = []
    for row, scores_K, rows_K in zip(rows, scores_QK, rows_QK):
        hits = [{**shown(int(hit)), "score": round(float(score), DIGITS)} for score, hit in zip(scores_K, rows_K)]
        found.append({**shown(row), "kind": space.kind, "hits": hits})
    return found


def item_map(
    space: Space,
    rows: np.ndarray,
    labels: list[str | None],
    descriptions: list[str | None],
    images: Mapping[str, np.ndarray],
    seed: int,
) -> dict[str, Any]:
    """The items of `rows` with their places by PCA and t-SNE of their unit vectors; labels are numbered by name."""
    unit_ND = space.unit_ND[rows]
    pca_N2 = np.round(pca_2d(unit_ND), DIGITS) + 0.0
    tsne_N2 = tsne_2d(unit_ND, seed)
    distinct = sorted({label for row in rows if (label := labels[row]) is not None})
    number = {label: place for place, label in enumerate(distinct)}
    items = []
    for place, row in enumerate(rows):
        name, label = space.ids[row], labels[row]
        item: dict[str, Any] = {
            "id": name,
            "label": None if label is None else number[label],
            "description": descriptions[row],
        }
        item["pca"] = pca_N2[place].tolist()
        if tsne_N2 is not None:
            item["tsne"] = (np.round(tsne_N2[place], DIGITS) + 0.0).tolist()
        if name in images:
            item["image"] = thumbnail(images[name], THUMBNAIL)
        items.append(item)
    return {"kind": space.kind, "label_title": "label", "labels": distinct, "items": items}
