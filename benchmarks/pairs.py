"""Side by side in one run: the family `pairs` and truncated SVDs of the same size, on the same split.

    python -m benchmarks.pairs                                   generated links
    python -m benchmarks.pairs --links L.parquet --columns user item --test T.parquet --dimensions 64

CPU seconds are medians over `--repeats` runs. The figures are means over left items with held-out links, all right items
ranked, train links left out. `implicit` is measured too when it is installed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.split import Split, divide
from kindex.core.watch import Silent
from kindex.encoders.parts.vocabulary import Vocabulary

Tables = tuple[np.ndarray, np.ndarray]
"""Left (L, D) and right (R, D) vectors whose dot products rank."""


@dataclass(frozen=True)
class Case:
    """Train and held-out links as sparse matrices (L, R), and the split they come from."""

    split: Split
    train_LR: Any
    heldout_LR: Any
    left: Vocabulary
    right: Vocabulary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", help="Parquet file of links; without it they are generated")
    parser.add_argument("--test", help="Parquet file of held-out links; without it a tenth of the links is held out")
    parser.add_argument("--columns", nargs=2, default=["left", "right"], metavar=("LEFT", "RIGHT"))
    parser.add_argument("--dimensions", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of pairs")
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    case = make_case(read(arguments) if arguments.links else generated())
    print(
        f"{case.train_LR.shape[0]:,} x {case.train_LR.shape[1]:,}, {case.train_LR.nnz:,} train links, D {arguments.dimensions}"
    )
    print(f"{'':24}{'CPU s':>8}{'recall@10':>11}{'recall@20':>11}{'NDCG@20':>9}")
    for name, contender in contenders(case, arguments.dimensions, dict(pair.split("=") for pair in arguments.set)).items():
        seconds, tables = measured(contender, arguments.repeats)
        print(
            f"{name:24}{seconds:8.2f}{'':2}" + "".join(f"{figure:9.4f}{'':2}" for figure in figures(case, *tables)), flush=True
        )


def contenders(case: Case, dimensions: int, settings: dict[str, str]) -> dict[str, Callable[[], Tables]]:
    found: dict[str, Callable[[], Tables]] = {
        "popularity": lambda: popularity(case),
        "SVD": lambda: svd(case, dimensions, 0.0),
        "SVD, normalised": lambda: svd(case, dimensions, 0.5),
        "pairs": lambda: learnt(case, dimensions, settings),
    }
    try:
        import implicit  # noqa: F401
    except ImportError:
        return found
    return found | {"implicit ALS": lambda: alternating(case, dimensions)}


def measured(contender: Callable[[], Tables], repeats: int) -> tuple[float, Tables]:
    """Median CPU seconds, and what the last run made."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        tables = contender()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds), tables


def popularity(case: Case) -> Tables:
    return np.ones((case.train_LR.shape[0], 1)), np.asarray(case.train_LR.sum(0)).reshape(-1, 1)


def svd(case: Case, dimensions: int, power: float) -> Tables:
    """scikit-learn's, of the matrix with rows and columns divided by degree ** power."""
    from scipy.sparse import diags
    from sklearn.utils.extmath import randomized_svd

    left_L, right_R = (np.maximum(np.asarray(case.train_LR.sum(axis)).ravel(), 1) for axis in (1, 0))
    matrix = diags(left_L**-power) @ case.train_LR @ diags(right_R**-power)
    left_LD, values_D, right_DR = randomized_svd(matrix, dimensions, random_state=0)
    return left_LD * values_D, right_DR.T


def learnt(case: Case, dimensions: int, settings: dict[str, str]) -> Tables:
    import yaml

    from kindex.core.params import build
    from kindex.encoders import pairs

    given = {name: yaml.safe_load(value) for name, value in settings.items()}
    config = build(pairs.Config, {"dimensions": dimensions, **given}, "--set")
    encoder = pairs.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(config.seed)), watch=Silent())
    return _aligned(encoder.left, encoder.left_LD, case.left), _aligned(encoder.right, encoder.right_RD, case.right)


def _aligned(known: Vocabulary, vectors_VD: np.ndarray, wanted: Vocabulary) -> np.ndarray:
    """Vectors in the order of `wanted`; zeros for items that train did not know."""
    (kind, ids), made = next(iter(wanted.ids.items())), np.zeros((len(wanted), vectors_VD.shape[1]), np.float32)
    row = pc.index_in(pa.array(known.ids[kind]), pa.array(ids)).to_numpy()
    made[row] = vectors_VD
    return made


def alternating(case: Case, dimensions: int) -> Tables:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=dimensions, random_state=0, num_threads=1)
    model.fit(case.train_LR.astype(np.float32), show_progress=False)
    return model.user_factors, model.item_factors


def figures(case: Case, left_LD: np.ndarray, right_RD: np.ndarray) -> tuple[float, float, float]:
    """Link recall@10, link recall@20 and NDCG@20, means over the left items with held-out links."""
    asked = np.flatnonzero(np.diff(case.heldout_LR.indptr))
    discount_K = 1 / np.log2(np.arange(2, 22))
    rows = []
    for part_B in np.array_split(asked, 1 + len(asked) * len(right_RD) // 20_000_000):
        scores_BR = left_LD[part_B] @ right_RD.T
        known = case.train_LR[part_B].tocoo()
        scores_BR[known.row, known.col] = -np.inf
        top_BK = np.argsort(-scores_BR, axis=1, kind="stable")[:, :20]
        hit_BK = case.heldout_LR[part_B].toarray()[np.arange(len(part_B))[:, None], top_BK] > 0
        total_B = np.diff(case.heldout_LR.indptr)[part_B]
        ideal_B = np.cumsum(discount_K)[np.minimum(total_B, 20) - 1]
        recall = [hit_BK[:, :k].sum(1) / total_B for k in (10, 20)]
        rows.append(np.stack([*recall, (hit_BK * discount_K).sum(1) / ideal_B], 1))
    recall_10, recall_20, ndcg_20 = np.concatenate(rows).mean(0).tolist()
    return recall_10, recall_20, ndcg_20


def read(arguments: argparse.Namespace) -> pa.Table:
    tables = [pq.read_table(path, columns=arguments.columns) for path in (arguments.links, arguments.test) if path]
    links = _links(*(pa.concat_tables(tables)[name].cast(pa.string()) for name in arguments.columns))
    if arguments.test:
        return links.append_column("heldout", pa.array(np.arange(links.num_rows) >= tables[0].num_rows))
    return links


def generated(n_left: int = 4000, n_right: int = 3000, groups: int = 60) -> pa.Table:
    """Items of one to three groups each, links inside groups and by popularity; about 100 000."""
    rng = np.random.default_rng(0)
    of_left, of_right = (rng.random((count, groups)) < 2 / groups for count in (n_left, n_right))
    popular_R = np.minimum(rng.pareto(1.2, n_right) * 0.02, 0.5)
    chance = np.where(of_left @ of_right.T, 4 * popular_R, 0.05 * popular_R)
    left, right = np.nonzero(rng.random(chance.shape) < chance)
    return _links(*(pa.chunked_array([[f"{n:05}" for n in side]]) for side in (left.tolist(), right.tolist())))


def _links(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Table:
    kinds = [pa.array([kind] * len(left)) for kind in ("left", "right")]
    weight = pa.array(np.ones(len(left), np.float32))
    return pa.table([left, kinds[0], right, kinds[1], weight], schema=LINKS)


def make_case(links: pa.Table) -> Case:
    from scipy.sparse import csr_matrix

    split = divide(Catalogue("benchmark", {"items": ITEMS.empty_table(), "links": links}), 0.1, "benchmark")
    left, _ = Vocabulary.of(links["left_kind"], links["left"])
    right, _ = Vocabulary.of(links["right_kind"], links["right"])
    matrices = []
    for side in (split.train.links, split.heldout.links):
        rows = pc.index_in(side["left"].combine_chunks(), pa.array(left.ids["left"])).to_numpy()
        columns = pc.index_in(side["right"].combine_chunks(), pa.array(right.ids["right"])).to_numpy()
        matrices.append(csr_matrix((np.ones(len(rows)), (rows, columns)), (len(left), len(right))))
    return Case(split, matrices[0], matrices[1], left, right)


if __name__ == "__main__":
    main()
