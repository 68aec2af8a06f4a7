"""Nights of small changes by delta, beside full rebuilds of the same data: the small form of `benchmarks.delta`."""

from pathlib import Path

import pytest

from benchmarks import delta
from benchmarks.delta_nights import MODEL, Project, World
from kindex.core.params import load
from kindex.stages.parts.running import run_stage


def in_this_process(project: Project, stage: str) -> float:
    run_stage(project.layout, load(project.layout.params), stage, MODEL)
    return 1.0


@pytest.mark.slow
@pytest.mark.parametrize("index", ["Flat", "IVF4,Flat", "HNSW8,Flat"])
def test_nights_by_delta_end_where_full_rebuilds_do(tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal ids are asserted night by night, within `compare`."""
    monkeypatch.setattr(Project, "stage", in_this_process)
    world = World.planted(lefts=400, rights=240, links=6000, groups=12)
    config = {"dimensions": 12, "objective": "spectral", "popularity": 0.25}
    rows = delta.compare(tmp_path, world, 8, 0.01, config, {"kind": index, "sample": 100})
    assert {row["built"] for row in rows} == {"delta", "warm"}
    assert sum(row["delta"]["ghosts"] for row in rows) == 0
    for metric in ("link", "index"):
        mean = {name: sum(row[name][metric] for row in rows) / len(rows) for name in ("delta", "full")}
        assert mean["delta"] > mean["full"] - 0.01
