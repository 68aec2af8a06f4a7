"""`kindex doctor`: is everything in order here, and if not, what cures it?"""

import fcntl
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kindex.cli.text import printable
from kindex.core import outbox, publish, release
from kindex.core.errors import KindexError, OutsideError
from kindex.core.layout import Layout, find

if TYPE_CHECKING:
    from kindex.core.params import Params

PYTHON = (3, 11)
LITTLE_SPACE, TOO_LITTLE_SPACE = 5e9, 5e8  # bytes


@dataclass(frozen=True)
class Finding:
    """What one look found. `cure` is what to do about a `warn` (works, but) or a `fail`."""

    state: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    cure: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs")] = False) -> None:
    """Look at everything that a night needs, and name the cure of what is wrong. Exit code 6 when something fails."""
    findings = list(examine(find()))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{finding.state:4}  {finding.subject}: {printable(finding.text)}")
            if finding.cure:
                print(f"      → {printable(finding.cure)}")
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(OutsideError.exit_code)


def examine(layout: Layout) -> Iterator[Finding]:
    """All findings. A look that itself goes wrong is a finding, too."""
    looks = (_python, _packages, _disk, _stores, _dvc, _leftovers, _outbox)
    for look in looks:
        yield from _looked(look.__name__.strip("_"), partial(look, layout))
    from kindex.core.params import load

    try:
        params = load(layout.params)
    except KindexError as error:
        yield Finding("fail", "settings", str(error), "`kindex check` after the edit")
        return
    yield Finding("ok", "settings", f"{len(params.catalogues)} catalogues, {len(params.models)} models")
    yield from _looked("locks", partial(_locks, layout, params))
    yield from _looked("releases", partial(_releases, layout, params))


def _looked(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except (KindexError, OSError, ImportError, sqlite3.Error) as error:
        yield Finding("fail", subject, f"cannot be looked at: {error}")


def _python(_: Layout) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == PYTHON:
        yield Finding("ok", "python", found)
    else:
        wanted = ".".join(map(str, PYTHON))
        yield Finding("fail", "python", f"{found}, allowed: {wanted}", f"remove .venv, then `make setup` with Python {wanted}")


def _packages(layout: Layout) -> Iterator[Finding]:
    path = layout.root / "constraints.txt"
    if not path.is_file():
        yield Finding("warn", "packages", "constraints.txt is missing, so versions cannot be compared")
        return
    pins = [line.split("#")[0].split(";")[0].strip() for line in path.read_text().splitlines()]
    differing = []
    for name, _, pinned in (pin.partition("==") for pin in pins if "==" in pin):
        try:
            found = version(name.strip())
        except PackageNotFoundError:
            continue  # a pin binds what is installed; what is missing shows at its import
        if found.split("+")[0] != pinned.strip().split("+")[0]:
            differing.append(f"{name.strip()} {found} (pinned {pinned.strip()})")
    if differing:
        yield Finding("fail", "packages", f"not as pinned: {', '.join(differing)}", "`make setup` installs the pinned ones")
    else:
        yield Finding("ok", "packages", "as constraints.txt pins them")


def _disk(layout: Layout) -> Iterator[Finding]:
    free = shutil.disk_usage(layout.root).free
    state: Literal["ok", "warn", "fail"] = "fail" if free < TOO_LITTLE_SPACE else "warn" if free < LITTLE_SPACE else "ok"
    cure = "" if state == "ok" else "make room: `dvc gc --workspace` drops what no commit here needs"
    yield Finding(state, "disk", f"{free / 1e9:.1f} GB free", cure)


def _stores(layout: Layout) -> Iterator[Finding]:
    for name, variable in (("mlflow", "MLFLOW_TRACKING_URI"), ("prefect", "PREFECT_API_URL")):
        if os.environ.get(variable):
            yield Finding("ok", name, f"given by {variable}")  # which may hold a password
            continue
        path = layout.var / name / f"{name}.db"
        if not path.exists():
            yield Finding("ok", name, "no store yet: the first night makes it")
            continue
        try:
            with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as connection:
                tables = connection.execute("select count(*) from sqlite_master where type = 'table'").fetchone()[0]
            connection.close()
            yield Finding("ok", name, f"{path.relative_to(layout.root)} opens, {tables} tables")
        except sqlite3.Error as error:
            cure = "move it away: the next night makes a new one"
            rebuilt = "; then `python -m tasks.tracking rebuild` tells it every release" if name == "mlflow" else ""
            yield Finding("fail", name, f"{path} is not a usable store: {error}", cure + rebuilt)


def _dvc(layout: Layout) -> Iterator[Finding]:
    if not (layout.root / ".dvc" / "config").is_file():
        yield Finding("fail", "dvc", "no .dvc/config here", "clone the repository anew, or `dvc init`")
        return
    cache = layout.root / ".dvc" / "cache"
    if cache.exists() and not os.access(cache, os.W_OK):
        yield Finding("fail", "dvc", f"{cache} cannot be written", f"give yourself {cache}: `chown -R $USER {cache}`")
    else:
        yield Finding("ok", "dvc", "the cache is there" if cache.exists() else "no cache yet: the first night makes it")


def _leftovers(layout: Layout) -> Iterator[Finding]:
    work = [path for path in (layout.root / "data" / ".work").glob("*") if _is_free(layout.mutex(path.name.split(".")[0]))]
    built = [path for folder in _release_folders(layout) for path in publish.leftovers(folder)]
    names = [path.relative_to(layout.root).as_posix() for path in sorted([*work, *built])]
    if names:
        cure = "nothing to do: the next run of the same stage, or the next release, clears them"
        yield Finding("warn", "leftovers", f"of a run that was stopped: {', '.join(names)}", cure)
    else:
        yield Finding("ok", "leftovers", "none")


def _is_free(mutex: Path) -> bool:
    """Whether no running process holds it. A stage that runs now is not a leftover."""
    if not mutex.exists():
        return True
    with mutex.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _outbox(layout: Layout) -> Iterator[Finding]:
    waiting, damaged = outbox.pending(layout.outbox), outbox.damaged(layout.outbox)
    if damaged:
        cure = "`python -m tasks.tracking rebuild` tells MLflow every release; then remove them"
        yield Finding("warn", "outbox", f"{len(damaged)} damaged messages in {layout.outbox / 'damaged'}", cure)
    if waiting:
        reason = next((f", last refused: {message.reason}" for message in waiting if message.reason), "")
        cure = "the next night delivers them; `python -m tasks.tracking replay` does it now"
        yield Finding("warn", "outbox", f"{len(waiting)} messages wait for an outside system{reason}", cure)
    elif not damaged:
        yield Finding("ok", "outbox", "empty")


def _locks(layout: Layout, params: "Params") -> Iterator[Finding]:
    from kindex.core.lock import read_lock
    from kindex.sources.locking import look

    for key in params.catalogues:
        subject = f"lock {key}"
        try:
            read_lock(layout.lock(key))
            moved = look(layout, params, key)[0]
        except KindexError as error:
            yield Finding("fail", subject, str(error))
            continue
        if not moved:
            yield Finding("ok", subject, "the source is as locked")
        else:
            cure = f"the next night moves the lock; `kindex lock {key}` does it now"
            yield Finding("warn", subject, "the source has moved on since it was locked", cure)


def _releases(layout: Layout, params: "Params") -> Iterator[Finding]:
    for model in params.models:
        folder, subject = layout.releases(model), f"release {model}"
        try:
            if release.current(folder) is None:
                yield Finding("warn", subject, "nothing is live yet", "`make nightly` releases")
            else:
                yield Finding("ok", subject, f"{release.verify(folder).version} is live and whole")
        except KindexError as error:
            yield Finding(
                "fail", subject, str(error), f"`kindex rollback {model}` if an earlier one is whole, else `make nightly`"
            )


def _release_folders(layout: Layout) -> list[Path]:
    return sorted(path for path in (layout.root / "releases").glob("*") if path.is_dir())
