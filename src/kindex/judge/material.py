"""What a model is judged by, and what of it the judges ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kindex.core.hubs import Offsets
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.judge.before import Before
from kindex.judge.captions.material import Material as Captioned
from kindex.judge.links import Raw


@dataclass(frozen=True)
class Material:
    """What is judged. `images` are (H, W, C) with values in 0..1 by id, all of one shape.

    `rebuilt_NHWC` is what the encoder made of the held-out images, in the order of `split.heldout.images`; None when its
    family does not rebuild. `index_recall` and `offsets` are by kind of space; without offsets neighbours are answered as
    they lie. `rivals` are the spaces of other models by the prefix of their numbers. `golden` are ids whose neighbours are
    always shown.
    """

    split: Split
    spaces: dict[str, Space]
    index_recall: Mapping[str, float] = field(default_factory=dict)
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    rebuilt_NHWC: np.ndarray | None = None
    offsets: Mapping[str, Offsets] = field(default_factory=dict)
    rivals: Mapping[str, Mapping[str, Space]] = field(default_factory=dict)
    golden: Sequence[str] = ()
    index_excess: Mapping[str, float] = field(default_factory=dict)  # of those with a budget
    captioner: Captioned | None = None  # of a family that captions; `rival_captioners` are other tunings by name
    rival_captioners: Mapping[str, Captioned] = field(default_factory=dict)
    before: Before | None = None  # the parent release
    index_figures: Mapping[str, float] = field(default_factory=dict)  # of the chosen indexes, the worst of all kinds


def finite(space: Space) -> Space:
    """The space with broken vectors at zero: `vectors_nan` has counted them, and they must not break other numbers."""
    broken_N = ~np.isfinite(space.vectors_ND).all(1)
    return replace(space, vectors_ND=np.where(broken_N[:, None], np.float32(0), space.vectors_ND)) if broken_N.any() else space


def all_finite(rivals: Mapping[str, Mapping[str, Space]]) -> dict[str, dict[str, Space]]:
    return {name: {kind: finite(space) for kind, space in spaces.items()} for name, spaces in rivals.items()}


def stack(ids: Sequence[str], images: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([images[name] for name in ids])


def pixels_of(images: Mapping[str, np.ndarray]) -> Raw:
    """The raw input of items that have an image."""
    return lambda ids: stack(ids, images).reshape(len(ids), -1).astype(np.float32)
