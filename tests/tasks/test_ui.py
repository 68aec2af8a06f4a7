"""What `make ui` starts, and what it keeps off command lines; the servers themselves are in tests/flows/test_served.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kindex.core.errors import OutsideError
from kindex.core.layout import Layout
from tasks import ui


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "MLFLOW_")):
            monkeypatch.delenv(name)
    return Layout(tmp_path)


def test_both_pages_and_their_health(layout):
    prefect, mlflow = ui.pages(layout, "127.0.0.1")
    assert (prefect.name, mlflow.name) == ("prefect", "mlflow")
    assert prefect.health == f"{prefect.address}/api/health"
    assert mlflow.settings["MLFLOW_BACKEND_STORE_URI"].startswith("sqlite:///")
    for page in (prefect, mlflow):
        assert page.command[page.command.index("--host") + 1] == "127.0.0.1"


def test_mlflow_stays_on_loopback_when_prefect_does_not(layout):
    prefect, mlflow = ui.pages(layout, "0.0.0.0")
    assert prefect.command[prefect.command.index("--host") + 1] == "0.0.0.0"
    assert mlflow.command[mlflow.command.index("--host") + 1] == "127.0.0.1"


def test_a_databases_password_is_on_no_command_line(layout, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://mlflow:canary@db/mlflow")
    _, mlflow = ui.pages(layout, "127.0.0.1")
    assert "canary" not in " ".join(mlflow.command)
    assert mlflow.settings == {"MLFLOW_BACKEND_STORE_URI": "postgresql://mlflow:canary@db/mlflow"}


def test_a_teams_mlflow_server_needs_no_page(layout, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert [page.name for page in ui.pages(layout, "127.0.0.1")] == ["prefect"]


def test_a_page_is_told_its_own_settings(layout):
    code = "import os; print(os.environ['MLFLOW_BACKEND_STORE_URI'])"
    page = ui.Page("mlflow", [sys.executable, "-c", code], "", "", {"MLFLOW_BACKEND_STORE_URI": "there"})
    with ui.started([page], layout) as running:
        running["mlflow"].wait(20)
    assert ui.log_file(layout, "mlflow").read_text() == "there\n"
    assert "MLFLOW_BACKEND_STORE_URI" not in os.environ


def test_a_page_that_ends_at_once_says_where_its_words_are(layout):
    page = ui.Page("prefect", [sys.executable, "-c", "raise SystemExit(3)"], "", "http://127.0.0.1:9")
    with ui.started([page], layout) as running, pytest.raises(OutsideError, match=r"did not start.*prefect-server\.log"):
        ui.wait_until_healthy(page, running["prefect"], layout)


def test_what_a_server_started_ends_with_it(layout):
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    page = ui.Page("prefect", [sys.executable, "-c", code], "", "")
    with ui.started([page], layout):
        while not (child := ui.log_file(layout, "prefect").read_text().strip()):
            pass
    state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout.strip()
    assert not Path(f"/proc/{child}").exists() or state.startswith("Z")
