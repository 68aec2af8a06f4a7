"""Whether a night re-embeds only what changed since the parent release, trains from its vectors, or trains anew.

The policy looks at what both releases say and never at the clock, so the same inputs always decide the same.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from kindex.core.delta import Changes
from kindex.core.errors import DamagedError
from kindex.core.params import RefreshParams
from kindex.core.parent import Parent

Built = Literal["delta", "warm", "full"]


@dataclass(frozen=True)
class Since:
    """How far a release is from the last full build, as its refresh.json says. Shares are of rows of train.

    `share` counts what changed since the full build, `untrained` since the last training of any kind: a warm build starts that
    anew. `agreement`: see `kindex.encoders`, of the full build.
    """

    version: str | None = None
    night: str | None = None
    generation: int = 0
    share: float = 0.0
    untrained: float = 0.0
    drift: float | None = None
    agreement: float | None = None

    @classmethod
    def of(cls, refresh: dict[str, Any], lock: Parent) -> "Since":
        """Out of the parent's refresh.json. A full build knows no version of its own: the lock says it, and at the latest when
        it was made. Raises `DamagedError`."""
        try:
            full, built = refresh["full"], refresh["built"]
            if built == "full":
                return cls(lock.version, full["night"] or lock.night, agreement=refresh["agreement"])
            numbers = {name: refresh[name] for name in ("generation", "share", "untrained", "drift")}
            return cls(version=full["version"], night=full["night"], agreement=full["agreement"], **numbers)
        except (KeyError, TypeError) as error:
            raise DamagedError(f"refresh.json of release {lock.version} is not one: {error!r}") from None


@dataclass(frozen=True)
class Plan:
    """What to do, and why, for people. `since` is how far the parent was; `share` and `untrained` count tonight."""

    built: Built
    reasons: list[str]
    since: Since = Since()
    share: float = 0.0
    untrained: float = 0.0
    changes: dict[str, Changes] = field(default_factory=dict)

    def instead(self, built: Built, reason: str) -> "Plan":
        return Plan(built, [*self.reasons, reason], self.since, self.share, self.untrained, self.changes)


def decide(params: RefreshParams, lock: Parent, since: Since, changes: dict[str, Changes], can_warm: bool) -> Plan:
    """The policy, for a parent that can be gone on from. Each limit that is crossed is a reason."""
    rows = max(1, *(sum(each) for each in zip(*((c.rows, c.rows - c.added + c.removed) for c in changes.values()))))
    tonight = sum(change.total for change in changes.values()) / rows
    share, untrained = since.share + tonight, since.untrained + tonight
    age = _days(since.night, lock.night)
    nights = since.generation + 1
    limits = [
        (nights > params.max_nights, f"{nights} nights since the full build, max_nights is {params.max_nights}"),
        (age > params.max_age_days, f"the full build is {age} days old, max_age_days is {params.max_age_days}"),
        (
            (since.drift or 0) > params.max_drift,
            f"the drift of {lock.version} is {since.drift or 0:.4f}, max_drift is {params.max_drift}",
        ),
    ]
    crossed = [text for over, text in limits if over]
    told = f"{tonight:.2%} of the rows changed, {untrained:.2%} since the last training, {share:.2%} since the full build"
    most = max(params.max_change, params.max_warm_change)
    if untrained > params.max_change and (share > most or not can_warm or not params.max_warm_change):
        crossed.append(f"{told}: max_change is {params.max_change:.0%}, max_warm_change {params.max_warm_change:.0%}")
    if crossed:
        return Plan("full", crossed, since, share, untrained, changes)
    built: Built = "warm" if untrained > params.max_change else "delta"
    more = [f"max_change is {params.max_change:.0%}"] if built == "warm" else []
    return Plan(built, [told, *more], since, share, untrained, changes)


def _days(before: str | None, now: str) -> int:
    """Days between two logical dates; 0 where one is no date."""
    try:
        return (date.fromisoformat(now[:10]) - date.fromisoformat(before[:10])).days if before else 0
    except ValueError:
        return 0
