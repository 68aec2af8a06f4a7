"""What folding in loses against full training, and what it costs.

    python -m benchmarks.fold_in                                   generated links
    python -m benchmarks.fold_in --links L.parquet --columns user item --test T.parquet --set objective=softmax

A tenth of the left items is left out of a second fit altogether, and folded in from their train links; then the same with a
tenth of the right items. Figures are for the held-out links of the items left out, once as the full fit ranks them and once
as they were folded in: means over left items of link recall@20 and NDCG@20, all right items ranked, train links left out.
The fallback (an item without known links) is beside them, for it ranks by popularity.
"""

import argparse
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.watch import Silent
from kindex.encoders import pairs

K = 20
OTHER = {"left": "right", "right": "left"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", help="Parquet file of links; without it they are generated")
    parser.add_argument("--test", help="Parquet file of held-out links; without it a tenth of the links is held out")
    parser.add_argument("--columns", nargs=2, default=["left", "right"], metavar=("LEFT", "RIGHT"))
    parser.add_argument("--share", type=float, default=0.1, help="of the items of a side, left out of training")
    parser.add_argument("--set", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of pairs")
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    train_LR, heldout_LR = read(arguments) if arguments.links else generated()
    print(f"{train_LR.shape[0]:,} x {train_LR.shape[1]:,}, {train_LR.nnz:,} train links, {heldout_LR.nnz:,} held out")
    print(f"{'':32}{'recall@20':>10}{'NDCG@20':>10}{'CPU s':>8}")
    seconds, full = fitted(train_LR, arguments.set)
    for side in ("left", "right"):
        axis = 0 if side == "left" else 1
        out = np.random.default_rng(axis).random(train_LR.shape[axis]) < arguments.share
        asked_LR = only(heldout_LR, out, axis)
        show(f"{side}: full training", figures(train_LR, asked_LR, *full.tables), seconds)
        seconds_part, part = fitted(only(train_LR, ~out, axis), arguments.set)
        for name, links_LR in (("folded in", train_LR), ("fallback", train_LR * 0)):
            tables, spent = part.with_new(links_LR, out, side)
            show(f"{side}: {name}", figures(train_LR, asked_LR, *tables), spent)
        print(f"{side}: {out.sum():,} items left out; the fit without them took {seconds_part:.1f} CPU s")
    count, began = 10_000, time.process_time()
    rows = np.random.default_rng(2).integers(0, train_LR.shape[0], count)
    full.fold(train_LR[rows], "left")
    print(f"{count:,} items folded in, {train_LR[rows].nnz / count:.1f} links each: {time.process_time() - began:.2f} CPU s")


class Fitted:
    """An encoder whose ids are numbers, and its vectors in the order of the matrix: zero for items that it did not see."""

    def __init__(self, encoder: pairs.Encoder, shape: tuple[int, int]) -> None:
        self.encoder = encoder
        self.rows = {side: np.array([int(id) for _, id in getattr(encoder, side).rows]) for side in OTHER}
        vectors = {"left": encoder.left_LD, "right": encoder.right_RD}
        self.tables = tuple(np.zeros((count, vectors["left"].shape[1]), np.float32) for count in shape)
        for table, side in zip(self.tables, OTHER, strict=True):
            table[self.rows[side]] = vectors[side]

    def fold(self, links: csr_matrix, side: str) -> np.ndarray:
        """Vectors of the rows of `links`, whose columns are the items of the other side."""
        place = np.full(links.shape[1], -1)
        place[self.rows[OTHER[side]]] = np.arange(len(self.rows[OTHER[side]]))
        column = place[links.indices]
        start = np.concatenate([[0], np.cumsum(column >= 0)])[links.indptr]
        return self.encoder.folded(start, column[column >= 0], side)

    def with_new(self, links_LR: csr_matrix, out: np.ndarray, side: str) -> tuple[tuple[np.ndarray, ...], float]:
        """The tables with the items `out` of a side folded in, and the CPU seconds of that."""
        links_LR.eliminate_zeros()
        links = (links_LR if side == "left" else links_LR.T).tocsr()[np.flatnonzero(out)]
        began = time.process_time()
        vectors = self.fold(links, side)
        seconds = time.process_time() - began
        tables = tuple(table.copy() for table in self.tables)
        tables[list(OTHER).index(side)][out] = vectors
        return tables, seconds


def fitted(train_LR: csr_matrix, settings: list[str]) -> tuple[float, Fitted]:
    """CPU seconds, and what they made."""
    import yaml

    from kindex.core.blocks import build

    config = build(pairs.Config, {name: yaml.safe_load(value) for name, value in (s.split("=") for s in settings)}, "--set")
    rows = train_LR.tocoo()
    ends = (pa.array([f"{n:09}" for n in side.tolist()]) for side in (rows.row, rows.col))
    left, right = ends
    kinds = [pa.array([kind] * rows.nnz) for kind in ("left", "right")]
    links = pa.table([left, kinds[0], right, kinds[1], pa.array(np.ones(rows.nnz, np.float32))], schema=LINKS)
    catalogue = Catalogue("benchmark", {"items": ITEMS.empty_table(), "links": links})
    began = time.process_time()
    encoder = pairs.fit(catalogue, config, rng=np.random.Generator(np.random.PCG64(config.seed)), watch=Silent())
    return time.process_time() - began, Fitted(encoder, train_LR.shape)


def figures(train_LR: csr_matrix, asked_LR: csr_matrix, left_LD: np.ndarray, right_RD: np.ndarray) -> tuple[float, float]:
    """Link recall@20 and NDCG@20, means over the left items with links in `asked_LR`."""
    discount_K, rows = 1 / np.log2(np.arange(2, K + 2)), []
    asked_Q = np.flatnonzero(np.diff(asked_LR.indptr))
    for left_B in np.array_split(asked_Q, 1 + len(asked_Q) * len(right_RD) // 20_000_000):
        scores_BR = left_LD[left_B] @ right_RD.T
        known = train_LR[left_B].tocoo()
        scores_BR[known.row, known.col] = -np.inf
        top_BK = np.argsort(-scores_BR, axis=1, kind="stable")[:, :K]
        hit_BK = np.take_along_axis(asked_LR[left_B].toarray(), top_BK, 1) > 0
        total_B = np.diff(asked_LR.indptr)[left_B]
        ideal_B = np.cumsum(discount_K)[np.minimum(total_B, K) - 1]
        rows.append(np.stack([hit_BK.sum(1) / total_B, (hit_BK * discount_K).sum(1) / ideal_B], 1))
    recall, ndcg = np.concatenate(rows).mean(0).tolist()
    return recall, ndcg


def only(links_LR: csr_matrix, kept: np.ndarray, axis: int) -> csr_matrix:
    """The links of some rows (axis 0) or columns."""
    rows = links_LR.tocoo()
    of = kept[rows.row if axis == 0 else rows.col]
    return csr_matrix((rows.data[of], (rows.row[of], rows.col[of])), links_LR.shape)


def read(arguments: argparse.Namespace) -> tuple[csr_matrix, csr_matrix]:
    train, test = (
        pq.read_table(path, columns=arguments.columns) if path else None for path in (arguments.links, arguments.test)
    )
    codes, ends = [], []
    for name in arguments.columns:
        column = np.concatenate([t[name].to_numpy(zero_copy_only=False).astype(str) for t in (train, test) if t is not None])
        ids, code = np.unique(column, return_inverse=True)
        codes.append(code)
        ends.append(len(ids))
    heldout = np.arange(len(codes[0])) >= train.num_rows
    if test is None:
        heldout = np.random.default_rng(0).random(len(codes[0])) < 0.1
    return matrix(codes[0][~heldout], codes[1][~heldout], ends), matrix(codes[0][heldout], codes[1][heldout], ends)


def generated(n_left: int = 4000, n_right: int = 3000, groups: int = 60) -> tuple[csr_matrix, csr_matrix]:
    """Items of a few groups each, links inside groups and by popularity; about 100 000, a tenth of them held out."""
    rng = np.random.default_rng(0)
    of_left, of_right = (rng.random((count, groups)) < 2 / groups for count in (n_left, n_right))
    popular_R = np.minimum(rng.pareto(1.2, n_right) * 0.02, 0.5)
    left, right = np.nonzero(rng.random((n_left, n_right)) < np.where(of_left @ of_right.T, 4 * popular_R, 0.05 * popular_R))
    heldout = rng.random(len(left)) < 0.1
    shape = [n_left, n_right]
    return matrix(left[~heldout], right[~heldout], shape), matrix(left[heldout], right[heldout], shape)


def matrix(left: np.ndarray, right: np.ndarray, shape: list[int]) -> csr_matrix:
    made = csr_matrix((np.ones(len(left)), (left, right)), tuple(shape))
    made.data[:] = 1
    return made


def show(name: str, found: tuple[float, float], seconds: float) -> None:
    print(f"{name:32}{found[0]:10.4f}{found[1]:10.4f}{seconds:8.2f}", flush=True)


if __name__ == "__main__":
    main()
