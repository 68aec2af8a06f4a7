"""What each number of a report means, for people, and which baselines stand beside it."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from kindex.judge.captions import measures as captioner
from kindex.judge.measure import Measure


def _linked(name: str, title: str, meaning: str, better: str = "higher") -> Measure:
    prefixes = {"default settings": "default", "popularity": "popularity", "co-occurrence": "cooccurrence", "SVD": "svd"}
    return Measure(name, title, meaning, better, tuple((shown, f"{prefix}_{name}") for shown, prefix in prefixes.items()))


def _raw(name: str, title: str, meaning: str, *more: tuple[str, str]) -> Measure:
    return Measure(name, title, meaning, "higher", (*more, ("raw input", f"raw_{name}")))


MEASURES = (
    *captioner.MEASURES,
    _linked("link_recall_at_10", "Link recall@10", "share of an item's held-out links among the first 10 of all candidates"),
    _linked("link_recall_at_20", "Link recall@20", "the same among the first 20"),
    _linked("link_recall_at_50", "Link recall@50", "the same among the first 50"),
    _linked("ndcg_at_20", "NDCG@20", "held-out links among the first 20, worth more the earlier; 1 = all come first"),
    _linked("mrr", "MRR", "mean of 1 / rank of the first held-out link"),
    _linked("auc", "AUC", "share of (held-out, other) pairs in the right order; 0.5 = chance"),
    _linked("coverage_at_10", "Coverage@10", "share of all candidates that somebody gets among the first 10"),
    _linked("popularity_bias", "Popularity bias", "at 1, answers are twice as popular as what is really linked", "none"),
    _raw(
        "neighbour_agreement_at_10",
        "Neighbour agreement@10",
        "share of a test item's 10 nearest train items that have its label",
        ("chance", "neighbour_agreement_chance"),
    ),
    _raw("linear_probe_accuracy", "Linear probe", "share of test items whose label a linear classifier of the vectors names"),
    _raw("kmeans_nmi", "k-means NMI", "how much k-means clusters and labels say of each other; 1 = all"),
    Measure(
        "reconstruction_mse",
        "Reconstruction error",
        "mean squared error of a held-out image's pixel, in 0..1",
        "lower",
        (("PCA", "pca_reconstruction_mse"), ("mean image", "mean_image_reconstruction_mse")),
    ),
    Measure("hubness", "Hubness", "skewness of how often an item is among others' 10 nearest; 0 = all alike", "lower"),
    Measure("neighbour_coverage_at_10", "Neighbour coverage@10", "share of items that are among anybody's 10 nearest"),
    Measure("neighbour_popularity_bias", "Neighbour popularity", "at 1, neighbours are twice as popular as items are", "none"),
    Measure(
        "index_budget_excess", "Index over budget", "share by which the index misses the limit that it misses most", "lower"
    ),
    Measure("index_p95_us", "Slow query, µs", "95 of 100 queries take no longer, by the model of costs", "lower"),
    Measure("index_bytes_per_vector", "Index bytes", "bytes of the index file for each vector, in its worst space", "lower"),
    Measure("index_recall_at_10", "Index recall@10", "share of the true 10 nearest that the index finds, in its worst space"),
    Measure("vectors_collapse", "Collapse", "0 = all directions of the space are used alike, 1 = one line", "lower"),
    Measure("vectors_zero", "Zero vectors", "vectors of length zero", "lower"),
    Measure("vectors_nan", "Broken vectors", "vectors with a NaN or an infinity", "lower"),
    Measure(
        "uncovered_queries", "Queries without a vector", "held-out items that the model does not know; all misses", "lower"
    ),
)

COUNTS = ("queries", "heldout_links", "uncovered_links", "baseline_links", "labelled_share", *captioner.COUNTS)
"""Numbers of a report that say how much was measured."""

HEADLINES = (
    "link_recall_at_10",
    "text_recall_at_10",  # of a captioner, for it judges images and words at once, and chance is known exactly
    "bleu_4",
    "neighbour_agreement_at_10",
    "reconstruction_mse",
    "index_recall_at_10",
)
"""The first of these that a report has is what the model is judged by at a glance."""

COLUMN = "agreement_at_10_"
"""Begins the neighbour agreement of a further column of the items, e.g. `agreement_at_10_genre`."""

NEIGHBOURS = {"cosine": "", "local_scaling": "local_scaling_", "inverted_softmax": "inverted_softmax_"}
"""Ways to choose neighbours, and the prefix of their numbers; see `kindex.core.hubs`."""

CORRECTED = ("hubness", "neighbour_coverage_at_10", "neighbour_popularity_bias", "neighbour_agreement_at_10")
"""What is measured for each way to choose neighbours, beside the agreement of further columns."""

_OF_COLUMN = re.compile(rf"(?:raw_|chance_|local_scaling_|inverted_softmax_)?{COLUMN}[a-z0-9_]+|labelled_share_[a-z0-9_]+")


def names() -> set[str]:
    """Every name that a number of some report may have, but for those of further columns."""
    measured = {name for measure in MEASURES for name in (measure.name, *(base for _, base in measure.beside))}
    measured |= {f"{prefix}{name}" for prefix in NEIGHBOURS.values() for name in CORRECTED}
    return {*COUNTS, *measured, *(f"{name}_{end}" for name in measured for end in ("low", "high"))}


def is_name(name: str) -> bool:
    """Whether some report may have this number. Which columns the items have is seen when there are items."""
    return name in names() or _OF_COLUMN.fullmatch(name) is not None


def measures_of(report: Mapping[str, float]) -> list[Measure]:
    """The measures that `report` has, in order; those of further columns stand behind that of the label."""
    further = [name for name in report if name.startswith(COLUMN) and f"{name}_low" in report]
    every: list[Measure] = []
    for measure in MEASURES:
        every += [measure] if measure.name in report else []
        every += [_of_column(name) for name in further] if measure.name == "neighbour_agreement_at_10" else []
    return every


def _of_column(name: str) -> Measure:
    column = name.removeprefix(COLUMN).replace("_", " ")
    meaning = f"the same for {column}: share of the 10 nearest that have the item's"
    return _raw(name, f"Agreement@10, {column}", meaning, ("chance", f"chance_{name}"))


def described(report: Mapping[str, float]) -> list[dict[str, Any]]:
    """The measures that `report` has, in order: name, title, meaning, value, low, high, better, baselines."""
    return [_described(measure, report) for measure in measures_of(report)]


def corrected(report: Mapping[str, float], served: str) -> list[dict[str, Any]]:
    """For each way to choose neighbours: its name, whether questions are answered by it, and its numbers by measure."""
    found = {m.name: m for m in measures_of(report)}
    further = [name for name in found if name.startswith(COLUMN)]
    measures = [found[name] for name in (*CORRECTED, *further) if name in found]
    return [
        {
            "neighbours": way,
            "served": way == served,
            "numbers": [
                {"title": m.title, "better": m.better, "value": report.get(f"{prefix}{m.name}")}
                for m in measures
                if any(f"{other}{m.name}" in report for other in list(NEIGHBOURS.values())[1:])
            ],
        }
        for way, prefix in NEIGHBOURS.items()
    ]


def headline(report: Mapping[str, float]) -> dict[str, Any]:
    """The most important number of the report beside its baselines; {} for an empty report."""
    name = next((name for name in HEADLINES if name in report), None)
    measure = next((measure for measure in MEASURES if measure.name == name), None)
    if measure is None:
        return {}
    whole = _described(measure, report)
    return {"metric": measure.name} | {
        key: whole[key] for key in ("value", "low", "high", "better", "baselines") if key in whole
    }


def _described(measure: Measure, report: Mapping[str, float]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": measure.name,
        "title": measure.title,
        "meaning": measure.meaning,
        "better": measure.better,
    }
    found["value"] = report[measure.name]
    found |= {end: report[f"{measure.name}_{end}"] for end in ("low", "high") if f"{measure.name}_{end}" in report}
    found["baselines"] = {shown: report[name] for shown, name in measure.beside if name in report}
    return found


def recall_curve(report: Mapping[str, float], model: str) -> list[dict[str, Any]]:
    """Link recall at each k of the model and its baselines; [] for a catalogue without links."""
    curve = []
    for measure in MEASURES:
        if measure.name.startswith("link_recall_at_") and measure.name in report:
            k = int(measure.name.rsplit("_", 1)[1])
            series = ((model, measure.name), *measure.beside)
            curve += [{"k": k, "series": shown, "value": report[name]} for shown, name in series if name in report]
    return curve


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """The finite numbers, sorted by name, to six decimals; counts stay whole."""
    finite = {name: value for name, value in sorted(numbers.items()) if np.isfinite(value)}
    return {name: value if isinstance(value, int) else round(float(value), 6) + 0.0 for name, value in finite.items()}
