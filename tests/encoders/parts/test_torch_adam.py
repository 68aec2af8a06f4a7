"""Adam with a state made beforehand against torch's own, undisturbed and put back from a checkpoint."""

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import nn

from kindex.encoders.parts import torch_adam
from kindex.encoders.parts.loop import copied, put_back


def module() -> nn.Module:
    torch.manual_seed(3)
    made = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    made[0].bias.requires_grad_(False)
    return made


def adam(made: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam([part for part in made.parameters() if part.requires_grad], lr=0.1, betas=(0.8, 0.9))


def steps(made: nn.Module, optimiser: torch.optim.Adam, numbers: range) -> None:
    for number in numbers:
        rng = np.random.default_rng(number)
        given_BC, wanted_BD = (torch.from_numpy(rng.standard_normal((5, wide), np.float32)) for wide in (4, 2))
        optimiser.param_groups[0]["lr"] = 0.1 / (1 + number)
        optimiser.zero_grad()
        (made(given_BC) - wanted_BD).square().mean().backward()
        optimiser.step()


def fitted(made: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, part) for name, part in made.named_parameters() if part.requires_grad]


def test_a_prepared_state_changes_no_bit() -> None:
    ours, theirs = module(), module()
    steps(ours, torch_adam.prepared(adam(ours)), range(9))
    steps(theirs, adam(theirs), range(9))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_restored_state_continues_as_an_undisturbed_one() -> None:
    undisturbed, stopped, resumed = module(), module(), module()
    steps(undisturbed, adam(undisturbed), range(12))
    optimiser = torch_adam.prepared(adam(stopped))
    steps(stopped, optimiser, range(5))
    kept = load(save(copied(torch_adam.memory(optimiser, fitted(stopped)))))
    again = torch_adam.prepared(adam(resumed))
    resumed.load_state_dict(stopped.state_dict())
    memory = torch_adam.memory(again, fitted(resumed))
    assert memory.keys() == kept.keys()
    put_back(kept, memory)
    steps(resumed, again, range(5, 12))
    for mine, other in zip(resumed.parameters(), undisturbed.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_memory_names_what_is_fitted_and_shows_it_as_it_is() -> None:
    made = module()
    optimiser = torch_adam.prepared(adam(made))
    memory = torch_adam.memory(optimiser, made.named_parameters())
    names = [f"adam.{part}.{key}" for part in ("0.weight", "2.weight", "2.bias") for key in ("step", "exp_avg", "exp_avg_sq")]
    assert list(memory) == names  # not 0.bias, which is not fitted
    assert all((array == 0).all() for array in memory.values())
    steps(made, optimiser, range(3))
    assert memory["adam.2.bias.step"] == 3 and (memory["adam.0.weight.exp_avg_sq"] > 0).all()
