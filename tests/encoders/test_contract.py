"""What every family promises; a new one is tested here the day its file exists."""

import copy
import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kindex.core.blocks import build
from kindex.core.errors import ConfigError, DamagedError, MetricGateError
from kindex.core.watch import Silent
from kindex.encoders import families
from kindex.stages.parts.terminal import TerminalWatch
from tests.encoders.planted import Planted, planted
from tests.encoders.project import digests, project, run_train

SLOW = {"captioner"}
"""Families whose fits take seconds; their contract is tested with the slow tests."""


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in families()], scope="module"
)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def module(name: str) -> ModuleType:
    return importlib.import_module(f"kindex.encoders.{name}")


@pytest.fixture(scope="module")
def case(module: ModuleType) -> Planted:
    return planted(module.NEEDS)


def fit(module: ModuleType, case: Planted, watch: Any = None, **changes: Any) -> Any:
    config = build(module.Config, {**case.config, **changes}, "models.m")
    return module.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(config.seed)), watch=watch or Silent())


@pytest.fixture(scope="module")
def encoder(module: ModuleType, case: Planted) -> Any:
    return fit(module, case)


def test_it_beats_a_baseline_by_a_margin(encoder: Any, case: Planted) -> None:
    figure, baseline, wanted = case.score(encoder, case.split)
    assert wanted > baseline
    assert figure > wanted


def test_it_places_items_with_finite_distinct_vectors(encoder: Any, case: Planted, module: ModuleType) -> None:
    items, spaces = case.split.train.items, encoder.embed(case.split.train)
    assert spaces.keys() & set(items["kind"].to_pylist())
    for kind, space in spaces.items():
        assert space.kind == kind
        assert len(space.ids) == len(set(space.ids)) > case.config["dimensions"]
        assert space.vectors_ND.shape[1] == case.config["dimensions"]
        assert np.isfinite(space.vectors_ND).all()
        assert len(np.unique(space.vectors_ND, axis=0)) > 0.9 * len(space.ids)
        if kind in items["kind"].to_pylist():  # the words of captions are no items
            assert set(space.ids) <= set(items["id"].to_pylist())


def test_what_is_saved_is_loaded(encoder: Any, case: Planted, module: ModuleType, tmp_path: Path) -> None:
    encoder.save(tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["encoder.json", "encoder.safetensors"]
    again = module.Encoder.load(tmp_path / "a")
    spaces, spaces_again = encoder.embed(case.split.heldout), again.embed(case.split.heldout)
    assert list(spaces) == list(spaces_again)
    for kind, space in spaces.items():
        assert space.ids == spaces_again[kind].ids
        np.testing.assert_array_equal(space.vectors_ND, spaces_again[kind].vectors_ND)
    again.save(tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    (tmp_path / "a" / "encoder.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not a header ")
    with pytest.raises(DamagedError, match=r"encoder\.safetensors"):
        module.Encoder.load(tmp_path / "a")
    (tmp_path / "b" / "encoder.json").write_text("{}")
    with pytest.raises(DamagedError, match=str(tmp_path / "b")):
        module.Encoder.load(tmp_path / "b")


@pytest.mark.slow
def test_same_bytes_with_other_threads_and_hash_seed(name: str, case: Planted, tmp_path: Path) -> None:
    """Twice the stage: here, and in a process with another hash seed and another OMP_NUM_THREADS, in another folder."""
    config = {**case.config, "epochs": 3}
    here = project(tmp_path / "here", case.split, name, config)
    run_train(here)
    there = project(tmp_path / "there", case.split, name, config)
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "2", "KINDEX_ROOT": str(there.root)}
    environment.pop("DVC_ROOT", None)
    subprocess.run([sys.executable, "-m", "kindex.stages", "train", "m"], env=environment, check=True, capture_output=True)
    assert digests(here) == digests(there)
    assert {"encoder/encoder.safetensors", "encoder/encoder.json", "history.jsonl"} < set(digests(here))


class Dies(TerminalWatch):
    """Stops in the middle of the fifth epoch's bookkeeping, as a kill would."""

    def record(self, **numbers: float) -> None:
        if numbers["epoch"] == 5:
            raise KeyboardInterrupt
        super().record(**numbers)


class Counts(TerminalWatch):
    """Remembers which epochs were worked on in this run."""

    epochs: list[float] = []  # noqa: RUF012

    def record(self, **numbers: float) -> None:
        self.epochs.append(numbers["epoch"])
        super().record(**numbers)


def test_a_run_that_was_stopped_resumes_to_the_same_bytes(name: str, case: Planted, tmp_path: Path) -> None:
    config = {**case.config, "epochs": 8}
    undisturbed, stopped = (project(tmp_path / part, case.split, name, config) for part in ("undisturbed", "stopped"))
    run_train(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        run_train(stopped, Dies)
    Counts.epochs.clear()
    run_train(stopped, Counts)
    assert Counts.epochs == [5, 6, 7, 8]
    assert digests(stopped) == digests(undisturbed)


def test_one_that_calls_itself_inductive_places_an_image_as_it_places_many(
    encoder: Any, case: Planted, module: ModuleType
) -> None:
    if not getattr(module, "INDUCTIVE", False):
        pytest.skip("its vectors follow from other items, too")
    images = case.split.heldout.images
    many = encoder.embed(case.split.heldout)["image"]
    for row in (0, images.num_rows // 2):
        one = encoder.embed(replace(case.split.heldout, tables={**case.split.heldout.tables, "images": images.slice(row, 1)}))
        np.testing.assert_allclose(one["image"].vectors_ND[0], many.vectors_ND[row], atol=1e-5)


def test_it_goes_on_from_another_night_in_fewer_epochs(encoder: Any, case: Planted, module: ModuleType) -> None:
    watch, former = Silent(), copy.deepcopy(encoder)
    config = build(module.Config, case.config, "models.m")
    warm = module.warm(former, case.split.train, config, rng=np.random.Generator(np.random.PCG64(9)), watch=watch)
    assert len(watch.history) <= -(-config.epochs // 4)
    figure, _, wanted = case.score(warm, case.split)
    assert figure > wanted


def test_a_nan_stops_it_at_once(module: ModuleType, case: Planted) -> None:
    watch = Silent()
    with pytest.raises(MetricGateError, match=r"diverged at epoch \d+: \w+ is (nan|inf).*learning_rate in params.yaml"):
        fit(module, case, watch, learning_rate=1e30)
    assert len(watch.history) < 3


def test_it_stops_early(module: ModuleType, case: Planted) -> None:
    watch = Silent()
    fit(module, case, watch, epochs=40, patience=1, learning_rate=case.config["learning_rate"] * 3)
    assert len(watch.history) < 40


def test_an_unknown_or_wrong_setting_is_named(module: ModuleType, case: Planted) -> None:
    with pytest.raises(ConfigError, match=r"models\.m\.dimension is not a setting: did you mean dimensions\b"):
        fit(module, case, dimension=3)
    with pytest.raises(ConfigError, match=r"dimensions is 0, allowed: 1 or more"):
        fit(module, case, dimensions=0)
