"""`kindex pause` and `kindex resume`."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from kindex.core import pause as pausing
from kindex.core.errors import ConfigError
from kindex.core.layout import Layout, find

PATIENCE = 60.0  # seconds that Prefect may take, after the pause has taken effect here


def pause(
    because: Annotated[str, typer.Option(help="Why; status, summaries and alerts repeat it")],
    until: Annotated[
        str | None,
        typer.Option(help="Until this date or time (UTC), when nights go on by themselves. Default: until `kindex resume`"),
    ] = None,
) -> None:
    """Pause the nights of this project. A night that works already goes on to its end; the live releases answer as before."""
    layout, now = find(), datetime.now(UTC)
    if not because.strip():
        raise ConfigError("--because is empty, allowed: a few words that the next person understands")
    end = pausing.moment(until) if until else ""
    if end and datetime.fromisoformat(end) <= now:
        raise ConfigError(f"--until is {until!r}, which is over: it is {now:%Y-%m-%dT%H:%M} UTC")
    made = pausing.Pause(because.strip(), now.isoformat(timespec="minutes"), end)
    pausing.write(layout, made)
    print(f"nights are {made}")
    if not end:  # a schedule that Prefect pauses would stay so; one that goes on finds the nights paused until then
        print(_told(layout, "pause"))


def resume() -> None:
    """Let nights go on after `kindex pause`. What was paused does not count as missed."""
    layout = find()
    print("nights go on" if pausing.clear(layout) else "nights were not paused")
    print(_told(layout, "resume"))


def _told(layout: Layout, verb: str) -> str:
    """What became of the schedules in Prefect. The command line itself knows nothing of Prefect."""
    command = [sys.executable, "-m", "tasks.schedule", verb, "--root", str(layout.root)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        pass
    if verb == "pause":
        return "Prefect does not answer: its schedule, if there is one, stays as it is and finds the nights paused"
    return "Prefect does not answer: if its schedule was paused, run `kindex resume` again when it does"
