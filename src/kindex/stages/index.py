"""index: a faiss index for each space of a model, and the table of the settings tried."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kindex.core.aside import side_by_side
from kindex.core.errors import DamagedError, DataGateError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.former import Former, open_former
from kindex.core.hubs import K, Near, correct_space, write_offsets
from kindex.core.space import Space, read_space
from kindex.index.before import other_settings, read_before
from kindex.index.budget import missed
from kindex.index.build import build
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.index import Index, Trial
from kindex.index.places import write_places
from kindex.index.refresh import BUILT, Note, refresh
from kindex.stages.parts.job import Job

EXACT_NEIGHBOURHOODS = 100_000
"""Vectors up to which local scaling looks at the exact nearest; above, at those that the index finds."""

AT_ONCE = 1 << 30
"""Bytes of spaces that are indexed side by side, at most: an index takes some times its space while it is built, and above,
one after the other, memory is what the largest one needs."""


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
    rounds = [paths] if _at_once(job, paths) else [[path] for path in paths]
    made: list[Made] = []
    faiss_one_thread()  # imported before threads would
    for some in job.watch.progress(rounds, "indexing", total=len(rounds), unit="rounds"):
        made += side_by_side(*(partial(_made, job, path, parent) for path in some))
    table: list[dict[str, Any]] = []
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for path, one in zip(paths, made, strict=True):
        for line in one.told:
            print(f"indexes.{job.key}: {line}", file=sys.stderr)
        table += [{"kind": path.stem, **trial.row(), **_told(trial, one.note)} for trial in one.trials]
        measured[path.stem] = {
            f"{trial.factory} {trial.setting}": found for trial in one.trials if (found := trial.measured())
        }
    write_atomic(job.out / "table.json", pretty_json(table))
    seconds = {path.stem: one.seconds for path, one in zip(paths, made, strict=True)}
    rates = {kind: {name: trial["queries_per_second"] for name, trial in rows.items()} for kind, rows in measured.items()}
    return {"build_seconds": seconds, "queries_per_second": rates, "measured": measured}


def _at_once(job: Job, paths: Sequence[Path]) -> bool:
    """Whether several spaces may be indexed side by side.

    Graphs, and what may have one inside, may not: what a search of one costs is predicted from a count that faiss keeps once
    for the whole process.
    """
    kind = job.params.indexes[job.key].kind
    plain = kind in ("auto", "exact") or re.fullmatch(r"IVF\d+,(Flat|SQ8|SQfp16)", kind) is not None
    return plain and sum(path.stat().st_size for path in paths) <= AT_ONCE


@dataclass(frozen=True)
class Made:
    """What is kept of an index that was written; `told` are lines for people."""

    trials: tuple[Trial, ...]
    note: Note | None
    seconds: float
    told: tuple[str, ...]


def _made(job: Job, path: Path, parent: Former | None) -> Made:
    """Index one space and write it."""
    space = read_space(path)
    index, note, told = _indexed(job, space, path.stem, parent)
    lost = _write(job, path.stem, index, note)
    if (correction := job.params.indexes[job.key].neighbours) != "cosine":
        offsets = correct_space(correction, space, _near(index, space))
        write_offsets(job.out / "offsets" / path.name, offsets, space)
    return Made(index.trials, note, round(index.build_seconds, 3), (*told, *lost))


def _indexed(job: Job, space: Space, stem: str, parent: Former | None) -> tuple[Index, Note | None, list[str]]:
    """The index of one space, what was done to the parent's for it (None where there is no parent to change), what to tell."""
    params, where = job.params.indexes[job.key], f"indexes.{job.key}"
    before = read_before(parent, stem) if parent else None
    if before is None:
        return build(space, params, where), None, []
    index, note = refresh(space, before, params, where)
    what = "was built anew" if note.how == BUILT else f"was {note.how}"
    return index, note, [f"the index of {stem} {what}: {note.why}"] if note.why else []


def _write(job: Job, stem: str, index: Index, note: Note | None) -> list[str]:
    """Returns what to tell."""
    index.save(job.out / f"{stem}.faiss")
    if index.places:
        write_places(job.out / "places" / f"{stem}.parquet", index.places)
    chosen = next(trial for trial in index.trials if trial.chosen)
    about = {**index.about(), "bytes_per_vector": chosen.bytes_per_vector, **({"update": note.row()} if note else {})}
    write_atomic(job.out / f"{stem}.json", pretty_json(about))
    lost = missed(chosen, job.params.indexes[job.key])
    return [f"no index of {stem} keeps the budget. Nearest: {chosen.factory} {chosen.setting}; {lost}"] if lost else []


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
