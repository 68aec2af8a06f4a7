"""Train and fill a faiss index of one space: the same bytes every time, and what several kinds need is made once.

An inverted file is mostly its k-means, a graph mostly its links. A sweep tries several of each, so both are made once for
each size, from the vectors as they are; a transform that keeps inner products keeps centroids and links, too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kindex.core.errors import ConfigError
from kindex.index.faiss_parts import faiss_one_thread, parts

TRAIN_VECTORS_PER_LIST = 40
KMEANS_ROUNDS = 10
"""k-means is most of what an inverted file costs to build. 25 rounds on 64 vectors for each list cost five times as much
and found no more: see docs/indexes.md."""

GRAPH_BREADTH = 100
"""Candidates for a node's links. With faiss's 40 a graph of 36,064 books has to be searched eight times as broadly to reach
index recall 0.95."""


@dataclass
class Material:
    """One space's vectors as they are searched, and what was already made of them. `where` names the block for errors."""

    vectors_ND: np.ndarray
    metric: str = "cosine"
    where: str = "indexes"
    centroids: dict[int, np.ndarray] = field(default_factory=dict)  # (lists, D) by the number of lists
    graphs: dict[int, Any] = field(default_factory=dict)  # HNSW over the vectors, by its links for each node
    seconds: dict[str, float] = field(default_factory=dict)  # CPU time of each of these
    build_seconds: float = 0.0  # CPU time of the last index, as if it had been built alone

    def __post_init__(self) -> None:
        self.vectors_ND = np.ascontiguousarray(self.vectors_ND)

    def of(self, factory: str) -> Any:
        """A filled faiss index. Raises `ConfigError` for a factory that faiss does not know or cannot train here."""
        began, self.build_seconds = time.thread_time(), 0.0
        faiss_index = _fill(self, factory, empty(factory, self.vectors_ND.shape[1], self.where))
        self.build_seconds = round(self.build_seconds + time.thread_time() - began, 3)
        return faiss_index

    def once(self, name: str, made: dict[int, Any], key: int, make: Callable[[], Any]) -> Any:
        """`made[key]`, made now if it was not; what it cost counts for every index that uses it."""
        if key in made:
            self.build_seconds += self.seconds[f"{name}{key}"]
        else:
            began = time.thread_time()
            made[key] = make()
            self.seconds[f"{name}{key}"] = time.thread_time() - began
        return made[key]


def empty(factory: str, dimensions: int, where: str) -> Any:
    """The untrained index. Raises `ConfigError` for a factory string that faiss does not know."""
    faiss = faiss_one_thread()
    try:
        return faiss.index_factory(dimensions, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError:
        raise ConfigError(
            f"{where}.kind is {factory!r}, which faiss cannot make for {dimensions} dimensions. Allowed: auto, exact, budget, "
            "or a factory string such as HNSW32 or IVF256,SQ8 (the wiki page 'The index factory'). Edit params.yaml"
        ) from None


def _fill(material: Material, factory: str, faiss_index: Any) -> Any:
    faiss = faiss_one_thread()
    _require_inner_products(faiss_index, material.metric, f"{material.where}.kind is {factory!r}")
    refine, chain, inner = parts(faiss_index)
    prepare(inner)
    try:
        if all(isinstance(part, faiss.RandomRotationMatrix | faiss.RemapDimensionsTransform) for part in chain):
            if refine is None and isinstance(inner, faiss.IndexHNSW) and _shared_graph(material, faiss_index, chain, inner):
                return faiss_index
            if isinstance(inner, faiss.IndexIVF) and type(faiss.downcast_index(inner.quantizer)) is faiss.IndexFlat:
                # an inverted file whose quantiser is full does not run k-means
                inner.quantizer.add(_turned(_shared_centroids(material, inner.nlist), chain, material.vectors_ND))
        faiss_index.train(material.vectors_ND)
        faiss_index.add(material.vectors_ND)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(
            f"{material.where}.kind is {factory!r}, which cannot be built from {len(material.vectors_ND)} vectors ({reason}). "
            "Edit params.yaml"
        ) from None
    return faiss_index


def _shared_centroids(material: Material, lists: int) -> np.ndarray:
    make = partial(_centroids, material.vectors_ND, lists, material.metric)
    found: np.ndarray = material.once("lists", material.centroids, lists, make)
    return found


def _centroids(vectors_ND: np.ndarray, lists: int, metric: str) -> np.ndarray:
    """Spherical k-means, as faiss trains an inverted file of inner products: (lists, D), all of the vectors' mean length.

    Faiss leaves them at length 1. A common length changes no vector's list, but codes are of the difference from the list's
    centroid: for vectors of length 1e-7 as for those of 100 nothing of the vector would be left in it.
    """
    faiss = faiss_one_thread()
    settings = faiss.ClusteringParameters()
    settings.spherical, settings.niter = True, KMEANS_ROUNDS
    # below 39 vectors for each list faiss only prints a warning
    settings.max_points_per_centroid, settings.min_points_per_centroid = TRAIN_VECTORS_PER_LIST, 1
    clustering = faiss.Clustering(vectors_ND.shape[1], lists, settings)
    clustering.train(vectors_ND, faiss.IndexFlatIP(vectors_ND.shape[1]))
    directions_LD = faiss.vector_to_array(clustering.centroids).reshape(lists, vectors_ND.shape[1])
    length = float(np.linalg.norm(vectors_ND, axis=1).mean()) if metric == "dot" else 1.0
    return directions_LD * np.float32(length or 1.0)


def _shared_graph(material: Material, faiss_index: Any, chain: list[Any], inner: Any) -> bool:
    """Fill a graph over compressed vectors with the links of the one over plain vectors; False for that one itself.

    Links found with exact distances are better, and are found once.
    """
    faiss = faiss_one_thread()
    if not isinstance(inner, faiss.IndexHNSWFlat | faiss.IndexHNSWSQ):
        return False
    links = inner.hnsw.nb_neighbors(1)
    graph = material.once("links", material.graphs, links, lambda: _graph(material.vectors_ND, links))
    storage = faiss.downcast_index(inner.storage)
    turned_ND = _turned(material.vectors_ND, chain, material.vectors_ND)
    storage.train(turned_ND)
    storage.add(turned_ND)
    inner.hnsw = graph.hnsw
    for part in (inner, faiss_index):
        part.ntotal, part.is_trained = len(turned_ND), True
    return True


def _graph(vectors_ND: np.ndarray, links: int) -> Any:
    faiss = faiss_one_thread()
    graph = faiss.IndexHNSWFlat(vectors_ND.shape[1], links, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = GRAPH_BREADTH
    graph.add(vectors_ND)
    return graph


def _turned(vectors_ND: np.ndarray, chain: list[Any], all_ND: np.ndarray) -> np.ndarray:
    for part in chain:
        if not part.is_trained:
            part.train(all_ND)
        vectors_ND = part.apply(vectors_ND)
    return vectors_ND


def prepare(inner: Any) -> None:
    """What k-means and graphs may cost.

    Fewer training vectors than faiss likes are a matter of index recall, which is measured, and not of a warning.
    """
    for owner in (inner, getattr(inner, "pq", inner)):
        if hasattr(owner, "cp"):
            owner.cp.min_points_per_centroid = 1
    if hasattr(inner, "hnsw"):
        inner.hnsw.efConstruction = GRAPH_BREADTH
    if hasattr(inner, "cp"):
        inner.cp.niter, inner.cp.max_points_per_centroid = KMEANS_ROUNDS, TRAIN_VECTORS_PER_LIST


def _require_inner_products(faiss_index: Any, metric: str, what: str) -> None:
    """Refuse transforms that do not keep inner products, for then the index's scores are not the space's."""
    faiss = faiss_one_thread()
    for part in parts(faiss_index)[1]:
        # what widens or turns keeps them; what narrows (PCA20, RR20) or shifts does not
        widens = isinstance(part, faiss.LinearTransform) and not part.have_bias and part.d_out >= part.d_in
        widens = widens or (isinstance(part, faiss.RemapDimensionsTransform) and part.d_out >= part.d_in)
        if not widens and not (metric == "cosine" and isinstance(part, faiss.NormalizationTransform)):
            raise ConfigError(
                f"{what}, whose {type(part).__name__} changes inner products. Allowed: OPQ, RR or Pad before an index, to no "
                "fewer dimensions. Edit params.yaml"
            )
