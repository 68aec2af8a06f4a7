"""What each kind of message from the outbox becomes in MLflow. Every step finds what an earlier, killed one has done."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kindex.core.errors import ConfigError, choices
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.release import Manifest, check_files, read_manifest
from tasks.tracking import registry
from tasks.tracking.runs import (
    MESSAGE,
    MODEL,
    NIGHT,
    flat,
    log_metrics,
    log_points,
    log_settings,
    night_run,
    read_lines,
    read_points,
    search,
    training_run,
)
from tasks.tracking.store import Store, redact

Payload = Mapping[str, Any]


def deliver(store: Store, layout: Layout, kind: str, payload: Payload, key: str) -> None:
    """Tell MLflow one message. Raises `KindexError` when the release is not whole, or the message makes no sense."""
    match kind:
        case "model":
            deliver_model(store, layout, payload, key)
        case "night":
            deliver_night(store, payload, key)
        case "aliases":
            registry.point(store, payload["model"], {alias: payload[alias] for alias in ("candidate", "champion")})
        case _:
            raise ConfigError(f"no message of the kind {kind!r}: {choices(kind, ('model', 'night', 'aliases'))}")


def deliver_model(store: Store, layout: Layout, payload: Payload, key: str) -> None:
    """`{night, model, catalogue, version, passed}`: a training run, complete, and a version of the registered model."""
    model, night = payload["model"], payload["night"]
    manifest = read_manifest(layout.releases(model), payload["version"])
    folder = layout.releases(model) / manifest.version
    check_files(folder, manifest, manifest.entries)
    points = read_points(read_lines(folder / "history.jsonl"))
    run, seen = training_run(store, model, night, key, points)
    run_id = run.info.run_id
    if run.data.tags.get(MESSAGE) == key and run.info.status == "FINISHED":
        return
    verdict = "passed" if payload["passed"] else "failed"
    lineage = read_json(folder / "lineage.json") if "lineage.json" in manifest.entries else {}
    store.client.set_tag(run_id, MESSAGE, key)  # from here on the run is this release's
    log_settings(store, run_id, _settings(lineage), _tags(manifest, lineage, verdict))
    log_points(store, run_id, {place: value for place, value in points.items() if place not in seen}, _now())
    _log_data(store, run_id, payload["catalogue"], lineage)
    for name in ("notes/report.html", "evidence.json", "lineage.json"):
        if name in manifest.entries:
            store.client.log_artifact(run_id, str(folder / name))
    store.client.log_dict(run_id, manifest.about.get("verdict", {}), "verdict.json")
    model_id = registry.log_release(store, layout, run, manifest)
    _log_report(store, run, model_id, folder)
    registry.register(store, run, model_id, manifest, {"kindex.verdict": verdict})
    store.client.update_run(run_id, name=f"{manifest.version} {verdict}")
    store.client.set_terminated(run_id, "FINISHED")
    parent = store.client.get_run(run.data.tags["mlflow.parentRunId"])
    if parent.info.status == "RUNNING":  # its night published this, and may have been killed before it told of itself
        store.client.set_terminated(parent.info.run_id, "FINISHED")


def deliver_night(store: Store, payload: Payload, key: str) -> None:
    """`{night, started, outcome: {model: line}, git, dvc_lock_sha256}`: the parent run in each model's experiment."""
    night = payload["night"]
    started = int(datetime.fromisoformat(payload["started"]).timestamp() * 1000) if payload.get("started") else None
    for model, line in payload["outcome"].items():
        parent = night_run(store, model, night, started)
        tags = {
            MESSAGE: key,
            "kindex.git": payload.get("git"),
            "kindex.dvc_lock_sha256": payload.get("dvc_lock_sha256"),
            "kindex.outcome": line,
            "mlflow.note.content": line,  # what MLflow's page shows as the description
        }
        log_settings(store, parent.info.run_id, {}, tags)
        if parent.info.status != "FINISHED":
            store.client.set_terminated(parent.info.run_id, "FINISHED")
        for left in search(store, parent.info.experiment_id, {MODEL: model}, "attributes.status = 'RUNNING'"):
            # this night's: it trained what had been released before; an earlier one's: that night was killed
            if left.data.tags[NIGHT] <= night:
                store.client.set_terminated(left.info.run_id, "FINISHED" if left.data.tags[NIGHT] == night else "KILLED")


def _settings(lineage: Payload) -> dict[str, Any]:
    """Every setting that the release's stages read, as dotted names: `model.dimensions`, `index.kind` …"""
    return {name: redact(str(value)) for name, value in flat(lineage.get("settings", {})).items()}


def _tags(manifest: Manifest, lineage: Payload, verdict: str) -> dict[str, Any]:
    return {
        "kindex.git": manifest.about.get("git"),
        "kindex.dvc_lock_sha256": manifest.about.get("dvc_lock_sha256"),
        registry.VERSION: manifest.version,
        registry.DIGEST: manifest.digest,
        "kindex.parent": manifest.parent,
        "kindex.verdict": verdict,
        "kindex.lock": lineage.get("lock", {}).get("digest"),
    }


def _log_data(store: Store, run_id: str, catalogue: str, lineage: Payload) -> None:
    """The catalogue as a data set; its digest is the lock's, cut to the 36 characters that MLflow takes."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if not (lock := lineage.get("lock")):
        return
    source = {"uri": f"locks/{catalogue}.json", "kind": lock["source"], "sha256": lock["digest"]}
    data = Dataset(catalogue, lock["digest"][:36], source_type="local", source=json.dumps(source))
    store.client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])


def _log_report(store: Store, run: Any, model_id: str, folder: Path) -> None:
    """The report's numbers, of the run and of its model. At one fixed time, so that a second telling is the same point."""
    from mlflow.entities import Metric

    numbers = {name: value for name, value in read_json(folder / "report.json").items() if isinstance(value, int | float)}
    at, run_id = run.info.start_time, run.info.run_id
    log_metrics(store, run_id, [Metric(name, float(value), at, 0, model_id, run_id=run_id) for name, value in numbers.items()])


def _now() -> int:
    return time.time_ns() // 1_000_000
