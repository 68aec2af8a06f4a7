"""Publishing: a candidate folder by temporary name, fsync and rename. What makes it live is `kindex.core.pointer`.

Killed anywhere, a reader sees the former live release or the new one, whole, and running again ends in the same state.
Two locks: one for building, which may copy gigabytes, and one for the pointer, which is held for milliseconds.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import DamagedError
from kindex.core.files import fault_point, pretty_json, require_space, sync_folder
from kindex.core.pointer import pointer_lock
from kindex.core.release import (
    CURRENT,
    MANIFEST,
    FileEntry,
    Manifest,
    content_digest,
    current,
    names,
    number,
    read_manifest,
    verify,
    versions,
)

_BLOCK = 1 << 22
_SPARE_BYTES = 1_000_000  # what a manifest and the file system's own bookkeeping may take beside the files
_BUILDING_WAIT = 10.0  # seconds; `kindex gc` holds it while it renames, another build may hold it for long


@dataclass
class Candidate:
    """Content that lies whole in `folder` and is described by `manifest`, without notes; a twin is a release already."""

    folder: Path
    manifest: Manifest
    new: bool

    def finish(self, notes: Mapping[str, Path | bytes], about: Mapping[str, Any]) -> Manifest:
        """Make it a release, with its notes and what is told about it. A twin stays as it is."""
        if not self.new:
            return self.manifest
        releases, version = self.folder.parent, self.manifest.version
        noted = {path: _write(self.folder / path, _blocks(part)) for path, part in sorted(notes.items())}
        manifest = replace(self.manifest, notes=noted, about=dict(about))
        _write(self.folder / MANIFEST, [pretty_json(manifest.as_dict())])
        for folder in sorted({self.folder, *(path.parent for path in self.folder.rglob("*"))}):
            sync_folder(folder)
        fault_point(f"rename {version}")
        self.folder.rename(releases / version)
        sync_folder(releases)
        return read_manifest(releases, version)


@contextmanager
def candidate(releases: Path, model: str, files: Mapping[str, Path | bytes], notes_bytes: int = 0) -> Iterator[Candidate]:
    """Write the content of a release, for a judge to read as a reader would before it is finished; else it is removed.

    `files` maps paths inside the release to a file to copy or to bytes. Content that was released before is that release.
    The parent is the live version now. Raises `OutsideError` naming the space needed, `BusyError` when another build of this
    model runs for ten seconds more.
    """
    releases.mkdir(parents=True, exist_ok=True)
    with mutex.hold(releases / ".building.lock", f"the building of a release of {model}", wait_seconds=_BUILDING_WAIT):
        _clean(releases)
        size = sum(_size(part) for part in files.values()) + notes_bytes
        require_space(releases, size + _SPARE_BYTES, f"a release of {model}")
        work = releases / f".new-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            written = {path: _write(work / path, _blocks(part)) for path, part in sorted(files.items())}
            digest = content_digest(model, {path: entry.sha256 for path, entry in written.items()})
            if twin := _twin(releases, digest):
                yield Candidate(releases / twin.version, twin, False)
                return
            pointer = current(releases)
            parent = pointer.version if pointer else None
            yield Candidate(work, Manifest(model, next_version(releases), parent, digest, written, {}, {}), True)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def build(
    releases: Path,
    model: str,
    files: Mapping[str, Path | bytes],
    notes: Mapping[str, Path | bytes],
    about: Mapping[str, Any],
) -> tuple[Manifest, bool]:
    """Write a release, and say whether it is new; see `candidate`."""
    with candidate(releases, model, files, sum(_size(part) for part in notes.values())) as made:
        return made.finish(notes, about), made.new


def leftovers(releases: Path) -> list[Path]:
    """What a killed publisher left behind; the next `build` removes it."""
    return sorted([*releases.glob(".new-*"), *releases.glob(f".{CURRENT}.*.tmp")])


def _clean(releases: Path) -> None:
    """Remove leftovers. Both locks are held meanwhile, so nobody is writing them."""
    with pointer_lock(releases):
        for path in leftovers(releases):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _twin(releases: Path, digest: str) -> Manifest | None:
    """The whole release with this digest, if there is one; a damaged one does not count, and is built anew."""
    for manifest in reversed(versions(releases)):
        if manifest.digest == digest:
            try:
                return verify(releases, manifest.version)
            except DamagedError:
                continue
    return None


def next_version(releases: Path) -> str:
    """The version that the next new release gets."""
    return f"v{max((number(name) for name in names(releases)), default=0) + 1:04d}"


def _size(part: Path | bytes) -> int:
    return len(part) if isinstance(part, bytes) else part.stat().st_size


def _blocks(part: Path | bytes) -> Iterator[bytes]:
    if isinstance(part, bytes):
        yield part
        return
    with part.open("rb") as source:
        while block := source.read(_BLOCK):
            yield block


def _write(path: Path, blocks: Iterable[bytes]) -> FileEntry:
    """Write and sync one file. Its sha256 is of the bytes that went to the disk, not of a second reading of the source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as handle:
        for block in blocks:
            fault_point(f"write {path.name}")
            handle.write(block)
            digest.update(block)
            size += len(block)
        handle.flush()
        fault_point(f"fsync {path.name}")
        os.fsync(handle.fileno())
    return FileEntry(digest.hexdigest(), size)
