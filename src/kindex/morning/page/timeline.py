"""What became of every model on every date: one lane for each. Above the line it was released, below it was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from kindex.core.nights import Entry, History, mapping, part
from kindex.core.release import number
from kindex.morning.page.days import Frame, span

LANE, LABEL, WIDTH = 44, 170, 1080
"""Pixels: a lane's height, the room of its name, and the chart's width."""

HEIGHTS = {
    "live": (-15, 15),
    "held": (0, 11),
    "failed": (0, 17),
    "unchanged": (-1.5, 3),
    "refused": (-1.5, 3),
    "none": (-1.5, 3),
}
"""Top and height of a mark against the line, by outcome: they differ in place and length, and not in colour alone."""

LEGEND = {
    "live": "released",
    "held": "held by its gate, or by a person",
    "failed": "a stage failed",
    "unchanged": "nothing new",
    "back": "a release was rolled back since the night before",
}


@dataclass(frozen=True)
class Mark:
    """One model on one date. `back` is the version that a person took back since the night before, or empty."""

    date: str
    outcome: str
    version: str
    back: str
    entry: Entry

    @property
    def told(self) -> str:
        """For the tooltip and the table."""
        done = {"live": "released", "none": "no candidate", "": "not known"}.get(self.outcome, self.outcome)
        rolled = f"; {self.back} was rolled back" if self.back else ""
        return f"{' '.join(part for part in (self.version, done) if part)}{rolled}"


def marks(history: History, model: str) -> list[Mark]:
    """One for each date on which a night worked for the model, oldest first."""
    found: list[Mark] = []
    former: Entry = {}
    for night in history.nights:
        entries = [entry for run in night.runs if (entry := part(run, "models", model))]
        if not entries:
            continue
        entry, back = night.model(model), ""
        for now in entries:
            back = taken_back(former, now) or back
            former = now
        outcome = str(entry.get("outcome") or "")
        version = str(entry.get("version") or "") if outcome in ("live", "held") else ""
        found.append(Mark(night.date, outcome if outcome in HEIGHTS else "none", version, back, entry))
    return found


def taken_back(former: Entry, now: Entry) -> str:
    """The version that a person took back between two runs, or an empty text.

    It answered after the first run, and at the second it is either withdrawn or an older one answers: a night that ran in
    between may have released a newer one already.
    """
    live, withdrawn = str(former.get("live") or ""), now.get("withdrawn")
    gone = live in withdrawn if isinstance(withdrawn, list) else False
    return live if gone or _before(str(now.get("live") or ""), live) else ""


def _before(version: str, other: str) -> bool:
    """Whether one version is older than another; what is no version is never."""
    plain = all(name[:1] == "v" and name[1:].isdecimal() for name in (version, other))
    return plain and number(version) < number(other)


def chart(history: History, lanes: Mapping[str, Sequence[Mark]]) -> Markup:
    """All lanes over one axis of dates."""
    height = LANE * len(lanes) + 34
    days = span([night.date for night in history.nights], LABEL, WIDTH - 4)
    frame = Frame(days, (0, 1), WIDTH, height)
    parts = [frame.dates()]
    for place, (model, line) in enumerate(lanes.items()):
        middle = LANE * place + 24
        name = model if len(model) <= 24 else f"{model[:23]}…"
        parts.append(Markup('<text class="lane" x="0" y="{}">{}</text>').format(middle + 4, name))
        right = days.left + days.width * days.count
        parts.append(Markup(f'<line class="grid" x1="{LABEL}" x2="{right:.1f}" y1="{middle}" y2="{middle}"/>'))
        parts += [_drawn(mark, days.x(mark.date), days.width, middle) for mark in line]
    counts = "; ".join(f"{model}: {told_counts(line)}" for model, line in lanes.items())
    return frame.svg(f"What became of every model on every date. {counts}", parts)


def _drawn(mark: Mark, x: float, column: float, middle: int) -> Markup:
    top, height = HEIGHTS[mark.outcome]
    width = max(1.0, min(10.0, column * 0.72))
    shape = (
        f'<rect class="{mark.outcome}" x="{x - width / 2:.1f}" y="{middle + top:g}" width="{width:.1f}" height="{height:g}"/>'
    )
    back = f'<path class="back" d="M{x - 5:.1f} {middle - 21}h10l-5 7z"/>' if mark.back else ""
    return Markup("<g><title>{}</title>").format(f"{mark.date}: {mark.told}") + Markup(f"{shape}{back}</g>")


def told_counts(line: Sequence[Mark]) -> str:
    """`31 released, 2 held, 1 failed`; an outcome that never was is left out."""
    counts = {told: sum(mark.outcome == name for mark in line) for name, told in NAMES.items()}
    counts["rolled back"] = sum(bool(mark.back) for mark in line)
    return ", ".join(f"{count} {told}" for told, count in counts.items() if count) or "no night"


NAMES = {"live": "released", "held": "held", "failed": "failed", "unchanged": "unchanged"}


def legend() -> list[tuple[str, Markup, str]]:
    """Names, little pictures and meanings of the marks."""
    rows = []
    for name, told in LEGEND.items():
        top, height = HEIGHTS.get(name, (-15, 0))
        shape = f'<rect class="{name}" x="3" y="{17 + top:g}" width="6" height="{height:g}"/>'
        shape = '<path class="back" d="M1 12h10l-5 7z"/>' if name == "back" else shape
        picture = Markup(f'<svg class="lines key" width="12" height="34" aria-hidden="true">{shape}</svg>')
        rows.append((name, picture, told))
    return rows


def standing(lanes: Mapping[str, Sequence[Mark]]) -> list[dict[str, Any]]:
    """A row for each model: what answers after the last night, that night's outcome, and how it went over all nights."""
    rows = []
    for model, line in lanes.items():
        last = line[-1]
        built = [str(mark.entry.get("built") or "") for mark in line if mark.outcome == "live"]
        kinds = ", ".join(f"{built.count(kind)} {kind}" for kind in ("full", "warm", "delta") if built.count(kind))
        rows.append(
            {
                "model": model,
                "live": str(last.entry.get("live") or "none"),
                "last": f"{last.date}: {last.told}",
                "outcome": last.outcome,
                "counts": told_counts(line),
                "kinds": kinds,
                "headline": mapping(last.entry.get("headline")),
            }
        )
    return rows
