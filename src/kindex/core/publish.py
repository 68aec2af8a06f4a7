"""Publishing: a candidate folder by temporary name, fsync and rename; then one pointer, by compare-and-swap.

Killed anywhere, a reader sees the former live release or the new one, whole, and running again ends in the same state.
Two locks: one for building, which may copy gigabytes, and one for the pointer, which is held for milliseconds.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
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


def build(
    releases: Path,
    model: str,
    files: Mapping[str, Path | bytes],
    notes: Mapping[str, Path | bytes],
    about: Mapping[str, Any],
) -> tuple[Manifest, bool]:
    """Write a candidate, and say whether it is new: content that was released before is that release.

    `files` and `notes` map paths inside the release to a file to copy or to bytes. The parent is the live version now.
    Raises `OutsideError` naming the space needed, `BusyError` when another build of this model runs.
    """
    releases.mkdir(parents=True, exist_ok=True)
    with mutex.hold(releases / ".building.lock", f"the building of a release of {model}"):
        _clean(releases)
        size = sum(_size(part) for part in (*files.values(), *notes.values()))
        require_space(releases, size + _SPARE_BYTES, f"a release of {model}")
        work = releases / f".new-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            written = {path: _write(work / path, _blocks(part)) for path, part in sorted(files.items())}
            digest = content_digest(model, {path: entry.sha256 for path, entry in written.items()})
            if twin := _twin(releases, digest):
                return twin, False
            noted = {path: _write(work / path, _blocks(part)) for path, part in sorted(notes.items())}
            pointer = current(releases)
            version = next_version(releases)
            manifest = Manifest(model, version, pointer.version if pointer else None, digest, written, noted, dict(about))
            _write(work / MANIFEST, [pretty_json(manifest.as_dict())])
            for folder in sorted({work, *(path.parent for path in work.rglob("*"))}):
                sync_folder(folder)
            fault_point(f"rename {version}")
            work.rename(releases / version)
            sync_folder(releases)
            return read_manifest(releases, version), True
        finally:
            shutil.rmtree(work, ignore_errors=True)


def promote(releases: Path, version: str, expected: str | None) -> Pointer:
    """Make `version` live if the live one still is `expected`, the release that it was judged against.

    `expected` is what `current` said before judging. For new content that is the manifest's parent; content that was
    built before keeps the parent it had then.

    A version that is live already is left so, which makes a second call harmless. Raises `BusyError` naming both versions
    when another was published meanwhile, `MetricGateError` when a person rolled `version` back, `DamagedError` when it
    is not whole.
    """
    verify(releases, version)
    with _pointer_lock(releases):
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
                f"{version} of {releases.name} was rolled back by hand and stays so. "
                f"`kindex rollback {releases.name} --to {version}` makes it live again"
            )
        return _point(releases, version, (*now.former, now.version) if now else (), now.withdrawn if now else ())


def rollback(releases: Path, to: str | None = None) -> tuple[Pointer | None, Pointer]:
    """Make `to` (by default what was live before the live release) live at once; returns the old pointer and the new one.

    The versions that it takes back are marked withdrawn, so that no night publishes the same content again; naming one of
    them in `to` clears its mark. Only names and sizes are checked here, to be quick: every reader checks the bytes.
    """
    with _pointer_lock(releases):
        now = current(releases)
        if now is None and to is None:
            raise ConfigError(f"{releases.name} has no live release to roll back from: name one with --to")
        target = to or (_before(releases, now) if now else None)
        if target is None:
            raise ConfigError(f"{releases.name} is at its first release: there is nothing before it")
        check_sizes(releases / target, read_manifest(releases, target))
        if now is None:
            return None, _point(releases, target, (), ())
        if now.version == target:
            return now, now
        line = (*now.former, now.version)
        at = line.index(target) if target in line else len(line)
        back = line[at + 1 :] or ((now.version,) if number(target) < number(now.version) else ())
        withdrawn = {*now.withdrawn, *back} - {target}
        return now, _point(releases, target, line[:at], tuple(sorted(withdrawn)))


def _before(releases: Path, now: Pointer) -> str | None:
    """What was live before; where the pointer does not know, what the live release was judged against."""
    return now.former[-1] if now.former else read_manifest(releases, now.version).parent


def leftovers(releases: Path) -> list[Path]:
    """What a killed publisher left behind; the next `build` removes it."""
    return sorted([*releases.glob(".new-*"), *releases.glob(f".{CURRENT}.*.tmp")])


def _clean(releases: Path) -> None:
    """Remove leftovers. Both locks are held meanwhile, so nobody is writing them."""
    with _pointer_lock(releases):
        for path in leftovers(releases):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _pointer_lock(releases: Path) -> AbstractContextManager[None]:
    return mutex.hold(releases / ".pointer.lock", f"the pointer of {releases.name}", wait_seconds=_POINTER_WAIT)


def _point(releases: Path, version: str, former: tuple[str, ...], withdrawn: tuple[str, ...]) -> Pointer:
    manifest = read_manifest(releases, version)
    sha256 = sha256_file(releases / version / MANIFEST)
    pointer = Pointer(version, manifest.digest, sha256, former[-_REMEMBERED:], withdrawn)
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
