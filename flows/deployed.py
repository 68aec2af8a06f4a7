"""The flows as a Prefect worker loads them; `infra/prefect.yaml` names them. The command lines do without this file."""

from collections.abc import Callable
from typing import Any, Literal

from prefect import flow
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows import backfill as backfill_file
from flows import nightly as nightly_file
from flows import retrain as retrain_file
from flows import running
from flows import watch as watch_file
from flows.options import Options
from kindex.core.layout import find
from tasks import calendar


def dated(name: str) -> Callable[[], str]:
    """What a run is called: as the command line calls its own, not one of Prefect's pairs of words."""
    return lambda: f"{name} {flow_run.parameters.get('date') or calendar.tonight(find())}"


def by_schedule() -> bool:
    """Whether Prefect's schedule began this flow run, and no person."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.auto_scheduled)


@flow(name="nightly", flow_run_name=dated("nightly"), description=nightly_file.ABOUT)
def nightly(
    models: list[str] | None = None,
    force: bool = False,
    date: str | None = None,
    full: bool = False,
    missed: Literal["latest", "each"] = "latest",
) -> Any:
    """Bring `models` (all by default) up to date. `date` is the logical date, by default the night that was called last.

    `missed` says what becomes of nights that nobody ran: `latest` leaves them, `each` runs each of them first.
    """
    asked = tuple(models or ()), force, full, force, missed
    options = Options(date or "", None, *asked, scheduled=by_schedule(), dated=bool(date))
    said = running.deployed("nightly", options, nightly_file.nightly)
    return Completed(message=said or None)


@flow(name="retrain", flow_run_name=dated("retrain"), description=retrain_file.ABOUT)
def retrain(models: list[str], full: bool = False) -> Any:
    """Train `models` again now, on the data as they were last locked."""
    said = running.deployed("retrain", Options("", None, tuple(models), True, full), retrain_file.retrain)
    return Completed(message=said or None)


@flow(name="backfill", description=backfill_file.ABOUT)
def backfill(first: str, last: str, models: list[str] | None = None, force: bool = False) -> Any:
    """Run the nights from `first` to `last` (YYYY-MM-DD) that are not done."""
    asked = Options(models=tuple(models or ()), again=force)
    nights = backfill_file.backfill(asked, first, last)
    said = [running.deployed("backfill", one, nightly_file.nightly) for one in nights]
    return Completed(message="; ".join(text for text in said if text) or f"{len(nights)} nights")


@flow(name="watch", description=watch_file.ABOUT)
def watch(hours: float = watch_file.HOURS) -> Any:
    """Alert when tonight has not begun, or not ended, `hours` after it was called."""
    code, said = watch_file.watch(find(), hours)
    return Failed(message=said) if code else Completed(message=said)
