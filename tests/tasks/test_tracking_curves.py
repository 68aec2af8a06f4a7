"""Curves grow in MLflow while a model trains, and training neither waits for MLflow nor fails with it."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kindex.core.layout import Layout
from tasks import tracking
from tasks.tracking import following, store
from tests.tasks import tracking_project as project
from tests.tasks.tracking_project import MODEL, NIGHT


@pytest.fixture
def layout(tmp_path: Path, prepared_var: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(following, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(following, "PARTING", 30.0)  # the last points must arrive here, however busy the machine is
    shutil.copytree(prepared_var, tmp_path / "project" / "var")
    return project.make_project(tmp_path / "project")


class Training:
    """Writes a history as the train stage does: into the work folder, which is renamed at the end."""

    def __init__(self, layout: Layout) -> None:
        self.work, self.out = layout.work("train", MODEL), layout.out("train", MODEL)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)

    def write(self, *lines: str) -> None:
        with (self.work / "history.jsonl").open("a") as history:
            history.write("".join(lines))

    def finish(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.work.rename(self.out)


def runs(layout: Layout) -> list[dict[str, Any]]:
    """The training runs, oldest first."""
    client = store.connect(layout).client
    if client.get_experiment_by_name(f"kindex/{MODEL}") is None:
        return []
    return [run for run in project.seen_in_mlflow(layout)["runs"] if run["parent"]]


def loss(run: dict[str, Any]) -> dict[int, float]:
    found = [(step, value) for name, step, value in run["points"] if name == "training/loss"]
    assert len(found) == len(dict(found)), "a step was logged twice"
    return dict(found)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def expected(epochs: int, seed: int = 0) -> dict[int, float]:
    return {epoch: 1 / epoch + seed for epoch in range(1, epochs + 1)}


def test_points_arrive_while_it_trains_and_the_release_completes_the_run(layout: Layout) -> None:
    lines = project.history(5)
    with tracking.curves(layout, MODEL, NIGHT):
        training = Training(layout)
        training.write(*lines[:2], lines[2][:7])  # a line in the middle of being written
        until(lambda: bool(runs(layout)) and loss(runs(layout)[0]) == expected(2))
        assert runs(layout)[0]["status"] == "RUNNING"
        training.write(lines[2][7:], lines[3])
        training.finish()  # the folder moves away; the fifth line is left for the release to bring
    assert loss(runs(layout)[0]) == expected(4)

    project.put_all(layout, project.make_release(layout))
    tracking.replay(layout)
    only = runs(layout)
    assert [run["name"] for run in only] == ["v0001 passed"]
    assert loss(only[0]) == expected(5)


def test_a_killed_training_goes_on_in_the_same_run(layout: Layout) -> None:
    lines = project.history(5)
    with tracking.curves(layout, MODEL, NIGHT):
        Training(layout).write(*lines[:3])
        until(lambda: bool(runs(layout)))
    with tracking.curves(layout, MODEL, NIGHT):
        time.sleep(0.1)  # what the killed training left is not this one's
        Training(layout).write(*lines)
        until(lambda: loss(runs(layout)[0]) == expected(5))
    assert len(runs(layout)) == 1


def test_a_training_with_other_numbers_gets_a_run_of_its_own(layout: Layout) -> None:
    with tracking.curves(layout, MODEL, NIGHT):
        Training(layout).write(*project.history(3, seed=7))
        until(lambda: bool(runs(layout)))
    project.put_all(layout, project.make_release(layout, seed=0))
    tracking.replay(layout)
    by_status = {run["status"]: loss(run) for run in runs(layout)}
    assert by_status == {"KILLED": expected(3, seed=7), "FINISHED": expected(5)}


def test_a_training_that_fails_is_marked_and_its_error_goes_on(layout: Layout) -> None:
    def fail() -> None:
        with tracking.curves(layout, MODEL, NIGHT):
            Training(layout).write(*project.history(2))
            until(lambda: bool(runs(layout)))
            raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        fail()
    assert [run["status"] for run in runs(layout)] == ["FAILED"]


def test_a_training_that_made_the_former_release_again_is_closed_with_the_night(layout: Layout) -> None:
    with tracking.curves(layout, MODEL, NIGHT):
        Training(layout).write(*project.history(2))
        until(lambda: bool(runs(layout)))
    project.put_night(layout)
    tracking.replay(layout)
    assert [run["status"] for run in runs(layout)] == ["FINISHED"]


@pytest.mark.parametrize("line", ["not json\n", json.dumps({"epoch": 1, "loss": "x"}) + "\n"])
def test_a_broken_history_is_not_the_trainings_trouble(layout: Layout, line: str) -> None:
    with tracking.curves(layout, MODEL, NIGHT):
        Training(layout).write(line)
        time.sleep(0.1)
    assert runs(layout) == []


def test_mlflow_down_does_not_hold_training_up(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PARTING", 3.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:c4nary@127.0.0.1:9")
    began = time.monotonic()
    with tracking.curves(layout, MODEL, NIGHT):
        Training(layout).write(*project.history(3))
        time.sleep(0.1)
    assert time.monotonic() - began < 10
