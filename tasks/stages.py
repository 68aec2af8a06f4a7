"""DVC, in this process: what is stale and why, and one target at a time. The only file that imports it.

A stage's command is a process of its own, as `dvc repro` starts it. DVC's locks know processes, not threads: call this
from one thread, and hold the night's mutex.
"""

import contextlib
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kindex.core.errors import BusyError, KindexError, OutsideError
from kindex.core.files import read_json
from kindex.core.layout import Layout

if TYPE_CHECKING:
    pass

FIRST_TIME, PARAMS = "first time", "params.yaml"
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
        with contextlib.chdir(layout.root):
            self._repo: Repo = Repo(str(layout.root))
        for name in ("dvc", "dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.ERROR)  # the night prints its own lines

    def stale(self, targets: list[str]) -> dict[str, str]:
        """Why each target that is not up to date is so, as far as can be seen before anything upstream has run.

        Raises `ConfigError`'s kin for a broken dvc.yaml and `BusyError` when another process uses the repository.
        """
        with self._inside():
            status = self._repo.status(targets=targets)
        return {target: reason(changes, self._changed_settings(target, changes)) for target, changes in status.items()}

    def reproduce(self, stage: str, key: str, say: Callable[[str], None], *, force: bool = False) -> StageRun:
        """Run the stage when DVC finds it stale, or bring its outputs back from the run cache; `say` hears why, before.

        Raises `StageFailedError` with the command's exit code, `BusyError` or `OutsideError` (both may pass).
        """
        target, began = f"{stage}@{key}", time.perf_counter()
        why = self.stale([target]).get(target) or ("forced" if force else "")
        say(why or "up to date")
        if not why:
            return StageRun(stage, key, "up to date", "", time.perf_counter() - began)
        costs = self.layout.costs(stage, key)
        former = _stamp(costs)
        with self._inside(target), _no_orphans(target):
            self._repo.reproduce(target, single_item=True, force=force, run_cache=not force)
        ran = _stamp(costs) != former  # else the outputs came back from the run cache
        work = float(read_json(costs).get("seconds", 0.0)) if ran else 0.0
        return StageRun(stage, key, "ran" if ran else "restored", why, time.perf_counter() - began, work)

    def _changed_settings(self, target: str, changes: Any) -> list[str]:
        """The settings, by their full names, that differ from those in dvc.lock."""
        named = [name for part in changes if isinstance(part, Mapping) for name in _settings(part)]
        if not named:
            return []
        lock, params = (_read_yaml(self.layout.root / name) for name in ("dvc.lock", PARAMS))
        recorded = lock["stages"][target]["params"][PARAMS]
        return [leaf for name in named for leaf in changed_leaves(recorded.get(name), _at(params, name), name)]

    @contextlib.contextmanager
    def _inside(self, target: str = "dvc.yaml") -> Iterator[None]:
        """In the project's folder, which DVC wants to be the current one; with its errors as ours."""
        from dvc.exceptions import DvcException

        with contextlib.chdir(self.layout.root):
            try:
                yield
            except (DvcException, OSError) as error:
                raise _translated(error, target, self.layout) from error


def reason(changes: Any, settings: Sequence[str] = ()) -> str:
    """One line out of what `dvc status` says of a stage; `settings` are the parameters that changed.

    >>> reason([{"changed deps": {"params.yaml": {"models.m": "modified"}, "data/split/c": "modified"}}], ["models.m.seed"])
    'models.m.seed and data/split/c changed'
    """
    parts = [part for part in changes if isinstance(part, Mapping)]
    deps = {name: state for part in parts for name, state in part.get("changed deps", {}).items()}
    outs = {name: state for part in parts for name, state in part.get("changed outs", {}).items()}
    if deps.get(PARAMS) == "new":  # not even the names of the parameters are in dvc.lock
        return FIRST_TIME
    changed = [*settings, *(name for name in deps if name != PARAMS)]
    if "changed command" in changes:
        changed.append("the command in dvc.yaml")
    if changed:
        return f"{_listed(changed)} changed"
    if outs:
        states = set(outs.values())
        return f"{_listed(list(outs))} {'is missing' if states == {'deleted'} else 'is not what was recorded'}"
    return _listed([str(part) for part in changes])


def changed_leaves(old: Any, new: Any, name: str) -> list[str]:
    """Full names of the values that differ.

    >>> changed_leaves({"seed": 7, "dimensions": 50}, {"seed": 7, "dimensions": 48}, "models.m")
    ['models.m.dimensions']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [key for key in [*new, *(key for key in old if key not in new)] if old.get(key) != new.get(key)]
        return [leaf for key in keys for leaf in changed_leaves(old.get(key), new.get(key), f"{name}.{key}")]
    return [name]


def _settings(part: Mapping[str, Any]) -> list[str]:
    state = part.get("changed deps", {}).get(PARAMS, {})
    return list(state) if isinstance(state, Mapping) else []


def _at(tree: Any, name: str) -> Any:
    for key in name.split("."):
        tree = tree.get(key, {}) if isinstance(tree, Mapping) else {}
    return tree


def _read_yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _listed(names: list[str], most: int = 3) -> str:
    shown = names[:most] + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


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
            return BusyError(f"{target}: {str(cause).splitlines()[0]}")
        if found := re.search(r"exited with (-?\d+)", str(cause)):
            return _failure(target, int(found[1]), layout)
    for cause in chain:
        if isinstance(cause, OSError):
            return OutsideError(f"{target}: {cause}")
    return StageFailedError(f"{target}: {error.__cause__ or error}. See dvc.yaml and params.yaml", 2)


def _failure(target: str, code: int, layout: Layout) -> StageFailedError:
    """A command that failed, in the stage's own words when it left any. Raises `KeyboardInterrupt` when a person ended it."""
    if code in (-signal.SIGINT, 128 + signal.SIGINT):  # DVC ignores Ctrl-C while a command runs
        raise KeyboardInterrupt
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
        for pid in _descendants(os.getpid()):
            with contextlib.suppress(OSError):
                if f"DVC_STAGE={target}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    os.kill(pid, signal.SIGKILL)
        raise


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_descendants(child)]
    return found
