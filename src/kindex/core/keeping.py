"""Which releases stay when old ones are cleaned away, and removing one so that no reader ever sees a part of it.

What stays, by a rule each: what is live; the last `keep` that were live before it; candidates newer than it, which a person
may still approve; what a person withdrew, for a night would else publish the same content again; what those were made from,
down to the last full build and its own parent; and what cannot be read, for a person to look at.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import DamagedError, KindexError
from kindex.core.files import fault_point, read_json, sync_folder
from kindex.core.release import current, inside, names, number, read_manifest

GONE = ".gone-"
_WAIT = 10.0  # seconds; a build may copy gigabytes, then cleaning up is refused


def staying(releases: Path, keep: int, needed: Mapping[str, str] | None = None) -> dict[str, str]:
    """Why each version stays; one that may go is not in it. `needed` names further ones, with the reason.

    Raises `ValueError` for a `keep` below 1: a reader may still be at what was live a moment ago.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, allowed: 1 or more")
    known = names(releases)
    try:
        pointer = current(releases)
    except DamagedError as error:
        return dict.fromkeys(known, f"nobody knows what is live: {error}")
    if pointer is None:
        return dict.fromkeys(known, "nothing is live yet")
    why = {version: "it cannot be read: see `kindex verify`" for version in known if not _readable(releases, version)}
    why |= {version: "newer than the live release" for version in known if number(version) > number(pointer.version)}
    why |= dict.fromkeys(pointer.withdrawn, "withdrawn by a person: no night may publish it again")
    why |= dict.fromkeys(pointer.former[-keep:], "was live before")
    why |= needed or {}
    why[pointer.version] = "live"
    for version in list(why):
        for parent in line(releases, version):
            why.setdefault(parent, f"{version} was made from it")
    return {version: reason for version, reason in why.items() if version in known}


def line(releases: Path, version: str) -> Iterator[str]:
    """What `version` was made from: its parent, and while that was made by a delta, the parent's, and so on."""
    seen = {version}
    while True:
        made = _refresh(releases, version)
        parent = (made.get("parent") or {}).get("version")
        if not isinstance(parent, str) or parent in seen:
            return
        seen.add(parent)
        yield parent
        if made.get("built") != "delta":
            return
        version = parent


def remove(releases: Path, version: str) -> Path:
    """Take a version out of sight by one rename; returns what `sweep` deletes. The caller holds `cleaning`."""
    gone = releases / f"{GONE}{version}-{uuid.uuid4().hex[:8]}"
    fault_point(f"set aside {version}")
    (releases / version).rename(gone)
    sync_folder(releases)
    return gone


def sweep(releases: Path) -> list[Path]:
    """Delete what was taken out of sight, also by a cleaning that was killed; returns it. Open files stay readable."""
    found = sorted(releases.glob(f"{GONE}*"))
    for path in found:
        fault_point(f"delete {path.name}")
        shutil.rmtree(path, ignore_errors=True)  # two cleanings may meet here
    return found


def cleaning(releases: Path) -> AbstractContextManager[None]:
    """Nobody builds a release meanwhile, so none of what may go is taken up again. Raises `BusyError` after ten seconds."""
    return mutex.hold(releases / ".building.lock", f"the cleaning of {releases.name}", wait_seconds=_WAIT)


def pointing(releases: Path) -> AbstractContextManager[None]:
    """The pointer stays where it is meanwhile; held while what stays is decided and the rest is renamed."""
    return mutex.hold(releases / ".pointer.lock", f"the pointer of {releases.name}", wait_seconds=_WAIT)


def _readable(releases: Path, version: str) -> bool:
    try:
        read_manifest(releases, version)
    except KindexError:
        return False
    return True


def _refresh(releases: Path, version: str) -> dict[str, Any]:
    """The release's refresh.json; {} for one that is not here or is of before there was any."""
    try:
        made = read_json(inside(releases / version, "refresh.json"))
    except DamagedError:
        return {}
    return made if isinstance(made, dict) else {}
