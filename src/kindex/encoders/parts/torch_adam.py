"""Adam by torch with a state that a checkpoint can be taken of, and put back into."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_KEYS = ("step", "exp_avg", "exp_avg_sq")


def prepared(optimiser: torch.optim.Adam) -> torch.optim.Adam:
    """Adam's state made before the first step, as zeros, so that a checkpoint can be put into it."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            zeros = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
            optimiser.state[parameter] = {"step": torch.tensor(0.0), **zeros}
    return optimiser


def memory(optimiser: torch.optim.Adam, named: Iterable[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """The state of each parameter that is fitted, by `adam.<name>.<key>`."""
    return {
        f"adam.{name}.{key}": optimiser.state[parameter][key]
        for name, parameter in named
        if parameter in optimiser.state
        for key in _KEYS
    }
