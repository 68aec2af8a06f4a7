"""All nights as a table, newest first: what came of each, how long it took, and what went wrong."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from kindex.core.nights import History, mapping, messages
from kindex.morning.members import failures
from kindex.morning.page.timeline import Mark
from kindex.morning.told import spell

OPEN = 14
"""Nights that are shown at once; the others are folded away."""

OUTCOMES = {"done": "done", "held": "held", "failed": "failed", "unchanged": "unchanged", "refused": "did not begin"}

Pages = Collection[tuple[str, str]]
"""Models and versions whose report page is there."""


def rows(history: History, lanes: Mapping[str, Sequence[Mark]], pages: Pages) -> list[dict[str, Any]]:
    """A row for each date."""
    by_date = {model: {mark.date: mark for mark in line} for model, line in lanes.items()}
    found = []
    for night in reversed(history.nights):
        told = [text.splitlines()[0] for run in night.runs for text in messages(run) if text.strip()]
        told += [f"{model}: {why}" for model, marks in by_date.items() for why in held(marks.get(night.date))]
        cells = [cell(model, marks.get(night.date), pages) for model, marks in by_date.items()]
        found.append(
            {
                "date": night.date,
                "outcome": OUTCOMES.get(night.outcome, night.outcome or "not known"),
                "bad": night.outcome in ("held", "failed"),
                "took": spell(night.seconds),
                "runs": len(night.runs),
                "cells": cells,
                "troubles": list(dict.fromkeys(told)),
            }
        )
    return found


def held(mark: Mark | None) -> list[str]:
    """Why a candidate was held, as far as it was."""
    if mark is None or mark.outcome != "held":
        return []
    trouble = mark.entry.get("trouble")
    return [*failures(mapping(mark.entry.get("verdict"))), *([str(trouble)] if trouble else [])]


def cell(model: str, mark: Mark | None, pages: Pages) -> dict[str, str]:
    """What became of one model, with a link to the report of its candidate where that still is."""
    if mark is None:
        return {"model": model, "told": "–", "link": "", "built": ""}
    return {
        "model": model,
        "told": mark.told,
        "link": link(model, mark.version, pages),
        "built": str(mark.entry.get("built") or ""),
    }


def link(model: str, version: str, pages: Pages) -> str:
    """From var/nights to the report page in the release."""
    return f"../../releases/{quote(model)}/{quote(version)}/notes/report.html" if (model, version) in pages else ""
