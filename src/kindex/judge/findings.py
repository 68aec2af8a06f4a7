"""One pure call: the data, a model's vectors and what it rebuilt go in; a flat report and what to show come out."""

import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.aside import side_by_side
from kindex.core.errors import DataGateError
from kindex.core.hubs import CORRECTIONS
from kindex.core.params import EvaluateParams
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.core.watch import Watch
from kindex.judge.captions.judged import Record, judge_captions
from kindex.judge.columns import judge_columns
from kindex.judge.evidence import chosen_examples, examples, item_map, well_known
from kindex.judge.golden import golden_examples, rows_of
from kindex.judge.health import health
from kindex.judge.hubs import judge_hubs
from kindex.judge.images import judge_reconstruction
from kindex.judge.intervals import Interval
from kindex.judge.linked import occurring
from kindex.judge.links import LinkFindings, judge_links
from kindex.judge.material import Material, all_finite, finite, pixels_of, stack
from kindex.judge.measures import corrected, described, headline, recall_curve, rounded
from kindex.judge.queries import chosen, joined, queries_table
from kindex.judge.told import told


@dataclass(frozen=True)
class Findings:
    """`report` is flat and finite; `shown` holds the evidence's map, examples, measures; `seconds` is by part; `queries`, as
    `kindex.judge.queries` has it, is what each query scored."""

    report: dict[str, float]
    shown: dict[str, Any]
    seconds: dict[str, float]
    queries: pa.Table


Found = dict[str, dict[str, tuple[Sequence[str], np.ndarray]]]
"""What each query scored: see `kindex.judge.queries.Scores`."""


def judge(material: Material, settings: EvaluateParams, series: str, watch: Watch) -> Findings:
    """Judge a model; `series` names it in curves. What the data do not allow is left out of the report.

    Raises `DataGateError` when no space holds a vector, `ConfigError` when a kind with held-out links has no space.
    """
    spaces = {kind: space for kind, space in material.spaces.items() if space.ids}
    if not spaces:
        raise DataGateError("the model has no vectors: its encoder placed no item. Is the catalogue empty?")
    split, before = material.split, material.before
    seconds: dict[str, float] = {}
    bootstrap = {"bootstrap": settings.bootstrap, "seed": settings.seed}
    report = health(spaces.values())
    if material.index_recall:
        report["index_recall_at_10"] = min(material.index_recall.values())
    if material.index_excess:
        report["index_budget_excess"] = max(material.index_excess.values())
    spaces = {kind: finite(space) for kind, space in spaces.items()}

    def carries(name: str) -> bool:
        return before is not None and before.has(name)

    report |= material.index_figures
    space = spaces[main_kind(split, spaces)]
    about, known = told(split, space), well_known(split, space.ids)
    served = material.offsets.get(space.kind)
    # a correction that nothing is answered by is only for comparison
    corrections = [name for name in CORRECTIONS if (served and served.correction == name) or not carries(f"{name}_hubness")]
    beside, fitted = not carries("baseline_links"), not carries("linear_probe_accuracy")
    pixels = pixels_of(material.images) if material.images and not carries("raw_neighbour_agreement_at_10") else None
    golden, unknown = rows_of(spaces, space.kind, material.golden)
    best_known = chosen_examples(known.order_N, about.label, settings.examples)
    asked = [row for row in best_known if row not in golden[space.kind]]
    first = dict.fromkeys([*golden[space.kind], *asked, *known.order_N.tolist()])
    mapped = np.sort(np.array(list(first)[: settings.map_items], np.int64))

    def of_links() -> tuple[LinkFindings | None, dict[str, float], Found]:
        scores: Found = {}
        with _timed(seconds, "links"):
            rivals, sample = all_finite(material.rivals), settings.sample_queries
            links = judge_links(split, spaces, watch, sample=sample, rivals=rivals, beside=beside, **bootstrap)
        with _timed(seconds, "labels"):
            raw, images = pixels or (links.raw if links else {}).get(space.kind), material.images
            how: dict[str, Any] = {"corrections": corrections, "fitted": fitted, "scores": scores, **bootstrap}
            columns = judge_columns(split, space, about, raw, images, **how)
        return links, columns, scores

    def of_hubs() -> dict[str, Interval]:
        popularity_N = known.to_N + known.away_N if "links" in split.train.tables else None
        with _timed(seconds, "hubs"):
            return judge_hubs(space, known.order_N, popularity_N, corrections=corrections, **bootstrap)

    def of_map() -> dict[str, Any]:
        with _timed(seconds, "map"):
            return item_map(space, mapped, about, material.images, settings.seed, before)

    _import_first("links" in split.train.tables, beside or (fitted and len(about.label.names) > 1))
    # only the first grows with the catalogue, as it did alone: the others look at some thousand items
    (links, columns, scores), hubs, drawn = side_by_side(of_links, of_hubs, of_map)
    report |= links.report() if links else {}
    for name, of_kinds in (links.scores if links else {}).items():
        scores.setdefault(name, {}).update(of_kinds)

    def record(name: str, ids: Sequence[str], values_Q: np.ndarray) -> None:
        scores.setdefault(name, {})["image"] = (ids, values_Q)

    # torch keeps its number of threads for each thread: what an encoder does stays in this one
    with _timed(seconds, "captions"):
        spoken, spoken_shown = _captions(material, settings, watch, record)
    with _timed(seconds, "reconstruction"):
        rebuilt = _reconstruction(material, space, bootstrap)
    report |= {**spoken, **_flat(rebuilt), **columns, **_flat(hubs)}
    carried = before.carried(report) if before else {}
    report = rounded({**report, **carried})
    with _timed(seconds, "examples"):
        examined = golden_examples(split, spaces, golden, {space.kind: about}, material.images, material.offsets)
        examined += examples(space, asked, about, material.images, served)
    shown = {
        "headline": headline(report),
        "measures": described(report),
        "recall_curve": recall_curve(report, series),
        "corrected": corrected(report, served.correction if served else "cosine"),
        "examples": examined,
        "golden_unknown": unknown,
        "map": drawn,
        **spoken_shown,
    }
    queries = queries_table(scores, chosen(spaces, material.golden))
    if before and carried:
        shown |= {"carried": {"from": before.source(), "names": sorted(carried)}}
        shown |= {name: before.evidence[name] for name in SHOWN if name in before.evidence and name not in shown}
        queries = joined(queries, before.scores(carried))
    return Findings(report, shown, seconds, queries)


FITTERS = ("sklearn.utils.extmath", "sklearn.linear_model", "sklearn.cluster")


def _import_first(links: bool, fitted: bool) -> None:
    """What several parts import when they need it: two threads that import packages of one another may see half of one."""
    modules = [*(("pyarrow.acero", "scipy.sparse") if links else ()), *(("openTSNE", *FITTERS) if fitted else ())]
    for name in modules:
        importlib.import_module(name)


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[part] = round(time.perf_counter() - began, 3)


def main_kind(split: Split, spaces: Mapping[str, Space]) -> str:
    """The kind that people can judge: one that labels or descriptions tell of, else what asks most in train links, else
    what has the most vectors."""
    items, asks = split.train.items, dict[str, int]()
    if "links" in split.train.tables:
        kinds, count_K = occurring(split.train.part("links"), "left_kind")
        asks = dict(zip(kinds.to_pylist(), count_K.tolist(), strict=True))
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


def _flat(numbers: Mapping[str, Interval]) -> dict[str, float]:
    return {entry: value for name, interval in numbers.items() for entry, value in interval.named(name).items()}


def _reconstruction(material: Material, space: Space, bootstrap: dict[str, int]) -> dict[str, Interval]:
    if material.rebuilt_NHWC is None or not len(material.rebuilt_NHWC):
        return {}
    heldout, train = (
        stack(side.images["id"].to_pylist(), material.images) for side in (material.split.heldout, material.split.train)
    )
    return judge_reconstruction(heldout, material.rebuilt_NHWC, train, space.vectors_ND.shape[1], **bootstrap)
