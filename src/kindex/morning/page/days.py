"""The axis of dates that all charts of the page share, and the frame of a chart, as inline SVG.

A date has its place by the calendar, so that a date without a night is a gap that can be seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from kindex.judge.page.text import number

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Days:
    """Dates from `first` to `last` over the pixels from `left` to `right`; each has a column of its own."""

    first: date
    last: date
    left: float
    right: float

    @property
    def count(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def width(self) -> float:
        """Pixels of one date's column, at most 28: a few nights stand together, and do not become walls."""
        return min(28.0, (self.right - self.left) / self.count)

    def x(self, day: str) -> float:
        """The middle of the column of an ISO date."""
        return self.left + ((date.fromisoformat(day) - self.first).days + 0.5) * self.width

    def ticks(self, room: float = 64.0) -> list[tuple[float, str]]:
        """Places and labels of dates, `room` pixels apart at least: days, Mondays' weeks, months or quarters."""
        steps = max(1, int(room / self.width) + 1)
        if steps <= 14:
            step = next(days for days in (1, 2, 3, 7, 14) if days >= steps)
            chosen = [self.first + timedelta(days=n) for n in range(0, self.count, step)]
        else:
            every = next(months for months in (1, 2, 3, 6, 12, 10_000) if months * 28 >= steps)
            months = [self.first + timedelta(days=n) for n in range(self.count)]
            chosen = [day for day in months if day.day == 1 and (day.year * 12 + day.month - 1) % every == 0]
        return [(self.x(day.isoformat()), self._label(day, day == chosen[0])) for day in chosen]

    def _label(self, day: date, begins: bool) -> str:
        if day.day == 1 and self.count > 200:
            return f"{MONTHS[day.month - 1]} {day.year}" if begins or day.month == 1 else MONTHS[day.month - 1]
        return f"{day.day} {MONTHS[day.month - 1]}"


def span(dates: Sequence[str], left: float, right: float) -> Days:
    """The axis over these ISO dates, which are in order and not none."""
    return Days(date.fromisoformat(dates[0]), date.fromisoformat(dates[-1]), left, right)


@dataclass(frozen=True)
class Frame:
    """A chart of `width` by `height` pixels, its values from `ys[0]` to `ys[-1]`, which are also its grid."""

    days: Days
    ys: Sequence[float]
    width: float
    height: float
    top: float = 10
    bottom: float = 26

    def y(self, value: float) -> float:
        """Where a value stands, kept inside the plot."""
        low, high = self.ys[0], self.ys[-1]
        share = (min(max(value, low), high) - low) / (high - low)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def grid(self, labels: Sequence[str]) -> Markup:
        """A line and a label for each value of the grid, and the dates below."""
        parts = []
        for value, label in zip(self.ys, labels, strict=True):
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{self.days.left:g}" x2="{self.width - 4:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="y" x="{self.days.left - 8:g}" y="{y + 4:.1f}">{label}</text>')
        return Markup("".join(parts)) + self.dates()

    def dates(self, room: float = 64.0) -> Markup:
        return Markup("").join(
            Markup('<text class="x" x="{:.1f}" y="{:g}">{}</text>').format(x, self.height - 6, label)
            for x, label in self.days.ticks(room)
            if self.days.left + 12 <= x <= self.width - 12
        )

    def svg(self, about: str, parts: Iterable[Markup]) -> Markup:
        """The whole; `about` is what a reader who cannot see it is told."""
        head = Markup('<svg class="lines" viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}" role="img" aria-label="{2}">')
        return head.format(self.width, self.height, about) + Markup("").join([*parts, Markup("</svg>")])


def label(value: float) -> str:
    """A grid label: as few digits as tell it."""
    return number(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:g}".replace("-", "−")
