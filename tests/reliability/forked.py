"""Whole nights in forked processes that find everything imported: seconds each, so that every single step can be tried.

With `inside`, DVC runs a stage's command in the night's own process: the fault points of a night (`kindex.core.files`) are
then numbered in one row, from the sources' locks to the journal. Without it stages are processes, as in a real night.
"""

import gc
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kindex.core import files
from kindex.core.layout import Layout
from tests import projects

LONGEST = 300.0  # seconds; a night of this size that takes longer hangs


@dataclass
class Night:
    """A night that has begun in the process `pid`, which leads a group of its own; it prints to `log`, which has no name."""

    log: IO[bytes]
    pid: int = 0
    ended: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.ended = os.waitstatus_to_exitcode(status) if pid else None
        return self.ended

    def code(self, longest: float = LONGEST) -> int:
        """Wait for the end. Raises `TimeoutError`, with the whole group killed, when there is none."""
        until = time.monotonic() + longest
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"the night hangs: {self.said[-500:]}")
            time.sleep(0.01)
        return code

    def kill(self) -> int:
        """kill -9 of the night and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.code()

    @property
    def said(self) -> str:
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")


def begin(layout: Layout, date: str, fault: str = "", *, inside: bool = False, modules: Path | None = None) -> Night:
    """Fork a night of this date; `fault` is what KINDEX_FAULT says in it; what it imported goes to the file `modules`."""
    night = Night(tempfile.TemporaryFile())  # noqa: SIM115  (without a name, and not on the project's disk, which may be full)
    gc.freeze()  # else the fork's collector writes to, and so copies, all that was imported
    night.pid = os.fork()
    if night.pid:
        return night
    code = 70
    try:
        os.setsid()
        _become(layout, fault, night.log, inside)
        from flows import nightly

        code = nightly.main(["--root", str(layout.root), "--date", date])
        if modules:
            modules.write_text("\n".join(sys.modules))
    except BaseException:
        traceback.print_exc()
    finally:  # come what may, this process must not go back into the code of the one that tries it
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _become(layout: Layout, fault: str, log: IO[bytes], inside: bool) -> None:
    """The environment of a process that was started in the project, and its output in a file."""
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", 1, closefd=False) for descriptor in (1, 2))
    nowhere = {"PREFECT_API_URL": "http://127.0.0.1:9/api", **({"KINDEX_FAULT": fault} if fault else {})}
    given = projects.environment(layout.root, **nowhere)
    os.environ.clear()
    os.environ.update(given)
    os.chdir(layout.root)
    files._reached = 0
    if inside:
        import dvc.stage.run

        from tasks.forkserver import ForkServer

        dvc.stage.run._run = _stage_inside
        ForkServer.start = lambda server: None  # type: ignore[method-assign]  # nobody would ask it


def _stage_inside(executable: str | None, command: str, **options: object) -> None:
    """In place of DVC's starting of a process for `python -m kindex.stages STAGE KEY`."""
    from dvc.stage.exceptions import StageCmdFailedError

    from kindex.stages.parts import running as stages

    stages.die_with_parent = lambda: None  # the night's own parent is the one who tries it
    if code := stages.main(command.split()[3:]):
        raise StageCmdFailedError(command, code)


def import_all(names: list[str]) -> None:
    """What a night imported, so that the next forks find it; with the settings under which a night imports it."""
    from tasks.environment import defaults

    kept = dict(os.environ)
    os.environ.update(defaults(Layout(Path("/nowhere"))))
    try:
        for name in names:
            with suppress(Exception):
                importlib.import_module(name)
    finally:
        os.environ.clear()
        os.environ.update(kept)
