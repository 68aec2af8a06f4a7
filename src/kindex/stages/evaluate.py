"""evaluate: what a model's spaces and indexes are worth, as flat numbers, plots, evidence, and a page."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from os.path import relpath
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np

from kindex.core.costs import read_costs
from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, pretty_json, read_json, write_atomic
from kindex.core.hubs import read_offsets
from kindex.core.lock import read_lock
from kindex.core.space import Space, read_space
from kindex.core.split import Split, read_split, together
from kindex.core.watch import Silent
from kindex.judge.findings import Material, judge
from kindex.stages import Job

VERSIONS = ("faiss-cpu", "numpy", "openTSNE", "pyarrow", "scikit-learn", "torch")


def run(job: Job) -> dict[str, Any]:
    """Write `report.json`, `evidence.json`, `plots/` and `report.html`; returns the seconds of each part.

    Everything but the page is a function of the inputs; the page also shows what the stages cost on this machine.
    """
    model = job.params.model(job.key)
    split = read_split(job.layout.out("split", model.catalogue), model.catalogue)
    train = job.layout.out("train", job.key)
    spaces = {space.kind: space for path in sorted((train / "spaces").glob("*.parquet")) for space in [read_space(path)]}
    index = job.layout.out("index", job.key)
    about = {kind: read_json(index / f"{kind}.json") for kind in sorted(spaces)}
    recall = {kind: float(found["index_recall_at_10"]) for kind, found in about.items()}
    images, rebuilt_NHWC = _images(job, split, train / "encoder")
    offsets = {
        space.kind: read_offsets(path, space)
        for stem, space in spaces.items()
        if (path := index / "offsets" / f"{stem}.parquet").is_file()
    }
    material = Material(
        split,
        spaces,
        index_recall=recall,
        index_excess={kind: float(found["budget_excess"]) for kind, found in about.items() if "budget_excess" in found},
        images=images,
        rebuilt_NHWC=rebuilt_NHWC,
        offsets=offsets,
        rivals=_rivals(job, split),
        golden=job.params.evaluate.golden.get(job.key, ()),
    )
    findings = judge(material, job.params.evaluate, model.family, job.watch)
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
        "index_table": read_json(index / "table.json"),
        "quarantine": _optional(job.layout.out("validate", model.catalogue) / "validation.json"),
        "lineage": _lineage(job, split, config),
    }
    write_atomic(job.out / "report.json", pretty_json(findings.report))
    write_atomic(job.out / "evidence.json", canonical_json(evidence) + b"\n")
    for name, rows in (("history", history), ("headline", _compared(evidence)), ("index", evidence["index_table"])):
        write_atomic(job.out / "plots" / f"{name}.csv", _csv(rows))
    write_atomic(job.out / "report.html", _page(job, evidence).encode())
    return {"part_seconds": findings.seconds}


def _images(job: Job, split: Split, encoder: Path) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """All images (H, W, C) by id, and the held-out ones as the encoder rebuilds them (None when it does not)."""
    if "images" not in split.train.tables:
        return {}, None
    from kindex.encoders import family
    from kindex.encoders.parts.images import decode

    images: dict[str, np.ndarray] = {}
    for side in (split.train, split.heldout):
        if side.images.num_rows:
            images |= dict(zip(side.images["id"].to_pylist(), decode(side.images)))
    model = job.params.model(job.key)
    loaded = family(model, job.key).Encoder.load(encoder)
    rebuild = getattr(loaded, "reconstruct", None)
    return images, rebuild(split.heldout) if rebuild and split.heldout.images.num_rows else None


def _rivals(job: Job, split: Split) -> dict[str, dict[str, Space]]:
    """The family's default settings, when this model has others and its family says so (`rival`), fitted on the same train
    side from the same seed: so that the report can say how far behind, or ahead, these settings are.

    `rival(config)` is the configuration to compare with, or None when `config` is already that.
    """
    from kindex.encoders import configure, family

    model = job.params.model(job.key)
    module = family(model, job.key)
    config = configure(model, job.key)
    rival = getattr(module, "rival", None)
    other = rival(config) if rival else None
    if other is None:
        return {}
    import torch

    torch.set_num_threads(config.threads)
    fair = replace(other, seed=config.seed, threads=config.threads)
    rng = np.random.Generator(np.random.PCG64(config.seed))
    encoder = module.fit(split.train, fair, rng=rng, watch=Silent())
    return {"default": encoder.embed(together(split))}


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
        "rows": {name: table.num_rows for name, table in sorted(split.train.tables.items())},
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
