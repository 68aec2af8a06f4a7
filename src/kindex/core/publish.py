"""Publishing: a candidate folder by temporary name, fsync and rename; then one pointer, by compare-and-swap.

Killed anywhere, a reader sees the former live release or the new one, whole, and running again ends in the same state.
Two locks: one for building, which may copy gigabytes, and one for the pointer, which is held for milliseconds.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import BusyError, ConfigError, DamagedError, MetricGateError
from kindex.core.files import fault_point, pretty_json, require_space, sha256_file, sync_folder, write_atomic
from kindex.core.release import (
    CURRENT,
    MANIFEST,
    FileEntry,
    Manifest,
    Pointer,
    check_sizes,
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
_REMEMBERED = 100  # formerly live versions that the pointer lists
_POINTER_WAIT = 10.0  # seconds; another publisher holds the pointer for milliseconds
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


def promote(releases: Path, version: str, expected: str | None) -> Pointer:
    """Make `version` live if the live one still is `expected`, the release that it was judged against.

    `expected` is what `current` said before judging. For new content that is the manifest's parent; content that was
    built before keeps the parent it had then.

    A version that is live already is left so, which makes a second call harmless. Raises `BusyError` naming both versions
    when another was published meanwhile, `MetricGateError` when a person rolled `version` back, `DamagedError` when it
    is not whole.
    """
    verify(releases, version)
    with pointer_lock(releases):
        now = current(releases)
        if now and now.version == version:
            return now
        if (now.version if now else None) != expected:
            found = now.version if now else "none"
            raise BusyError(
                f"{version} of {releases.name} was judged against {expected or 'none'}, but the live release is {found}: "
                "another run published first. Run again to be judged against it"
            )
        if now and version in now.withdrawn:
            raise MetricGateError(
                f"{version} of {releases.name} was rolled back by hand, or rejected, and stays so. "
                f"`kindex approve {releases.name} {version} --because ...` makes it live, or `kindex rollback "
                f"{releases.name} --to {version}` if it was live before"
            )
        return point(releases, version, now, former=(*now.former, now.version) if now else ())


def rollback(releases: Path, to: str | None = None) -> tuple[Pointer | None, Pointer]:
    """Make `to` (by default what was live before the live release) live at once; returns the old pointer and the new one.

    The versions that it takes back are marked withdrawn, so that no night publishes the same content again; naming one of
    them in `to` clears its mark. Only names and sizes are checked here, to be quick: every reader checks the bytes.
    """
    with pointer_lock(releases):
        now = current(releases)
        if now is None and to is None:
            raise ConfigError(f"{releases.name} has no live release to roll back from: name one with --to")
        target = to or (_before(releases, now) if now else None)
        if target is None:
            raise ConfigError(f"{releases.name} is at its first release: there is nothing before it")
        check_sizes(releases / target, read_manifest(releases, target))
        if now is None:
            return None, point(releases, target, None)
        if now.version == target:
            return now, now
        line = (*now.former, now.version)
        at = line.index(target) if target in line else len(line)
        back = line[at + 1 :] or ((now.version,) if number(target) < number(now.version) else ())
        withdrawn = {*now.withdrawn, *back} - {target}
        return now, point(releases, target, now, former=line[:at], withdrawn=tuple(sorted(withdrawn)))


def _before(releases: Path, now: Pointer) -> str | None:
    """What was live before; where the pointer does not know, what the live release was judged against."""
    return now.former[-1] if now.former else read_manifest(releases, now.version).parent


def leftovers(releases: Path) -> list[Path]:
    """What a killed publisher left behind; the next `build` removes it."""
    return sorted([*releases.glob(".new-*"), *releases.glob(f".{CURRENT}.*.tmp")])


def _clean(releases: Path) -> None:
    """Remove leftovers. Both locks are held meanwhile, so nobody is writing them."""
    with pointer_lock(releases):
        for path in leftovers(releases):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def pointer_lock(releases: Path) -> AbstractContextManager[None]:
    """Held while the pointer is read, decided about and written."""
    return mutex.hold(releases / ".pointer.lock", f"the pointer of {releases.name}", wait_seconds=_POINTER_WAIT)


def point(releases: Path, version: str, now: Pointer | None, **changes: Any) -> Pointer:
    """Write the pointer: `now` (None: there was none) with the version and the `changes`. The caller holds `pointer_lock`."""
    manifest = read_manifest(releases, version)
    sha256 = sha256_file(releases / version / MANIFEST)
    known = {"former": now.former, "withdrawn": now.withdrawn, "decisions": now.decisions} if now else {}
    pointer = Pointer(version, manifest.digest, sha256, **{**known, **changes})
    pointer = replace(pointer, former=pointer.former[-_REMEMBERED:], decisions=pointer.decisions[-_REMEMBERED:])
    write_atomic(releases / CURRENT, pretty_json(asdict(pointer)))
    return pointer


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
