"""Nights paused by a person: `var/paused.json`. Flows honour it; `kindex pause` writes it and `kindex resume` removes it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.layout import Layout


@dataclass(frozen=True)
class Pause:
    """`until` is a moment (ISO, UTC) or empty: until somebody resumes. `since` is when it was paused."""

    because: str
    since: str
    until: str = ""

    def __str__(self) -> str:
        end = f" until {self.until}" if self.until else ""
        return f"paused since {self.since}{end}: {self.because}"

    def over(self, now: datetime) -> bool:
        """Whether its time is over; one without an end never is."""
        return bool(self.until) and datetime.fromisoformat(self.until) <= now


def write(layout: Layout, pause: Pause) -> None:
    """Pause the nights of this project; a former pause is replaced. One that works already goes on."""
    write_atomic(path(layout), pretty_json(asdict(pause)))


def read(layout: Layout, now: datetime | None = None) -> Pause | None:
    """The pause that holds at `now`, or None. A file that cannot be read holds, for somebody meant to pause."""
    if not path(layout).exists():
        return None
    try:
        raw = read_json(path(layout))
        found = Pause(str(raw["because"]), str(raw["since"]), moment(str(raw["until"])) if raw.get("until") else "")
    except (DamagedError, KeyError, TypeError, ConfigError):
        return Pause(f"{path(layout)} cannot be read", "an unknown time")
    return None if found.over(now or datetime.now(UTC)) else found


def clear(layout: Layout) -> bool:
    """Remove the pause; whether there was a file."""
    there = path(layout).exists()
    path(layout).unlink(missing_ok=True)
    return there


def moment(text: str) -> str:
    """A date (its beginning) or a time, as a moment in UTC to the minute. Without a zone it is UTC's. Raises `ConfigError`.

    >>> moment("2026-11-25"), moment("2026-11-25T03:00+01:00")
    ('2026-11-25T00:00+00:00', '2026-11-25T02:00+00:00')
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--until is {text!r}, allowed: YYYY-MM-DD or YYYY-MM-DDTHH:MM, UTC") from None
    there = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return there.isoformat(timespec="minutes")


def path(layout: Layout) -> Path:
    return layout.var / "paused.json"
