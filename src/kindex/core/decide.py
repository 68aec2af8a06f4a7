"""A person decides of a release that was held: approve it, or reject it. Who and why stands in the pointer.

The gate's verdict is a part of the release and stays what it was; a decision is another thing and lies beside it.
"""

from pathlib import Path

from kindex.core.errors import ConfigError
from kindex.core.pointer import point, pointer_lock
from kindex.core.release import Decision, Pointer, current, number, verify

APPROVED, REJECTED = "approved", "rejected"


def approve(releases: Path, version: str, by: str, because: str, at: str) -> tuple[Pointer | None, Pointer]:
    """Make a held version live, whatever its gate said; returns the old pointer and the new one.

    It clears the mark of one that was rolled back or rejected. Approving the live version again changes nothing. Raises
    `DamagedError` when the version is not whole, `ConfigError` when it is unknown, older than the live one, or `because` is
    empty.
    """
    _reasoned(because, "approving")
    verify(releases, version)
    with pointer_lock(releases):
        now = current(releases)
        if now and now.version == version:
            return now, now
        if now and number(version) < number(now.version):
            raise ConfigError(
                f"{version} of {releases.name} is older than the live {now.version}: going back is "
                f"`kindex rollback {releases.name} --to {version}`"
            )
        decisions = (*(now.decisions if now else ()), Decision(version, APPROVED, by, because, at))
        if now is None:
            return None, point(releases, version, None, decisions=decisions)
        withdrawn = tuple(name for name in now.withdrawn if name != version)
        former = (*now.former, now.version)
        return now, point(releases, version, now, former=former, withdrawn=withdrawn, decisions=decisions)


def reject(releases: Path, version: str, by: str, because: str, at: str) -> Pointer:
    """Mark a version so that no night publishes the same content. Rejecting it again changes nothing.

    Raises `ConfigError` when it is unknown or live, when nothing is live yet, or `because` is empty.
    """
    _reasoned(because, "rejecting")
    verify(releases, version)
    with pointer_lock(releases):
        now = current(releases)
        if now is None:
            raise ConfigError(f"nothing of {releases.name} is live yet, so there is no pointer that could hold the mark")
        if now.version == version:
            raise ConfigError(f"{version} of {releases.name} is live: `kindex rollback {releases.name}` takes it back")
        if version in now.withdrawn and any(one.version == version and one.decision == REJECTED for one in now.decisions):
            return now
        withdrawn = tuple(sorted({*now.withdrawn, version}))
        decisions = (*now.decisions, Decision(version, REJECTED, by, because, at))
        return point(releases, now.version, now, withdrawn=withdrawn, decisions=decisions)


def _reasoned(because: str, what: str) -> None:
    if not because.strip():
        raise ConfigError(f"{what} needs a reason: say it with --because")
