"""Do items of one label, genre or country lie together? Each column of the items is judged on the same footing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from kindex.core.hubs import CORRECTIONS
from kindex.core.space import Space
from kindex.core.split import Split, id_fractions
from kindex.judge.labels import Labelled, judge_agreement, judge_labels, usable
from kindex.judge.links import Raw
from kindex.judge.measures import COLUMN
from kindex.judge.tasks import as_column, rows_in
from kindex.judge.told import Told

SAMPLE_ITEMS = 4000
"""Items that a column is judged on, at most."""

TESTED = 30
"""Test items that a further column must have to be judged: with fewer, the interval would span most of the range."""

TEST_SHARE = 0.3
"""Of a link catalogue's labelled items, by a hash of the id; images are divided by the split."""


def judge_columns(
    split: Split,
    space: Space,
    about: Told,
    raw: Raw | None,
    images: Mapping[str, np.ndarray],
    *,
    bootstrap: int,
    seed: int,
    corrections: Collection[str] = CORRECTIONS,
    fitted: bool = True,
    scores: dict[str, dict[str, tuple[Sequence[str], np.ndarray]]] | None = None,
) -> dict[str, float]:
    """Flat numbers of the label (`judge_labels`), and `agreement_at_10_<column>` of each further column with enough items.

    `labelled_share` and `labelled_share_<column>` say how many items have a value at all. Judged by the items that have a
    value, a vector and, in a catalogue of images, an image. `corrections` and `fitted` say what is measured beside the
    neighbours; `scores`, if given, takes the model's value of each test item by metric and kind.
    """
    taken = {} if scores is None else scores

    ids = as_column(space.ids)
    if "images" in split.heldout.tables:
        test_N = rows_in(ids, split.heldout.images["id"].combine_chunks()) >= 0
    else:
        test_N = id_fractions(ids, "label test") < TEST_SHARE
    order_N = id_fractions(ids, "label sample")
    pictured_N = np.array([name in images for name in space.ids]) if images else np.ones(len(space.ids), bool)
    found: dict[str, float] = {}
    for place, column in enumerate(about.columns):
        code_N = np.where(pictured_N, column.code_N, -1)
        rows = usable(code_N, order_N, test_N, SAMPLE_ITEMS)
        if not len(rows) or (place and test_N[rows].sum() < TESTED):
            continue
        series = {"": space.vectors_ND[rows]}
        if raw is not None:
            series["raw_"] = raw([space.ids[row] for row in rows])
        asked = [space.ids[row] for row in rows[test_N[rows]]]

        def record(name: str, values_T: np.ndarray, asked: list[str] = asked) -> None:
            if not name.startswith("raw_"):
                taken.setdefault(name, {})[space.kind] = (asked, values_T)

        labelled = Labelled(code_N[rows], test_N[rows], record)
        how: dict[str, Any] = {"bootstrap": bootstrap, "seed": seed, "corrections": corrections}
        if place == 0:
            numbers = judge_labels(series, labelled, fitted=fitted, **how)
        else:
            numbers = judge_agreement(series, labelled, f"{COLUMN}{column.slug}", **how)
        for name, interval in numbers.items():
            found |= interval.named(name)
        if numbers:
            found["labelled_share" if place == 0 else f"labelled_share_{column.slug}"] = column.share
    return found
