"""Divide a validated catalogue into train and held-out; see `kindex.core.split`."""

from typing import Any

from kindex.core.catalogue import read
from kindex.core.errors import DataGateError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.split import about, divide, write_split
from kindex.stages.parts.job import Job


def run(job: Job) -> dict[str, Any]:
    """Write `train/`, `heldout/` and `split.json` (counts). Raises `DataGateError` when nothing is left to learn from."""
    params = job.params.catalogue(job.key).split
    catalogue = read(job.layout.out("validate", job.key), job.key)
    split = divide(catalogue, params.heldout_share, params.salt, params.by)
    evidence = [kind for kind in ("links", "images", "captions") if kind in catalogue.tables]
    for kind in evidence:
        rows = catalogue.rows(kind)
        if split.train.rows(kind) == 0:
            raise DataGateError(f"catalogue {job.key} has no {kind} left to train on: all {rows} rows are held out")
    write_split(job.out, split)
    write_atomic(job.out / "split.json", pretty_json(about(split)))
    return {f"{kind}_rows": catalogue.rows(kind) for kind in evidence}
