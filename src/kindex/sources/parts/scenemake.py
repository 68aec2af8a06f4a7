"""Where things lie in a scene, of one kind or of two. Decided before anything is drawn, in shares of the picture's side."""

from collections.abc import Callable, Sequence
from typing import Final

from kindex.sources.parts.scenedraws import Draws
from kindex.sources.parts.scenethings import BACKGROUNDS, COLOURS, SHAPES, Group, Scene, Thing

RADII: Final = {"small": (0.11, 0.125), "large": (0.185, 0.21)}
"""The sizes: between them lies what no caption could name."""

SMALLEST: Final = (0.092, 0.1)
"""Where four are in a line, or three of which one is large."""

ALONE: Final = {"small": (0.12, 0.14), "large": (0.22, 0.28)}
CONTAINER: Final = (0.34, 0.39)

EDGE, GAP = 0.03, 0.04
"""Kept free: at the picture's edges, and between two things."""

PLACES: Final = {
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "middle": (0.5, 0.5),
    "top left": (0.0, 0.0),
    "top right": (1.0, 0.0),
    "bottom left": (0.0, 1.0),
    "bottom right": (1.0, 1.0),
}
"""Where a thing that is alone may lie: 0 is at the edge where a coordinate begins, 1 where it ends."""


def compose(draws: Draws) -> Scene:
    """Draw a scene. Two groups always differ both in shape and in colour, so that either tells which is meant."""
    background = draws.one(tuple(BACKGROUNDS))
    layout = draws.one([name for name, (often, _) in LAYOUTS.items() for _ in range(often)])
    return LAYOUTS[layout][1](draws, layout, background)


def _alone(draws: Draws, layout: str, background: str) -> Scene:
    place = draws.one(tuple(PLACES))
    size = draws.one(tuple(RADII))
    radius = draws.between(*ALONE[size])
    x, y = (_at(draws, share, radius) for share in PLACES[place])
    thing = Thing(x, y, radius, draws.between(-0.08, 0.08))
    return Scene(layout, background, (Group(draws.one(SHAPES), draws.one(tuple(COLOURS)), size, (thing,)),), place)


def _at(draws: Draws, share: float, radius: float) -> float:
    """A coordinate near an edge or in the middle."""
    return EDGE + radius + share * (1 - 2 * EDGE - 2 * radius) + (0.5 - share) * draws.between(0, 0.12)


def _lined(draws: Draws, layout: str, background: str) -> Scene:
    """A row or a column."""
    size = draws.one(("small", "small", "large"))
    radii = _radii(draws, size, 2 if size == "large" else draws.one((2, 3, 4)))
    across = draws.between(0.3, 0.7)
    centres = [(along, across + draws.between(-0.02, 0.02)) for along in _line(draws, radii)]
    shape, colour = draws.one(SHAPES), draws.one(tuple(COLOURS))
    return Scene(layout, background, (_group(draws, shape, colour, size, radii, centres, layout == "column"),))


def _scattered(draws: Draws, layout: str, background: str) -> Scene:
    """Three or four things, each somewhere in a quarter of its own."""
    size = draws.one(tuple(RADII))
    radii = _radii(draws, size, 3 if size == "large" else draws.one((3, 4)))  # four large ones would look like a grid
    width = 0.5 - EDGE - GAP / 2
    low, high, free = EDGE + width / 2, 1 - EDGE - width / 2, width / 2 - max(radii)
    quarters = draws.shuffled([(low, low), (high, low), (low, high), (high, high)])[: len(radii)]
    centres = [(x + draws.between(-free, free), y + draws.between(-free, free)) for x, y in quarters]
    shape, colour = draws.one(SHAPES), draws.one(tuple(COLOURS))
    return Scene(layout, background, (_group(draws, shape, colour, size, radii, centres),))


def _halves(draws: Draws, layout: str, background: str) -> Scene:
    """The first group in the left half and the second in the right one; or above and below."""
    shapes, colours = draws.shuffled(SHAPES), draws.shuffled(tuple(COLOURS))
    groups: list[Group] = []
    for half, shape, colour in zip((0.25, 0.75), shapes, colours, strict=False):
        size = draws.one(tuple(RADII))
        number = draws.one((1, 1, 1, 2, 2, 3) if half < 0.5 and size == "small" else (1, 1, 2))
        number = min(number, 4 - len(groups[0].things)) if groups else number
        radii = _radii(draws, size, number)
        shift = draws.between(-0.02, 0.02)
        centres = [(half + shift, along) for along in _line(draws, radii)]
        groups.append(_group(draws, shape, colour, size, radii, centres, layout == "above"))
    return Scene(layout, background, tuple(groups))


def _inside(draws: Draws, layout: str, background: str) -> Scene:
    """A small thing in a large one, of colours that are easily told apart."""
    holder = draws.one(("circle", "square", "ring"))
    shape = draws.one([name for name in SHAPES if name != holder])
    outer = draws.one(tuple(COLOURS))
    inner = draws.one([name for name in COLOURS if _apart(name, outer)])
    radius = draws.between(*CONTAINER)
    x, y = (0.5 + draws.between(-1, 1) * (0.5 - EDGE - radius) for _ in range(2))
    large = Thing(x, y, radius, draws.between(-0.08, 0.08))
    small = Thing(x + draws.between(-0.02, 0.02), y + draws.between(-0.02, 0.02), draws.between(0.13, 0.15), large.angle)
    return Scene(layout, background, (Group(shape, inner, "small", (small,)), Group(holder, outer, "large", (large,))))


def _between(draws: Draws, layout: str, background: str) -> Scene:
    """One thing between two of another kind, in a row or in a column."""
    (shape, other), (colour, second) = draws.shuffled(SHAPES)[:2], draws.shuffled(tuple(COLOURS))[:2]
    size = draws.one(tuple(RADII))
    first, last = _radii(draws, "small", 2, tight=size == "large")
    radii = [first, *_radii(draws, size, 1), last]
    upright, across = draws.chance(0.3), draws.between(0.35, 0.65)
    along = _line(draws, radii)
    inner = _group(draws, shape, colour, size, radii[1:2], [(along[1], across)], upright)
    ends = [(along[0], across), (along[2], across)]
    return Scene(layout, background, (inner, _group(draws, other, second, "small", [first, last], ends, upright)))


LAYOUTS: Final[dict[str, tuple[int, Callable[[Draws, str, str], Scene]]]] = {
    "alone": (3, _alone),
    "row": (2, _lined),
    "column": (2, _lined),
    "scattered": (2, _scattered),
    "above": (2, _halves),
    "beside": (2, _halves),
    "inside": (1, _inside),
    "between": (1, _between),
}
"""How often each comes, and how it is made. Above, beside: the first group is above the second, or to the left of it."""


def _radii(draws: Draws, size: str, number: int, tight: bool = False) -> list[float]:
    """Of things that look alike: nearly equal."""
    radius = draws.between(*(SMALLEST if tight or number == 4 else RADII[size]))
    return [radius * draws.between(0.97, 1) for _ in range(number)]


def _line(draws: Draws, radii: Sequence[float]) -> list[float]:
    """Centres along one axis, from the low end: gaps alike, and the whole somewhere between the edges."""
    free = 1 - 2 * EDGE - 2 * sum(radii)
    gap = draws.between(GAP, min(0.12, free / (len(radii) - 1))) if len(radii) > 1 else 0.0
    at = EDGE + draws.between(0.2, 0.8) * (free - gap * (len(radii) - 1))
    centres = []
    for radius in radii:
        centres.append(at + radius)
        at += 2 * radius + gap
    return centres


def _group(
    draws: Draws,
    shape: str,
    colour: str,
    size: str,
    radii: Sequence[float],
    centres: Sequence[tuple[float, float]],
    swapped: bool = False,
) -> Group:
    """Things at these centres; `swapped` takes x for y."""
    placed = [(y, x) if swapped else (x, y) for x, y in centres]
    things = [Thing(x, y, radius, draws.between(-0.08, 0.08)) for (x, y), radius in zip(placed, radii, strict=True)]
    return Group(shape, colour, size, tuple(things))


def _apart(one: str, other: str) -> bool:
    """Whether two colours can be told apart where they touch."""
    return sum((a - b) ** 2 for a, b in zip(COLOURS[one], COLOURS[other], strict=True)) > 130**2
