"""Settings: a wrong value is named with what is allowed and the file, and what a default stands for."""

import re
from typing import Any

import pytest
import torch

from kindex.core.blocks import build
from kindex.core.errors import ConfigError
from kindex.encoders import pairs
from tests.encoders.pairs.small import fit, made

WRONG: dict[str, Any] = {
    "dimensions": 0,
    "threads": -1,
    "epochs": 0,
    "patience": 0,
    "batch": 0,
    "negatives": 0,
    "iterations": 0,
    "validation_share": 1.0,
    "dropout": -0.1,
    "weight_power": -1.0,
    "half_life_days": -3.0,
    "left_power": -0.5,
    "popularity": -0.25,
    "unobserved": -0.1,
    "regularisation": -2.0,
    "kind_weights": {"actor": -1.0},
    "objective": "als",
    "start": "zeros",
    "device": "gpu",
    "optimiser": "sgd",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed_and_the_file(name: str) -> None:
    shown = "-1.0" if name == "kind_weights" else str(WRONG[name])
    with pytest.raises(ConfigError, match=rf"{name}.* is '?{re.escape(shown)}.*allowed: .*params\.yaml"):
        build(pairs.Config, {name: WRONG[name]}, "models.m")


def test_a_weight_of_a_kind_that_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"kind_weights names 'lnik', which no link of train leads to: .*link.*params\.yaml"):
        fit(made([(0, 0)]), kind_weights={"lnik": 2.0})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"device is 'cuda' and torch sees no GPU, allowed here: auto, cpu\. Edit params"):
        fit(made([(0, 0)]), device="cuda")


def test_the_rival_is_the_default_of_the_same_size_and_none_beside_itself() -> None:
    rivals = pairs.rivals(pairs.Config(objective="bpr", dimensions=9, seed=3))
    assert rivals == {"default": pairs.Config(dimensions=9, seed=3)}
    assert pairs.rivals(pairs.Config(dimensions=9)) == {}
