"""Which release is live: one pointer, changed by compare-and-swap. Promote, roll back."""

from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import BusyError, ConfigError, MetricGateError
from kindex.core.files import pretty_json, sha256_file, write_atomic
from kindex.core.release import CURRENT, MANIFEST, Pointer, check_sizes, current, number, read_manifest, verify

_REMEMBERED = 100  # formerly live versions that the pointer lists
_WAIT = 10.0  # seconds; another publisher holds the pointer for milliseconds


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


def pointer_lock(releases: Path) -> AbstractContextManager[None]:
    """Held while the pointer is read, decided about and written."""
    return mutex.hold(releases / ".pointer.lock", f"the pointer of {releases.name}", wait_seconds=_WAIT)


def point(releases: Path, version: str, now: Pointer | None, **changes: Any) -> Pointer:
    """Write the pointer: `now` (None: there was none) with the version and the `changes`. The caller holds `pointer_lock`."""
    manifest = read_manifest(releases, version)
    sha256 = sha256_file(releases / version / MANIFEST)
    known = {"former": now.former, "withdrawn": now.withdrawn, "decisions": now.decisions} if now else {}
    pointer = Pointer(version, manifest.digest, sha256, **{**known, **changes})
    pointer = replace(pointer, former=pointer.former[-_REMEMBERED:], decisions=pointer.decisions[-_REMEMBERED:])
    write_atomic(releases / CURRENT, pretty_json(asdict(pointer)))
    return pointer
