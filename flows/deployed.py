"""The flows as a Prefect worker loads them; `infra/prefect.yaml` names them. The command lines do without this file."""

from collections.abc import Callable

from prefect import flow
from prefect.runtime import flow_run

from flows import nightly as nightly_file
from flows import retrain as retrain_file
from flows import running
from flows.options import Options, tonight


def dated(name: str) -> Callable[[], str]:
    """What a run is called: as the command line calls its own, not one of Prefect's pairs of words."""
    return lambda: f"{name} {flow_run.parameters.get('date') or tonight()}"


@flow(name="nightly", flow_run_name=dated("nightly"), description=nightly_file.ABOUT)
def nightly(models: list[str] | None = None, force: bool = False, date: str | None = None) -> None:
    """Bring `models` (all by default) up to date. `date` is the night's logical date in UTC, today by default."""
    options = Options(date or tonight(), None, tuple(models or ()), force)
    running.deployed("nightly", options, nightly_file.nightly)


@flow(name="retrain", flow_run_name=dated("retrain"), description=retrain_file.ABOUT)
def retrain(models: list[str]) -> None:
    """Train `models` again now, on the data as they were last locked."""
    running.deployed("retrain", Options(tonight(), None, tuple(models), True), retrain_file.retrain)
