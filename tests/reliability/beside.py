"""A project beside the three outside systems of a team, real servers on loopback, each behind a door that can fail."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core.layout import Layout
from tests import projects
from tests.infra import servers
from tests.reliability.outages import Door

KEYS = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": "no-secret", "AWS_DEFAULT_REGION": "us-east-1"}
PATIENCE = 900.0  # seconds that a night may take, however slow others are
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class Night:
    """How one ended, what it said, and its seconds on the clock."""

    code: int
    said: str
    seconds: float


@dataclass
class Outside:
    """The doors by system, and the store behind one of them."""

    doors: dict[str, Door]
    store: str
    mlflow: str

    @property
    def settings(self) -> dict[str, str]:
        """What a night's environment has."""
        address = {name: door.address for name, door in self.doors.items()}
        where = {"PREFECT_API_URL": f"{address['Prefect']}/api", "MLFLOW_TRACKING_URI": address["MLflow"]}
        return {**KEYS, **where, "AWS_ENDPOINT_URL": address["the DVC remote"]}

    def bucket(self, name: str) -> Any:
        import boto3

        session = boto3.Session(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
        found = session.resource("s3", endpoint_url=self.store).Bucket(name)
        found.create()
        return found

    def well(self) -> None:
        for door in self.doors.values():
            door.become("")


@contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    """Prefect, MLflow and an S3-compatible store, started; some twenty seconds."""
    folder.mkdir()
    bare = {**servers.bare_environment(folder), **QUIET, "PREFECT_HOME": str(folder / "prefect")}
    prefect, mlflow = servers.free_port(), servers.free_port()
    here = ("--host", "127.0.0.1", "--port")
    kept = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"))
    commands = {
        "prefect": [sys.executable, "-m", "prefect", "server", "start", *here, str(prefect)],
        "mlflow": [sys.executable, "-m", "mlflow", "server", "--workers", "1", *here, str(mlflow), *kept],
    }
    with ExitStack() as stack:
        store = stack.enter_context(servers.store(folder / "store"))
        for name, health in (
            ("prefect", f"http://127.0.0.1:{prefect}/api/health"),
            ("mlflow", f"http://127.0.0.1:{mlflow}/health"),
        ):
            log = folder / f"{name}.log"
            process = stack.enter_context(servers.running(commands[name], log, bare))
            servers.wait_for(lambda at=health: servers.answers(at), name, process, log)
        ports = {"Prefect": prefect, "MLflow": mlflow, "the DVC remote": int(store.rpartition(":")[2])}
        doors = {name: stack.enter_context(Door(port)) for name, port in ports.items()}
        yield Outside(doors, store, f"http://127.0.0.1:{mlflow}")


def night(layout: Layout, date: str, outside: Outside, door: Door | None = None, moment: str = "", fault: str = "") -> Night:
    """One night; `door` fails from the moment on at which a printed line has `moment` in it, at once when that is empty."""
    if door and not moment:
        door.become(fault)
    began = time.monotonic()
    process = projects.start(layout.root, sys.executable, "-m", "flows.nightly", "--date", date, **outside.settings)
    said = []
    os.set_blocking(process.stdout.fileno(), True)
    for line in process.stdout:
        said.append(line)
        if door and moment and moment in line:
            door.become(fault)
        if time.monotonic() - began > PATIENCE:
            projects.kill_group(process)
    return Night(process.wait(), "".join(said), time.monotonic() - began)


def told(address: str, model: str) -> dict[str, Any]:
    """What MLflow knows of the model, without its own ids and times."""
    from tasks.tracking.store import QUIET_AND_BOUNDED

    for name, value in QUIET_AND_BOUNDED.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address, registry_uri=address)
    home = client.get_experiment_by_name(f"kindex/{model}")
    runs = client.search_runs([home.experiment_id]) if home else []
    names = {run.info.run_id: run.info.run_name for run in runs}
    versions = client.search_model_versions(f"name = '{model}'")
    return {
        "runs": sorted(
            (run.info.run_name, run.info.status, names.get(run.data.tags.get("mlflow.parentRunId"))) for run in runs
        ),
        "versions": sorted((int(one.version), names.get(one.run_id)) for one in versions),
        "aliases": dict(client.get_registered_model(model).aliases) if versions else {},
        "models": sorted(str(one.status) for one in client.search_logged_models([home.experiment_id])) if home else [],
    }


def forget(address: str, model: str, number: int) -> None:
    """MLflow as if it had never heard of the model: what it knows of it goes under another name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address, registry_uri=address)
    if home := client.get_experiment_by_name(f"kindex/{model}"):
        client.rename_experiment(home.experiment_id, f"gone-{number}")
    if client.search_registered_models(f"name = '{model}'"):
        client.delete_registered_model(model)
