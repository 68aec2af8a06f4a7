"""What is compared: each contender makes two tables from the links of a case; their dot products rank."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.pairs.cases import Case
from kindex.core.watch import Silent

Tables = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Contender:
    """`group` is what its best row is looked for in; `times` multiplies seconds, where a part of the work was done.

    `prepare` is not timed: it gives what to run on a case.
    """

    group: str
    name: str
    run: Callable[[Case], Tables]
    times: float = 1.0
    prepare: Callable[[Case], Callable[[Case], Tables]] | None = None


SAMPLED = {"dimensions": 64, "batch": 1024, "weight_decay": 0.0}

OURS: list[tuple[str, dict[str, Any]]] = [
    *((f"spectral, {width}", {"objective": "spectral", "dimensions": width}) for width in (64, 128, 256)),
    *((f"least_squares, {width}", {"objective": "least_squares", "dimensions": width}) for width in (64, 128, 256)),
    ("softmax, 128", {"objective": "softmax", "dimensions": 128}),
    ("bpr, 64", {"objective": "bpr", **SAMPLED}),
    ("classification, 64", {"objective": "classification", "negatives": 8, **SAMPLED}),
    ("auto, 64", {"dimensions": 64}),
    ("auto, 256", {}),
]
"""Rows of the family by name, with their settings; all that is not named is chosen, at its cost in seconds."""

CHOSEN = ("left_power", "popularity", "unobserved", "regularisation", "iterations")


def ours() -> Iterator[Contender]:
    """Each as it is; spectral and least squares also with the settings given that a fit chose before, as the peers' are."""
    for name, settings in OURS:
        yield Contender("pairs", f"pairs {name}", partial(learnt, settings))
        if settings.get("objective") in ("spectral", "least_squares"):
            run, prepare = partial(learnt, settings), partial(_given, settings)
            yield Contender("pairs", f"pairs {name}, settings given", run, prepare=prepare)


def learnt(settings: dict[str, Any], case: Case) -> Tables:
    """From the catalogue on: reading strings is part of it."""
    encoder = _fitted(settings, case)
    sides = ((encoder.left, encoder.left_LD), (encoder.right, encoder.right_RD))
    made = []
    for count, (vocabulary, vectors_VD) in zip(case.train_LR.shape, sides, strict=True):
        (ids,) = vocabulary.ids.values()
        table = np.zeros((count, vectors_VD.shape[1]), np.float32)
        table[pc.cast(pa.array(ids), pa.int64()).to_numpy()] = vectors_VD
        made.append(table)
    return made[0], made[1]


def _given(settings: dict[str, Any], case: Case) -> Callable[[Case], Tables]:
    chosen = _fitted(settings, case).about["chosen"]
    return partial(learnt, settings | {name: chosen[name] for name in CHOSEN if name in chosen})


def _fitted(settings: dict[str, Any], case: Case) -> Any:
    from kindex.core.params import build
    from kindex.encoders import pairs

    config = build(pairs.Config, settings, "benchmarks/pairs/contenders.py")
    return pairs.fit(case.train, config, rng=np.random.Generator(np.random.PCG64(config.seed)), watch=Silent())


def popularity(case: Case) -> Tables:
    return np.ones((case.train_LR.shape[0], 1)), np.asarray(case.train_LR.sum(0)).reshape(-1, 1)
