"""The epochs of a fit: early stop, checkpoint, resume. A resumed fit ends with the same bytes as an undisturbed one."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kindex.core.watch import Watch

CHECKPOINT_BYTES = 64_000_000
"""A checkpoint is written each epoch up to this size, above it every so many epochs that the average stays below it."""


class Learner(Protocol):
    """What is being fitted."""

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        """One pass over the data. `remaining` falls from 1 to just above 0 over the planned epochs. Numbers for history."""
        ...

    def validate(self) -> float | None:
        """Quality on the part of train set aside, larger is better; None when nothing was set aside."""
        ...

    def model(self) -> dict[str, Tensor]:
        """What the encoder is made of: its own tensors, which may be written to."""
        ...

    def memory(self) -> dict[str, Tensor]:
        """What else the next epoch depends on, such as the optimiser's accumulators; names differ from those of `model`."""
        ...


def learn(learner: Learner, *, epochs: int, patience: int, rng: np.random.Generator, watch: Watch) -> int:
    """Run up to `epochs` epochs; stop when validation has not improved for `patience` of them; keep the best model.

    Returns the number of the epoch kept. Raises `MetricGateError` at the first NaN or infinity.
    """
    done, best_epoch, best_score, best = 0, 0, -np.inf, copied(learner.model())
    kept = watch.resume()
    if kept is not None:
        arrays, state = kept
        put_back(arrays, held(learner))
        best = {name: arrays[f"best.{name}"] for name in learner.model()}
        done, best_epoch, best_score = state["epoch"], state["best_epoch"], state["best_score"]
        rng.bit_generator.state = state["rng"]
    for epoch in watch.progress(range(done + 1, epochs + 1), "epochs", epochs - done, "epoch"):
        if epoch - best_epoch > patience:
            break
        numbers = learner.epoch(1 - (epoch - 1) / epochs, rng)
        score = learner.validate()
        watch.record(epoch=epoch, **numbers, **({} if score is None else {"validation": score}))
        if score is None or score > best_score:
            best_epoch, best_score, best = epoch, float(epoch if score is None else score), copied(learner.model())
        state = {"epoch": epoch, "best_epoch": best_epoch, "best_score": best_score, "rng": rng.bit_generator.state}
        _save(learner, best, state, watch)
    put_back(best, learner.model())
    return best_epoch


def _save(learner: Learner, best: dict[str, np.ndarray], state: dict[str, Any], watch: Watch) -> None:
    arrays = {name: tensor.cpu().numpy() for name, tensor in held(learner).items()}
    arrays |= {f"best.{name}": array for name, array in best.items()}
    every = 1 + sum(array.nbytes for array in arrays.values()) // CHECKPOINT_BYTES
    if state["epoch"] % every == 0:
        watch.save(arrays, state)


def held(learner: Learner) -> dict[str, Tensor]:
    """All that the next epoch depends on but its random numbers."""
    return {**learner.model(), **learner.memory()}


def copied(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.cpu().numpy().copy() for name, tensor in tensors.items()}


def put_back(arrays: Mapping[str, np.ndarray], tensors: Mapping[str, Tensor]) -> None:
    """Write what was `copied` into tensors of the same names; a file has a single number as an array of one."""
    for name, tensor in tensors.items():
        tensor.copy_(torch.from_numpy(arrays[name]).view_as(tensor))
