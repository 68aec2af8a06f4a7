"""Does the space put held-out links first, and does it beat what needs no training?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from kindex.core.space import Space, cross_scores, link_spaces
from kindex.core.split import Split
from kindex.core.watch import Watch
from kindex.judge.baselines import Fold, baselines
from kindex.judge.intervals import Interval, resamples
from kindex.judge.ranking import Ranking, Scorer, pooled, rank, summary
from kindex.judge.tasks import LinkTask, as_column, link_tasks, rows_in

Raw = Callable[[Sequence[str]], np.ndarray]
"""Ids (N) → the vectors (N, D) that they have without any training."""


@dataclass(frozen=True)
class LinkFindings:
    """`numbers` of the model, the same of each baseline, and plain counts; `raw` gives SVD vectors of left items by kind."""

    numbers: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]]
    counts: dict[str, int]
    raw: dict[str, Raw]
    scores: dict[str, dict[str, tuple[Sequence[str], np.ndarray]]] = field(default_factory=dict)  # of each query

    def report(self) -> dict[str, float]:
        """Flat: the model's numbers with intervals, the baselines' without (`svd_link_recall_at_10`), the counts."""
        flat: dict[str, float] = dict(self.counts)
        for name, interval in self.numbers.items():
            flat |= interval.named(name)
        for baseline, numbers in self.baselines.items():
            flat |= {f"{baseline}_{name}": interval.value for name, interval in numbers.items()}
        return flat


def judge_links(
    split: Split,
    spaces: Mapping[str, Space],
    watch: Watch,
    *,
    sample: int,
    bootstrap: int,
    seed: int,
    rivals: Mapping[str, Mapping[str, Space]] | None = None,
    beside: bool = True,
) -> LinkFindings | None:
    """Rank all right items for a sample of left items with held-out links; None when nothing was held out.

    `rivals` are the spaces of other models by the prefix of their numbers: baselines that were trained. A left or right item
    without a vector is a miss and is counted (`uncovered_queries`, `uncovered_links`). `baseline_links` says how many train
    links co-occurrence and SVD were fitted on. Without `beside` there are no baselines and no `raw`. Raises `ConfigError`
    naming a kind that has held-out links and no space.
    """
    tasks = link_tasks(split, sample)
    if not tasks:
        return None
    own: list[Ranking] = []
    others: dict[str, list[Ranking]] = {}
    raw: dict[str, Raw] = {}
    counts = dict.fromkeys(("queries", "heldout_links", "uncovered_queries", "uncovered_links"), 0)
    counts |= {"baseline_links": 0} if beside else {}
    scores: dict[str, dict[str, tuple[Sequence[str], np.ndarray]]] = {}
    for task in tasks:
        scorer, missing_Q, missing_R = space_scorer(task, spaces)
        own.append(rank(task, scorer, watch, "the model"))
        asked = task.left_ids.take(task.query_rows_Q).to_pylist()
        for name, values_Q in own[-1].values.items():
            scores.setdefault(name, {})[f"{task.left_kind} {task.right_kind}"] = (asked, values_Q)
        counts["queries"] += task.queries
        counts["heldout_links"] += len(task.heldout_query_P)
        counts["uncovered_queries"] += int(missing_Q.sum())
        counts["uncovered_links"] += int((missing_Q[task.heldout_query_P] | missing_R[task.heldout_item_P]).sum())
        if not beside:
            continue
        scorers, fold, fitted = baselines(task, spaces[task.left_kind].vectors_ND.shape[1], seed)
        raw.setdefault(task.left_kind, partial(_folded, task, fold))
        scorers |= {name: space_scorer(task, rival)[0] for name, rival in (rivals or {}).items()}
        for name, baseline in scorers.items():
            others.setdefault(name, []).append(rank(task, baseline, watch, name))
        counts["baseline_links"] += fitted
    whole = pooled(own)
    counts_SQ = resamples(len(whole.top_QK), bootstrap, seed)
    compared = {name: summary(pooled(rankings), counts_SQ[:0]) for name, rankings in others.items()}
    return LinkFindings(summary(whole, counts_SQ), compared, counts, raw, scores)


def space_scorer(task: LinkTask, spaces: Mapping[str, Space]) -> tuple[Scorer, np.ndarray, np.ndarray]:
    """Dot products of the left and the right space; and which queries (Q bool) and candidates (R bool) have no vector."""
    left, right = link_spaces(dict(spaces), task.left_kind, task.right_kind)
    row_Q = rows_in(as_column(left.ids), task.left_ids)
    row_Q = _inverse(row_Q, len(task.left_ids))[task.query_rows_Q]
    row_R = _inverse(rows_in(as_column(right.ids), task.right_ids), len(task.right_ids))
    in_order = np.array_equal(row_R, np.arange(len(right.ids)))  # as they are when every item has a vector

    def score(queries_B: np.ndarray) -> np.ndarray:
        rows_B = row_Q[queries_B]
        asked = Space(left.kind, ("",) * len(rows_B), left.vectors_ND[rows_B], left.metric, left.frame)
        scores_BR = cross_scores(asked, right)
        if not in_order:
            scores_BR = scores_BR[:, row_R]
            scores_BR[:, row_R < 0] = -np.inf
        scores_BR[rows_B < 0] = -np.inf
        return scores_BR

    return score, row_Q < 0, row_R < 0


def _inverse(place_N: np.ndarray, count: int) -> np.ndarray:
    """The row of each of `count` places (int64, -1: none), where row n has the place `place_N[n]` (-1: none)."""
    row = np.full(count + 1, -1, np.int64)
    row[place_N] = np.arange(len(place_N))  # those without a place write to the last, which is cut off
    return row[:count]


def _folded(task: LinkTask, fold: Fold, ids: Sequence[str]) -> np.ndarray:
    return fold(rows_in(as_column(ids), task.left_ids))
