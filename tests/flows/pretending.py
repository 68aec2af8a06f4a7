"""Nights whose stages and releases are pretended: real dates, fence, journal and alerts, and no DVC, Prefect or MLflow."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from flows.night import Night
from kindex.core.layout import Layout
from tasks import calendar
from tasks.calendar import Calendar
from tasks.releases import Published
from tests.projects import PARAMS


@dataclass
class Pretended:
    """A project and its clock. `outcomes` says what comes of a model in a night, live by default; `ran` the nights so far."""

    layout: Layout
    now: datetime
    plan: Calendar = field(default_factory=Calendar)
    outcomes: dict[tuple[str, str], str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    @property
    def tonight(self) -> str:
        return self.plan.due(self.now).isoformat()

    def later(self, **step: float) -> None:
        self.now += timedelta(**step)

    def body(self, night: Night) -> None:
        """In place of a flow's table of contents."""
        self.ran.append(night.options.night)
        for place, model in enumerate(night.models):
            outcome = self.outcomes.get((night.options.night, model), "live")
            if outcome == "failed":
                night.record.troubles.append((3, f"validate of {model}: too many rows"))
                continue
            version = f"v{len(self.ran):04d}"
            live = "v0000" if outcome == "held" else version
            night.record.published[model] = Published(model, outcome, version, "ab" * 32, "v0000", live, place == 0)


def pretend(tmp_path, monkeypatch: pytest.MonkeyPatch, day: date = date(2026, 11, 21)) -> Pretended:
    """A project below `tmp_path` at 02:00 UTC of `day`, without a Prefect server."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    made = Pretended(Layout(tmp_path), datetime(day.year, day.month, day.day, 2, tzinfo=UTC))
    nobody: Callable[..., None] = lambda *_: None  # noqa: E731
    monkeypatch.setattr("flows.opening.check", nobody)
    monkeypatch.setattr("flows.running.prepare", lambda name, night: False)
    monkeypatch.setattr(calendar, "tonight", lambda layout: made.tonight)
    monkeypatch.setattr("tasks.nights_page.render", nobody)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    return made
