"""Folders of images as they are locked: one digest over names and contents, cheap to take every night.

Of a file whose size and time of change are those of last time, the sha256 is taken from `var/captioned_images`, which may be
deleted at any time. A file that changed less than two seconds before it was read is read again next time: it may change
once more within the same tick of the file system's clock. Ingest reads every image that it uses in full and compares.
"""

import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core.errors import OutsideError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")
SETTLED = 2_000_000_000
"""Nanoseconds after which a file's time of change says that it did not change."""

Cache = dict[str, list[Any]]
"""Size, time of change in nanoseconds, and sha256, by name."""


@dataclass(frozen=True)
class Folder:
    """Size and sha256 of each image below a folder, by relative name, ascending by the bytes of the name.

    The sha256 of what is no file, or cannot be read, is "".
    """

    files: dict[str, tuple[int, str]]

    def about(self) -> dict[str, int | str]:
        """For the lock. `sha256` is that of the lines `sha256  name`, as the program sha256sum writes them."""
        lines = [f"{sha256}  ".encode() + os.fsencode(name) + b"\n" for name, (_, sha256) in self.files.items()]
        size = sum(size for size, _ in self.files.values())
        return {"images": len(lines), "bytes": size, "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}


def listed(root: Path, name: str) -> Folder:
    """What is below the folder `name` now. Raises `OutsideError` when a folder cannot be read."""
    kept = Layout(root).var / "captioned_images" / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.json"
    known, fresh, files = _read(kept), {}, {}
    now = time.time_ns()
    for relative, path in sorted(_images(root / name), key=lambda pair: os.fsencode(pair[0])):
        size, changed, sha256 = _digest(path, known.get(relative))
        files[relative] = (size, sha256)
        if sha256 and changed < now - SETTLED:
            fresh[relative] = [size, changed, sha256]
    if fresh != known:
        write_atomic(kept, json.dumps(fresh).encode())
    return Folder(files)


def _images(folder: Path) -> list[tuple[str, str]]:
    """Relative names and paths of images below `folder`. Hidden ones are left out, and links to folders not followed."""
    found, waiting = [], [("", str(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((f"{prefix}{entry.name}/", entry.path))
                    elif entry.name.lower().endswith(SUFFIXES):
                        found.append((prefix + entry.name, entry.path))
        except OSError as error:
            raise OutsideError(f"{path} cannot be read: {error.strerror}") from None
    return found


def _digest(path: str, known: list[Any] | None) -> tuple[int, int, str]:
    """Size, time of change and sha256 of a file; the latter as known when the former two are."""
    try:
        about = Path(path).stat()
        if not stat.S_ISREG(about.st_mode):
            return 0, 0, ""
        if known and known[:2] == [about.st_size, about.st_mtime_ns]:
            return about.st_size, about.st_mtime_ns, str(known[2])
        with Path(path).open("rb") as handle:
            return about.st_size, about.st_mtime_ns, hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return 0, 0, ""


def _read(path: Path) -> Cache:
    """What was known last time; nothing when it was deleted or damaged."""
    try:
        known = json.loads(path.read_bytes())
        right = isinstance(known, dict) and all(isinstance(about, list) and len(about) == 3 for about in known.values())
        return known if right else {}
    except (OSError, ValueError, RecursionError):
        return {}
