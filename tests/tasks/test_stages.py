"""DVC as the flows use it, on a project of three tiny stages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kindex.core.errors import BusyError
from kindex.core.layout import Layout
from tasks.environment import settle
from tasks.stages import FIRST_TIME, Pipeline, StageFailedError, changed_leaves, reason

DVC = """\
stages:
  ingest:
    foreach: ${catalogues}
    do:
      cmd: cat source.txt > data/${key}.txt
      deps: [source.txt]
      params: ["catalogues.${key}"]
      outs: ["data/${key}.txt"]
  train:
    foreach: ${catalogues}
    do:
      cmd: sh train.sh ${key}
      deps: ["data/${key}.txt", train.sh]
      params: ["catalogues.${key}"]
      outs: ["data/${key}.model"]
"""


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / ".site"))
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (tmp_path / "params.yaml").write_text("catalogues: {a: {seed: 7, deep: {x: 1}}, b: {seed: 8}}\n")
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "source.txt").write_text("one\n")
    (tmp_path / "train.sh").write_text("wc -l < data/$1.txt > data/$1.model\n")
    (tmp_path / "data").mkdir()
    layout = Layout(tmp_path)
    settle(layout)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=tmp_path, check=True)
    return layout


def silent(why: str) -> None:
    return None


def test_a_night_of_stages(layout):
    pipeline, heard = Pipeline(layout), []
    assert pipeline.stale(["ingest@a", "train@a"]) == {"ingest@a": FIRST_TIME, "train@a": FIRST_TIME}
    run = pipeline.reproduce("ingest", "a", heard.append)
    assert (run.why, run.exit_code, heard) == (FIRST_TIME, 0, [FIRST_TIME])
    pipeline.reproduce("train", "a", heard.append)
    assert (layout.root / "data" / "a.model").read_text().strip() == "1"

    assert pipeline.stale(["ingest@a", "train@a"]) == {}
    assert pipeline.reproduce("train", "a", heard.append).outcome == "up to date"
    assert not (layout.root / "data" / "b.txt").exists()

    (layout.root / "source.txt").write_text("one\ntwo\n")
    assert pipeline.stale(["ingest@a", "train@a"]) == {"ingest@a": "source.txt changed"}
    pipeline.reproduce("ingest", "a", silent)
    assert pipeline.reproduce("train", "a", silent).why == "data/a.txt changed"
    assert (layout.root / "data" / "a.model").read_text().strip() == "2"

    (layout.root / "params.yaml").write_text("catalogues: {a: {seed: 9, deep: {x: 2}}, b: {seed: 8}}\n")
    assert pipeline.stale(["train@a"]) == {"train@a": "catalogues.a.seed and catalogues.a.deep.x changed"}


def test_forcing_runs_what_is_up_to_date(layout):
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    assert pipeline.reproduce("ingest", "a", silent, force=True).why == "forced"


def test_the_run_cache_is_told_from_a_run(layout):
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    (layout.root / "data" / "a.txt").unlink()
    run = pipeline.reproduce("ingest", "a", silent)
    assert (run.outcome, run.why) == ("restored", "data/a.txt is missing")


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6])
def test_a_stages_own_exit_code_and_words_come_through(layout, code):
    layout.failure("train", "a").parent.mkdir(parents=True)
    (layout.root / "train.sh").write_text(f"echo 'too many rows' > {layout.failure('train', 'a')}; exit {code}\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    with pytest.raises(StageFailedError, match=r"^train@a: too many rows$") as caught:
        pipeline.reproduce("train", "a", silent)
    assert caught.value.exit_code == code


@pytest.mark.parametrize(("end", "words"), [("exit 1", "ended with 1"), ("kill -9 $$", "was ended by signal 9")])
def test_a_stage_that_breaks_is_a_fault_of_ours(layout, end, words):
    (layout.root / "train.sh").write_text(end + "\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    with pytest.raises(StageFailedError, match=words) as caught:
        pipeline.reproduce("train", "a", silent)
    assert caught.value.exit_code == 1


def test_ctrl_c_in_a_stage_ends_the_night(layout):
    (layout.root / "train.sh").write_text("kill -2 $$\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    with pytest.raises(KeyboardInterrupt):
        pipeline.reproduce("train", "a", silent)


def test_a_repository_in_use_is_busy(layout):
    import zc.lockfile

    held = zc.lockfile.LockFile(str(layout.root / ".dvc" / "tmp" / "lock"))
    try:
        with pytest.raises(BusyError):
            Pipeline(layout).stale(["ingest@a"])
    finally:
        held.close()


def test_a_broken_dvc_yaml_is_a_bad_configuration(layout):
    (layout.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(StageFailedError) as caught:
        Pipeline(layout).stale(["ingest@a"])
    assert caught.value.exit_code == 2


def test_a_stage_that_is_cancelled_takes_its_process_along(layout):
    """As Prefect's timeout does it: an exception out of a signal handler, in the middle of the command."""
    import signal
    import time

    mark = layout.root / "pid"
    (layout.root / "train.sh").write_text(f"echo $$ > {mark}; exec sleep 60\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)

    def stop(number: int, frame: object) -> None:
        raise SystemExit

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        with pytest.raises(SystemExit):
            pipeline.reproduce("train", "a", silent)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    pid = int(mark.read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the stage's process outlived its night")


@pytest.mark.parametrize(
    ("changes", "settings", "line"),
    [
        ([{"changed deps": {"params.yaml": "new", "x": "new"}}, {"changed outs": {"y": "deleted"}}], [], FIRST_TIME),
        ([{"changed deps": {"a": "modified", "b": "deleted"}}], [], "a and b changed"),
        ([{"changed deps": {"a": "modified"}}, {"changed outs": {"y": "deleted"}}], [], "a changed"),
        ([{"changed deps": {"params.yaml": {"models.m": "modified"}}}], ["models.m.seed"], "models.m.seed changed"),
        ([{"changed deps": dict.fromkeys("abcde", "modified")}], [], "a, b, c and 2 more changed"),
        ([{"changed outs": {"y": "modified"}}], [], "y is not what was recorded"),
        (["changed command"], [], "the command in dvc.yaml changed"),
        (["always changed"], [], "always changed"),
    ],
)
def test_reasons(changes, settings, line):
    assert reason(changes, settings) == line


def test_changed_leaves_name_what_came_and_went():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}, "gone": 0}, {"a": 1, "b": {"c": 5, "d": 3}, "come": 4}
    assert changed_leaves(old, new, "m") == ["m.b.c", "m.come", "m.gone"]
    assert changed_leaves(None, {"a": 1}, "m") == ["m"]
