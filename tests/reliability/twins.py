"""What is measured of two projects that get the same nights, one by delta and one in full, for promise 15."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import faiss
import numpy as np

from benchmarks.delta_nights import MODEL, Project
from kindex.core.files import read_json
from kindex.core.params import load as load_params
from kindex.core.space import Space
from kindex.index.index import Index, load
from kindex.stages.parts.running import run_stage

K, QUERIES = 10, 1000
ASKED = 0.95
"""Index recall@10 that an index is tuned to."""


@dataclass
class Nights:
    """By night: full less delta of index recall at equal effort, as tuned, and of link recall; how nights were built; the
    least index recall of the delta, as tuned; how many items that went were asked for; and `luck` of the last night."""

    index: list[float] = field(default_factory=list)
    tuned: list[float] = field(default_factory=list)
    link: list[float] = field(default_factory=list)
    built: dict[str, int] = field(default_factory=dict)
    least: float = 1.0
    asked: int = 0
    luck: float = 0.0


def told(differences: list[float]) -> str:
    low, high = min(differences), max(differences)
    return f"full less delta {np.mean(differences):+.4f} in the mean over nights, {low:+.4f} to {high:+.4f} on single ones"


def opened(project: Project, kind: str) -> Index:
    """The index of one kind of item, as a reader opens it."""
    folder = project.layout.out("index", MODEL)
    places = folder / "places" / f"{kind}.parquet"
    return load(folder / f"{kind}.faiss", read_json(folder / f"{kind}.json"), places if places.is_file() else None)


def at_equal_effort(indexes: Sequence[Index]) -> None:
    """Search in all of them with the dearest setting of any, such as nprobe=8. An exact index has none."""
    settings = [index.setting for index in indexes if "=" in index.setting]
    dearest = max(settings, key=lambda setting: float(setting.rpartition("=")[2]), default="")
    for index in indexes if dearest else ():
        faiss.ParameterSpace().set_index_parameters(index.faiss_index, dearest)


def recall(index: Index, space: Space) -> float:
    """Overlap of the first K with exact search, over items of the space."""
    rows_Q = np.random.default_rng(1).permutation(len(space.ids))[:QUERIES]
    exact_QK = np.argsort(-(space.search_ND[rows_Q] @ space.search_ND.T), axis=1, kind="stable")[:, :K]
    _, answer_QK = index.search(space.search_ND[rows_Q], K)
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(exact_QK.tolist(), answer_QK.tolist(), strict=True)]))


def luck(project: Project, kind: str, space: Space) -> float:
    """How far ten clusterings of the same vectors, different by their seed alone, lie apart in index recall; 0 of a graph."""
    index, found = opened(project, kind), []
    for seed in range(10) if index.factory.startswith("IVF") else ():
        one = faiss.index_factory(index.dimensions, index.factory, faiss.METRIC_INNER_PRODUCT)
        one.cp.seed = seed
        one.train(space.search_ND)
        one.add(space.search_ND)
        faiss.ParameterSpace().set_index_parameters(one, index.setting)
        found.append(recall(replace(index, faiss_index=one, places=None), space))
    return max(found, default=0.0) - min(found, default=0.0)


def in_this_process(project: Project, stage: str) -> float:
    """In place of `Project.stage`, which starts a process: nobody looks at the seconds here."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        run_stage(project.layout, load_params(project.layout.params), stage, MODEL)
    return 0.0
