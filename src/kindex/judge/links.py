"""Does the space put held-out links first, and does it beat what needs no training?"""

from dataclasses import dataclass

import numpy as np

from kindex.core.space import Space, cross_scores, link_spaces
from kindex.core.split import Split
from kindex.core.watch import Watch
from kindex.judge.baselines import baselines
from kindex.judge.intervals import Interval, resamples
from kindex.judge.ranking import Ranking, Scorer, pooled, rank, summary
from kindex.judge.tasks import LinkTask, link_tasks


@dataclass(frozen=True)
class LinkFindings:
    """`numbers` of the model, the same of each baseline, and plain counts; `raw` holds SVD vectors of the left items."""

    numbers: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]]
    counts: dict[str, int]
    raw: dict[str, Space]

    def report(self) -> dict[str, float]:
        """Flat: the model's numbers with intervals, the baselines' without (`svd_link_recall_at_10`), the counts."""
        flat: dict[str, float] = dict(self.counts)
        for name, interval in self.numbers.items():
            flat |= interval.named(name)
        for baseline, numbers in self.baselines.items():
            flat |= {f"{baseline}_{name}": interval.value for name, interval in numbers.items()}
        return flat


def judge_links(
    split: Split, spaces: dict[str, Space], watch: Watch, *, sample: int, bootstrap: int, seed: int
) -> LinkFindings | None:
    """Rank all right items for a sample of left items with held-out links; None when nothing was held out.

    A left or right item without a vector is a miss and is counted (`uncovered_queries`, `uncovered_links`). Raises
    `ConfigError` naming a kind that has held-out links and no space.
    """
    tasks = link_tasks(split, sample)
    if not tasks:
        return None
    own: list[Ranking] = []
    others: dict[str, list[Ranking]] = {}
    raw: dict[str, Space] = {}
    uncovered_queries = uncovered_links = 0
    for task in tasks:
        scorer, missing_Q, missing_R = space_scorer(task, spaces)
        uncovered_queries += int(missing_Q.sum())
        uncovered_links += int((missing_Q[task.heldout_query_P] | missing_R[task.heldout_item_P]).sum())
        own.append(rank(task, scorer, watch, "the model"))
        scorers, left_LD = baselines(task, spaces[task.left_kind].vectors_ND.shape[1], seed)
        raw.setdefault(task.left_kind, Space(task.left_kind, task.left_ids, left_LD))
        for name, baseline in scorers.items():
            others.setdefault(name, []).append(rank(task, baseline, watch, name))
    whole = pooled(own)
    counts_SQ = resamples(len(whole.top_QK), bootstrap, seed)
    counts = {
        "queries": len(whole.top_QK),
        "heldout_links": sum(len(task.heldout_query_P) for task in tasks),
        "uncovered_queries": uncovered_queries,
        "uncovered_links": uncovered_links,
    }
    compared = {name: summary(pooled(rankings), counts_SQ[:0]) for name, rankings in others.items()}
    return LinkFindings(summary(whole, counts_SQ), compared, counts, raw)


def space_scorer(task: LinkTask, spaces: dict[str, Space]) -> tuple[Scorer, np.ndarray, np.ndarray]:
    """Dot products of the left and the right space; and which queries (Q bool) and candidates (R bool) have no vector."""
    left, right = link_spaces(spaces, task.left_kind, task.right_kind)
    row_Q = np.array([left.rows.get(task.left_ids[row], -1) for row in task.query_rows_Q], np.int64)
    row_R = np.array([right.rows.get(name, -1) for name in task.right_ids], np.int64)

    def score(queries_B: np.ndarray) -> np.ndarray:
        rows_B = row_Q[queries_B]
        ids = tuple(task.left_ids[row] for row in task.query_rows_Q[queries_B])
        asked = Space(left.kind, ids, left.vectors_ND[rows_B], left.metric, left.frame)
        scores_BR = cross_scores(asked, right)[:, row_R]
        scores_BR[:, row_R < 0] = -np.inf
        scores_BR[rows_B < 0] = -np.inf
        return scores_BR

    return score, row_Q < 0, row_R < 0
