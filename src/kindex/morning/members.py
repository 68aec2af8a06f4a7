"""How one model and one catalogue stand: what answers, what was held and why, which rows are refused."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from kindex.core import release
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from kindex.core.nights import Entry, History, entries, mapping, messages, part, total


def of_model(layout: Layout, history: History, model: str, now: datetime) -> dict[str, Any]:
    """The live release with its age in days, a candidate that is newer and held, and what the last night made of it."""
    folder = layout.releases(model)
    found: dict[str, Any] = {"live": None, "night": None, "age_days": None, "damaged": "", "candidate": None}
    try:
        pointer = release.current(folder)
        if pointer:
            manifest = release.read_manifest(folder, pointer.version)
            night = str(manifest.about.get("night") or "")
            found |= {"live": pointer.version, "night": night, "age_days": age(night, now)}
        newest = release.names(folder)[-1:]
        if newest and (pointer is None or release.number(newest[0]) > release.number(pointer.version)):
            found["candidate"] = candidate(layout, model, newest[0], bool(pointer and newest[0] in pointer.withdrawn))
    except KindexError as error:
        found["damaged"] = str(error)
    return {**found, "last": last_of(history, model)}


def candidate(layout: Layout, model: str, version: str, withdrawn: bool) -> dict[str, Any]:
    """A version newer than the live one: why it does not answer, and where its report is."""
    about = release.read_manifest(layout.releases(model), version).about
    page = layout.releases(model) / version / "notes" / "report.html"
    why = ["taken back by a person"] if withdrawn else failures(mapping(about.get("verdict")))
    return {"version": version, "withdrawn": withdrawn, "why": why, "report": str(page) if page.is_file() else None}


def failures(verdict: Mapping[str, Any]) -> list[str]:
    """The lines of a verdict that failed, for people."""
    lines = entries(verdict.get("lines"))
    return [f"{line.get('metric')} {line.get('rule')}: {line.get('reason')}" for line in lines if line.get("passed") is False]


def last_of(history: History, model: str) -> dict[str, Any] | None:
    """The last night that worked for the model: its date, outcome, and why it was held or failed."""
    for night in reversed(history.nights):
        entry = night.model(model)
        if entry:
            why = failures(mapping(entry.get("verdict"))) if entry.get("outcome") != "live" else []
            why += [str(entry["trouble"])] if entry.get("trouble") else []
            why += [reason for run in night.runs for reason in _failed(run, model, entry)]
            names = ("outcome", "version", "built", "churn")
            return {"night": night.date, **{name: entry.get(name) for name in names}, "why": list(dict.fromkeys(why))}
    return None


def _failed(run: Entry, model: str, entry: Entry) -> Sequence[str]:
    """What stopped a model whose outcome is `failed`: its own stage's message, or the run's."""
    if entry.get("outcome") != "failed" or not part(run, "models", model):
        return []
    stages = entries(part(run, "models", model).get("stages"))
    return [str(stage["why"]) for stage in stages if stage.get("outcome") == "failed" and stage.get("why")] or messages(run)


def of_catalogue(history: History, name: str) -> dict[str, Any]:
    """Rows and refused rows of the last night that knew them, when its source last moved, and what stopped it last night."""
    found: dict[str, Any] = {
        "rows": None,
        "refused": None,
        "share": None,
        "night": None,
        "moved": None,
        "brought": "",
        "stopped": "",
    }
    told = [(day, part(run, "catalogues", name)) for day, run in history.runs()]
    for day, entry in (pair for pair in told if pair[1]):
        found["stopped"] = str(entry.get("stopped") or "")
        if entry.get("moved"):
            found |= {"moved": day, "brought": str(entry.get("brought") or "")}
        rows, refused = total(entry.get("rows")), total(entry.get("refused"))
        if rows is not None or refused is not None:
            share = (refused or 0) / (rows + (refused or 0)) if rows else None
            found |= {"night": day, "rows": rows, "refused": refused or 0, "share": share}
    return found


def age(night: str, now: datetime) -> int | None:
    """Days from a release's logical date to today's in UTC; never below 0."""
    try:
        return max(0, (now.astimezone(UTC).date() - date.fromisoformat(night)).days)
    except ValueError:
        return None
