"""Each launcher is asked for hosts that are not loopback, or look like it, with and without passwords: `infra/start.sh` for
Prefect and for MLflow beside a `python` that only says what it was called with, and `python -m tasks.ui` up to the point
where it would start its servers. What must be refused exits 2, starts nothing, and repeats no password; what is started
listens where it was allowed to. In the long form servers are started, too, and the sockets of all their processes read from
the system: the pages of `make ui` on loopback; the same for the network with a password, where Prefect answers nothing but
its health without it; and a night that starts a temporary server of its own. The ports of compose.yaml are loopback's in
either form.
"""

import contextlib
import io
import itertools
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from kindex.core.layout import Layout
from tasks import environment, ui
from tests.infra import test_settings
from tests.infra.starting import MLFLOW, PREFECT, Start, starter
from tests.reliability import Say, Seen, listening

NUMBER = 20
PROMISE = "doors are closed"
WANTED = "every server binds to loopback unless a password is set; each launcher refuses otherwise"

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HOSTS = (
    *("0.0.0.0", "10.1.2.3", "::", "example.org", "127.0.0.1.example.org", "127.1", "2130706433", "::ffff:127.0.0.1"),
    *("LOCALHOST", "localhost.localdomain", "0", "*", "127.0.0.1 ", " localhost", "127.0.0.1/8", "127.0.0.1,0.0.0.0", "[::1]"),
)
GOOD = ("team:0123456789ab", "a:0123456789ab:cd")
BAD = ("", "team", "team:", ":", ":0123456789ab", "team:0123456789a", "0123456789abcdef")
CASES = list(itertools.product(("start.sh prefect", "start.sh mlflow", "tasks.ui"), (*HOSTS, *LOOPBACK), (*BAD, *GOOD)))
random.Random(7).shuffle(CASES)  # the small form takes the first ones
LONG, SMALL, SLOW = len(CASES), 60, False


def tried(scratch: Path, count: int, say: Say) -> Seen:
    seen = Seen()
    start = starter(scratch)
    test_settings.test_every_port_is_loopbacks()
    opened = 0
    for launcher, host, password in CASES[:count]:
        through_ui = launcher == "tasks.ui"
        trouble, went = by_ui(scratch, host, password) if through_ui else by_start(start, launcher.split()[1], host, password)
        opened += went
        seen.expect(not trouble, f"{launcher} on {host!r} with {password!r}: {trouble}")
    seen.notes.append(f"{seen.tries - opened} refused, {opened} started: on loopback, or Prefect with a password")
    if count >= LONG:
        for what, trouble in listening.servers(scratch, say):
            seen.expect(not trouble, f"{what}: {trouble}")
            seen.notes.append(what)
    return seen


def by_start(start: Start, part: str, host: str, password: str) -> tuple[str, bool]:
    """What is wrong with how start.sh took it, and whether it started the part."""
    if part == "prefect":
        given = {**PREFECT, "PREFECT_SERVER_API_AUTH_STRING": password, "KINDEX_PREFECT_HOST": host}
        allowed = password in GOOD  # asked for on loopback, too: a team's server
    else:
        given = {**MLFLOW, "KINDEX_MLFLOW_HOST": host, "PREFECT_SERVER_API_AUTH_STRING": password}
        allowed = host in LOOPBACK  # it asks for no password, whatever Prefect does
    done = start(part, **given)
    if done.returncode == 0:
        return ("" if allowed and f"--host {host} --port" in done.stdout else f"started: {done.stdout[:80]}"), True
    return wrong(done.returncode, done.stdout, done.stderr, password, allowed), False


def by_ui(scratch: Path, host: str, password: str) -> tuple[str, bool]:
    """The same for `python -m tasks.ui --host`."""
    begun: list[Any] = []

    @contextmanager
    def started(wanted: Any, layout: Layout) -> Iterator[None]:
        begun.extend(page.command for page in wanted)
        raise KeyboardInterrupt
        yield

    (scratch / "params.yaml").touch()
    said, told = io.StringIO(), io.StringIO()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    given = {**plain, "PREFECT_SERVER_API_AUTH_STRING": password}
    with (
        mock.patch.dict(os.environ, given, clear=True),
        mock.patch.object(ui, "started", started),
        mock.patch.object(ui, "free_port", lambda host, first: first),
        mock.patch.object(ui.stores, "prepare", lambda layout: None),
        mock.patch.object(ui.signal, "signal", lambda *_: None),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
    ):
        code = ui.main(["--root", str(scratch), f"--host={host}"])
    allowed = host in LOOPBACK or password in GOOD
    if begun:
        hosts = {command[2]: command[command.index("--host") + 1] for command in begun}
        return ("" if allowed and hosts == {"prefect": host, "mlflow": environment.LOOPBACK[0]} else f"started: {hosts}"), True
    return wrong(code, said.getvalue(), told.getvalue(), password, allowed), False


def wrong(code: int, said: str, told: str, password: str, allowed: bool) -> str:
    """What is wrong with a refusal, if anything."""
    if allowed:
        return f"refused: {told}"
    if code != 2 or said:
        return f"exit {code}, {said!r}"
    if not told.strip():
        return "refused without a word"
    hidden = password.rpartition(":")[2]
    return "it repeats the password" if len(hidden) > 4 and hidden in told else ""
