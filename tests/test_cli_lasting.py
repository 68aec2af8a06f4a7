"""`kindex rebuild`, `gc`, `forget`: each is a process of tasks, with its exit code."""

import subprocess
import sys

import pytest
import typer

from kindex.cli import lasting


@pytest.fixture
def started(monkeypatch, tmp_path):
    """The commands that were started, instead of starting them; each ends with 3."""
    (tmp_path / "params.yaml").write_text("{}")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    found = []

    def run(command, check):
        found.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(lasting.subprocess, "run", run)
    return found


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: lasting.rebuild("m", "v0003", True), ["tasks.rebuilding", "m", "v0003", "--keep"]),
        (lambda: lasting.gc(5, True), ["tasks.collecting", "--keep", "5", "--dry-run"]),
        (lambda: lasting.forget("shop", "--apple", False), ["tasks.forgetting", "shop", "--", "--apple"]),
    ],
)
def test_a_command_is_a_process_of_tasks_with_its_exit_code(started, tmp_path, call, expected):
    with pytest.raises(typer.Exit) as end:
        call()
    assert end.value.exit_code == 3
    (command,) = started
    assert command[:3] == [sys.executable, "-m", expected[0]]
    assert command[3:5] == ["--root", str(tmp_path)] and command[5:] == expected[1:]
