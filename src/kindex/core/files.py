"""Writing that survives a kill: temporary name, fsync, rename. Every step is a numbered fault point.

A fault point is where a crash is tried. `KINDEX_FAULT=7:kill` (or `:enospc`, `:eio`) makes the seventh point that this
process reaches die, or fail so; `tests/` and `make reliability` walk through all of them. `KINDEX_FAULT=FILE:trace` writes
the points that were reached to FILE. Unset, a point costs nothing.
"""

import errno
import hashlib
import json
import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kindex.core.errors import DamagedError, OutsideError

_reached = 0
_ERRORS = {"enospc": errno.ENOSPC, "eio": errno.EIO}


def fault_point(name: str) -> None:
    """Die or fail here when `KINDEX_FAULT` says so; `name` is for the reader and for the traced list of points."""
    global _reached
    plan = os.environ.get("KINDEX_FAULT")
    if not plan:
        return
    _reached += 1
    number, _, how = plan.rpartition(":")
    if how == "trace":
        with Path(number).open("a") as trace:
            trace.write(f"{_reached} {name}\n")
    elif int(number) == _reached:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(_ERRORS[how], os.strerror(_ERRORS[how]), name)


def sha256_file(path: Path) -> str:
    """Hex sha256 of the file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one spelling of `value`: sorted keys, no spaces, UTF-8, no NaN; what digests are taken over."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def pretty_json(value: Any) -> bytes:
    """Sorted keys, two spaces, a last newline; for files that people read and git compares."""
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The parsed file. Raises `DamagedError` naming a file that is missing, truncated or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DamagedError(f"{path} is missing") from None
    except (ValueError, OSError) as error:
        raise DamagedError(f"{path} is not readable JSON: {error}") from error


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` so that a reader sees the former file or the whole new one, also after a crash."""
    with replacing_file(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A new file to write, beside `path`; when the block ends well it is made durable and takes the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        fault_point(f"write {path.name}")
        yield temporary
        fault_point(f"fsync {path.name}")
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        fault_point(f"rename {path.name}")
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fault_point(f"fsync {folder.name}/")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file below `folder`, and the names, durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            fault_point(f"fsync {path.name}")
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


@contextmanager
def replacing(final: Path, work: Path) -> Iterator[Path]:
    """An empty folder `work` to write into; when the block ends well it takes the place of `final` by rename.

    A crash leaves `final` as it was or absent, never partial; what is left in `work` is emptied by the next run.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    yield work
    sync_tree(work)
    final.parent.mkdir(parents=True, exist_ok=True)
    former = work.with_name(f"{work.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if final.exists():
        fault_point(f"set aside {final.name}")
        final.rename(former)
    fault_point(f"publish {final.name}")
    work.rename(final)
    sync_folder(final.parent)
    fault_point(f"clean {final.name}")
    shutil.rmtree(former, ignore_errors=True)


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise `OutsideError` naming the space needed when the disk of `folder` has less than `needed_bytes` free."""
    at = next(parent for parent in [folder, *folder.parents] if parent.exists())
    free = shutil.disk_usage(at).free
    if free < needed_bytes:
        raise OutsideError(f"{what} needs {needed_bytes / 1e6:,.0f} MB below {folder}, which has {free / 1e6:,.0f} MB free")
