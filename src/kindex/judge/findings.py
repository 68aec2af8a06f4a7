"""One pure call: the data, a model's vectors and what it rebuilt go in; a flat report and what to show come out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.errors import DataGateError
from kindex.core.hubs import CORRECTIONS, Offsets
from kindex.core.params import EvaluateParams
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.core.watch import Watch
from kindex.judge.before import Before
from kindex.judge.captions.judged import Record, judge_captions
from kindex.judge.captions.material import Material as Captioned
from kindex.judge.columns import judge_columns
from kindex.judge.evidence import chosen_examples, examples, item_map, well_known
from kindex.judge.golden import golden_examples, rows_of
from kindex.judge.health import health
from kindex.judge.hubs import judge_hubs
from kindex.judge.images import judge_reconstruction
from kindex.judge.intervals import Interval
from kindex.judge.links import Raw, judge_links
from kindex.judge.measures import corrected, described, headline, recall_curve, rounded
from kindex.judge.queries import chosen, joined, queries_table
from kindex.judge.told import told


@dataclass(frozen=True)
class Material:
    """What is judged. `images` are (H, W, C) with values in 0..1 by id, all of one shape.

    `rebuilt_NHWC` is what the encoder made of the held-out images, in the order of `split.heldout.images`; None when its
    family does not rebuild. `index_recall` and `offsets` are by kind of space; without offsets neighbours are answered as
    they lie. `rivals` are the spaces of other models by the prefix of their numbers. `golden` are ids whose neighbours are
    always shown.
    """

    split: Split
    spaces: dict[str, Space]
    index_recall: Mapping[str, float] = field(default_factory=dict)
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    rebuilt_NHWC: np.ndarray | None = None
    offsets: Mapping[str, Offsets] = field(default_factory=dict)
    rivals: Mapping[str, Mapping[str, Space]] = field(default_factory=dict)
    golden: Sequence[str] = ()
    index_excess: Mapping[str, float] = field(default_factory=dict)  # of those with a budget
    captioner: Captioned | None = None  # of a family that captions; `rival_captioners` are other tunings by name
    rival_captioners: Mapping[str, Captioned] = field(default_factory=dict)
    before: Before | None = None  # the parent release
    index_figures: Mapping[str, float] = field(default_factory=dict)  # of the chosen indexes, the worst of all kinds


@dataclass(frozen=True)
class Findings:
    """`report` is flat and finite; `shown` holds the evidence's map, examples, measures; `seconds` is by part; `queries`, as
    `kindex.judge.queries` has it, is what each query scored."""

    report: dict[str, float]
    shown: dict[str, Any]
    seconds: dict[str, float]
    queries: pa.Table


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
    if material.index_excess:
        report["index_budget_excess"] = max(material.index_excess.values())
    spaces = {kind: _finite(space) for kind, space in spaces.items()}
    before = material.before

    def carries(name: str) -> bool:
        return before is not None and before.has(name)

    report |= material.index_figures
    rivals = _all_finite(material.rivals)
    beside = not carries("baseline_links")
    links = judge_links(split, spaces, watch, sample=settings.sample_queries, rivals=rivals, beside=beside, **bootstrap)
    report |= links.report() if links else {}
    scores = dict(links.scores) if links else {}
    lap("links")

    def record(name: str, ids: Sequence[str], values_Q: np.ndarray) -> None:
        scores.setdefault(name, {})["image"] = (ids, values_Q)

    spoken, spoken_shown = _captions(material, settings, watch, record)
    report |= spoken
    lap("captions")
    space = spaces[main_kind(split, spaces)]
    report |= _flat(_reconstruction(material, space, bootstrap))
    lap("reconstruction")
    about = told(split, space)
    served = material.offsets.get(space.kind)
    pixels = _pixels(material.images) if material.images and not carries("raw_neighbour_agreement_at_10") else None
    raw = pixels or (links.raw if links else {}).get(space.kind)
    # a correction that nothing is answered by is only for comparison
    corrections = [name for name in CORRECTIONS if (served and served.correction == name) or not carries(f"{name}_hubness")]
    report |= judge_columns(
        split,
        space,
        about,
        raw,
        material.images,
        corrections=corrections,
        fitted=not carries("linear_probe_accuracy"),
        scores=scores,
        **bootstrap,
    )
    lap("labels")
    known = well_known(split, space.ids)
    popularity_N = known.to_N + known.away_N if "links" in split.train.tables else None
    report |= _flat(judge_hubs(space, known.order_N, popularity_N, corrections=corrections, **bootstrap))
    lap("hubs")
    carried = before.carried(report) if before else {}
    report = rounded({**report, **carried})
    golden, unknown = rows_of(spaces, space.kind, material.golden)
    best_known = chosen_examples(known.order_N, about.label, settings.examples)
    asked = [row for row in best_known if row not in golden[space.kind]]
    first = dict.fromkeys([*golden[space.kind], *asked, *known.order_N.tolist()])
    mapped = np.sort(np.array(list(first)[: settings.map_items], np.int64))
    examined = golden_examples(split, spaces, golden, {space.kind: about}, material.images, material.offsets)
    shown = {
        "headline": headline(report),
        "measures": described(report),
        "recall_curve": recall_curve(report, series),
        "corrected": corrected(report, served.correction if served else "cosine"),
        "examples": examined + examples(space, asked, about, material.images, served),
        "golden_unknown": unknown,
        "map": item_map(space, mapped, about, material.images, settings.seed, before),
        **spoken_shown,
    }
    queries = queries_table(scores, chosen(spaces, material.golden))
    if before and carried:
        shown |= {"carried": {"from": before.source(), "names": sorted(carried)}}
        shown |= {name: before.evidence[name] for name in SHOWN if name in before.evidence and name not in shown}
        queries = joined(queries, before.scores(carried))
    lap("map")
    return Findings(report, shown, seconds, queries)


def main_kind(split: Split, spaces: Mapping[str, Space]) -> str:
    """The kind that people can judge: one that labels or descriptions tell of, else what asks most in train links, else
    what has the most vectors."""
    links, items = split.train.tables.get("links"), split.train.items
    asks = {} if links is None else {kind: pc.sum(pc.equal(links["left_kind"], kind)).as_py() or 0 for kind in spaces}
    known = pc.or_(pc.is_valid(items["label"]), pc.is_valid(items["description"]))
    told = set(items["kind"].filter(known).unique().to_pylist())
    return max(sorted(spaces), key=lambda kind: (kind in told, asks.get(kind, 0), len(spaces[kind].ids)))


SHOWN = ("captions", "search", "words")
"""What the page shows of a captioner, carried over with its numbers."""

COMPARED = ("bleu_4", "cider", "text_recall_at_10")
"""What other tunings of a captioner are compared by."""


def _captions(
    material: Material, settings: EvaluateParams, watch: Watch, record: Record
) -> tuple[dict[str, float], dict[str, Any]]:
    """What a captioner says, finds and knows, beside other tunings; nothing of another family."""
    if material.captioner is None:
        return {}, {}
    beside = {
        name: judge_captions(other, bootstrap=settings.bootstrap, seed=settings.seed, only=COMPARED, watch=watch)[0]
        for name, other in material.rival_captioners.items()
    }
    points = {name: {one: numbers[one] for one in COMPARED if one in numbers} for name, numbers in beside.items()}
    return judge_captions(
        material.captioner, bootstrap=settings.bootstrap, seed=settings.seed, beside=points, watch=watch, record=record
    )


def _finite(space: Space) -> Space:
    """The space with broken vectors at zero: `vectors_nan` has counted them, and they must not break other numbers."""
    broken_N = ~np.isfinite(space.vectors_ND).all(1)
    return replace(space, vectors_ND=np.where(broken_N[:, None], np.float32(0), space.vectors_ND)) if broken_N.any() else space


def _all_finite(rivals: Mapping[str, Mapping[str, Space]]) -> dict[str, dict[str, Space]]:
    return {name: {kind: _finite(space) for kind, space in spaces.items()} for name, spaces in rivals.items()}


def _flat(numbers: Mapping[str, Interval]) -> dict[str, float]:
    return {entry: value for name, interval in numbers.items() for entry, value in interval.named(name).items()}


def _stack(ids: Sequence[str], images: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([images[name] for name in ids])


def _pixels(images: Mapping[str, np.ndarray]) -> Raw:
    """The raw input of items that have an image."""
    return lambda ids: _stack(ids, images).reshape(len(ids), -1).astype(np.float32)


def _reconstruction(material: Material, space: Space, bootstrap: dict[str, int]) -> dict[str, Interval]:
    if material.rebuilt_NHWC is None or not len(material.rebuilt_NHWC):
        return {}
    heldout, train = (
        _stack(side.images["id"].to_pylist(), material.images) for side in (material.split.heldout, material.split.train)
    )
    return judge_reconstruction(heldout, material.rebuilt_NHWC, train, space.vectors_ND.shape[1], **bootstrap)
