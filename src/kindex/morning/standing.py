"""How everything stands: each catalogue and model, the last night, the next one, and what waits. `kindex status` shows it."""

import json
import os
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from kindex.core import outbox, pause
from kindex.core.layout import Layout
from kindex.core.nights import History, messages, read_history
from kindex.core.params import Params
from kindex.morning.members import of_catalogue, of_model
from kindex.morning.schedule import moment_of, read_schedule

LATE = timedelta(hours=6)
"""A night that has not begun so long after it was due is called late."""


def standing(layout: Layout, params: Params, now: datetime) -> dict[str, Any]:
    """Plain data for JSON. `now` is a moment with its zone. What is damaged is said in its place, and the rest is told."""
    history = read_history(layout.nights)
    return {
        "now": now.astimezone(UTC).isoformat(timespec="seconds"),
        "last_night": last_night(history),
        "next_night": next_night(layout, history, now),
        "models": {name: of_model(layout, history, name, now) for name in params.models},
        "catalogues": {name: of_catalogue(history, name) for name in params.catalogues},
        "waiting": waiting(layout),
        "working": working(layout),
        "damaged": [str(layout.nights / name) for name in history.damaged],
    }


def last_night(history: History) -> dict[str, Any] | None:
    """The last date with its last run that did something, or with its last run; None before the first."""
    if not history.nights:
        return None
    night = history.nights[-1]
    run = next((run for run in reversed(night.runs) if run.get("outcome") == night.outcome), night.last)
    kept = {name: run.get(name) for name in ("flow", "started", "finished", "exit_code", "outcome")}
    return {"night": night.date, **kept, "seconds": run.get("total"), "troubles": messages(run), "runs": len(night.runs)}


def next_night(layout: Layout, history: History, now: datetime) -> dict[str, Any]:
    """When a night is due by the schedule, whether nights are paused, and whether the last one that was due is late."""
    plan, paused = read_schedule(layout), pause.read(layout, now)
    due, former = (plan.after(now), plan.before(now)) if plan else (None, None)
    begun = [moment for _, run in history.runs() if (moment := moment_of(run.get("started")))]
    late = bool(history.nights and former and not paused and now - former > LATE and max(begun, default=former) < former)
    return {
        "due": due.isoformat(timespec="minutes") if due else None,
        "schedule": f"{plan.cron} {plan.timezone}" if plan else None,
        "late_since": former.isoformat(timespec="minutes") if late and former else None,
        "paused": asdict(paused) if paused else None,
    }


def waiting(layout: Layout) -> dict[str, Any]:
    """Messages by kind in the outbox for MLflow and in those for the DVC remote and alerts; why the oldest still waits."""
    folders = (layout.outbox, layout.outbox / "remote", layout.outbox / "alerts")
    messages = [message for folder in folders for message in outbox.pending(folder)]
    reason = next((message.reason for message in messages if message.reason), "")
    return {"messages": dict(sorted(Counter(message.kind for message in messages).items())), "reason": reason}


def working(layout: Layout) -> int | None:
    """The process that holds the night's mutex now. It is read, not tried: trying could make a night that starts give up."""
    try:
        pid = int(json.loads(layout.mutex("night").read_text())["pid"])
        os.kill(pid, 0)
    except PermissionError:
        return pid
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid
