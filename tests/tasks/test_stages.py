"""DVC as the flows use it, on a project of three tiny stages."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kindex.core.errors import BusyError, OutsideError
from kindex.core.layout import Layout
from tasks.environment import settle
from tasks.reasons import FIRST_TIME
from tasks.stages import Pipeline, StageFailedError

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

pytestmark = pytest.mark.slow  # each starts DVC and stages as processes


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


DIES = "import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)"
"""By Ctrl-C; a job in the background ignores it."""


def test_ctrl_c_in_a_stage_ends_the_night(layout):
    (layout.root / "train.sh").write_text(f"exec {sys.executable} -c '{DIES}'\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    with pytest.raises(KeyboardInterrupt):
        pipeline.reproduce("train", "a", silent)


def test_ctrl_c_in_a_stage_is_told_to_who_waits_for_it_in_this_process(layout):
    """A flow ends by itself then, before Prefect hears of an exception."""
    (layout.root / "train.sh").write_text(f"exec {sys.executable} -c '{DIES}'\n")
    pipeline = Pipeline(layout)
    pipeline.reproduce("ingest", "a", silent)
    heard: list[int] = []
    former = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            pipeline.reproduce("train", "a", silent)
    finally:
        signal.signal(signal.SIGINT, former)
    assert heard == [signal.SIGINT]


def test_a_repository_in_use_is_busy(layout):
    import zc.lockfile

    held = zc.lockfile.LockFile(str(layout.root / ".dvc" / "tmp" / "lock"))
    try:
        with pytest.raises(BusyError):
            Pipeline(layout).stale(["ingest@a"])
    finally:
        held.close()


@pytest.mark.parametrize("noted", [True, False])
def test_a_killed_nights_number_may_be_anothers_by_now(layout, noted):
    """Process 1 always lives, as the process that got a killed night's number would."""
    holder = {"pid": 1, "cmd": "flows/nightly.py"}
    held = {"read": {str(layout.root / "source.txt"): [holder]}, "write": {str(layout.root / "data" / "a.txt"): holder}}
    (layout.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(held))
    if noted:
        layout.var.mkdir()
        (layout.var / "dvc.pid").write_text("1")
        assert Pipeline(layout).reproduce("ingest", "a", silent).why == FIRST_TIME
    else:  # somebody else's: it may be at work
        with pytest.raises(BusyError, match=r" is busy, it is being blocked by: \(PID 1\): flows/nightly\.py$"):
            Pipeline(layout).reproduce("ingest", "a", silent)


@pytest.mark.parametrize("left", ["", '{"read": {', "[]", '{"write": {"x": 3}}'])
def test_a_record_of_locks_that_a_kill_cut_short_is_begun_anew(layout, left):
    (layout.root / ".dvc" / "tmp" / "rwlock").write_text(left)
    assert Pipeline(layout).reproduce("ingest", "a", silent).why == FIRST_TIME


def test_a_broken_dvc_yaml_is_a_bad_configuration(layout):
    (layout.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(StageFailedError) as caught:
        Pipeline(layout).stale(["ingest@a"])
    assert caught.value.exit_code == 2


def test_a_full_disk_that_dvcs_database_meets_is_outside_of_us(layout, monkeypatch):
    pipeline = Pipeline(layout)

    def full(**_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(pipeline._repo, "status", full)
    with pytest.raises(OutsideError, match=r"database or disk is full\. \S+ has [\d,]+ MB free"):
        pipeline.stale(["ingest@a"])


def test_a_stage_that_is_cancelled_takes_its_process_along(layout):
    """As Prefect's timeout does it: an exception out of a signal handler, in the middle of the command."""
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
