"""Turning a newly trained space onto a former one, so that consumers may go on using vectors that they kept.

Orthogonal Procrustes (Schönemann 1966): of all rotations and reflections R, the one that makes |A R - B| smallest is U Vᵀ,
where U S Vᵀ is the singular value decomposition of Aᵀ B. It leaves every dot product within the space as it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kindex.core.space import Space, unit

Class = Literal["first", "same", "aligned", "incompatible"]
"""first: there was nothing before; same: vectors of shared, untouched items are what they were; aligned: turned onto the
former ones; incompatible: vectors of the two releases must not be compared."""

BLOCK = 1 << 14


@dataclass(frozen=True)
class Compatibility:
    """How vectors of this release compare with the former one's. `residual`: root mean square distance of the `shared` items
    that both have, of vectors at length 1 (0: equal, √2: unrelated)."""

    kind: Class
    residual: float | None = None
    shared: int = 0

    def as_dict(self) -> dict[str, object]:
        residual = None if self.residual is None else round(self.residual, 6)
        return {"class": self.kind, "residual": residual, "shared": self.shared}


def procrustes(pairs: Iterable[tuple[np.ndarray, np.ndarray]], dimensions: int) -> np.ndarray:
    """The orthogonal R (D, D) float64 that turns the first (N, D) of each pair nearest to the second, all pairs at once."""
    covariance_DD = np.zeros((dimensions, dimensions))
    for own_ND, former_ND in pairs:
        for at in range(0, len(own_ND), BLOCK):
            covariance_DD += own_ND[at : at + BLOCK].astype(np.float64).T @ former_ND[at : at + BLOCK].astype(np.float64)
    left_DD, _, right_DD = np.linalg.svd(covariance_DD)
    return np.asarray(left_DD @ right_DD)


def turned(vectors_ND: np.ndarray, rotation_DD: np.ndarray) -> np.ndarray:
    """Vectors · R, computed in float64 and kept as float32."""
    made_ND = np.empty(vectors_ND.shape, np.float32)
    for at in range(0, len(vectors_ND), BLOCK):
        made_ND[at : at + BLOCK] = vectors_ND[at : at + BLOCK].astype(np.float64) @ rotation_DD
    return made_ND


@dataclass(frozen=True)
class Alignment:
    """A rotation for each frame that needs one, and what came of it."""

    rotations: dict[str, np.ndarray]
    compatibility: Compatibility


def align(spaces: Mapping[str, Space], former: Mapping[str, Space]) -> Alignment:
    """How to turn `spaces` onto `former`: one rotation for each frame, from the items that both have, at length 1.

    Spaces that hold the former vectors already are not turned. Incompatible: a space that has another width or frame than
    before, or a frame without a shared item.
    """
    frames: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    same = True
    for kind, space in spaces.items():
        if kind not in former:
            frames.setdefault(space.frame or kind, [])
            continue
        other = former[kind]
        if other.vectors_ND.shape[1] != space.vectors_ND.shape[1] or other.frame != space.frame:
            return Alignment({}, Compatibility("incompatible"))
        own_N, former_N = shared_rows(space, other)
        same = same and np.array_equal(space.vectors_ND[own_N], other.vectors_ND[former_N])
        pair = unit(space.vectors_ND[own_N]), unit(other.vectors_ND[former_N])
        frames.setdefault(space.frame or kind, []).append(pair)
    shared = sum(len(own) for pairs in frames.values() for own, _ in pairs)
    if any(not sum(len(own) for own, _ in pairs) for pairs in frames.values()):
        return Alignment({}, Compatibility("incompatible"))
    if same:
        return Alignment({}, Compatibility("same", 0.0, shared))
    rotations, squared = {}, 0.0
    for frame, pairs in frames.items():
        rotations[frame] = rotation_DD = procrustes(pairs, pairs[0][0].shape[1])
        squared += sum(float(np.square(turned(own, rotation_DD) - other).sum(dtype=np.float64)) for own, other in pairs)
    return Alignment(rotations, Compatibility("aligned", float(np.sqrt(squared / shared)), shared))


def shared_rows(space: Space, former: Space) -> tuple[np.ndarray, np.ndarray]:
    """The rows in both of the ids that both have, in the order of `space`."""
    at = former.rows
    found = [(row, at[name]) for row, name in enumerate(space.ids) if name in at]
    rows = np.array(found, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]
