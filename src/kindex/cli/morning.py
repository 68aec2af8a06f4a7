"""`kindex status`, `plan` and `nights`: how everything stands, what the next night will do, and one page over all nights."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from kindex.cli.planning import show as show_plan
from kindex.cli.standing import show as show_standing
from kindex.core.errors import KindexError
from kindex.core.layout import Layout, find

AsJson = Annotated[bool, typer.Option("--json", help="For a program")]
FORECAST_SECONDS = 600.0


class ForecastError(KindexError):
    """The forecast's process ended with this code; the message is its own."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def status(as_json: AsJson = False) -> None:
    """Every catalogue and model: what is live and how old it is, what the last night said, and when the next one is due."""
    from kindex.core.params import load
    from kindex.morning.standing import standing

    layout = find()
    found = standing(layout, load(layout.params), datetime.now(UTC))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    show_standing(found)


def plan(
    models: Annotated[list[str] | None, typer.Argument(help="Only these models and their catalogues")] = None,
    as_json: AsJson = False,
) -> None:
    """What a night would run now, why, and what it should cost by earlier nights. It changes nothing."""
    from kindex.core.nights import read_history
    from kindex.core.params import load
    from kindex.morning.building import expected
    from kindex.morning.estimates import costed

    layout = find()
    params = load(layout.params)
    asked = [name for name in models or params.models if params.model(name)]
    seen, history = ask(layout, models or ()), read_history(layout.nights)
    train = {one["key"]: one for one in seen["stages"] if one["stage"] == "train"}
    builds = {}
    for name in asked:
        if train[name]["state"] != "current":
            why = train[name]["why"] if train[name]["state"] == "stale" else ""
            builds[name] = expected(layout, history, name, params.models[name].refresh, why, seen["night"])
    found = costed(seen, {name: how for name, (how, _) in builds.items()}, history)
    found["builds"] = {name: {"built": how, "why": why} for name, (how, why) in builds.items()}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    show_plan(found)


def ask(layout: Layout, models: Sequence[str]) -> dict[str, Any]:
    """The forecast, by a process of its own: the command line itself knows nothing of DVC. Raises `ForecastError`."""
    command = [sys.executable, "-m", "tasks.forecast", "--root", str(layout.root), *models]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORECAST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ForecastError(f"the forecast took more than {FORECAST_SECONDS:.0f} seconds", 6) from None
    if done.returncode:
        raise ForecastError(done.stderr.strip() or "the forecast said nothing", done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def nights() -> None:
    """Where the page over all nights is, made anew: trends, durations, releases and what was held back."""
    from kindex.morning.page import write

    print(write(find()))
