"""How a night begins: the one mutex, params.yaml, the environment. The quick refusals, before heavy imports."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flows.night import Night
from flows.options import Options
from kindex.core import layout as layouts
from kindex.core import mutex, nights, pause
from kindex.core import params as settings
from kindex.core.errors import DamagedError
from kindex.core.files import sha256_file, write_atomic
from kindex.core.layout import Layout
from kindex.core.params import Params
from tasks import calendar, environment, fencing, leftovers, room
from tasks.clock import Clock
from tasks.forkserver import ForkServer
from tasks.orchestration import Conductor

DONE = ("unchanged", "held", "live")
"""Outcomes of a model that need no second run of a scheduled night; a failure does."""


class LeftOutError(Exception):
    """There is nothing to do for this night, on purpose: it is paused, or done already. The message says why."""


@contextmanager
def opened(options: Options, clock: Clock) -> Iterator[Night]:
    """A night with the project's one mutex held and params.yaml checked: the quick refusals, before heavy imports.

    Raises `ConfigError` (2), `BusyError` (5) when another flow works on the project, `OutsideError` (6) on a full disk or
    when the clock went back, and `LeftOutError` for a night that is paused or, when scheduled, done.
    """
    layout = layouts.find(options.root)
    room.require(layout)
    with mutex.hold(layout.mutex("night"), f"the night of {layout.root}"):
        leftovers.end(layout, leftovers.NIGHT)
        environment.settle(layout)
        params = settings.load(layout.params)
        for model in options.models:
            params.model(model)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        models = list(options.models or params.models)
        if not options.again:
            admit(layout, options, models, started)
        with clock.of("imports"):
            check(layout, params)
        with clock.of("Prefect"):
            conductor = Conductor(clock, environment.server(layout))
        former = fencing.nights(layout, models).values()
        fence = fencing.take(layout, options.night, models, started)
        processes = ForkServer(layout.root)
        night = Night(options, layout, params, clock, conductor, started, fence, processes)
        between = calendar.missed(former, options.night)
        if between and options.scheduled and options.missed == "latest":
            dates = f"{between[0]} to {between[-1]}" if between[1:] else between[0]
            night.left_out = f"nobody ran {dates}: only the latest night is made up for (missed: latest)"
            night.record.notices.append(night.left_out)
        try:
            yield night
        finally:
            processes.close()


def admit(layout: Layout, options: Options, models: list[str], started: str) -> None:
    """Whether this night may run now. Raises `LeftOutError`, `OutsideError` or `ConfigError`."""
    if paused := pause.read(layout):
        fencing.pass_over(layout, options.night, models, started)
        raise LeftOutError(
            f"nights are {paused}. Nothing ran. `kindex resume` ends the pause, --force runs a night all the same"
        )
    fencing.require_in_order(layout, options.night, models, by_clock=not options.dated)
    if options.scheduled and done(layout, options.night, models):
        raise LeftOutError(f"night {options.night} is done already. Nothing ran; --force runs it again")


def done(layout: Layout, night: str, models: list[str]) -> bool:
    """Whether the journal says that every one of `models` was published, held or found unchanged on that date."""
    path = layout.nights / f"{night}.json"
    try:
        journal = nights.read_night(path) if path.exists() else None
    except DamagedError:
        return False
    return journal is not None and all(journal.model(model).get("outcome") in DONE for model in models)


def planned(options: Options) -> list[Options]:
    """The runs that were asked for, oldest first: the date given, or tonight's, with the missed ones before it if wanted.

    Raises `ConfigError`.
    """
    if options.night:
        return [options]
    layout = layouts.find(options.root)
    tonight = calendar.tonight(layout)
    last = max(fencing.nights(layout, options.models).values(), default="")
    if last and calendar.between(tonight, last)[1:] == [last]:
        tonight = last  # the clock went back by hours, or the schedule was moved: the night that was called last goes on
    before = calendar.missed([last], tonight) if options.missed == "each" else []
    return [Options(**{**vars(options), "night": night}) for night in [*before, tonight]]


def check(layout: Layout, params: Params) -> None:
    """`check_blocks`, but a params.yaml that passed is not checked again until it is edited. Raises `ConfigError`."""
    marker, wanted = layout.var / "params.checked", sha256_file(layout.params)
    if marker.exists() and marker.read_text() == wanted:
        return
    from kindex.preflight import check_blocks

    check_blocks(params)
    write_atomic(marker, wanted.encode())
