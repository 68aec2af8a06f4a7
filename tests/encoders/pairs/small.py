"""Small sets of links: as the family holds them, as the dense matrices of slow oracles, and as catalogues to fit."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from kindex.core.catalogue import ITEMS, LINKS, TIME, Catalogue
from kindex.core.watch import Silent
from kindex.encoders import pairs
from kindex.encoders.parts.links import Links


def links_of(dense_LR: np.ndarray, weighted: bool = True) -> Links:
    """The non-zero cells as links, which count what the cells hold, or 1."""
    left_P, right_P = np.nonzero(dense_LR)
    links = Links.of(left_P, right_P, *dense_LR.shape)
    value_P = dense_LR[left_P, right_P].astype(np.float32) if weighted else None
    return Links(links.start_L1, links.right_P, links.n_right, value_P)


def groups(n_left: int = 90, n_right: int = 70, seed: int = 0, weighted: bool = True) -> np.ndarray:
    """Five groups of both sides, linked inside and a little across (L, R); weights between 0.2 and 5, or all 1."""
    rng = np.random.default_rng(seed)
    inside = np.arange(n_left)[:, None] % 5 == np.arange(n_right)[None, :] % 5
    dense = (rng.random((n_left, n_right)) < np.where(inside, 0.5, 0.05)).astype(float)
    return dense * np.exp(rng.uniform(-1.6, 1.6, dense.shape)) if weighted else dense


def table(rows: int, dimensions: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((rows, dimensions), np.float32))


def fit(catalogue: Catalogue, watch: Silent | None = None, **settings: object) -> pairs.Encoder:
    config = pairs.Config(**{"dimensions": 4, **settings})  # type: ignore[arg-type]
    return pairs.fit(catalogue, config, rng=np.random.Generator(np.random.PCG64(config.seed)), watch=watch or Silent())


def made(
    ends: Iterable[tuple[int, int]], weight: Any = 1.0, time: Any = None, kinds: tuple[str, str] = ("book", "link")
) -> Catalogue:
    """Links by the numbers of their ends; `weight` and `time` of the n-th link."""
    ends = list(ends)
    rows = [
        {"left": f"a{left}", "left_kind": kinds[0], "right": f"b{right}", "right_kind": kinds[1]}
        | {"weight": float(weight(number) if callable(weight) else weight)}
        for number, (left, right) in enumerate(ends)
    ]
    links = pa.Table.from_pylist(rows, schema=LINKS)
    if time is not None:
        links = links.append_column(TIME, pa.array([time(number) for number in range(len(ends))], pa.int64()))
    items = [{"id": f"{letter}{n}", "kind": kind} for letter, kind in zip("ab", kinds) for n in range(300)]
    return Catalogue("made", {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": links})
