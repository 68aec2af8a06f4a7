"""A space: ids and vectors with a metric, which outlive the encoder that made them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.aside import side_by_side
from kindex.core.catalogue import write_table
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.tables import reading

METRICS = ("cosine", "dot")

CONTEXT = "-context"
"""Ends the name of the space of right vectors of a kind that stands at both ends of links; see `link_spaces`."""


@dataclass(frozen=True)
class Space:
    """`ids` (N) and float32 `vectors_ND` of one kind of item; scores are similarities, larger is nearer.

    Two spaces are compared only when they share a `frame`: a pair model learns its left and right tables in one frame,
    so their dot products mean something; vectors of two frames never do.
    """

    kind: str
    ids: tuple[str, ...]
    vectors_ND: np.ndarray
    metric: str = "cosine"
    frame: str = ""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric is {self.metric!r}: {choices(self.metric, METRICS)}")
        if self.vectors_ND.dtype != np.float32 or self.vectors_ND.shape[:1] != (len(self.ids),) or self.vectors_ND.ndim != 2:
            shape = f"{self.vectors_ND.dtype} {self.vectors_ND.shape}"
            raise ValueError(f"space {self.kind}: {shape} for {len(self.ids)} ids, allowed: float32 (N, D)")

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each id."""
        return {name: row for row, name in enumerate(self.ids)}

    @cached_property
    def unit_ND(self) -> np.ndarray:
        """The vectors at length 1 (a zero vector stays zero)."""
        return unit(self.vectors_ND)

    @property
    def search_ND(self) -> np.ndarray:
        """The vectors whose dot product is this space's score."""
        return self.unit_ND if self.metric == "cosine" else self.vectors_ND


def unit(vectors_ND: np.ndarray) -> np.ndarray:
    """Rows divided by their Euclidean length; zero rows stay zero."""
    length_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.divide(vectors_ND, length_N1, out=np.zeros_like(vectors_ND), where=length_N1 > 0)


def cross_scores(queries: Space, answers: Space) -> np.ndarray:
    """Dot products (Nq, Na) of two spaces of one frame. Raises `ConfigError` when their frames differ."""
    if not queries.frame or queries.frame != answers.frame:
        raise ConfigError(f"spaces {queries.kind!r} and {answers.kind!r} have no frame in common and cannot be compared")
    return queries.vectors_ND @ answers.vectors_ND.T


def link_spaces(spaces: dict[str, Space], left_kind: str, right_kind: str) -> tuple[Space, Space]:
    """The spaces whose dot products score links from `left_kind` to `right_kind`: queries, then answers.

    In a graph of one kind of node each node has two vectors (as words have in word2vec): its own, in the space `node`, and
    the one it is found by as the end of a link, in `node-context`. Raises `ConfigError` when there is no such space.
    """
    answers = f"{right_kind}{CONTEXT}"
    for kind in (left_kind, answers if answers in spaces else right_kind):
        if kind not in spaces:
            raise ConfigError(f"no space of the kind {kind!r}: {choices(kind, spaces)}")
    return spaces[left_kind], spaces[answers if answers in spaces else right_kind]


def write_space(path: Path, space: Space) -> None:
    """One Parquet file: id, vector (fixed-size list), and kind, metric and frame as schema metadata."""
    flat = pa.array(np.ascontiguousarray(space.vectors_ND).reshape(-1))
    vectors = pa.FixedSizeListArray.from_arrays(flat, space.vectors_ND.shape[1])
    about = {"kindex.kind": space.kind, "kindex.metric": space.metric, "kindex.frame": space.frame}
    table = pa.table({"id": pa.array(space.ids, pa.string()), "vector": vectors}).replace_schema_metadata(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, table)


def read_spaces(paths: Iterable[Path]) -> list[Space]:
    """The spaces in `paths`, in their order. Raises `DamagedError` naming the first damaged file."""
    found: list[Space] = side_by_side(*(partial(read_space, path) for path in paths))
    return found


def read_space(path: Path) -> Space:
    """The space in `path`. Raises `DamagedError` naming the file."""
    with reading(path), pq.ParquetFile(path) as file:
        table = file.read(use_threads=False).combine_chunks()  # in this thread: spaces are read side by side
    try:
        about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        vectors = table["vector"].combine_chunks()
        flat_ND = np.from_dlpack(vectors.flatten()).reshape(-1, vectors.type.list_size)  # `to_numpy` would import pandas
        ids = tuple(table["id"].to_pylist())
        return Space(about["kindex.kind"], ids, flat_ND, about["kindex.metric"], about["kindex.frame"])
    except (KeyError, ValueError, AttributeError, pa.ArrowException) as error:
        raise DamagedError(f"{path} is not a space: {error}") from error
