"""Bars and strips of a table row as inline SVG; colours are the style sheet's.

They are drawn in per cent of the row's width, so that they need no scaling on a narrow screen.
"""

from collections.abc import Iterable
from itertools import pairwise

from markupsafe import Markup

from kindex.judge.page.text import is_number

Extent = tuple[float, float]


def span(values: Iterable[object]) -> Extent:
    """The smallest range that holds zero and every finite value; (0, 1) when there is none."""
    finite = [float(value) for value in values if is_number(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    return (low, high) if high > low else (0.0, 1.0)


def percent(value: float, extent: Extent) -> float:
    """Where `value` lies in `extent`, from 0 to 100, to two decimals."""
    low, high = extent
    return round(100 * (min(max(value, low), high) - low) / (high - low), 2)


def bar(value: float, extent: Extent, low: object = None, high: object = None) -> Markup:
    """A bar from zero to `value`, with a whisker from `low` to `high` when both are numbers."""
    zero, end = sorted((percent(0, extent), percent(value, extent)))
    parts = [f'<rect x="{zero:g}%" y="3" width="{end - zero:.4g}%" height="14" rx="2"/>']
    if is_number(low) and is_number(high):
        ends = [percent(low, extent), percent(high, extent)]
        edges = sorted({*ends, *(edge for edge in (zero, end) if ends[0] < edge < ends[1])})
        for a, b in pairwise(edges):  # the whisker has the paper's colour on the bar and the ink's beside it
            parts.append(f'<line class="{_on((a + b) / 2, zero, end)}" x1="{a:g}%" x2="{b:g}%" y1="10" y2="10"/>')
        parts += [_upright(_on(at, zero, end), at, 6, 14) for at in ends]
    return Markup(f'<svg class="bar" width="100%" height="20" aria-hidden="true">{"".join(parts)}</svg>')


def strip(value: float, baselines: Iterable[float], extent: Extent, low: object = None, high: object = None) -> Markup:
    """One axis over `extent`: an upright for each baseline, a band from `low` to `high`, a strong upright at `value`."""
    parts = ['<line class="axis" x1="0%" x2="100%" y1="10" y2="10"/>']
    parts += [_upright("baseline", percent(baseline, extent), 5, 15) for baseline in baselines]
    if is_number(low) and is_number(high):
        a, b = percent(low, extent), percent(high, extent)
        parts.append(f'<rect x="{a:g}%" y="5" width="{b - a:.4g}%" height="10"/>')
    parts.append(_upright("own", percent(value, extent), 3, 17))
    return Markup(f'<svg class="strip" width="100%" height="20" aria-hidden="true">{"".join(parts)}</svg>')


def _on(at: float, zero: float, end: float) -> str:
    return "inside" if zero <= at <= end else "outside"


def _upright(name: str, at: float, top: int, bottom: int) -> str:
    return f'<line class="{name}" x1="{at:g}%" x2="{at:g}%" y1="{top}" y2="{bottom}"/>'
