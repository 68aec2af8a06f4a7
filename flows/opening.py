"""How a night begins: the one mutex, params.yaml, the environment. The quick refusals, before heavy imports."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flows.night import Night
from flows.options import Options
from kindex.core import layout as layouts
from kindex.core import mutex
from kindex.core import params as settings
from kindex.core.files import sha256_file, write_atomic
from kindex.core.layout import Layout
from kindex.core.params import Params
from tasks import environment, leftovers, room
from tasks.clock import Clock
from tasks.orchestration import Conductor


@contextmanager
def opened(options: Options, clock: Clock) -> Iterator[Night]:
    """A night with the project's one mutex held and params.yaml checked: the quick refusals, before heavy imports.

    Raises `ConfigError` (2), `BusyError` (5) when another flow works on the project, `OutsideError` (6) on a full disk.
    """
    layout = layouts.find(options.root)
    room.require(layout)
    with mutex.hold(layout.mutex("night"), f"the night of {layout.root}"):
        leftovers.end_server(layout)
        environment.settle(layout)
        params = settings.load(layout.params)
        for model in options.models:
            params.model(model)
        with clock.of("imports"):
            check(layout, params)
        with clock.of("Prefect"):
            conductor = Conductor(clock, environment.server(layout))
        started = datetime.now(UTC).isoformat(timespec="seconds")
        yield Night(options, layout, params, clock, conductor, started)


def check(layout: Layout, params: Params) -> None:
    """`check_blocks`, but a params.yaml that passed is not checked again until it is edited. Raises `ConfigError`."""
    marker, wanted = layout.var / "params.checked", sha256_file(layout.params)
    if marker.exists() and marker.read_text() == wanted:
        return
    from kindex.preflight import check_blocks

    check_blocks(params)
    write_atomic(marker, wanted.encode())
