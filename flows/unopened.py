"""Runs that never began: into the journal and told, as far as that is possible. The exit code and the message stand."""

from contextlib import suppress
from datetime import UTC, datetime

from flows.options import Options
from kindex.core import layout as layouts
from kindex.core import params as settings
from kindex.core.errors import BusyError, ConfigError, KindexError
from tasks import alerts, calendar, environment
from tasks.alerts import Event


def left_out(options: Options, reason: str) -> None:
    """A night that nobody runs because nights are paused is told; one that is done already is as it should be."""
    if "paused" in reason:
        _outside(options, Event("skipped", "night", reason))


def refused(flow: str, options: Options, error: BaseException) -> None:
    """A run that did not begin: into the journal, and told as skipped when another run works, else as failed."""
    code = error.exit_code if isinstance(error, KindexError) else 1
    if code == ConfigError.exit_code and (options.dated or options.models):
        return  # a slip in a command line: the person who made it reads the message
    with suppress(Exception):  # whatever kept the run from beginning may keep this from being written
        _note_refused(flow, options, code, str(error))
    _outside(options, Event("skipped" if code == BusyError.exit_code else "failed", "night", str(error)))


def _note_refused(flow: str, options: Options, code: int, message: str) -> None:
    from tasks import journal

    layout = layouts.find(options.root)
    journal.write(
        layout,
        settings.load(layout.params),
        night=options.night or calendar.tonight(layout),
        flow=flow,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        exit_code=code,
        seconds={},
        total=0.0,
        runs={},
        published={},
        models=options.models or None,
        troubles=[(code, message)],
        outcome="refused",
    )


def _outside(options: Options, event: Event) -> None:
    """Tell one event of a night that was not opened. Nobody is left to hear of a failure here, and the exit code stands."""
    with suppress(Exception):
        layout = layouts.find(options.root)
        environment.settle(layout)
        night = options.night or datetime.now(UTC).date().isoformat()
        alerts.raise_and_send(layout, environment.server(layout), [event], night)
