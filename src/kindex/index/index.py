"""An index: answers nearest-neighbour queries over one space. Scores are similarities, larger is nearer.

Faiss is asked for inner products everywhere: of unit vectors when the metric is cosine, of the vectors as they are when
it is dot. So no distance ever crosses the border of this file, and one rule serves exact and approximate indexes.
"""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kindex.core.errors import DamagedError
from kindex.core.space import METRICS, unit


def faiss_one_thread() -> ModuleType:
    """Faiss, imported on first use and held to one thread: a second one changes bytes and gains nothing here."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss


@dataclass(frozen=True)
class Trial:
    """One search setting of one kind, measured against exact search.

    `predicted_p95_us` is what 95 of 100 queries, asked alone, do not exceed by `kindex.index.cost` (None: a kind without
    prices). What stands in `MEASURED` depends on the machine and the hour: it is shown, and decides nothing.
    """

    factory: str
    setting: str
    index_recall_at_10: float
    bytes_per_vector: float
    score_error: float = 0.0  # mean difference of the answers' scores from the true ones, as a share of these
    predicted_p95_us: float | None = None
    queries_per_second: float | None = None  # asked all at once
    p50_us: float | None = None  # CPU time of one query, asked alone
    p95_us: float | None = None
    build_seconds: float | None = None  # CPU time
    frontier: bool = False  # no other trial is better in one of recall, bytes and predicted time and as good in the others
    chosen: bool = False

    def row(self) -> dict[str, Any]:
        """What is a function of the vectors and the settings."""
        found = {name: value for name, value in asdict(self).items() if name not in MEASURED}
        error = round(self.score_error, 4) if math.isfinite(self.score_error) else None  # JSON has no infinity
        return found | {"index_recall_at_10": round(self.index_recall_at_10, 6), "score_error": error}

    def measured(self) -> dict[str, float]:
        """What differs from run to run."""
        return {name: value for name, value in asdict(self).items() if name in MEASURED and value is not None}


MEASURED = ("queries_per_second", "p50_us", "p95_us", "build_seconds")


@dataclass(frozen=True)
class Index:
    """`faiss_index` holds the vectors of one space in the space's order, with the chosen `setting` fixed in it."""

    faiss_index: Any
    kind: str
    metric: str
    factory: str
    setting: str = "exact"
    index_recall_at_10: float = 1.0
    budget_excess: float | None = None  # of a budget: the share by which it is missed, 0 when every limit is kept
    trials: tuple[Trial, ...] = field(default=(), compare=False)
    build_seconds: float = field(default=0.0, compare=False)

    @property
    def count(self) -> int:
        return int(self.faiss_index.ntotal)

    @property
    def dimensions(self) -> int:
        return int(self.faiss_index.d)

    def search(self, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest: float32 scores (Q, K) and int64 rows (Q, K), nearest first, equal scores in order of row.

        K is `k` or the number of vectors, if smaller. An approximate index that finds fewer fills with row -1 and score
        -inf. Queries need not have length 1. Raises `ValueError` when they do not have this index's dimensions.
        """
        if queries_QD.ndim != 2 or queries_QD.shape[1] != self.dimensions:
            raise ValueError(f"queries have the shape {queries_QD.shape}, allowed: (Q, {self.dimensions})")
        faiss_one_thread()
        asked_QD = np.ascontiguousarray(queries_QD, np.float32)
        if self.metric == "cosine":
            asked_QD = unit(asked_QD)
        k = min(k, self.count)
        if k < 1 or not len(asked_QD):
            return np.empty((len(asked_QD), 0), np.float32), np.empty((len(asked_QD), 0), np.int64)
        scores_QK, rows_QK = self.faiss_index.search(asked_QD, k)
        # all answers to a zero vector score 0: the first ones, though a scan of 4-bit codes finds none
        zero_Q = ~asked_QD.any(1)
        scores_QK[zero_Q], rows_QK[zero_Q] = 0, np.arange(k)
        scores_QK = np.where(rows_QK < 0, np.float32(-np.inf), scores_QK)
        order_QK = np.lexsort((rows_QK, -scores_QK), axis=1)
        return np.take_along_axis(scores_QK, order_QK, 1), np.take_along_axis(rows_QK, order_QK, 1)

    def about(self) -> dict[str, Any]:
        """What a reader checks before it trusts the file, and what people want to know of it."""
        about = {
            "kind": self.kind,
            "metric": self.metric,
            "dimensions": self.dimensions,
            "count": self.count,
            "factory": self.factory,
            "setting": self.setting,
            "index_recall_at_10": round(self.index_recall_at_10, 6),
        }
        return about if self.budget_excess is None else about | {"budget_excess": round(self.budget_excess, 6)}

    def save(self, path: Path) -> None:
        """Write the `.faiss` file; equal indexes give equal bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        faiss_one_thread().write_index(self.faiss_index, str(path))


def load(path: Path, about: dict[str, Any]) -> Index:
    """The index in `path`, which must be what `about` (see `Index.about`) says.

    Check the file's sha256 before: a damaged `.faiss` file often loads without an error. Raises `DamagedError` naming
    the file and what does not agree.
    """
    faiss = faiss_one_thread()
    if not path.is_file():
        raise DamagedError(f"{path} is missing")
    try:
        faiss_index = faiss.read_index(str(path))
        stated = {name: about[name] for name in ("dimensions", "count", "metric", "kind", "factory", "setting")}
        recall = float(about["index_recall_at_10"])
        excess = None if about.get("budget_excess") is None else float(about["budget_excess"])
    except (RuntimeError, MemoryError) as error:
        raise DamagedError(f"{path} is not a faiss index: {_reason(error)}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path}: its description has no usable {error}") from None
    inner_product = faiss_index.metric_type == faiss.METRIC_INNER_PRODUCT
    for name, found in (("dimensions", faiss_index.d), ("count", faiss_index.ntotal)):
        if stated[name] != found:
            raise DamagedError(f"{path} holds {name} {found}, its description says {stated[name]}")
    if stated["metric"] not in METRICS or not inner_product:
        raise DamagedError(f"{path} does not score by {stated['metric']!r}, which its description says")
    return Index(faiss_index, stated["kind"], stated["metric"], stated["factory"], stated["setting"], recall, excess)


def _reason(error: BaseException) -> str:
    """The last line of a faiss message, without the C++ place where it was raised."""
    return str(error).strip().splitlines()[-1].split(" at ")[0][:200] if str(error) else type(error).__name__
