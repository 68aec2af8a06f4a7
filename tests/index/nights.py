"""A space that changes night after night: items come, get other vectors, and go; its order changes, too."""

from dataclasses import dataclass, field, replace

import numpy as np

from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.before import Before, Past
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.index import Index
from kindex.index.refresh import Note
from tests.index.test_index import clustered


@dataclass
class Nights:
    """`gone` holds the ids that left and did not come back."""

    space: Space
    rng: np.random.Generator
    gone: dict[str, np.ndarray] = field(default_factory=dict)
    made: int = 0

    @classmethod
    def of(cls, count: int = 400, dimensions: int = 24, seed: int = 0, metric: str = "cosine") -> "Nights":
        return cls(clustered(count, dimensions, metric), np.random.default_rng(seed))

    def next(self, added: int = 6, replaced: int = 6, removed: int = 6, returning: int = 0, shuffled: bool = False) -> Space:
        """The space after one night."""
        kept = dict(zip(self.space.ids, self.space.vectors_ND))
        for name in self.rng.permutation(self.space.ids)[:removed].tolist():
            self.gone[name] = kept.pop(name)
        for name in self.rng.permutation(list(kept))[:replaced].tolist():
            kept[name] = self._vector()
        back = list(self.gone)[:returning]
        kept |= {name: self.gone.pop(name) for name in back}
        for _ in range(added):
            self.made += 1
            kept[f"new{self.made}"] = self._vector()
        names = self.rng.permutation(list(kept)).tolist() if shuffled else list(kept)
        vectors_ND = np.array([kept[name] for name in names], np.float32).reshape(len(names), -1)
        self.space = Space("thing", tuple(names), vectors_ND, self.space.metric)
        return self.space

    def _vector(self) -> np.ndarray:
        near = self.space.vectors_ND[self.rng.integers(len(self.space.ids))]
        return (near + 0.3 * np.abs(near).mean() * self.rng.normal(size=len(near))).astype(np.float32)


def before(space: Space, index: Index, note: Note | None = None) -> Before:
    """What the next night finds, had the release been written and read again."""
    past = note.past if note else Past(index.index_recall_at_10, index.budget_excess)
    return Before(space, again(index), index.trials, past)


def again(index: Index) -> Index:
    """Through faiss's own bytes, as a release has it."""
    faiss = faiss_one_thread()
    return replace(index, faiss_index=faiss.deserialize_index(faiss.serialize_index(index.faiss_index)))


def exact(space: Space, queries_QD: np.ndarray, k: int) -> np.ndarray:
    """The scores (Q, k) of exact search, in float64."""
    search_ND = space.search_ND.astype(np.float64)
    asked_QD = queries_QD.astype(np.float64)
    if space.metric == "cosine":
        asked_QD /= np.linalg.norm(asked_QD, axis=1, keepdims=True)
    return -np.sort(-(asked_QD @ search_ND.T), axis=1)[:, :k]


def params(kind: str, **settings: object) -> IndexParams:
    return IndexParams(kind=kind, sample=100, **settings)  # type: ignore[arg-type]
