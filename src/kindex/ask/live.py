"""A release, opened for questions. Everything is checked against the manifest before it is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kindex.ask.loading import Told, check_able, read_encoder, read_parts
from kindex.ask.lookup import searched, space_of, spelt
from kindex.core import release as releases_
from kindex.core.analogies import cos_add, cos_mul
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.hubs import CANDIDATES, Offsets
from kindex.core.layout import find
from kindex.core.nearest import top_k
from kindex.core.release import Manifest
from kindex.core.space import Space
from kindex.index.index import Index

TRAINED, FOLDED, FALLBACK = "trained", "folded-in", "fallback"
"""Where the vector of an item comes from: the fit; its links (`kindex.ask.unseen`); nothing, so that it is the mean."""

ANALOGIES = {"add": cos_add, "mul": cos_mul}
"""How an analogy may be answered."""


@dataclass(frozen=True)
class Hit:
    """One answer; label and description as the catalogue has them.

    `score`: larger is nearer. It is the space's similarity; where the index of the model says `neighbours: local_scaling` or
    `inverted_softmax`, the similarity less how near the answer is to everything, see `kindex.core.hubs`. `origin`: of the
    vector that was asked about, None when that was given as numbers. The answers themselves are all trained.
    """

    id: str
    score: float
    label: str | None = None
    description: str | None = None
    origin: str | None = TRAINED


def open_live(model: str, *, root: Path | str | None = None, release: str | None = None) -> "Live":
    """Open the live release of `model`, or the version `release`, of the project at `root` (see `kindex.core.layout.find`).

    The manifest is held against CURRENT, and each file against the manifest, before it is loaded. What is opened stays
    what it was: a release published later is seen by the next `open_live`. Raises `ConfigError` for an unknown model or
    version, `DamagedError` naming the file that is damaged, missing or of another release.
    """
    layout = find(root)
    folder = layout.releases(model)
    if not releases_.names(folder):
        published = [path.name for path in folder.parent.glob("*") if releases_.names(path)]
        raise ConfigError(f"no release of {model!r}: {choices(model, published)}. `make nightly` publishes")
    manifest = releases_.live(folder, release)
    if manifest.model != model:
        raise DamagedError(f"{folder / manifest.version} is a release of {manifest.model}, not of {model}")
    return _load(folder / manifest.version, manifest)


def open_folder(folder: Path) -> "Live":
    """Open one release by its folder, which may have been copied away from its project. Raises as `open_live` does."""
    return _load(folder, releases_.live(folder.parent, folder.name))


def _load(folder: Path, manifest: Manifest) -> "Live":
    return Live(manifest, *read_parts(folder, manifest), folder)


@dataclass(frozen=True)
class Live:
    """An opened release. `kind` may be left out everywhere: it is then the first kind that has the ids asked about."""

    manifest: Manifest
    report: dict[str, float]
    spaces: dict[str, Space]
    indexes: dict[str, Index]
    known: Told
    offsets: dict[str, Offsets] = field(default_factory=dict)
    folder: Path | None = None

    @cached_property
    def encoder(self) -> Any:
        """The encoder, checked and loaded when it is first asked for. Raises `ConfigError` when this has no folder."""
        return read_encoder(self._folder, self.manifest)

    def able(self, ability: str) -> Any:
        """The encoder, which has the method `ability`, a name in `kindex.ask.loading.ABILITIES`.

        Raises `ConfigError` naming the families that can when the family of this model cannot; then nothing is loaded.
        """
        check_able(self._folder, self.manifest, ability)
        return self.encoder

    @property
    def _folder(self) -> Path:
        if self.folder is None:
            raise ConfigError(f"{self.manifest.model} was not opened from a folder, so its encoder cannot be asked")
        return self.folder

    @property
    def kinds(self) -> list[str]:
        """Kinds of item that have vectors, the one that the model is about first."""
        return list(self.spaces)

    def kinds_of(self, id: str) -> list[str]:
        """The kinds that have this id, the one that is asked about by default first."""
        return [kind for kind, space in self.spaces.items() if spelt(id, space) is not None]

    def spelt(self, id: str, kind: str | None = None) -> str | None:
        """The id as the release has it (a word in lower case), None when no space asked about has it."""
        spaces = searched(self.manifest.model, self.spaces, kind)
        return next((name for space in spaces if (name := spelt(id, space)) is not None), None)

    def ids(self, kind: str | None = None) -> tuple[str, ...]:
        """The ids of one kind, in the order of its vectors."""
        return self._space(kind).ids

    def vector(self, id: str, kind: str | None = None) -> np.ndarray:
        """The item's float32 vector (D), as it was learned."""
        return self.vectors([id], kind)[0]

    def vectors(self, ids: Sequence[str], kind: str | None = None) -> np.ndarray:
        """Float32 vectors (N, D) in the order of `ids`."""
        space, names = self._of(ids, kind)
        return space.vectors_ND[[space.rows[name] for name in names]]

    def similar(self, id: str, k: int = 10, kind: str | None = None) -> list[Hit]:
        """The `k` items of the same kind nearest to `id`, nearest first, never itself.

        Raises `ConfigError` with close spellings when nothing has this id, or `k` is below 1.
        """
        space, (name,) = self._of([id], kind)
        return self._search(space, space.vectors_ND[space.rows[name]], k, {name})

    def similar_to_vector(self, vector_D: np.ndarray, k: int = 10, kind: str | None = None) -> list[Hit]:
        """The `k` items nearest to a vector (D) of the same space. Raises `ConfigError` when it has another width."""
        space = self._space(kind)
        width = space.vectors_ND.shape[1]
        vector_D = np.asarray(vector_D, np.float32)
        if vector_D.shape != (width,) or not np.isfinite(vector_D).all():
            raise ConfigError(f"the vector has the shape {vector_D.shape}, allowed: ({width},), all finite")
        return [replace(hit, origin=None) for hit in self._search(space, vector_D, k, set())]

    def most_similar(
        self, positive: Sequence[str], negative: Sequence[str] = (), k: int = 10, kind: str | None = None, by: str = "add"
    ) -> list[Hit]:
        """Items that are to the positive ones as they are not to the negative ones, without any of them; by cosine.

        `by` is add for 3CosAdd, the nearest to the sum of the unit vectors, negatives subtracted (Mikolov, Yih, Zweig 2013,
        section 4; *Linguistic Regularities in Continuous Space Word Representations*), or mul for 3CosMul, the product of
        cosines over that of the negatives' (Levy, Goldberg 2014, equation 4; *Linguistic Regularities in Sparse and Explicit
        Word Representations*). Exact search. Raises `ConfigError` when both lists are empty, or an id or `by` is unknown.
        """
        asked = [*positive, *negative]
        if not asked:
            raise ConfigError("most_similar needs at least one id, positive or negative")
        if by not in ANALOGIES:
            raise ConfigError(f"an analogy goes by {by!r}: {choices(by, ANALOGIES)}")
        space, names = self._of(asked, kind)
        rows = [space.rows[name] for name in names]
        scores_N = ANALOGIES[by](space.unit_ND, rows[: len(positive)], rows[len(positive) :])
        scores_QK, rows_QK = top_k(scores_N[None, :], _positive(k) + len(set(names)))
        return self._hits(space, scores_QK[0], rows_QK[0], k, set(names))

    def _search(self, space: Space, vector_D: np.ndarray, k: int, without: set[str]) -> list[Hit]:
        offsets = self.offsets.get(space.kind)
        wanted = max(CANDIDATES, 10 * _positive(k)) if offsets else _positive(k)
        scores_QK, rows_QK = self.indexes[space.kind].search(vector_D[None, :], wanted + len(without))
        scores_K, rows_K = scores_QK[0], rows_QK[0]
        if offsets:
            kept_K = (rows_K >= 0) & ~np.isin(rows_K, [space.rows[name] for name in without])
            scores_K, rows_K = offsets.ranked(scores_K[kept_K], rows_K[kept_K])
        return self._hits(space, scores_K, rows_K, k, without)

    def _hits(self, space: Space, scores_K: np.ndarray, rows_K: np.ndarray, k: int, without: set[str]) -> list[Hit]:
        found = [(space.ids[row], float(score)) for score, row in zip(scores_K, rows_K) if row >= 0]
        kept = [(name, score) for name, score in found if name not in without][:k]
        return [Hit(name, score, *self.known.get((space.kind, name), (None, None))) for name, score in kept]

    def _space(self, kind: str | None) -> Space:
        return searched(self.manifest.model, self.spaces, kind)[0]

    def _of(self, ids: Sequence[str], kind: str | None) -> tuple[Space, list[str]]:
        return space_of(self.manifest.model, self.spaces, ids, kind)


def _positive(k: int) -> int:
    if k < 1:
        raise ConfigError(f"k is {k}, allowed: 1 or more")
    return k
