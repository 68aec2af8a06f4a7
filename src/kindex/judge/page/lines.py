"""Line charts as inline SVG: pure functions from numbers to markup; colours and type are the style sheet's."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from kindex.judge.page.text import number

Points = Sequence[tuple[float, float]]
Extent = tuple[float, float]


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Round numbers, 1, 2 or 5 times a power of ten apart, from at or below `low` to at or above `high`.

    `most` steps of them would hold `high - low`; rounding both ends outwards may add two.
    """
    if high <= low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


@dataclass(frozen=True)
class Plot:
    """Data coordinates to CSS pixels: the plot lies inside the margins of a chart of `width` by `height`."""

    width: int
    height: int
    xs: Extent
    ys: Extent
    right: int = 10
    left: int = 42
    top: int = 10
    bottom: int = 24

    def x(self, value: float) -> float:
        low, high = self.xs
        share = (value - low) / (high - low) if high > low else 0.5
        return self.left + share * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        low, high = self.ys
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def line(self, points: Points, name: str) -> Markup:
        """A line with a dot at its end."""
        pairs = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        x, y = points[-1]
        dot = f'<circle class="{name}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3"/>'
        return Markup(f'<polyline class="{name}" points="{pairs}"/>{dot}')

    def grid(self, x_ticks: Iterable[float], y_ticks: Iterable[float]) -> Markup:
        parts = []
        for at in y_ticks:
            y = self.y(at)
            parts.append(f'<line class="grid" x1="{self.left}" x2="{self.width - self.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text class="y" x="{self.left - 8}" y="{y + 4:.1f}">{_short(at)}</text>')
        parts += [f'<text class="x" x="{self.x(at):.1f}" y="{self.height - 5}">{_short(at)}</text>' for at in x_ticks]
        return Markup("".join(parts))


def line_chart(points: Points, about: str) -> Markup:
    """One small line over its own range; `about` is what a reader who cannot see it is told."""
    xs = [x for x, _ in points]
    marks = ticks(min(y for _, y in points), max(y for _, y in points), most=3)
    plot = Plot(240, 140, (min(xs), max(xs)), (marks[0], marks[-1]))
    return _svg(plot, about, [plot.grid(sorted({min(xs), max(xs)}), marks), plot.line(points, "own")])


def lines_chart(series: Mapping[str, Points], own: str, about: str) -> Markup:
    """Several lines from zero, each named at its end; the line `own` is the strong one and lies on top."""
    xs = sorted({x for points in series.values() for x, _ in points})
    marks = ticks(0.0, max(0.0, *(y for points in series.values() for _, y in points)) or 1.0)
    plot = Plot(400, 240, (xs[0], xs[-1]), (marks[0], marks[-1]), right=104)
    parts = [plot.grid(xs, marks)]
    heights = spread({name: plot.y(points[-1][1]) for name, points in series.items()}, gap=15)
    label = Markup('<text class="{}" x="{}" y="{:.1f}">{}</text>')
    for name in sorted(series, key=lambda name: name == own):
        kind = "own" if name == own else "other"
        parts.append(plot.line(series[name], kind))
        parts.append(
            label.format(kind, plot.width - plot.right + 10, heights[name] + 4, name if len(name) <= 15 else f"{name[:14]}…")
        )
    return _svg(plot, about, parts)


def spread(heights: Mapping[str, float], gap: float) -> dict[str, float]:
    """Heights moved so that no two are nearer than `gap`: those that collide stand around their common middle."""
    groups: list[list[str]] = []
    middle: dict[int, float] = {}
    for name in sorted(heights, key=lambda name: (heights[name], name)):
        groups.append([name])
        middle[len(groups) - 1] = heights[name]
        while len(groups) > 1:
            here, before = len(groups) - 1, len(groups) - 2
            room = gap * (len(groups[here]) + len(groups[before])) / 2
            if middle[here] - middle[before] >= room - 1e-9:
                break
            groups[before] += groups.pop()
            middle[before] = sum(heights[member] for member in groups[before]) / len(groups[before])
    return {
        name: middle[place] + gap * (rank - (len(group) - 1) / 2)
        for place, group in enumerate(groups)
        for rank, name in enumerate(group)
    }


def _svg(plot: Plot, about: str, parts: Iterable[Markup]) -> Markup:
    size = f'viewBox="0 0 {plot.width} {plot.height}" width="{plot.width}" height="{plot.height}"'
    return Markup('<svg class="lines" {} role="img" aria-label="{}">').format(Markup(size), about) + Markup("").join(
        [*parts, Markup("</svg>")]
    )


def _short(value: float) -> str:
    """A tick's label: as few digits as tell it.

    >>> _short(0.25), _short(20.0), _short(15000.0)
    ('0.25', '20', '15,000')
    """
    if value == int(value) and abs(value) < 1e6:
        return number(int(value))
    return f"{value:g}".replace("-", "−")
