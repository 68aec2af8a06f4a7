"""A small project with releases and messages, as the nightly flow leaves them, made without DVC and Prefect."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core import outbox, publish, space
from kindex.core.catalogue import ITEMS, write_table
from kindex.core.files import pretty_json
from kindex.core.layout import Layout
from kindex.core.params import IndexParams
from kindex.core.release import Manifest
from kindex.index.build import build

MODEL, CATALOGUE, NIGHT = "fruit-pairs", "fruit", "2026-11-21"
IDS = ("apple", "pear", "plum", "cherry", "quince", "medlar")
LOCK = "5f" * 32
VERDICT = {"passed": True, "lines": []}
ABOUT = {"night": NIGHT, "git": "abc", "dvc_lock_sha256": "d" * 64, "passed": True, "verdict": VERDICT}


def make_project(root: Path) -> Layout:
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text("catalogues: {}\n")
    return Layout(root)


def vectors_ND(seed: int) -> np.ndarray:
    """Not of unit length, so that cosine and dot product order the neighbours differently."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(len(IDS), 4)) * random.uniform(0.5, 5, (len(IDS), 1))).astype(np.float32)


def history(epochs: int = 5, seed: int = 0) -> list[str]:
    """Lines of `history.jsonl`: the loss at epoch e is 1/e + seed."""
    return [json.dumps({"epoch": epoch, "loss": 1 / epoch + seed}) + "\n" for epoch in range(1, epochs + 1)]


def make_release(layout: Layout, seed: int = 0) -> Manifest:
    """Publish a candidate, not promoted."""
    work = layout.root / "made"
    fruit = space.Space("fruit", IDS, vectors_ND(seed))
    index = build(fruit, IndexParams())
    space.write_space(work / "fruit.parquet", fruit)
    index.save(work / "fruit.faiss")
    items = [{"id": name, "kind": "fruit", "label": name.title(), "description": None} for name in IDS]
    write_table(work / "items.parquet", pa.Table.from_pylist(items, schema=ITEMS))
    lineage = {
        "model": MODEL,
        "catalogue": CATALOGUE,
        "kinds": ["fruit"],
        "lock": {"source": "files", "digest": LOCK, "snapshot": {}},
        "settings": {"model": {"family": "pairs", "dimensions": 4, "seed": seed}, "index": {"kind": "auto"}},
    }
    files: dict[str, Path | bytes] = {
        "vectors/fruit.parquet": work / "fruit.parquet",
        "index/fruit.faiss": work / "fruit.faiss",
        "index/fruit.json": pretty_json(index.about()),
        "items.parquet": work / "items.parquet",
        "history.jsonl": "".join(history(seed=seed)).encode(),
        "report.json": pretty_json({"link_recall_at_10": 0.25 + seed, "index_recall_at_10": 1.0}),
        "evidence.json": pretty_json({"examples": []}),
        "lineage.json": pretty_json(lineage),
    }
    notes: dict[str, Path | bytes] = {"notes/report.html": b"<!doctype html><p>report</p>"}
    return publish.build(layout.releases(MODEL), MODEL, files, notes, ABOUT)[0]


def put_model(layout: Layout, manifest: Manifest, night: str = NIGHT, passed: bool = True) -> None:
    payload = {"night": night, "model": MODEL, "catalogue": CATALOGUE, "version": manifest.version, "passed": passed}
    outbox.put(layout.outbox, "model", payload, f"{night}/{MODEL}/{manifest.version}")


def put_aliases(layout: Layout, candidate: str | None, champion: str | None) -> None:
    payload = {"model": MODEL, "candidate": candidate, "champion": champion}
    outbox.put(layout.outbox, "aliases", payload, MODEL)


def put_night(layout: Layout, night: str = NIGHT, line: str = "v0001 is live") -> None:
    payload: dict[str, Any] = {"night": night, "started": f"{night}T02:00:00+00:00", "outcome": {MODEL: line}}
    outbox.put(layout.outbox, "night", payload | {"git": "abc", "dvc_lock_sha256": "d" * 64}, night)


def put_all(layout: Layout, manifest: Manifest) -> None:
    put_model(layout, manifest)
    put_aliases(layout, manifest.version, manifest.version)
    put_night(layout)


def neighbours(seed: int, name: str, k: int) -> list[tuple[str, float]]:
    """Exact cosine neighbours by a slow loop; the oracle of what is served."""
    vectors = dict(zip(IDS, vectors_ND(seed).astype(float)))
    scores = []
    for other, vector in vectors.items():
        if other != name:
            lengths = np.linalg.norm(vectors[name]) * np.linalg.norm(vector)
            scores.append((other, float(vectors[name] @ vector / lengths)))
    return sorted(scores, key=lambda pair: -pair[1])[:k]


def seen_in_mlflow(layout: Layout) -> dict[str, Any]:
    """All that MLflow knows of the project, without its own ids and times, for comparing two stores."""
    from tasks.tracking.store import connect

    client = connect(layout).client
    home = client.get_experiment_by_name(f"kindex/{MODEL}").experiment_id
    runs = client.search_runs([home], order_by=["attributes.start_time ASC"])
    names = {run.info.run_id: run.info.run_name for run in runs}
    versions = client.search_model_versions(f"name = '{MODEL}'")
    aliases = client.get_registered_model(MODEL).aliases if versions else {}
    models = client.search_logged_models([home])
    return {
        "runs": sorted((_run(client, run, names) for run in runs), key=lambda run: run["name"]),
        "versions": sorted((int(entry.version), names[entry.run_id], sorted(entry.tags.items())) for entry in versions),
        "aliases": {name: int(number) for name, number in aliases.items()},
        "models": sorted(
            (
                names[model.source_run_id],
                model.status,
                model.tags["kindex.digest"],
                model.tags["mlflow.modelVersions"],
                sorted((m.key, m.value) for m in model.metrics),
            )
            for model in models
        ),
    }


def _run(client: Any, run: Any, names: dict[str, str]) -> dict[str, Any]:
    run_id = run.info.run_id
    points = [(m.key, m.step, m.value) for key in run.data.metrics for m in client.get_metric_history(run_id, key)]
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "parent": names.get(run.data.tags.get("mlflow.parentRunId")),
        "tags": {name: value for name, value in run.data.tags.items() if name.startswith("kindex.")},
        "params": run.data.params,
        "points": sorted(points),
        "data": [(entry.dataset.name, entry.dataset.digest, entry.tags[0].value) for entry in run.inputs.dataset_inputs],
        "models": len(run.outputs.model_outputs) if run.outputs else 0,
        "artifacts": sorted(entry.path for entry in client.list_artifacts(run_id)),
    }
