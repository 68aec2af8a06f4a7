"""index: a faiss index for each space of a model, and the table of the settings tried."""

import sys
from typing import Any

import numpy as np

from kindex.core.errors import DamagedError, DataGateError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.former import Former, open_former
from kindex.core.hubs import K, Near, correct_space, write_offsets
from kindex.core.space import Space, read_space
from kindex.index.before import other_settings, read_before
from kindex.index.budget import missed
from kindex.index.build import build
from kindex.index.index import Index, Trial
from kindex.index.places import write_places
from kindex.index.refresh import BUILT, Note, refresh
from kindex.stages.parts.job import Job

EXACT_NEIGHBOURHOODS = 100_000
"""Vectors up to which local scaling looks at the exact nearest; above, at those that the index finds."""


def run(job: Job) -> dict[str, Any]:
    """Write `<kind>.faiss` and `<kind>.json` for each space, and `table.json`; seconds and rates go to the costs.

    Where positions in the `.faiss` file are not rows of the space, `places/<kind>.parquet`, and where `neighbours` is not
    cosine, `offsets/<kind>.parquet`, too; see `kindex.index.places` and `kindex.core.hubs`. Indexes of a space that training
    only changed are the parent release's, changed in place; see `kindex.index.refresh`.
    """
    spaces = job.layout.out("train", job.key) / "spaces"
    paths = sorted(spaces.glob("*.parquet"))
    if not paths:
        raise DataGateError(f"{spaces} holds no space: train {job.key} placed no item. Is its catalogue empty?")
    parent = _parent(job)
    table: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for path in job.watch.progress(paths, "indexing", total=len(paths), unit="spaces"):
        space = read_space(path)
        index, note = _indexed(job, space, path.stem, parent)
        _write(job, path.stem, index, note)
        seconds[path.stem] = round(index.build_seconds, 3)
        table += [{"kind": path.stem, **trial.row(), **_told(trial, note)} for trial in index.trials]
        measured[path.stem] = {
            f"{trial.factory} {trial.setting}": found for trial in index.trials if (found := trial.measured())
        }
        if (correction := job.params.indexes[job.key].neighbours) != "cosine":
            offsets = correct_space(correction, space, _near(index, space))
            write_offsets(job.out / "offsets" / path.name, offsets, space)
    write_atomic(job.out / "table.json", pretty_json(table))
    rates = {kind: {name: trial["queries_per_second"] for name, trial in rows.items()} for kind, rows in measured.items()}
    return {"build_seconds": seconds, "queries_per_second": rates, "measured": measured}


def _indexed(job: Job, space: Space, stem: str, parent: Former | None) -> tuple[Index, Note | None]:
    """The index of one space, and what was done to the parent's for it; None where there is no parent to change."""
    params, where = job.params.indexes[job.key], f"indexes.{job.key}"
    before = read_before(parent, stem) if parent else None
    if before is None:
        return build(space, params, where), None
    index, note = refresh(space, before, params, where)
    if note.why:
        what = "was built anew" if note.how == BUILT else f"was {note.how}"
        print(f"{where}: the index of {stem} {what}: {note.why}", file=sys.stderr)
    return index, note


def _write(job: Job, stem: str, index: Index, note: Note | None) -> None:
    index.save(job.out / f"{stem}.faiss")
    if index.places:
        write_places(job.out / "places" / f"{stem}.parquet", index.places)
    chosen = next(trial for trial in index.trials if trial.chosen)
    about = {**index.about(), "bytes_per_vector": chosen.bytes_per_vector, **({"update": note.row()} if note else {})}
    write_atomic(job.out / f"{stem}.json", pretty_json(about))
    if lost := missed(chosen, job.params.indexes[job.key]):
        name = f"{chosen.factory} {chosen.setting}"
        print(f"indexes.{job.key}: no index of {stem} keeps the budget. Nearest: {name}; {lost}", file=sys.stderr)


def _told(trial: Trial, note: Note | None) -> dict[str, str]:
    """What the table says of the line that was chosen."""
    return {"update": f"{note.how}: {note.why}" if note.why else note.how} if note and trial.chosen else {}


def _parent(job: Job) -> Former | None:
    """The release whose indexes are changed in place; None where they have to be built.

    Only a delta has the parent's vectors: two versions of a model never share an index. Raises `DamagedError` when the
    release that training started from is not here, for then the same inputs would give other bytes.
    """
    path = job.layout.out("train", job.key) / "refresh.json"
    told = read_json(path) if path.is_file() else {}
    if told.get("built") != "delta":
        return None
    parent = open_former(job.layout, job.key)
    if parent is None or told["parent"]["digest"] != parent.lock.digest:
        locked = "none" if parent is None else f"{parent.lock.version} ({parent.lock.digest[:12]})"
        found = f"{told['parent']['version']} ({told['parent']['digest'][:12]})"
        lock = job.layout.parent(job.key)
        raise DamagedError(f"{path} is of the parent {found}, {lock} names {locked}: run `dvc repro train@{job.key}`")
    if other := other_settings(parent, job.params.indexes[job.key]):
        print(
            f"indexes.{job.key}: indexes are built anew, for settings are others than the parent's: {other}", file=sys.stderr
        )
        return None
    return parent


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
