"""index: a faiss index for each space of a model, and the table of the settings tried."""

import sys
from typing import Any

import numpy as np

from kindex.core.errors import DataGateError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.hubs import K, Near, correct_space, write_offsets
from kindex.core.space import Space, read_space
from kindex.index.budget import missed
from kindex.index.build import build
from kindex.index.index import Index
from kindex.stages import Job

EXACT_NEIGHBOURHOODS = 100_000
"""Vectors up to which local scaling looks at the exact nearest; above, at those that the index finds."""


def run(job: Job) -> dict[str, Any]:
    """Write `<kind>.faiss` and `<kind>.json` for each space, and `table.json`; seconds and rates go to the costs.

    Where `neighbours` is not cosine, `offsets/<kind>.parquet`, too; see `kindex.core.hubs`.
    """
    spaces = job.layout.out("train", job.key) / "spaces"
    paths = sorted(spaces.glob("*.parquet"))
    if not paths:
        raise DataGateError(f"{spaces} holds no space: train {job.key} placed no item. Is its catalogue empty?")
    table: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for path in job.watch.progress(paths, "indexing", total=len(paths), unit="spaces"):
        space = read_space(path)
        index = build(space, job.params.indexes[job.key], f"indexes.{job.key}")
        index.save(job.out / f"{path.stem}.faiss")
        chosen = next(trial for trial in index.trials if trial.chosen)
        about = {**index.about(), "bytes_per_vector": chosen.bytes_per_vector}
        write_atomic(job.out / f"{path.stem}.json", pretty_json(about))
        seconds[path.stem] = round(index.build_seconds, 3)
        table += [{"kind": path.stem, **trial.row()} for trial in index.trials]
        measured[path.stem] = {f"{trial.factory} {trial.setting}": trial.measured() for trial in index.trials}
        if lost := missed(chosen, job.params.indexes[job.key]):
            name = f"{chosen.factory} {chosen.setting}"
            print(f"indexes.{job.key}: no index of {path.stem} keeps the budget. Nearest: {name}; {lost}", file=sys.stderr)
        if (correction := job.params.indexes[job.key].neighbours) != "cosine":
            offsets = correct_space(correction, space, _near(index, space))
            write_offsets(job.out / "offsets" / path.name, offsets, space)
    write_atomic(job.out / "table.json", pretty_json(table))
    rates = {kind: {name: trial["queries_per_second"] for name, trial in rows.items()} for kind, rows in measured.items()}
    return {"build_seconds": seconds, "queries_per_second": rates, "measured": measured}


def _near(index: Index, space: Space) -> Near | None:
    """How `kindex.core.hubs.correct` finds neighbourhoods of a large space: by its index, the finds scored exactly."""
    if len(space.ids) <= EXACT_NEIGHBOURHOODS or index.factory == "Flat":
        return None
    search_ND = space.search_ND

    def mean_of_nearest(block: slice) -> np.ndarray:
        _, rows_BK = index.search(search_ND[block], K + 1)
        others_BK = (rows_BK >= 0) & (rows_BK != np.arange(len(search_ND))[block, None])
        scores_BK = np.einsum("bd,bkd->bk", search_ND[block], search_ND[rows_BK])
        nearest_BK = np.sort(np.where(others_BK, scores_BK, -np.inf), axis=1)[:, ::-1][:, :K]
        found_BK = np.isfinite(nearest_BK)
        return np.where(found_BK, nearest_BK, 0).sum(1) / np.maximum(found_BK.sum(1), 1)

    return mean_of_nearest
