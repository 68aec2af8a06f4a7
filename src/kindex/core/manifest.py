"""The manifest of a release: what is in the folder, by sha256, with one digest over all of its content."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, read_json

FORMAT = 1
MANIFEST = "manifest.json"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileEntry:
    """What the manifest knows of one file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """`files` make up the digest; `notes` depend on the machine or the night and are only checked; `about` is free text."""

    model: str
    version: str
    parent: str | None
    digest: str
    files: dict[str, FileEntry]
    notes: dict[str, FileEntry]
    about: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The manifest as it is written."""
        return {"format": FORMAT, **asdict(self)}

    @property
    def entries(self) -> dict[str, FileEntry]:
        """Content and notes by path."""
        return {**self.files, **self.notes}


def content_digest(model: str, sha256_by_path: Mapping[str, str]) -> str:
    """Hex sha256 over the model's name and its files; the same content has the same digest on any machine."""
    return hashlib.sha256(canonical_json({"model": model, "files": dict(sha256_by_path)})).hexdigest()


def read(path: Path) -> Manifest:
    """The manifest in `path`, checked by itself: its format, that no path leads out of the folder, its digest.

    Raises `DamagedError` naming the file.
    """
    if path.is_symlink() or path.parent.is_symlink():
        raise DamagedError(f"{path} is, or lies behind, a symbolic link")
    raw = read_json(path)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else None
        raise DamagedError(f"{path} has format {found!r}; this kindex reads format {FORMAT}")
    try:
        parts = {kind: {name: _entry(path, name, entry) for name, entry in raw[kind].items()} for kind in ("files", "notes")}
        manifest = Manifest(raw["model"], raw["version"], raw["parent"], raw["digest"], **parts, about=raw["about"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is not a manifest: {error!r}") from None
    if both := manifest.files.keys() & manifest.notes.keys():
        raise DamagedError(f"{path} names {sorted(both)[0]} twice, as content and as a note")
    if content_digest(manifest.model, {name: entry.sha256 for name, entry in manifest.files.items()}) != manifest.digest:
        raise DamagedError(f"{path} was edited: its digest is not that of its files")
    return manifest


def _entry(manifest: Path, name: str, entry: Mapping[str, Any]) -> FileEntry:
    """One line of a manifest. A path that could lead out of the folder is refused before it is used."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or str(inside) != name or name in (".", MANIFEST) or "\0" in name:
        raise DamagedError(f"{manifest} names {name!r}, which is not a plain path inside the release")
    if not isinstance(entry["bytes"], int) or not SHA256.fullmatch(entry["sha256"]):
        raise DamagedError(f"{manifest} has no sha256 and size for {name}")
    return FileEntry(entry["sha256"], entry["bytes"])
