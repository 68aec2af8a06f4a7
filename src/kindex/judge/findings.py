"""One pure call: the data, a model's vectors and what it rebuilt go in; a flat report and what to show come out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.errors import DataGateError
from kindex.core.params import EvaluateParams
from kindex.core.space import Space
from kindex.core.split import Split, id_fractions
from kindex.core.watch import Watch
from kindex.judge.evidence import about_items, chosen_examples, examples, item_map, well_known
from kindex.judge.health import health, hubness
from kindex.judge.images import judge_reconstruction
from kindex.judge.intervals import Interval
from kindex.judge.labels import Labelled, judge_labels, usable
from kindex.judge.links import judge_links
from kindex.judge.measures import described, headline, recall_curve, rounded

SAMPLE_ITEMS = 4000
"""Items that labels and hubness are judged on, at most."""

LABEL_TEST_SHARE = 0.3
"""Of a link catalogue's labelled items, by a hash of the id; images are divided by the split."""


@dataclass(frozen=True)
class Material:
    """What is judged. `images` are (H, W, C) with values in 0..1 by id, all of one shape.

    `rebuilt_NHWC` is what the encoder made of the held-out images, in the order of `split.heldout.images`; None when its
    family does not rebuild. `index_recall` is by kind of space.
    """

    split: Split
    spaces: dict[str, Space]
    index_recall: Mapping[str, float] = field(default_factory=dict)
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    rebuilt_NHWC: np.ndarray | None = None


@dataclass(frozen=True)
class Findings:
    """`report` is flat and finite; `shown` holds the evidence's map, examples, measures; `seconds` is by part."""

    report: dict[str, float]
    shown: dict[str, Any]
    seconds: dict[str, float]


def judge(material: Material, settings: EvaluateParams, series: str, watch: Watch) -> Findings:
    """Judge a model; `series` names it in curves. What the data do not allow is left out of the report.

    Raises `DataGateError` when no space holds a vector, `ConfigError` when a kind with held-out links has no space.
    """
    spaces = {kind: space for kind, space in material.spaces.items() if space.ids}
    if not spaces:
        raise DataGateError("the model has no vectors: its encoder placed no item. Is the catalogue empty?")
    split = material.split
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def lap(part: str) -> None:
        nonlocal began
        seconds[part], began = round(time.perf_counter() - began, 3), time.perf_counter()

    bootstrap = {"bootstrap": settings.bootstrap, "seed": settings.seed}
    report = health(spaces.values())
    if material.index_recall:
        report["index_recall_at_10"] = min(material.index_recall.values())
    spaces = {kind: _finite(space) for kind, space in spaces.items()}
    links = judge_links(split, spaces, watch, sample=settings.sample_queries, **bootstrap)
    report |= links.report() if links else {}
    lap("links")
    space = spaces[main_kind(split, spaces)]
    report |= _flat(_reconstruction(material, space, bootstrap))
    lap("reconstruction")
    labels, descriptions = about_items(split, space)
    raw = _pixels(space, material.images) if material.images else (links.raw if links else {}).get(space.kind)
    report |= _flat(_labels(split, space, labels, raw, bootstrap))
    lap("labels")
    order = well_known(split, space.ids)
    report |= hubness(space, np.sort(order[:SAMPLE_ITEMS]), **bootstrap).named("hubness")
    lap("hubness")
    asked = chosen_examples(order, labels, settings.examples)
    mapped = np.sort(np.array(list(dict.fromkeys([*asked, *order.tolist()]))[: settings.map_items], np.int64))
    report = rounded(report)
    shown = {
        "headline": headline(report),
        "measures": described(report),
        "recall_curve": recall_curve(report, series),
        "examples": examples(space, asked, labels, material.images),
        "map": item_map(space, mapped, labels, descriptions, material.images, settings.seed),
    }
    lap("map")
    return Findings(report, shown, seconds)


def main_kind(split: Split, spaces: Mapping[str, Space]) -> str:
    """The kind that people can judge: one that labels or descriptions tell of, else what asks most in train links, else
    what has the most vectors."""
    links, items = split.train.tables.get("links"), split.train.items
    asks = {} if links is None else {kind: pc.sum(pc.equal(links["left_kind"], kind)).as_py() or 0 for kind in spaces}
    known = pc.or_(pc.is_valid(items["label"]), pc.is_valid(items["description"]))
    told = set(items["kind"].filter(known).unique().to_pylist())
    return max(sorted(spaces), key=lambda kind: (kind in told, asks.get(kind, 0), len(spaces[kind].ids)))


def _finite(space: Space) -> Space:
    """The space with broken vectors at zero: `vectors_nan` has counted them, and they must not break other numbers."""
    broken_N = ~np.isfinite(space.vectors_ND).all(1)
    return replace(space, vectors_ND=np.where(broken_N[:, None], np.float32(0), space.vectors_ND)) if broken_N.any() else space


def _flat(numbers: Mapping[str, Interval]) -> dict[str, float]:
    return {entry: value for name, interval in numbers.items() for entry, value in interval.named(name).items()}


def _stack(ids: Sequence[str], images: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([images[name] for name in ids])


def _pixels(space: Space, images: Mapping[str, np.ndarray]) -> Space:
    """The raw input of the items that have an image, as a space."""
    ids = tuple(name for name in space.ids if name in images)
    return Space(space.kind, ids, _stack(ids, images).reshape(len(ids), -1).astype(np.float32))


def _reconstruction(material: Material, space: Space, bootstrap: dict[str, int]) -> dict[str, Interval]:
    if material.rebuilt_NHWC is None or not len(material.rebuilt_NHWC):
        return {}
    heldout, train = (
        _stack(side.images["id"].to_pylist(), material.images) for side in (material.split.heldout, material.split.train)
    )
    return judge_reconstruction(heldout, material.rebuilt_NHWC, train, space.vectors_ND.shape[1], **bootstrap)


def _labels(
    split: Split, space: Space, labels: list[str | None], raw: Space | None, bootstrap: dict[str, int]
) -> dict[str, Interval]:
    """Judge the items that have a label, a vector and raw input; images are tested on the split's held-out side."""
    numbers = {label: number for number, label in enumerate(sorted({label for label in labels if label is not None}))}
    known = [label is not None and (raw is None or name in raw.rows) for name, label in zip(space.ids, labels)]
    labels_N = np.array([numbers[label] if ok and label else -1 for ok, label in zip(known, labels)], np.int64)
    ids = pa.chunked_array([pa.array(space.ids, pa.string())])
    if "images" in split.heldout.tables:
        test_N = pc.is_in(ids, split.heldout.images["id"].combine_chunks()).to_numpy()
    else:
        test_N = id_fractions(ids, "label test") < LABEL_TEST_SHARE
    rows = usable(labels_N, id_fractions(ids, "label sample"), test_N, SAMPLE_ITEMS)
    if not len(rows):
        return {}
    series = {"": space.vectors_ND[rows]}
    if raw is not None:
        series["raw_"] = raw.vectors_ND[[raw.rows[space.ids[row]] for row in rows]]
    return judge_labels(series, Labelled(labels_N[rows], test_N[rows]), **bootstrap)
