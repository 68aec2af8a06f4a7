"""When nights are due, as `infra/prefect.yaml` says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from kindex.core.layout import Layout
from kindex.core.nights import mapping

DEPLOYMENT = "nightly"


@dataclass(frozen=True)
class Schedule:
    """A cron expression of five fields, and the time zone that its hours are of (IANA name)."""

    cron: str
    timezone: str

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment` at which a night is due, in UTC; None for an expression that nobody can read."""
        return self._step(moment, back=False)

    def before(self, moment: datetime) -> datetime | None:
        """The last time before `moment`, in UTC."""
        return self._step(moment, back=True)

    def _step(self, moment: datetime, back: bool) -> datetime | None:
        from cronsim import CronSim, CronSimError  # Prefect steps with it too: one rule for the days of a clock change

        try:
            there = moment.astimezone(ZoneInfo(self.timezone))
            return next(CronSim(self.cron, there, reverse=back)).astimezone(UTC)
        except (CronSimError, StopIteration, LookupError, ValueError, OSError):
            return None


def read_schedule(layout: Layout) -> Schedule | None:
    """The first active schedule of the deployment `nightly`; None where there is none, or none that can be read."""
    import yaml

    try:
        raw = yaml.safe_load((layout.root / "infra" / "prefect.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    for deployment in _list(mapping(raw).get("deployments")):
        for one in _list(deployment.get("schedules")) if deployment.get("name") == DEPLOYMENT else ():
            if one.get("cron") and one.get("active", True):
                return Schedule(str(one["cron"]), str(one.get("timezone") or "UTC"))
    return None


def moment_of(text: Any) -> datetime | None:
    """An ISO date or time as a moment in UTC; a date alone is its beginning."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [mapping(one) for one in value] if isinstance(value, list) else []
