"""The outbox told to MLflow: everything arrives, once, however often the telling is killed; and MLflow may be down."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kindex.core import outbox
from kindex.core.layout import Layout
from kindex.core.pointer import promote
from tasks import tracking
from tasks.tracking import replaying, store
from tasks.tracking.__main__ import main
from tests.tasks import tracking_project as project
from tests.tasks.tracking_project import MODEL, NIGHT


@pytest.fixture
def layout(tmp_path: Path, prepared_var: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    for name in store.QUIET_AND_BOUNDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copytree(prepared_var, tmp_path / "project" / "var")
    return project.make_project(tmp_path / "project")


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


def test_nothing_to_tell_imports_no_mlflow(tmp_path: Path) -> None:
    code = """
import sys; from pathlib import Path; from kindex.core.layout import Layout; from tasks.tracking import curves, replay
layout = Layout(Path(sys.argv[1]))
print(replay(layout))
with curves(layout, "model", "night"):
    print("mlflow" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [str(tracking.Replayed(0, 0)), "False"]


def test_a_night_arrives_whole(layout: Layout, capfd: pytest.CaptureFixture[str]) -> None:
    first = project.make_release(layout)
    project.put_all(layout, first)

    assert tracking.replay(layout) == tracking.Replayed(3, 0)

    assert capfd.readouterr() == ("", ""), "a night's output is for people: MLflow must not print into it"
    seen = project.seen_in_mlflow(layout)
    parent, training = sorted(seen["runs"], key=lambda run: run["parent"] or "")
    assert (parent["name"], parent["status"], parent["parent"]) == (f"night {NIGHT}", "FINISHED", None)
    assert parent["tags"]["kindex.outcome"] == "v0001 is live"
    assert (training["name"], training["status"], training["parent"]) == ("v0001 passed", "FINISHED", parent["name"])
    assert training["params"] == {"model.family": "pairs", "model.dimensions": "4", "model.seed": "0", "index.kind": "auto"}
    curve = [("training/loss", epoch, 1 / epoch) for epoch in range(1, 6)]
    assert training["points"] == sorted([*curve, ("link_recall_at_10", 0, 0.25), ("index_recall_at_10", 0, 1.0)])
    assert training["data"] == [("fruit", project.LOCK[:36], "training")]
    assert training["artifacts"] == ["evidence.json", "lineage.json", "report.html", "verdict.json"]
    about = {"version": "v0001", "digest": first.digest, "lock": project.LOCK, "git": "abc", "dvc_lock_sha256": "d" * 64}
    assert {name: training["tags"][f"kindex.{name}"] for name in about} == about
    numbers = [("index_recall_at_10", 1.0), ("link_recall_at_10", 0.25)]
    link = '[{"name": "fruit-pairs", "version": "1"}]'
    assert seen["models"] == [("v0001 passed", "READY", first.digest, link, numbers)]
    tags = sorted({"kindex.version": "v0001", "kindex.digest": first.digest, "kindex.verdict": "passed"}.items())
    assert seen["versions"] == [(1, "v0001 passed", tags)]
    assert seen["aliases"] == {"candidate": 1, "champion": 1}


def test_a_night_that_was_killed_before_it_told_of_itself_is_not_running_for_ever(layout: Layout) -> None:
    project.put_model(layout, project.make_release(layout))
    assert tracking.replay(layout) == tracking.Replayed(1, 0)
    assert {run["status"] for run in project.seen_in_mlflow(layout)["runs"]} == {"FINISHED"}


class Executioner:
    """Kills after the call that is `due`, counting from 1; 0 lets live."""

    def __init__(self) -> None:
        self.calls = self.due = 0

    def __call__(self, name: str) -> None:
        self.calls += name.startswith("mlflow ")
        if self.calls == self.due:
            raise Killed(name)

    def replay(self, layout: Layout, due: int) -> tracking.Replayed | None:
        """None when it was killed."""
        self.calls, self.due = 0, due
        try:
            return tracking.replay(layout)
        except Killed:
            return None


@pytest.fixture
def executioner(monkeypatch: pytest.MonkeyPatch) -> Executioner:
    killer = Executioner()
    monkeypatch.setattr(store, "fault_point", killer)
    return killer


@pytest.mark.slow
def test_killed_again_and_again_a_little_later_each_time(layout: Layout, tmp_path: Path, executioner: Executioner) -> None:
    project.put_all(layout, project.make_release(layout))
    undisturbed = Layout(shutil.copytree(layout.root, tmp_path / "undisturbed"))
    executioner.replay(undisturbed, 0)
    due = 1
    while (told := executioner.replay(layout, due)) is None:
        due += 1
    assert due > 10 and told.waiting == 0
    assert project.seen_in_mlflow(layout) == project.seen_in_mlflow(undisturbed)


@pytest.mark.slow
def test_killed_once_after_any_call(layout: Layout, tmp_path: Path, executioner: Executioner) -> None:
    project.put_all(layout, project.make_release(layout))
    undisturbed = Layout(shutil.copytree(layout.root, tmp_path / "undisturbed"))
    executioner.replay(undisturbed, 0)
    expected, calls = project.seen_in_mlflow(undisturbed), executioner.calls
    for due in range(1, calls + 1):
        killed = Layout(shutil.copytree(layout.root, tmp_path / f"killed-{due}"))
        assert executioner.replay(killed, due) is None
        assert executioner.replay(killed, 0).waiting == 0
        assert project.seen_in_mlflow(killed) == expected, f"killed after call {due}"
        shutil.rmtree(killed.root)


def test_telling_the_same_again_changes_nothing(layout: Layout) -> None:
    first = project.make_release(layout)
    project.put_all(layout, first)
    tracking.replay(layout)
    before = project.seen_in_mlflow(layout)
    shutil.rmtree(layout.outbox)  # the memory of what was delivered, lost
    project.put_all(layout, first)
    assert tracking.replay(layout).delivered == 3
    assert project.seen_in_mlflow(layout) == before


def test_the_aliases_follow_the_gate_and_a_rollback(layout: Layout) -> None:
    first, second = project.make_release(layout, 0), project.make_release(layout, 1)
    project.put_model(layout, second)  # delivered first: the registry's numbers are not our versions
    tracking.replay(layout)
    project.put_model(layout, first)
    project.put_aliases(layout, "v0002", "v0002")
    tracking.replay(layout)
    assert project.seen_in_mlflow(layout)["aliases"] == {"candidate": 1, "champion": 1}
    project.put_aliases(layout, "v0002", "v0001")
    tracking.replay(layout)
    assert project.seen_in_mlflow(layout)["aliases"] == {"candidate": 1, "champion": 2}
    project.put_aliases(layout, None, None)
    tracking.replay(layout)
    assert project.seen_in_mlflow(layout)["aliases"] == {}


def test_what_mlflow_cannot_take_waits_and_blocks_nothing(layout: Layout) -> None:
    first = project.make_release(layout)
    project.put_aliases(layout, "v0007", None)
    project.put_model(layout, first)
    told = tracking.replay(layout)
    assert (told.delivered, told.waiting, told.down) == (1, 1, False)
    assert told.reason == (
        f"aliases {MODEL}: MLflow has no v0007 of {MODEL} to be its candidate: `python -m tasks.tracking rebuild` brings it"
    )
    for _ in range(replaying.ATTEMPTS):
        told = tracking.replay(layout)
    assert "refused 3 times" in str(told.reason)
    assert outbox.pending(layout.outbox)[0].attempts == replaying.ATTEMPTS


def test_a_damaged_release_is_not_told(layout: Layout) -> None:
    first = project.make_release(layout)
    (layout.releases(MODEL) / first.version / "report.json").write_text("{}")
    project.put_model(layout, first)
    told = tracking.replay(layout)
    assert (told.delivered, told.down) == (0, False)
    assert "report.json is damaged" in str(told.reason)


def test_mlflow_is_rebuilt_from_the_releases(
    layout: Layout, tmp_path: Path, prepared_var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = project.make_release(layout)
    promote(layout.releases(MODEL), first.version, None)
    project.put_all(layout, first)
    tracking.replay(layout)
    before = project.seen_in_mlflow(layout)
    moved = project.make_project(tmp_path / "moved")
    shutil.copytree(layout.root / "releases", moved.root / "releases")
    shutil.copytree(prepared_var, moved.var)
    for _ in range(2):
        assert main(["--root", str(moved.root), "rebuild"]) == 0
        after = project.seen_in_mlflow(moved)
        # the night's own line is in no release; all the rest comes back
        after["runs"][0]["tags"]["kindex.outcome"] = "v0001 is live"
        assert after == before
    assert capsys.readouterr().out.startswith("1 releases are in MLflow at sqlite:///")


def test_mlflow_down_keeps_the_messages_and_the_password(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:c4nary@127.0.0.1:9")
    project.put_all(layout, project.make_release(layout))
    began = time.monotonic()
    told = tracking.replay(layout)
    assert time.monotonic() - began < 10
    assert (told.delivered, told.waiting, told.down) == (0, 3, True)
    assert told.reason == "http://***@127.0.0.1:9 does not answer"
    assert [message.attempts for message in outbox.pending(layout.outbox)] == [0, 0, 0]
    assert main(["--root", str(layout.root), "replay"]) == 6
    assert main(["--root", str(layout.root), "rebuild"]) == 6
    assert main(["--root", str(layout.root), "address"]) == 0
    printed = capfd.readouterr()
    assert "Traceback" not in printed.err
    assert "http://***@127.0.0.1:9" in printed.out
    written = b"".join(path.read_bytes() for path in layout.root.rglob("*") if path.is_file())
    assert "c4nary" not in printed.out + printed.err + told.reason and b"c4nary" not in written


def test_a_server_that_does_not_answer_is_left_alone(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put_all(layout, project.make_release(layout))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        began = time.monotonic()
        told = tracking.replay(layout)
    assert (told.delivered, told.waiting, told.down) == (0, 3, True)
    assert time.monotonic() - began < 10


def test_a_slow_mlflow_is_given_up_and_taken_up_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put_all(layout, project.make_release(layout))
    with monkeypatch.context() as patched:
        patched.setattr(replaying, "SECONDS", 0.0)
        told = tracking.replay(layout)
    assert (told.delivered, told.waiting, told.down) == (0, 3, True)
    assert "too slow" in str(told.reason)
    assert tracking.replay(layout) == tracking.Replayed(3, 0)


@pytest.mark.slow
def test_processes_that_meet_on_a_fresh_store(tmp_path: Path) -> None:
    project.make_project(tmp_path)
    command = [sys.executable, "-m", "tasks.tracking", "--root", str(tmp_path), "prepare"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[0], process.returncode) for process in started] == [
        (f"sqlite:///{tmp_path}/var/mlflow/mlflow.db\n", 0)
    ] * 3
    assert sorted(path.name for path in (tmp_path / "var" / "mlflow").iterdir() if "-" not in path.name) == [
        "mlflow.db",
        "prepared",
    ]


@pytest.mark.slow
def test_a_teams_server_is_told_the_same(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put_all(layout, project.make_release(layout))
    alone = Layout(shutil.copytree(layout.root, tmp_path / "alone"))
    tracking.replay(alone)
    expected = project.seen_in_mlflow(alone)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    place = tmp_path / "server"
    shutil.copytree(layout.var / "mlflow", place)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "artifacts")]
    settings = {**os.environ, **store.QUIET_AND_BOUNDED, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=settings, cwd=place, stdout=log, stderr=log, start_new_session=True)
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 180
        while tracking.replay(layout).waiting:
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert project.seen_in_mlflow(layout) == expected
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_copied_project_keeps_its_own_artifacts(layout: Layout, tmp_path: Path) -> None:
    project.put_all(layout, project.make_release(layout))
    assert tracking.replay(layout).delivered == 3
    copy = Layout(tmp_path / "a copy, 100%")
    shutil.copytree(layout.root, copy.root)
    before = sorted(path.relative_to(layout.root) for path in layout.root.rglob("*"))
    project.put_model(copy, project.make_release(copy, seed=1), "2026-11-23")
    assert tracking.replay(copy).delivered == 1
    assert sorted(path.relative_to(layout.root) for path in layout.root.rglob("*")) == before
    with contextlib.closing(sqlite3.connect(copy.var / "mlflow" / "mlflow.db")) as database:
        text = "\n".join(database.iterdump())
    assert layout.root.as_uri() not in text and copy.root.as_uri() in text
    assert [version for version, *_ in project.seen_in_mlflow(copy)["versions"]] == [1, 2]


def test_an_older_store_is_migrated(layout: Layout) -> None:
    (layout.var / "mlflow" / "prepared").write_text("3.0.0")
    tracking.prepare(layout)
    assert (layout.var / "mlflow" / "prepared").read_text() != "3.0.0"
    project.put_model(layout, project.make_release(layout))
    assert tracking.replay(layout).delivered == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@host:1/x failed", "http://***@host:1/x failed"),
        ("postgresql://u:p@ss@db/x", "postgresql://***@db/x"),
        ("http://host/a@b", "http://host/a@b"),
        ("token s3cret", "token ***"),
    ],
)
def test_no_password_is_shown(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MLFLOW_TRACKING_TOKEN", "s3cret")
    assert store.redact(text) == shown
