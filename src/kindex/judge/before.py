"""What the parent release found: last night's map, to go on from, and numbers that a delta night need not find again.

A delta night keeps the parent's encoder, and the vectors of whatever did not change. What ranks or counts items is measured
anew; what would have to be fitted again (baselines, other settings, probes, clusters), and what the same encoder says of
images, is carried over from the release that measured it, by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.hubs import CORRECTIONS
from kindex.judge.captions import measures as captioner
from kindex.judge.queries import ASKED

BEGINS = ("popularity_", "cooccurrence_", "svd_", "raw_", *(f"{name}_" for name in CORRECTIONS))
"""Of numbers that stand beside one of the model's: baselines, and corrections for hubs."""

_RECONSTRUCTION = ("reconstruction_mse", "pca_reconstruction_mse", "mean_image_reconstruction_mse")
_SAID = {name for one in captioner.MEASURES for name in (one.name, *(base for _, base in one.beside))}
FITTED = frozenset({"baseline_links", "linear_probe_accuracy", "kmeans_nmi", *_RECONSTRUCTION, *_SAID, *captioner.COUNTS})
"""Numbers of the model that are carried over themselves."""

_RIVALS = ("link_recall_at_10", "bleu_4", "cider")
"""By the ends of these names the numbers of other settings are known: `default_link_recall_at_10`."""


Still = Callable[[str, Sequence[str], np.ndarray], np.ndarray]
"""Kind, ids and vectors (N, D) → which of the items lie where they lay (N bool)."""


@dataclass(frozen=True)
class Before:
    """The parent. `delta`: tonight's release keeps its encoder and the vectors of what did not change."""

    version: str
    delta: bool
    report: Mapping[str, float]
    evidence: Mapping[str, Any]
    queries: pa.Table | None = None
    still: Still | None = field(default=None, compare=False)

    def has(self, name: str) -> bool:
        """Whether a part of the evaluation can be carried over, by one of its numbers."""
        return self.delta and name in self.report

    def carried(self, report: Mapping[str, float]) -> dict[str, float]:
        """The numbers that tonight's `report` lacks and that a delta night carries over; {} of any other night."""
        if not self.delta:
            return {}
        rivals = {name.removesuffix(end) for name in self.report for end in _RIVALS if name.endswith(f"_{end}")}
        begins = tuple({*BEGINS, *rivals})
        return {name: value for name, value in self.report.items() if name not in report and _kept(name, begins, report)}

    def source(self) -> str:
        """The release that measured what is carried over: the parent, or the one that it had it from."""
        return str((self.evidence.get("carried") or {}).get("from") or self.version)

    def scores(self, names: Iterable[str]) -> pa.Table | None:
        """The queries of numbers that are carried over."""
        if self.queries is None:
            return None
        wanted = pa.array([name for name in names if name != ASKED], pa.string())
        return self.queries.filter(pc.is_in(self.queries["metric"], wanted))

    def places(self, kind: str, ids: Sequence[str], view: str) -> np.ndarray:
        """Where the items lay on the parent's map (N, 2), NaN where they did not; all NaN when the map was of another kind."""
        shown = self.evidence.get("map") or {}
        known = {item["id"]: item.get(view) for item in shown.get("items") or []} if shown.get("kind") == kind else {}
        return np.array([known.get(name) or (np.nan, np.nan) for name in ids], np.float64).reshape(-1, 2)


def _kept(name: str, begins: tuple[str, ...], report: Mapping[str, float]) -> bool:
    if _plain(name) in FITTED:
        return True
    begin = next((one for one in sorted(begins, key=len, reverse=True) if one and name.startswith(one)), None)
    return begin is not None and (name.removeprefix(begin) in report or _plain(name.removeprefix(begin)) in FITTED)


def _plain(name: str) -> str:
    return name.removesuffix("_low").removesuffix("_high")
