"""A scene as pixels: signed distances to outlines, smoothed over a pixel's width, with uneven light and noise.

Only sums, products, quotients and square roots of float64 are taken, which IEEE 754 fixes to the last bit, and what the C
library computes (sines) is rounded: so pixels are the same on every machine.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from kindex.sources.parts.scenedraws import Draws
from kindex.sources.parts.scenethings import BACKGROUNDS, COLOURS, Scene, Thing

Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Signed distance (H, W) of points x, y (H, W) from a shape of radius 1; below 0 inside; y points down."""

SHADES, TINTS = 10.0, 4.0
"""By how much a colour is lighter or darker than the one of its name, and each of red, green and blue beside that, at most."""

LIGHT = 0.1
NOISE = 5.0


def paint(scene: Scene, side: int, draws: Draws) -> np.ndarray:
    """The picture (side, side, 3) uint8. `draws` decides light, shades and noise, nothing that a caption tells."""
    at_S = (np.arange(side) + 0.5) / side
    x_HW, y_HW = np.broadcast_to(at_S, (side, side)), np.broadcast_to(at_S[:, None], (side, side))
    picture_HW3 = np.empty((side, side, 3))
    picture_HW3[:] = _shaded(BACKGROUNDS[scene.background], draws)
    for group in reversed(scene.groups):  # the first may lie inside the second
        for thing in group.things:
            distance_HW = _distance(group.shape, thing, x_HW, y_HW)
            cover_HW1 = np.clip(0.5 - distance_HW * side, 0, 1)[:, :, None]
            gloss_HW1 = (1.06 - 0.12 * (y_HW - thing.y + thing.radius) / (2 * thing.radius))[:, :, None]
            picture_HW3 += cover_HW1 * (_shaded(COLOURS[group.colour], draws) * gloss_HW1 - picture_HW3)
    along, across = draws.between(-LIGHT, LIGHT), draws.between(-LIGHT, LIGHT)
    picture_HW3 *= (1 + along * (x_HW - 0.5) + across * (y_HW - 0.5))[:, :, None]
    picture_HW3 += (draws.uniform(picture_HW3.size).reshape(picture_HW3.shape) * 2 - 1) * NOISE
    return np.clip(np.floor(picture_HW3 + 0.5), 0, 255).astype(np.uint8)


def _shaded(colour: tuple[int, int, int], draws: Draws) -> np.ndarray:
    return np.array(colour, float) + draws.between(-SHADES, SHADES) + (draws.uniform(3) * 2 - 1) * TINTS


def _distance(shape: str, thing: Thing, x_HW: np.ndarray, y_HW: np.ndarray) -> np.ndarray:
    """Signed distance from a thing, as a share of the picture's side."""
    cosine, sine = round(math.cos(thing.angle), 9), round(math.sin(thing.angle), 9)
    right_HW, down_HW = (x_HW - thing.x) / thing.radius, (y_HW - thing.y) / thing.radius
    return OUTLINES[shape](cosine * right_HW + sine * down_HW, cosine * down_HW - sine * right_HW) * thing.radius


def _length(x_HW: np.ndarray, y_HW: np.ndarray) -> np.ndarray:
    length_HW: np.ndarray = np.sqrt(x_HW * x_HW + y_HW * y_HW)
    return length_HW


def _circle(x_HW: np.ndarray, y_HW: np.ndarray) -> np.ndarray:
    return _length(x_HW, y_HW) - 1


def _ring(x_HW: np.ndarray, y_HW: np.ndarray) -> np.ndarray:
    return np.abs(_length(x_HW, y_HW) - 0.8) - 0.2


def _polygon(corners: Sequence[tuple[float, float]]) -> Outline:
    """The outline through these corners, in order; it may be dented."""
    edges = list(zip(corners, [*corners[1:], corners[0]], strict=True))

    def distance(x_HW: np.ndarray, y_HW: np.ndarray) -> np.ndarray:
        nearest_HW = np.full(x_HW.shape, np.inf)
        inside_HW = np.zeros(x_HW.shape, bool)
        for (x, y), (next_x, next_y) in edges:
            run, fall = next_x - x, next_y - y
            along_HW = np.clip(((x_HW - x) * run + (y_HW - y) * fall) / (run * run + fall * fall), 0, 1)
            from_x_HW, from_y_HW = x_HW - x - along_HW * run, y_HW - y - along_HW * fall
            nearest_HW = np.minimum(nearest_HW, from_x_HW * from_x_HW + from_y_HW * from_y_HW)
            if fall:  # a ray to the right crosses the outline an odd number of times from inside
                inside_HW ^= ((y_HW < y) != (y_HW < next_y)) & (x_HW < x + (y_HW - y) * run / fall)
        return np.sqrt(nearest_HW) * np.where(inside_HW, -1.0, 1.0)

    return distance


def _spikes(number: int, outer: float, inner: float, down: float) -> list[tuple[float, float]]:
    """Corners at two radii in turn, the first straight above; `down` moves them all."""
    corners = []
    for place in range(2 * number):
        angle, radius = math.pi * place / number, inner if place % 2 else outer
        corners.append((round(radius * math.sin(angle), 9), round(down - radius * math.cos(angle), 9)))
    return corners


_S, _A = 0.86, 0.34

OUTLINES: Final[dict[str, Outline]] = {
    "circle": _circle,
    "square": _polygon([(-_S, -_S), (_S, -_S), (_S, _S), (-_S, _S)]),
    "triangle": _polygon(_spikes(3, 1.15, 0.575, 0.2)),
    "star": _polygon(_spikes(5, 1.12, 0.47, 0.06)),
    "ring": _ring,
    "cross": _polygon(
        [
            (-_A, -1),
            (_A, -1),
            (_A, -_A),
            (1, -_A),
            (1, _A),
            (_A, _A),
            (_A, 1),
            (-_A, 1),
            (-_A, _A),
            (-1, _A),
            (-1, -_A),
            (-_A, -_A),
        ]
    ),
}
