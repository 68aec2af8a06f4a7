"""The journal: what every night did, one file for each logical date; the morning's pages and `kindex plan` read it.

    var/nights/2026-11-21.json     {"night": …, "runs": [one entry for each run of a flow for that date, oldest first]}

It is written when all is done, so that a fault here costs a line of history and never a release. Paths and host names stay
out, and so does what a URL or an environment keeps secret.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kindex.core import mutex, nights
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.layout import Layout
from kindex.core.params import Params
from tasks.journal_entries import of_catalogue, of_model, plain
from tasks.releases import Published
from tasks.stages import StageRun

MOST_RUNS = 200
"""Runs kept for one date; of more, the oldest that changed nothing go first."""


def write(
    layout: Layout,
    params: Params,
    *,
    night: str,
    flow: str,
    started: str,
    exit_code: int,
    seconds: Mapping[str, float],
    total: float,
    runs: Mapping[str, StageRun],
    published: Mapping[str, Published],
    models: Sequence[str] | None = None,
    moved: Sequence[str] = (),
    troubles: Sequence[tuple[int, str]] = (),
    notices: Sequence[str] = (),
    outcome: str = "",
) -> Path:
    """Add one run of `flow` to the journal of the logical date `night`; returns the file.

    `seconds` are the clock's by owner, `total` theirs and what nobody owned. `runs` are by target, `published` by model,
    `models` those that the run was about (all by default), `moved` the catalogues whose lock moved. `outcome` is told only
    for what cannot be seen in the rest: `refused`, for a run that did not begin. Raises `OSError` and `BusyError`.
    """
    asked = list(params.models if models is None else models)
    used = {params.models[model].catalogue for model in asked}
    catalogues = [name for name in params.catalogues if name in used or len(asked) == len(params.models)]
    entry = {
        "started": started,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "flow": flow,
        "exit_code": exit_code,
        "outcome": outcome or found_outcome(exit_code, runs, published, troubles),
        "seconds": {owner: round(spent, 3) for owner, spent in seconds.items()},
        "total": round(total, 3),
        "troubles": [[code, plain(text)] for code, text in troubles],
        "notices": [plain(text) for text in notices],
        "catalogues": {name: of_catalogue(layout, name, runs, name in moved) for name in catalogues},
        "models": {name: of_model(layout, params, name, runs, published.get(name)) for name in asked},
    }
    path = layout.nights / f"{night}.json"
    with mutex.hold(layout.mutex("journal"), "the journal", wait_seconds=10.0):
        kept = shortened([*former(path), entry])
        write_atomic(path, pretty_json({"night": night, "runs": kept}))
    return path


def found_outcome(
    exit_code: int, runs: Mapping[str, StageRun], published: Mapping[str, Published], troubles: Sequence[tuple[int, str]]
) -> str:
    """`failed`, `held`, `unchanged` or `done`, the worst that came of the run; `refused` for one that came too late."""
    if troubles:
        return "refused" if all(code == 5 for code, _ in troubles) and not runs else "failed"
    if any(result.outcome == "held" for result in published.values()):
        return "held"
    if exit_code:
        return "failed"
    ran = any(run.outcome not in ("up to date", "restored") for run in runs.values())
    return "done" if ran or any(result.outcome != "unchanged" for result in published.values()) else "unchanged"


def former(path: Path) -> list[dict[str, Any]]:
    """The runs that the date has already. What cannot be read is set aside beside it, and the date begins anew."""
    if not path.exists():
        return []
    try:
        return [dict(run) for run in nights.read_night(path).runs]
    except DamagedError:
        path.replace(path.with_name(f"{path.name}.damaged"))
        return []


def shortened(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `MOST_RUNS`: a flow that is started every minute must not make a file without end."""
    while len(runs) > MOST_RUNS:
        idle = next((place for place, run in enumerate(runs[:-1]) if run["outcome"] in ("unchanged", "refused")), 0)
        runs = [*runs[:idle], *runs[idle + 1 :]]
    return runs
