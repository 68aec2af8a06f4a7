"""What scenes are made of: the shapes, colours and backgrounds by name, and a scene's own structure.

Coordinates and lengths are shares of the picture's side: x from the left, y from the top.
"""

from dataclasses import dataclass
from typing import Final

SHAPES: Final = ("circle", "square", "triangle", "star", "ring", "cross")

COLOURS: Final = {
    "red": (214, 39, 40),
    "orange": (250, 140, 20),
    "yellow": (252, 214, 30),
    "green": (44, 160, 60),
    "blue": (40, 90, 220),
    "purple": (138, 62, 190),
    "pink": (250, 142, 196),
    "brown": (130, 78, 44),
}
"""Red, green and blue, 0 to 255."""

BACKGROUNDS: Final = {"white": (245, 245, 245), "beige": (226, 212, 180), "grey": (160, 161, 164), "black": (22, 22, 26)}


@dataclass(frozen=True)
class Thing:
    """One shape: its centre, half its width, and the angle in radians by which it is turned."""

    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Group:
    """Things that are alike, one to four."""

    shape: str
    colour: str
    size: str
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Scene:
    """`layout` says how the things lie: the one group by itself, or the first group to the second.

    `place` is where one thing that is alone lies, else "".
    """

    layout: str
    background: str
    groups: tuple[Group, ...]
    place: str = ""
