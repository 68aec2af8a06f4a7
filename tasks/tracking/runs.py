"""Experiments, runs and points: each is looked for before it is made, so that telling MLflow twice changes nothing.

One experiment for each model, `kindex/<model>`; in it a parent run for each night and, nested in it, a run for each
training. The parent lives in every model's experiment, for MLflow searches children in the parent's experiment only.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks.tracking.store import Store

Points = dict[tuple[str, int], float]
"""Values of curves by (metric, step)."""

NIGHT, MODEL, ROLE, MESSAGE = "kindex.night", "kindex.model", "kindex.role", "kindex.message"
BATCH = 1000  # metrics that one request may carry


def experiment(store: Store, model: str) -> str:
    """Id of the model's experiment; made, or restored when somebody deleted it, for a name can be used only once."""
    name = f"kindex/{model}"
    found = store.client.get_experiment_by_name(name)
    if found is None:
        place = (store.artifacts / model).as_uri() if store.artifacts else None
        kind = {"mlflow.experimentKind": "custom_model_development"}  # its page shows runs first, not traces
        return store.client.create_experiment(name, artifact_location=place, tags=kind)
    if found.lifecycle_stage == "deleted":
        store.client.restore_experiment(found.experiment_id)
    return found.experiment_id


def night_run(store: Store, model: str, night: str, started_ms: int | None = None) -> Any:
    """The parent run of `night` in the model's experiment."""
    home = experiment(store, model)
    tags = {NIGHT: night, MODEL: model, ROLE: "night"}
    found = search(store, home, tags)
    return found[0] if found else store.client.create_run(home, started_ms, tags=tags, run_name=f"night {night}")


def training_run(store: Store, model: str, night: str, message: str | None, points: Points) -> tuple[Any, Points]:
    """The nested run of a training, and the points that it has already.

    `message` None: the run whose curves are growing. Otherwise the run of this release, which adopts the one with the
    growing curves when those are part of `points`, its history: a run of other numbers is closed as KILLED.
    """
    home = experiment(store, model)
    tags = {NIGHT: night, MODEL: model, ROLE: "training"}
    runs = search(store, home, tags)
    for run in runs:
        if message is not None and run.data.tags.get(MESSAGE) == message:
            return run, logged(store, run)
    for run in runs:
        if MESSAGE not in run.data.tags and run.info.status != "KILLED":
            seen = logged(store, run)
            if agree(seen, points, whole=message is not None):
                store.client.update_run(run.info.run_id, status="RUNNING")
                return run, seen
            store.client.set_terminated(run.info.run_id, "KILLED")
    parent = night_run(store, model, night)
    tags |= {"mlflow.parentRunId": parent.info.run_id} | ({MESSAGE: message} if message else {})
    return store.client.create_run(home, tags=tags, run_name=f"training {night}"), {}


def search(store: Store, experiment_id: str, tags: Mapping[str, str], *also: str) -> list[Any]:
    """Runs with all of `tags`, for which `also` holds (conditions in MLflow's words), oldest first."""
    wanted = " and ".join([*(f"tags.`{name}` = '{value}'" for name, value in tags.items()), *also])
    return list(store.client.search_runs([experiment_id], filter_string=wanted, order_by=["attributes.start_time ASC"]))


def logged(store: Store, run: Any) -> Points:
    """Every point of the run's curves."""
    history = (store.client.get_metric_history(run.info.run_id, name) for name in sorted(run.data.metrics))
    return {(metric.key, metric.step): metric.value for metrics in history for metric in metrics}


def agree(seen: Points, points: Points, *, whole: bool) -> bool:
    """Whether no point was seen with another value, nor (when `points` is `whole`) outside of `points`."""
    if whole and not seen.keys() <= points.keys():
        return False
    return all(math.isclose(seen[place], points[place], rel_tol=1e-9) for place in seen.keys() & points.keys())


def read_points(lines: Iterable[str]) -> Points:
    """The points of `history.jsonl`: one JSON object a line, `epoch` is the step. A last line cut short is left out."""
    points: Points = {}
    for number, line in enumerate(lines):
        if line.endswith("\n"):
            numbers = json.loads(line)
            step = int(numbers.pop("epoch", number))
            points |= {(f"training/{name}", step): float(value) for name, value in numbers.items()}  # / makes a section
    return points


def log_points(store: Store, run_id: str, points: Points, now_ms: int) -> None:
    """Log `points`, none of which the run has yet, as if they happened at `now_ms`."""
    from mlflow.entities import Metric

    log_metrics(store, run_id, [Metric(name, value, now_ms, step) for (name, step), value in points.items()])


def log_metrics(store: Store, run_id: str, metrics: list[Any]) -> None:
    """Log in batches as large as MLflow takes."""
    for start in range(0, len(metrics), BATCH):
        store.client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def log_settings(store: Store, run_id: str, params: Mapping[str, Any], tags: Mapping[str, Any]) -> None:
    """Log parameters and tags, cut at the lengths that MLflow takes; None is left out."""
    from mlflow.entities import Param, RunTag

    all_params = [Param(name, str(value)[:6000]) for name, value in params.items()]
    for start in range(0, len(all_params), 100):
        store.client.log_batch(run_id, params=all_params[start : start + 100])
    store.client.log_batch(run_id, tags=[RunTag(name, str(value)[:8000]) for name, value in tags.items() if value is not None])


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted names: `{"a": {"b": 1}}` → `{"a.b": 1}`."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        out |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out


def read_lines(path: Path) -> list[str]:
    """The lines of a file that may be missing."""
    return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
