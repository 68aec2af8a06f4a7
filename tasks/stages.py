"""DVC, in this process: what is stale and why, and one target at a time. The only file that runs it.

A stage's command is a process of its own, as `dvc repro` starts it. DVC's locks know processes, not threads: call this
from one thread, and hold the night's mutex.
"""

import contextlib
import logging
import os
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kindex.core.errors import BusyError, KindexError, OutsideError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from tasks import dvclock, room, rwlock
from tasks.dvclock import changed_settings, kept
from tasks.leftovers import descendants
from tasks.reasons import changed_inputs, reason

PASSING = (BusyError.exit_code, OutsideError.exit_code)
"""Exit codes of what may be over in a minute: another run's lock, an outside system. The others stay as they are."""


@dataclass(frozen=True)
class StageRun:
    """What became of one target. `outcome`: ran, restored (from DVC's run cache), up to date, failed or skipped."""

    stage: str
    key: str
    outcome: str
    why: str
    seconds: float = 0.0
    work_seconds: float = 0.0  # what the stage says that it took, without starting its process
    exit_code: int = 0

    @property
    def target(self) -> str:
        return f"{self.stage}@{self.key}"


class StageFailedError(KindexError):
    """A stage's command ended with `exit_code`; the message is the stage's own."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Pipeline:
    """The stages of dvc.yaml in `layout.root`. Opening it imports dvc, about a second."""

    def __init__(self, layout: Layout) -> None:
        from dvc.repo import Repo

        self.layout = layout
        dvclock.mend(layout)
        with self._inside():
            self._repo: Repo = Repo(str(layout.root))
            rwlock.mend(Path(str(self._repo.tmp_dir)), layout.var / "dvc.pid")
        for name in ("dvc", "dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.ERROR)  # the night prints its own lines

    def stale(self, targets: list[str]) -> dict[str, str]:
        """Why each target that is not up to date is so, as far as can be seen before anything upstream has run.

        Raises `ConfigError`'s kin for a broken dvc.yaml and `BusyError` when another process uses the repository.
        """
        with self._inside():
            status = self._repo.status(targets=targets)
        return {target: reason(changes, changed_settings(self.layout, target, changes)) for target, changes in status.items()}

    def inputs(self, target: str) -> list[str] | None:
        """The inputs of the target that changed since it last ran; None when it is up to date. Raises as `stale` does."""
        with self._inside():
            changes = self._repo.status(targets=[target]).get(target)
        return None if changes is None else changed_inputs(changes)

    def reproduce(self, stage: str, key: str, say: Callable[[str], None], *, force: bool = False) -> StageRun:
        """Run the stage when DVC finds it stale, or bring its outputs back from the run cache; `say` hears why, before.

        Raises `StageFailedError` with the command's exit code, `BusyError` or `OutsideError` (both may pass).
        """
        target, began = f"{stage}@{key}", time.perf_counter()
        why = self.stale([target]).get(target) or ("forced" if force else "")
        say(why or "up to date")
        if not why:
            return StageRun(stage, key, "up to date", "", time.perf_counter() - began)
        room.require(self.layout, target)
        costs = self.layout.costs(stage, key)
        former = _stamp(costs)
        with self._inside(target), _no_orphans(target), kept(self.layout):
            self._repo.reproduce(target, single_item=True, force=force, run_cache=not force)
        ran = _stamp(costs) != former  # else the outputs came back from the run cache
        work = float(read_json(costs).get("seconds", 0.0)) if ran else 0.0
        return StageRun(stage, key, "ran" if ran else "restored", why, time.perf_counter() - began, work)

    @contextlib.contextmanager
    def _inside(self, target: str = "dvc.yaml") -> Iterator[None]:
        """In the project's folder, which DVC wants to be the current one; with its errors as ours."""
        from dvc.exceptions import DvcException

        with contextlib.chdir(self.layout.root):
            try:
                yield
            except (DvcException, OSError, sqlite3.Error) as error:
                raise _translated(error, target, self.layout) from error


def _translated(error: BaseException, target: str, layout: Layout) -> KindexError:
    """DVC's error as ours: the exit code of a command, a lock that another holds, an outside system, or a bad dvc.yaml."""
    from dvc.lock import LockError

    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    for cause in chain:
        if isinstance(cause, KindexError):
            return cause
        if isinstance(cause, LockError):
            who = str(cause).partition("\n\n")[0]  # what follows is how to break the lock; `tasks.rwlock` does that
            return BusyError(f"{target}: {' '.join(who.split())}")
        if found := re.search(r"exited with (-?\d+)", str(cause)):
            return _failure(target, int(found[1]), layout)
    for cause in chain:
        if isinstance(cause, OSError):
            return OutsideError(f"{target}: {cause}")
        if isinstance(cause, sqlite3.Error):  # on a full disk, mostly: it does not say which file
            free = shutil.disk_usage(layout.root).free / 1e6
            return OutsideError(f"{target}: DVC's database says: {cause}. {layout.root} has {free:,.0f} MB free")
    return StageFailedError(f"{target}: {error.__cause__ or error}. See dvc.yaml and params.yaml", 2)


def _failure(target: str, code: int, layout: Layout) -> StageFailedError:
    """A command that failed, in the stage's own words when it left any. Raises `KeyboardInterrupt` when a person ended it."""
    if code in (-signal.SIGINT, 128 + signal.SIGINT):
        signal.raise_signal(signal.SIGINT)  # DVC ignores Ctrl-C while a command runs
        raise KeyboardInterrupt  # nor was it for this process
    note = layout.failure(*target.split("@", 1))
    if code in (2, 3, 4, 5, 6) and note.exists():
        return StageFailedError(f"{target}: {note.read_text(encoding='utf-8').strip()}", code)
    ended = f"was ended by signal {-code if code < 0 else code - 128}" if code < 0 or code > 128 else f"ended with {code}"
    return StageFailedError(f"{target}: its command {ended}; what it printed is above", 1)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells a file from the one that took its place."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


@contextlib.contextmanager
def _no_orphans(target: str) -> Iterator[None]:
    """A timeout or a cancelled run leaves `reproduce` by an exception: take the stage's own process along."""
    try:
        yield
    except BaseException:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                if f"DVC_STAGE={target}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    os.kill(pid, signal.SIGKILL)
        raise
