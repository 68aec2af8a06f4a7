"""Reading what every night did: `var/nights/<logical date>.json`, as `tasks.journal` writes it.

A night is plain data. Whoever reads it takes what it knows and goes on without the rest, so that nights of older and of
newer versions of kindex stand in one history.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeGuard

from kindex.core.errors import DamagedError
from kindex.core.files import read_json

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
Entry = Mapping[str, Any]

NEWEST = 400
"""Dates that a reader looks at: more than a year. The files of earlier ones stay, and cost nothing."""

STRENGTH = ("none", "refused", "unchanged", "failed", "held", "live")
"""What can become of a model in one run, from the least to what a date is remembered by."""


@dataclass(frozen=True)
class Night:
    """One logical date (UTC) and its runs, oldest first."""

    date: str
    runs: tuple[Entry, ...]

    @property
    def last(self) -> Entry:
        """The last run; {} when there is none."""
        return self.runs[-1] if self.runs else {}

    def model(self, name: str) -> Entry:
        """What the date is remembered by for one model: of its runs the strongest, and of equals the last; or {}."""
        entries = [part(run, "models", name) for run in self.runs]
        return max(enumerate(entries), key=lambda pair: (strength(pair[1]), pair[0]), default=(0, {}))[1]

    @property
    def outcome(self) -> str:
        """`failed`, `held`, `done`, `unchanged` or `refused`: of the last run that did anything."""
        told = [str(run.get("outcome", "")) for run in self.runs]
        busy = [outcome for outcome in told if outcome not in ("unchanged", "refused", "")]
        return (busy or told or [""])[-1]

    @property
    def seconds(self) -> float:
        """Of all its runs."""
        return sum(float(run["total"]) for run in self.runs if is_number(run.get("total")))


@dataclass(frozen=True)
class History:
    """Nights, oldest first, the files of the folder that are none, and how many earlier dates were not read."""

    nights: tuple[Night, ...]
    damaged: tuple[str, ...] = ()
    earlier: int = 0

    def models(self) -> list[str]:
        """Every model that a night worked for, by name."""
        return self._names("models")

    def catalogues(self) -> list[str]:
        """Every catalogue that a night looked at, by name."""
        return self._names("catalogues")

    def _names(self, section: str) -> list[str]:
        named = (mapping(run.get(section)) for _, run in self.runs())
        return sorted({str(name) for parts in named for name, entry in parts.items() if mapping(entry)})

    def runs(self) -> Iterator[tuple[str, Entry]]:
        """Dates and runs, oldest first."""
        for night in self.nights:
            for run in night.runs:
                yield night.date, run


def read_history(folder: Path, newest: int = NEWEST) -> History:
    """The `newest` dates in `folder`; a folder that is not there holds no night."""
    paths = sorted(path for path in folder.glob("*.json") if is_date(path.stem))
    found, damaged = [], []
    for path in paths[-newest:]:
        try:
            found.append(read_night(path))
        except DamagedError:
            damaged.append(path.name)
    return History(tuple(found), tuple(damaged), len(paths[:-newest]))


def read_night(path: Path) -> Night:
    """One file. Raises `DamagedError` naming one that is no journal of the date in its name."""
    raw = read_json(path)
    if not isinstance(raw, Mapping) or raw.get("night") != path.stem or not isinstance(raw.get("runs"), list):
        raise DamagedError(f"{path} is not the journal of a night. Remove it, or restore it from a backup")
    return Night(path.stem, tuple(run for run in raw["runs"] if isinstance(run, Mapping)))


def part(run: Entry, section: str, name: str) -> Entry:
    """One catalogue's or model's part of a run; {} when it has none."""
    return mapping(mapping(run.get(section)).get(name))


def stages(run: Entry) -> list[Entry]:
    """The stages of a run that say how long they took, each once: catalogues' first, then models'."""
    parts = [entry for section in ("catalogues", "models") for entry in mapping(run.get(section)).values()]
    listed = [stage for entry in parts for stage in entries(mapping(entry).get("stages"))]
    return [stage for stage in listed if is_number(stage.get("seconds"))]


def messages(run: Entry) -> list[str]:
    """What went wrong in a run, in its own words."""
    troubles = run.get("troubles")
    told = troubles if isinstance(troubles, list) else []
    return [str(one[1]) for one in told if isinstance(one, list | tuple) and len(one) == 2]


def total(counts: Any) -> int | None:
    """The sum over tables; None when nothing was counted."""
    values = [value for value in mapping(counts).values() if is_number(value)]
    return int(sum(values)) if values else None


def strength(entry: Entry) -> int:
    """The place of a model's outcome in `STRENGTH`; what is not known is as little as none."""
    outcome = entry.get("outcome")
    return STRENGTH.index(outcome) if outcome in STRENGTH else -1 if not entry else 0


def is_date(text: str) -> bool:
    """Whether `text` is a date that the calendar has, as YYYY-MM-DD."""
    try:
        return bool(DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def mapping(value: Any) -> Entry:
    """`value` if it is a mapping, else {}."""
    return value if isinstance(value, Mapping) else {}


def entries(value: Any) -> list[Entry]:
    """The mappings in `value` if it is a list, else []."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite int or float; a truth value is not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
