"""Full ranking of all candidates for each query, train links masked, and what it says of held-out links.

No sampled negatives: metrics on samples do not order models as full ranking does (Krichene and Rendle 2020).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kindex.core.best import Best
from kindex.core.nearest import SIDE, blocks
from kindex.core.watch import Watch
from kindex.judge.intervals import Interval, of_mean, of_statistic
from kindex.judge.tasks import LinkTask

RECALL_AT = (10, 20, 50)
TOP = 10
NDCG_AT = 20
MISS = 1 << 40
"""The rank of a held-out link without a score: behind every candidate there can be."""

Scorer = Callable[[np.ndarray], np.ndarray]
"""Query numbers (B) of a task → scores (B, R) of its candidates, which `rank` overwrites; -inf where it has
nothing to say."""


@dataclass(frozen=True)
class Ranking:
    """Numbers by name for each query (Q float64, NaN where not defined), and its first `TOP` candidates (-1: none).

    Candidates of several tasks are numbered one task after the other.
    """

    values: dict[str, np.ndarray]
    top_QK: np.ndarray
    candidates: int


def rank(task: LinkTask, scorer: Scorer, watch: Watch, what: str) -> Ranking:
    """Rank the candidates of every query and measure.

    Per query: `link_recall_at_k` = held-out links in the first k / held-out links (as LightGCN, He et al. 2020);
    `ndcg_at_20` with binary gains, the ideal being all held-out links first; `mrr` = 1 / rank of the first held-out
    link; `auc` = share of (held-out, other) pairs in the right order; `popularity_bias` = mean log2(1 + train links) of
    the first ten less that of the held-out links: at 1, answers are twice as popular as what is really linked (after
    the popularity lift of Abdollahpouri et al. 2020, in logarithms because degrees have heavy tails).
    Equal scores are ranked in the order of the items. A held-out link with the score -inf is a miss at every k.
    """
    count = len(task.right_ids)
    ranks_P = np.empty(len(task.heldout_query_P), np.int64)
    top_QK = np.full((task.queries, TOP), -1, np.int64)
    open_Q = count - np.diff(task.known_QR.indptr)
    bounds = np.searchsorted(task.heldout_query_P, np.arange(task.queries + 1))
    steps = list(blocks(task.queries, count))
    for block in watch.progress(steps, f"rank {what}", total=len(steps), unit="blocks"):
        scores_BR = np.asarray(scorer(np.arange(task.queries)[block]), np.float32)
        known = task.known_QR[block].tocoo()
        scores_BR[known.row, known.col] = -np.inf
        links = slice(bounds[block.start], bounds[block.stop])
        query_P, item_P = task.heldout_query_P[links] - block.start, task.heldout_item_P[links]
        ranks_P[links] = _ranks(scores_BR, query_P, item_P)
        top_QK[block] = _top(scores_BR)
    return Ranking(_values(task, ranks_P, top_QK, open_Q), top_QK, count)


def _top(scores_BR: np.ndarray) -> np.ndarray:
    """The first `TOP` candidates of each query (B, TOP), equal scores in the order of the items; -1 where there are fewer."""
    top_BK = np.full((len(scores_BR), TOP), -1, np.int64)
    for start in range(0, len(scores_BR), SIDE):
        part = scores_BR[start : start + SIDE]
        best = Best(len(part), min(TOP, part.shape[1]))
        best.offer(part, 0)
        scores_BK, rows_BK = best.found()
        top_BK[start : start + SIDE, : rows_BK.shape[1]] = np.where(np.isneginf(scores_BK), -1, rows_BK)
    return top_BK


def _ranks(scores_BR: np.ndarray, query_P: np.ndarray, item_P: np.ndarray) -> np.ndarray:
    """Rank of each held-out link, the first being 1. Counting costs less than sorting and than a copy of the scores."""
    ranks_P = np.empty(len(query_P), np.int64)
    for place, (query, item) in enumerate(zip(query_P, item_P)):
        scores_R = scores_BR[query]
        own = scores_R[item]
        before = np.count_nonzero(scores_R > own) + np.count_nonzero(scores_R[:item] == own)
        ranks_P[place] = MISS if np.isneginf(own) else 1 + before
    return ranks_P


def _values(task: LinkTask, ranks_P: np.ndarray, top_QK: np.ndarray, open_Q: np.ndarray) -> dict[str, np.ndarray]:
    query_P = task.heldout_query_P
    links_Q = np.bincount(query_P, minlength=task.queries)

    def per_query(values_P: np.ndarray) -> np.ndarray:
        return np.bincount(query_P, values_P, task.queries)

    values = {f"link_recall_at_{k}": per_query(ranks_P <= k) / links_Q for k in RECALL_AT}
    gains = 1 / np.log2(np.arange(2, NDCG_AT + 2))
    ideal_Q = np.concatenate([[0.0], np.cumsum(gains)])[np.minimum(links_Q, NDCG_AT)]
    values[f"ndcg_at_{NDCG_AT}"] = per_query(np.where(ranks_P <= NDCG_AT, 1 / np.log2(ranks_P + 1), 0.0)) / ideal_Q
    first_Q = np.full(task.queries, MISS)
    np.minimum.at(first_Q, query_P, ranks_P)
    values["mrr"] = 1 / first_Q
    # of the candidates ranked before the j-th held-out link (from 0), j are held-out links themselves
    order = np.lexsort((ranks_P, query_P))
    earlier_P = np.empty(len(ranks_P), np.int64)
    earlier_P[order] = np.arange(len(ranks_P)) - (np.cumsum(links_Q) - links_Q)[query_P[order]]
    others_Q = open_Q - links_Q
    wrong_Q = per_query(np.clip(ranks_P - 1 - earlier_P, 0, others_Q[query_P]))
    values["auc"] = np.where(others_Q > 0, 1 - wrong_Q / np.maximum(links_Q * others_Q, 1), 1.0)
    log_R = np.log2(1 + task.train.popularity_R)
    answered_QK = top_QK >= 0
    shown_Q = np.where(answered_QK, log_R[top_QK], 0).sum(1) / np.maximum(answered_QK.sum(1), 1)
    linked_Q = per_query(log_R[task.heldout_item_P]) / links_Q
    values["popularity_bias"] = np.where(answered_QK.any(1), shown_Q - linked_Q, np.nan)
    return values


def pooled(rankings: Sequence[Ranking]) -> Ranking:
    """Rankings of several tasks as one: every query weighs the same, whatever kind it is asked about."""
    starts = np.cumsum([0, *(ranking.candidates for ranking in rankings)])
    tops = [np.where(r.top_QK < 0, -1, r.top_QK + start) for r, start in zip(rankings, starts)]
    values = {name: np.concatenate([ranking.values[name] for ranking in rankings]) for name in rankings[0].values}
    return Ranking(values, np.concatenate(tops), int(starts[-1]))


def summary(ranking: Ranking, counts_SQ: np.ndarray) -> dict[str, Interval]:
    """Mean over queries of each number, and `coverage_at_10`: the share of candidates in the first ten of any query."""
    found = {name: of_mean(values_Q, counts_SQ) for name, values_Q in ranking.values.items()}

    def coverage(weights_Q: np.ndarray) -> float:
        shown = np.zeros(ranking.candidates + 1, bool)
        shown[ranking.top_QK[weights_Q > 0]] = True  # row -1 is the last place, which no candidate has
        return float(shown[:-1].sum() / max(1, ranking.candidates))

    return found | {f"coverage_at_{TOP}": of_statistic(coverage, counts_SQ)}
