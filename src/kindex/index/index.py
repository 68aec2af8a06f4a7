"""An index: answers nearest-neighbour queries over one space. Scores are similarities, larger is nearer.

Faiss is asked for inner products everywhere: of unit vectors when the metric is cosine, of the vectors as they are when
it is dot. So no distance ever crosses the border of this file, and one rule serves exact and approximate indexes.
"""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kindex.core.errors import DamagedError
from kindex.core.space import METRICS, unit
from kindex.index.faiss_parts import faiss_one_thread, parts
from kindex.index.places import Places, check_places, found_live, read_places


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
    """`faiss_index` holds the vectors of one space, with the chosen `setting` fixed in it.

    They stand in the space's order; where not, `places` say which row each position holds, see `kindex.index.places`.
    """

    faiss_index: Any
    kind: str
    metric: str
    factory: str
    setting: str = "exact"
    index_recall_at_10: float = 1.0
    budget_excess: float | None = None  # of a budget: the share by which it is missed, 0 when every limit is kept
    trials: tuple[Trial, ...] = field(default=(), compare=False)
    build_seconds: float = field(default=0.0, compare=False)
    places: Places | None = field(default=None, compare=False)

    @property
    def count(self) -> int:
        """Vectors that can be answered."""
        return self.positions - self.tombstones

    @property
    def positions(self) -> int:
        return int(self.faiss_index.ntotal)

    @property
    def tombstones(self) -> int:
        """Positions of vectors that are not in the space any more."""
        return self.places.tombstones if self.places else 0

    @property
    def dimensions(self) -> int:
        return int(self.faiss_index.d)

    def search(self, queries_QD: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The `k` nearest: float32 scores (Q, K) and int64 rows (Q, K), nearest first, equal scores in order of row.

        K is `k` or the number of vectors, if smaller. An approximate index that finds fewer fills with row -1 and score
        -inf. Queries need not have length 1. Raises `ValueError` when they do not have this index's dimensions, `DamagedError`
        when it answers a row that its space does not have.
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
        scores_QK, rows_QK = found_live(self.faiss_index, asked_QD, k, self.places)
        if rows_QK.max() >= self.count:  # labels of lists are numbers in the file like any others
            raise DamagedError(f"the index of {self.kind} answers row {rows_QK.max()}, and its space has {self.count}")
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
        if self.places:
            about["positions"] = self.positions
        return about if self.budget_excess is None else about | {"budget_excess": round(self.budget_excess, 6)}

    def save(self, path: Path) -> None:
        """Write the `.faiss` file; equal indexes give equal bytes. Places are written apart, by `write_places`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        faiss_one_thread().write_index(self.faiss_index, str(path))


def load(path: Path, about: dict[str, Any], places: Path | None = None) -> Index:
    """The index in `path`, which must be what `about` (see `Index.about`) says, with its `places` if it has any.

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
    stated["positions"] = about.get("positions", stated["count"])
    for name, found in (("dimensions", faiss_index.d), ("positions", faiss_index.ntotal)):
        if stated[name] != found:
            raise DamagedError(f"{path} holds {name} {found}, its description says {stated[name]}")
    found_places = _placed(path, faiss_index, stated["count"], "positions" in about, places)
    if stated["metric"] not in METRICS or not inner_product:
        raise DamagedError(f"{path} does not score by {stated['metric']!r}, which its description says")
    kind, metric, factory, setting = (stated[name] for name in ("kind", "metric", "factory", "setting"))
    return Index(faiss_index, kind, metric, factory, setting, recall, excess, places=found_places)


def _placed(path: Path, faiss_index: Any, count: int, placed: bool, places: Path | None) -> Places | None:
    if placed != (places is not None):
        has, says = ("no places", "has them") if placed else ("places", "has none")
        raise DamagedError(f"{path} came with {has}, and its description says that it {says}")
    if places is None:
        return None
    if not hasattr(parts(faiss_index)[2], "hnsw"):
        raise DamagedError(f"{places} is of an index that is no graph: its positions are rows")
    found = read_places(places)
    check_places(places, found, int(faiss_index.ntotal), count)
    return found


def _reason(error: BaseException) -> str:
    """The last line of a faiss message, without the C++ place where it was raised."""
    return str(error).strip().splitlines()[-1].split(" at ")[0][:200] if str(error) else type(error).__name__
