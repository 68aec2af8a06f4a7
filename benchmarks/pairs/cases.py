"""Links to compare on: Parquet files with a split of their own, or generated ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.catalogue import ITEMS, LINKS, Catalogue

HELDOUT = 0.1
"""Of all links, where a file comes without held-out links of its own, and of generated ones."""


@dataclass(frozen=True)
class Case:
    """The same links as a catalogue for the family, and as sparse matrices (L, R) of ones for the peers."""

    train: Catalogue
    train_LR: Any  # scipy.sparse.csr_matrix, float32
    heldout_LR: Any


def read(links: str, test: str | None, columns: list[str]) -> Case:
    """Links of Parquet files; of those without a `test` file a tenth is drawn. An item that train lacks counts as missed."""
    files = [pq.read_table(path, columns=columns) for path in (links, test) if path]
    ends = [np.concatenate([table[name].to_numpy() for table in files]) for name in columns]
    codes = [np.unique(end, return_inverse=True)[1] for end in ends]
    if test:
        heldout_P = np.arange(len(ends[0])) >= files[0].num_rows
    else:
        heldout_P = np.random.default_rng(0).random(len(ends[0])) < HELDOUT
    return case_of(codes[0], codes[1], heldout_P)


def generated(n_left: int, n_right: int, links: int, seed: int = 0, places: int = 1500) -> Case:
    """Visits: items of both sides live in towns, the left ones go to near, popular places of their taste, and travel at times.

    Sizes of towns, popularity and numbers of links follow power laws. Structure of many small neighbourhoods is harder for
    few dimensions than blocks are. `links` are about those in train; a ninth as many again are held out.
    """
    rng = np.random.default_rng(seed)
    town_Q = rng.choice(400, places, p=_normed(np.arange(1, 401) ** -0.9))
    at_Q2 = (rng.random((400, 2)) * 100)[town_Q] + rng.normal(0, 0.6, (places, 2))
    home_L = rng.integers(0, places, n_left)
    home_R = np.sort(rng.integers(0, places, n_right))
    popular_R = np.minimum(rng.pareto(1.2, n_right) + 0.1, 100.0)
    degree_L = np.minimum(rng.pareto(1.6, n_left) + 0.6, 60)
    degree_L = np.maximum(degree_L * links / (1 - HELDOUT) / degree_L.sum(), 3).round().astype(np.int64)

    asked_C = np.repeat(np.arange(n_left), 6 * degree_L)  # candidates, of which taste takes a sixth
    sum_R1 = np.concatenate([[0.0], np.cumsum(popular_R)])
    first_Q1 = np.searchsorted(home_R, np.arange(places + 1))
    far_QQ = np.sqrt(((at_Q2[:, None] - at_Q2) ** 2).sum(-1))
    drawn_QQ = (np.exp(-far_QQ / 0.35) + 0.08 * np.exp(-np.sqrt(far_QQ))) * np.diff(sum_R1[first_Q1])
    below_QQ = np.cumsum(drawn_QQ / drawn_QQ.sum(1, keepdims=True), axis=1) * (1 - 1e-9) + np.arange(places)[:, None]
    place_C = np.searchsorted(below_QQ.ravel(), home_L[asked_C] + rng.random(len(asked_C))) % places
    low_C, high_C = sum_R1[first_Q1[place_C]], sum_R1[first_Q1[place_C + 1]]
    found_C = np.searchsorted(sum_R1, low_C + (high_C - low_C) * rng.random(len(asked_C)), side="right") - 1

    code_C = np.unique(asked_C * n_right + np.minimum(found_C, n_right - 1))
    left_C, right_C = np.divmod(code_C, n_right)
    taste_L8, taste_R8 = rng.normal(size=(n_left, 8)), rng.normal(size=(n_right, 8)) / np.sqrt(8)
    liking_C = np.einsum("cd,cd->c", taste_L8[left_C], taste_R8[right_C]) + rng.gumbel(size=len(code_C))
    order_C = np.lexsort((-liking_C, left_C))
    rank_C = np.arange(len(order_C)) - np.searchsorted(left_C, left_C)  # order_C keeps each left item's span
    kept_P = order_C[rank_C < degree_L[left_C]]
    shuffled_R = rng.permutation(n_right)  # so that neighbours are not neighbours by number
    left_P, right_P = left_C[kept_P], shuffled_R[right_C[kept_P]]
    return case_of(left_P, right_P, rng.random(len(left_P)) < HELDOUT)


def case_of(left_P: np.ndarray, right_P: np.ndarray, heldout_P: np.ndarray) -> Case:
    from scipy.sparse import csr_matrix

    shape = (int(left_P.max()) + 1, int(right_P.max()) + 1)
    sides = []
    for chosen_P in (~heldout_P, heldout_P):
        ends = (left_P[chosen_P], right_P[chosen_P])
        matrix = csr_matrix((np.ones(len(ends[0]), np.float32), ends), shape)
        matrix.sum_duplicates()
        matrix.data[:] = 1
        sides.append(matrix)
    return Case(catalogue(sides[0]), sides[0], sides[1])


def catalogue(links_LR: Any) -> Catalogue:
    """The links of a sparse matrix; ids are row numbers."""
    ends = links_LR.nonzero()
    names = [pa.array([f"{row:07}" for row in range(count)]) for count in links_LR.shape]
    (left, right), ones = [name.take(pa.array(rows)) for name, rows in zip(names, ends)], np.ones(links_LR.nnz, np.float32)
    kinds = [pa.array([kind]).take(pa.array(np.zeros(links_LR.nnz, np.int32))) for kind in ("left", "right")]
    table = pa.table([left, kinds[0], right, kinds[1], pa.array(ones)], schema=LINKS)
    return Catalogue("benchmark", {"items": ITEMS.empty_table(), "links": table})


def _normed(weight_N: np.ndarray) -> np.ndarray:
    return np.asarray(weight_N / weight_N.sum())
