"""Two vocabularies and their vectors; and vectors of items that came after, from their links, in closed form."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.align import turned
from kindex.core.catalogue import Catalogue
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.scratch import Column, pieces
from kindex.core.space import CONTEXT, Space
from kindex.encoders.pairs.folding import LIGHTEST, Folding
from kindex.encoders.parts.arrays import load_arrays, save_arrays
from kindex.encoders.parts.vocabulary import Vocabulary

Ends = Iterable[tuple[str, str]]
"""Items by (kind, id)."""

FRAME = "pairs"

SAMPLE = 64
"""Items that are enough for the median of a ratio: it is within 2 to 3 % of that over all."""


class Encoder:
    """Vectors (L, D) and (R, D), float32. `about`: what the fit chose, its trials, and the weights that new items
    are folded in with.
    """

    def __init__(
        self, left: Vocabulary, right: Vocabulary, left_LD: np.ndarray, right_RD: np.ndarray, about: Mapping[str, Any]
    ) -> None:
        self.left, self.right, self.left_LD, self.right_RD, self.about = left, right, left_LD, right_RD, about
        self._foldings: dict[str, Folding] = {}

    def embed(self, catalogue: Catalogue) -> dict[str, Space]:
        """A space for each kind of item, ids ascending, all in one frame; items of the catalogue that train knew.

        A kind that stands at both ends has a space of its left vectors, and one of its right vectors named `<kind>-context`;
        see `kindex.core.space.link_spaces`.
        """
        spaces = _spaces(self.left, self.left_LD, catalogue.items, {})
        taken = {kind: f"{kind}{CONTEXT}" for kind in spaces}
        return spaces | _spaces(self.right, self.right_RD, catalogue.items, taken)

    def fold_in(self, linked: Iterable[Ends], side: str = "left", kind: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (N, D) of new items that are given by their links alone, and how many links of each are known (N).

        `linked` has, for each item, the (kind, id) of the items at the other end; what is there twice counts once. `side` is
        the end where the new items stand, `kind` theirs (it says what a link to a new right item counts).
        """
        known = self._ends(side)[1].rows
        rows = [sorted({known[end] for end in ends if end in known}) for ends in linked]
        links_N = np.array([len(row) for row in rows], np.int64)
        start_N1 = np.concatenate([[0], np.cumsum(links_N)]).astype(np.int64)
        column_P = np.array([row for found in rows for row in found], np.int64)
        return self.folded(start_N1, column_P, side, kind), links_N

    def folded(self, start_N1: np.ndarray, column_P: np.ndarray, side: str = "left", kind: str | None = None) -> np.ndarray:
        """The same for links as rows of the other end's vocabulary: item n has `column_P[start_N1[n]:start_N1[n + 1]]`.

        The vector is the exact least-squares one of `kindex.encoders.pairs.folding`, in the frame of the trained vectors. An
        item without links gets the mean vector of its side, which ranks by popularity: a fallback.
        """
        own, other, own_VD, _ = self._ends(side)
        if side not in self._foldings:
            self._foldings[side] = Folding(self._ends(side)[3], float(self.about["weights"]["unobserved"]))
        folding = self._foldings[side]
        unobserved = folding.unobserved * len(other)
        scale = float(self.about["weights"]["regularisation"]) / (float(self.about["mean_links"][side]) + unobserved)
        counts: Mapping[str, float] = self.about.get("chosen", {}).get("kind_weights", {})
        if side == "left":
            each_K = np.array([counts.get(name, 1.0) for name in other.ids])
            counted_P = np.repeat(each_K, [len(ids) for ids in other.ids.values()])[column_P]
        else:
            counted_P = np.full(len(column_P), counts.get(kind or next(iter(own.ids), ""), 1.0))
        made_ND = folding.rows(start_N1, column_P, np.maximum(counted_P, LIGHTEST), scale)
        made_ND *= np.float32(self.about.get("gain", {}).get(side, 1.0))
        made_ND[np.diff(start_N1) == 0] = own_VD.mean(0)
        return made_ND

    def gains(self, start_L1: np.ndarray, right_P: Column) -> dict[str, float]:
        """For each side, how much longer trained vectors are than what their own links fold in to: medians over a sample.

        The links are those of the fit, left row l having `right_P[start_L1[l]:start_L1[l + 1]]`. A fit keeps it as
        `about["gain"]`: the length of a right vector carries popularity, and least squares is not all that makes it.
        """
        self.about = {name: value for name, value in self.about.items() if name != "gain"}
        return {side: self._gain(side, start_L1, right_P) for side in ("left", "right")}

    def _gain(self, side: str, start_L1: np.ndarray, right_P: Column) -> float:
        own, _, own_VD, _ = self._ends(side)
        ratios = []
        for kind, span in own.spans().items():
            some_S = np.arange(span.start, span.stop, 1 + (span.stop - span.start - 1) // SAMPLE)
            if side == "left":
                links_S = np.diff(start_L1)[some_S]
                column_Q = np.concatenate([right_P[start_L1[row] : start_L1[row + 1]] for row in some_S])
            else:
                place_R = np.full(len(own), -1)
                place_R[some_S] = np.arange(len(some_S))
                at_Q = np.concatenate(
                    [part.start + np.flatnonzero(place_R[right_P[part]] >= 0) for part in pieces(len(right_P))]
                )
                at_Q = at_Q[np.argsort(right_P[at_Q], kind="stable")]
                links_S = np.bincount(place_R[right_P[at_Q]], minlength=len(some_S))
                column_Q = np.searchsorted(start_L1, at_Q, side="right") - 1
            folded_SD = self.folded(np.concatenate([[0], np.cumsum(links_S)]), column_Q, side, kind)
            lengths = np.linalg.norm(own_VD[some_S], axis=1), np.linalg.norm(folded_SD, axis=1)
            ratios.append(lengths[0] / np.maximum(lengths[1], 1e-30))
        return float(np.median(np.concatenate(ratios))) if ratios else 1.0

    def turn(self, rotations: Mapping[str, np.ndarray]) -> None:
        """Turn both tables by the rotation of their frame; dot products, and so folding in, stay as they were."""
        if FRAME in rotations:
            self.left_LD, self.right_RD = (turned(table, rotations[FRAME]) for table in (self.left_LD, self.right_RD))
            self._foldings = {}

    def share_foldings(self, other: "Encoder", side: str) -> None:
        """Take over what `other` prepared for folding in at this side, where both have the same vectors at the other end."""
        if side in other._foldings:
            self._foldings[side] = other._foldings[side]

    def _ends(self, side: str) -> tuple[Vocabulary, Vocabulary, np.ndarray, np.ndarray]:
        """The vocabularies of the side and of the other one, then their vectors."""
        if side == "left":
            return self.left, self.right, self.left_LD, self.right_RD
        if side == "right":
            return self.right, self.left, self.right_RD, self.left_LD
        raise ValueError(f"side is {side!r}, allowed: left, right")

    def save(self, folder: Path) -> None:
        save_arrays(folder / "encoder.safetensors", {"left": self.left_LD, "right": self.right_RD})
        about = {"family": "pairs", "left": self.left.ids, "right": self.right.ids, "about": self.about}
        write_atomic(folder / "encoder.json", pretty_json(about))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises `DamagedError` naming a file that is missing or damaged."""
        arrays, about = load_arrays(folder / "encoder.safetensors"), read_json(folder / "encoder.json")
        try:
            left, right = (Vocabulary({k: tuple(ids) for k, ids in about[side].items()}) for side in ("left", "right"))
            vectors, chosen = (arrays["left"], arrays["right"]), dict(about["about"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DamagedError(f"{folder} holds no pairs encoder: {error} is missing") from error
        if (len(left), len(right)) != (len(vectors[0]), len(vectors[1])):
            raise DamagedError(f"{folder / 'encoder.json'} has other items than encoder.safetensors has vectors")
        return cls(left, right, *vectors, chosen)


def _spaces(vocabulary: Vocabulary, vectors_VD: np.ndarray, items: pa.Table, names: Mapping[str, str]) -> dict[str, Space]:
    spaces = {}
    for kind, span in vocabulary.spans().items():
        ids = pa.array(vocabulary.ids[kind], pa.string())
        here_K = pc.is_in(ids, items["id"].filter(pc.equal(items["kind"], kind))).to_numpy(zero_copy_only=False)
        every = bool(here_K.all())  # then the table is not made twice
        some = vocabulary.ids[kind] if every else tuple(ids.filter(pa.array(here_K)).to_pylist())
        some_KD = vectors_VD[span] if every else vectors_VD[span][here_K]
        if some:
            space = Space(names.get(kind, kind), some, some_KD, "cosine", FRAME)
            spaces[space.kind] = space
    return spaces
