"""evaluate: what a model's spaces and indexes are worth, as flat numbers, plots, evidence, and a page."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from os.path import relpath
from pathlib import Path
from platform import python_version
from typing import Any

from kindex.core.costs import read_costs
from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, pretty_json, read_json, write_atomic
from kindex.core.lock import read_lock
from kindex.core.split import Split, read_split
from kindex.judge.findings import judge
from kindex.judge.queries import write_queries
from kindex.stages.material import material
from kindex.stages.parts.job import Job

VERSIONS = ("faiss-cpu", "numpy", "openTSNE", "pyarrow", "scikit-learn", "torch")


def run(job: Job) -> dict[str, Any]:
    """Write `report.json`, `evidence.json`, `queries.parquet`, `plots/` and `report.html`; returns the seconds of each part.

    Everything but the page is a function of the inputs; the page also shows what the stages cost on this machine.
    """
    model = job.params.model(job.key)
    split = read_split(job.layout.out("split", model.catalogue), model.catalogue)
    train = job.layout.out("train", job.key)
    findings = judge(material(job, split), job.params.evaluate, model.family, job.watch)
    history = _history(train / "history.jsonl")
    config = read_json(train / "encoder" / "config.json")
    evidence = {
        **findings.shown,
        "model": job.key,
        "catalogue": model.catalogue,
        "family": model.family,
        "config": config,
        "report": findings.report,
        "history": history,
        "index_table": read_json(job.layout.out("index", job.key) / "table.json"),
        "quarantine": _optional(job.layout.out("validate", model.catalogue) / "validation.json"),
        "lineage": _lineage(job, split, config),
    }
    write_queries(job.out / "queries.parquet", findings.queries)
    write_atomic(job.out / "report.json", pretty_json(findings.report))
    write_atomic(job.out / "evidence.json", canonical_json(evidence) + b"\n")
    for name, rows in (("history", history), ("headline", _compared(evidence)), ("index", evidence["index_table"])):
        write_atomic(job.out / "plots" / f"{name}.csv", _csv(rows))
    write_atomic(job.out / "report.html", _page(job, evidence).encode())
    return {"part_seconds": findings.seconds}


def _history(path: Path) -> list[dict[str, float]]:
    """The lines that training wrote. Raises `DamagedError` naming the line that is not JSON."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            raise DamagedError(f"{path}, line {number}, is not JSON: {error}") from None
    return found


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _lineage(job: Job, split: Split, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the model was made from and with."""
    model = job.params.model(job.key)
    lineage: dict[str, Any] = {
        "seed": config["seed"],
        "threads": config["threads"],
        "rows": {name: split.train.rows(name) for name in sorted(split.train.tables)},
        "split": _optional(job.layout.out("split", model.catalogue) / "split.json"),
        "versions": {"python": python_version()} | {name: version(name) for name in VERSIONS},
    }
    path = job.layout.lock(model.catalogue)
    if path.exists():
        lock = read_lock(path)
        lineage |= {"source": lock.source, "lock": lock.digest}
    return lineage


def _compared(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The headline beside its baselines, one row each."""
    headline = evidence["headline"] or {"metric": "none", "value": 0.0, "baselines": {}}
    values = {evidence["family"]: headline["value"], **headline["baselines"]}
    return [{"metric": headline["metric"], "series": series, "value": value} for series, value in values.items()]


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV, with every column that any of them has, as DVC's plots read it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _page(job: Job, evidence: dict[str, Any]) -> str:
    from kindex.judge.page import render

    catalogue = job.params.model(job.key).catalogue
    data_docs = relpath(job.layout.data_docs(catalogue), job.layout.out("evaluate", job.key))
    return render(evidence, read_costs(job.layout, catalogue, job.key), data_docs=data_docs)
