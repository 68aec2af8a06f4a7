"""A locked file: opened once, its sha256 compared with the lock's, then read through the same descriptor."""

import bz2
import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from kindex.core.errors import ConfigError, DamagedError, OutsideError
from kindex.sources import NotAsLockedError

PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}


def opened(root: Path, name: str, setting: str) -> BufferedReader:
    """The file for reading. Raises `ConfigError` naming the setting when it is not there, else `OutsideError`."""
    try:
        return (root / name).open("rb")
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"source.{setting} names {name}, which is not a file in the project. Edit params.yaml") from None
    except OSError as error:
        raise OutsideError(f"{name} cannot be read: {error.strerror}") from None


@contextmanager
def as_locked(root: Path, name: str, setting: str, sha256: str | None) -> Iterator[BufferedReader]:
    """The file for reading, at its beginning, when its sha256 is the locked one; and it must not change meanwhile."""
    with opened(root, name, setting) as handle:
        before = _state(handle)
        if hashlib.file_digest(handle, "sha256").hexdigest() != sha256:
            raise NotAsLockedError(f"{name} is not the file that is locked (its sha256 differs)")
        handle.seek(0)
        yield handle
        if _state(handle) != before:
            raise NotAsLockedError(f"{name} was changed while it was read")


def digest(root: Path, name: str, setting: str) -> dict[str, int | str]:
    """Size and sha256 of the file as it is now."""
    with opened(root, name, setting) as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        return {"bytes": handle.tell(), "sha256": sha256}


def unpacked(name: str, handle: BinaryIO, scratch: Path, whole: bool) -> BinaryIO:
    """The file as its suffix says it is packed, as a stream, or `whole` in a nameless file below `scratch`."""
    pack = PACKED.get(PurePath(name).suffix)
    if pack is None:
        return handle
    plain = pack(handle)
    if not whole:
        return plain
    scratch.mkdir(parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - the caller reads it
    with unpacking(name):
        shutil.copyfileobj(plain, file, 1 << 22)
    file.seek(0)
    return file


@contextmanager
def unpacking(name: str) -> Iterator[None]:
    """Name the file in what a damaged archive raises."""
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error) as error:
        if PurePath(name).suffix not in PACKED or getattr(error, "errno", None):
            raise
        raise DamagedError(f"{name} is damaged: {error}") from None


def _state(handle: BinaryIO) -> tuple[int, int, int]:
    about = os.fstat(handle.fileno())
    return about.st_ino, about.st_size, about.st_mtime_ns
