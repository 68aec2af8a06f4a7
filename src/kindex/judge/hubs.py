"""Is everybody's neighbour the same few items, and what would a correction bring? Each number before and after."""

from collections.abc import Collection

import numpy as np

from kindex.core.hubs import CORRECTIONS, asking, correct
from kindex.core.nearest import nearest
from kindex.core.space import Space, unit
from kindex.judge.intervals import Interval, of_mean, of_statistic, resamples

K = 10

ASKED = 4000
"""Items whose neighbours are looked at, at most; the best known ones."""

BASE = 20_000
"""Items among which neighbours are sought, at most; the best known ones. A correction needs all pairs of them."""


def judge_hubs(
    space: Space,
    order_N: np.ndarray,
    links_N: np.ndarray | None,
    *,
    bootstrap: int,
    seed: int,
    corrections: Collection[str] = CORRECTIONS,
) -> dict[str, Interval]:
    """Of the ten nearest (cosine) of the items that come first in `order_N`; after each of the `corrections` under its prefix.

    `hubness`: skewness of N_10, how often each item is answered: 0 when all are answered alike, large when a few hubs are
    near everything (Radovanović, Nanopoulos, Ivanović 2010). `neighbour_coverage_at_10`: share of the items that anybody
    gets. `neighbour_popularity_bias`, given the links of each item: mean log2(1 + links) of the answers less that of all
    items: at 1, neighbours are twice as popular as items are.
    """
    base = np.sort(order_N[:BASE])
    asked_Q = np.searchsorted(base, np.sort(order_N[:ASKED]))
    unit_ND = unit(space.vectors_ND[base])
    popularity_N = None if links_N is None else np.log2(1 + links_N[base])
    found: dict[str, Interval] = {}
    for correction in ("", *corrections):
        base_ND, asked_QD = unit_ND, unit_ND[asked_Q]
        if correction:
            # the best known come first in `order_N`, so a mean over some is taken over an even sample of them
            offsets = correct(correction, unit_ND, np.arange(len(base)) * 0.6180339887 % 1)
            base_ND, asked_QD = offsets.lifted(unit_ND), asking(asked_QD)
        _, rows_QK = nearest(base_ND, asked_QD, K, asked_Q)
        numbers = _numbers(rows_QK, len(base), popularity_N, resamples(len(asked_Q), bootstrap, seed))
        found |= {f"{correction}_{name}" if correction else name: interval for name, interval in numbers.items()}
    return found


def _numbers(rows_QK: np.ndarray, count: int, popularity_N: np.ndarray | None, counts_SQ: np.ndarray) -> dict[str, Interval]:
    if count <= 2 or len(rows_QK) < 2:
        return {"hubness": Interval(0.0, 0.0, 0.0)}

    def occurrence(weights_Q: np.ndarray) -> np.ndarray:
        return np.bincount(rows_QK.ravel(), np.repeat(weights_Q, rows_QK.shape[1]), count)

    def skewness(weights_Q: np.ndarray) -> float:
        often_N = occurrence(weights_Q)
        # few whole numbers, and a power of each item costs more than all else
        centred_V = np.arange(often_N.max() + 1) - often_N.mean()
        centred_N, cube_N = (values_V[often_N.astype(np.int64)] for values_V in (centred_V, centred_V**3))
        spread = np.sqrt((centred_N**2).mean())
        return float(cube_N.mean() / spread**3) if spread > 0 else 0.0

    def coverage(weights_Q: np.ndarray) -> float:
        return float((occurrence(weights_Q) > 0).mean())

    found = {
        "hubness": of_statistic(skewness, counts_SQ),
        f"neighbour_coverage_at_{K}": Interval(*np.clip(of_statistic(coverage, counts_SQ), 0, 1).tolist()),
    }
    if popularity_N is not None:
        found["neighbour_popularity_bias"] = of_mean(popularity_N[rows_QK].mean(1) - popularity_N.mean(), counts_SQ)
    return found
