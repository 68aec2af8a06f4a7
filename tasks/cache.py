"""DVC's cache of bytes, by its own layout: `files/md5/ab/cdef…`, and for a folder a list of its files as `….dir`.

A release is put into it without `dvc add`, which would write beside the release, and without a copy where the disk can link.
The layout is DVC 3's and is held to it by tests that pull with DVC itself.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.files import fault_point, read_json, sync_folder

_READ_ONLY = 0o444  # so DVC marks an object that it need not hash again


@dataclass(frozen=True)
class Folder:
    """A folder as DVC names it: `md5` ends with .dir."""

    md5: str
    size: int
    files: int


def settings(root: Path) -> ConfigParser:
    """What .dvc/config and config.local say, as DVC reads them; no `dvc` is started for it."""
    found = ConfigParser(interpolation=None, strict=False)
    found.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    return found


def place(root: Path) -> Path:
    """Where the project's cache is."""
    given = settings(root).get("cache", "dir", fallback="")
    return (root / ".dvc" / given).resolve() if given else root / ".dvc" / "cache"


def object_path(cache: Path, md5: str) -> Path:
    return cache / "files" / "md5" / md5[:2] / md5[2:]


def keep(cache: Path, folder: Path, names: list[str]) -> Folder:
    """Put these files of `folder` into the cache, by hard link where it can be, and their list. Twice changes nothing."""
    entries, size = [], 0
    for name in sorted(names):
        path = folder / name
        with path.open("rb") as handle:
            md5 = hashlib.file_digest(handle, "md5").hexdigest()
        receive(cache, md5, partial(_link_or_copy, path))
        entries.append({"md5": md5, "relpath": name})
        size += path.stat().st_size
    content = json.dumps(entries, sort_keys=True).encode()
    md5 = f"{hashlib.md5(content).hexdigest()}.dir"
    receive(cache, md5, lambda target: target.write_bytes(content))
    return Folder(md5, size, len(entries))


def members(cache: Path, md5: str) -> dict[str, str]:
    """Path in the folder → md5, for an object that is a folder's list. Raises `DamagedError` when it is not here."""
    return {entry["relpath"]: entry["md5"] for entry in read_json(object_path(cache, md5))}


def restore(cache: Path, md5: str, folder: Path) -> bool:
    """Bring an output back from the cache as a copy; False when it is not all here."""
    listed = object_path(cache, md5)
    if not listed.is_file():
        return False
    found = members(cache, md5)
    if not all(object_path(cache, one).is_file() for one in found.values()):
        return False
    for name, one in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(object_path(cache, one), folder / name)
    return True


def objects(cache: Path) -> Iterator[tuple[str, Path]]:
    """Every object in the cache by its name."""
    for path in sorted((cache / "files" / "md5").glob("??/*")):
        if path.is_file() and not path.name.endswith(".tmp"):
            yield path.parent.name + path.name, path


def receive(cache: Path, md5: str, fetch: Callable[[Path], object]) -> None:
    """Put an object there by a temporary name and rename, so that it is there whole or not at all.

    `fetch` writes it to a path. Raises `DamagedError` when the bytes are not those that `md5` names.
    """
    target = object_path(cache, md5)
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        fault_point(f"cache {md5}")
        fetch(temporary)
        with temporary.open("rb") as handle:
            if hashlib.file_digest(handle, "md5").hexdigest() != md5.removesuffix(".dir"):
                raise DamagedError(f"{md5} is damaged where it came from: its md5 differs")
            os.fsync(handle.fileno())
        temporary.chmod(_READ_ONLY)
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
