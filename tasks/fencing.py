"""The fence: who the newest run is, and up to which night each model has come. It keeps a late run from publishing.

    var/fence.json     {"token": 17, "nights": {"modules-pairs": "2026-11-21"}, "started": "2026-11-21T02:00:04+00:00"}

The night's mutex lets one run work at a time. Where it failed (a lock file that was removed, a disk that two machines share)
an old run that wakes up finds that its token is not the newest any more, and may neither write nor publish (a fencing token:
Kleppmann, Designing Data-Intensive Applications, 2017, chapter 8). Between looking at the token and moving the pointer no
other run can begin, for both hold the mutex of the fence; and the pointer moves by compare-and-swap besides.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import BusyError, ConfigError, DamagedError, OutsideError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.layout import Layout

WAIT = 10.0  # seconds that a run which begins waits for one that publishes just now


@dataclass(frozen=True)
class Fence:
    """One run's place in the order of all runs."""

    layout: Layout
    token: int

    def check(self) -> None:
        """Raise `BusyError` when a newer run has begun."""
        newest = _read(self.layout).get("token", 0)
        if newest != self.token:
            raise BusyError(
                f"this run is late: another began after it (run {newest} of this project; this is run {self.token}). "
                "It publishes nothing; the newer one goes on"
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """The token checked, and no other run begins during the block. Raises `BusyError`."""
        with _mutex(self.layout):
            self.check()
            yield


def take(layout: Layout, night: str, models: Iterable[str], started: str) -> Fence:
    """Become the newest run, for `night` and `models`. The caller holds the night's mutex. Raises `BusyError`."""
    with _mutex(layout):
        former = _read(layout)
        token = former.get("token", 0) + 1
        _write(layout, token, _advanced(former, night, models), started)
    return Fence(layout, token)


def pass_over(layout: Layout, night: str, models: Iterable[str], started: str) -> None:
    """The night is left out on purpose (nights are paused): it does not count as missed. Raises `BusyError`."""
    with _mutex(layout):
        former = _read(layout)
        _write(layout, former.get("token", 0), _advanced(former, night, models), started)


def nights(layout: Layout, models: Iterable[str] = ()) -> dict[str, str]:
    """The last logical date of each model (of all, when none is named) that had one."""
    known: dict[str, str] = _read(layout).get("nights", {})
    wanted = set(models) or set(known)
    return {model: night for model, night in known.items() if model in wanted}


def last_started(layout: Layout) -> str:
    """When the newest run began (ISO, UTC); an empty string before the first."""
    return str(_read(layout).get("started", ""))


def require_in_order(layout: Layout, night: str, models: Iterable[str], *, by_clock: bool) -> None:
    """Refuse a night before the last one of one of the models. `by_clock`: the date is the clock's and not a person's.

    Raises `OutsideError` (6) when the clock went back, and `ConfigError` (2) for a date that a person gave.
    """
    past = {model: last for model, last in nights(layout, models).items() if last > night}
    if not past:
        return
    model, last = max(past.items(), key=lambda pair: (pair[1], pair[0]))
    if by_clock:
        raise OutsideError(
            f"the clock says that tonight is {night}, but {model} had its night of {last} already: the clock went back. "
            f"Set it right. If it was ahead before, remove {_path(layout)} once it is right"
        )
    raise ConfigError(
        f"{night} lies before {last}, the last night of {model}. Sources are read as they are now, so an earlier night could "
        "only put today's data under an older date. --force runs it all the same"
    )


def _advanced(former: Mapping[str, Any], night: str, models: Iterable[str]) -> dict[str, str]:
    known: dict[str, str] = dict(former.get("nights", {}))
    return {**known, **{model: max(night, known.get(model, "")) for model in models}}


def _read(layout: Layout) -> dict[str, Any]:
    """What the fence says; {} before the first run. A file that is damaged counts as none: tokens begin anew."""
    path = _path(layout)
    if not path.exists():
        return {}
    try:
        raw = read_json(path)
        whole = isinstance(raw["token"], int) and all(isinstance(night, str) for night in raw["nights"].values())
    except (DamagedError, KeyError, TypeError, AttributeError):
        return {}
    return raw if whole else {}


def _write(layout: Layout, token: int, known: Mapping[str, str], started: str) -> None:
    write_atomic(_path(layout), pretty_json({"token": token, "nights": dict(known), "started": started}))


def _mutex(layout: Layout) -> AbstractContextManager[None]:
    return mutex.hold(layout.mutex("fence"), "the publishing of another run", wait_seconds=WAIT)


def _path(layout: Layout) -> Path:
    return layout.var / "fence.json"
