"""Passwords in the environment and in addresses: no night, failed or not, and no command shows or keeps one."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kindex.core.layout import Layout
from tests import projects
from tests.infra.canaries import CANARY, DOWN, SETTINGS, heard, sings

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def spoken() -> list[str]:
    """What every command of the module printed."""
    return []


@pytest.fixture(scope="module")
def layout(tmp_path_factory, spoken) -> Iterator[Layout]:
    """A project after four nights: MLflow's own store told, MLflow down, data refused, nothing new."""
    layout = projects.make(tmp_path_factory.mktemp("secrets") / "project")
    root = layout.root
    added = projects.run(root, sys.executable, "-m", "dvc", "remote", "add", "--default", "team", "s3://kindex/dvc")
    assert added.returncode == 0, added.stderr
    assert night(root, spoken, SETTINGS) == 0
    assert night(root, spoken, DOWN, "--force") == 0
    good = (root / "links.csv").read_bytes()
    (root / "links.csv").write_text("basket,fruit\n" + "basket-1,\n" * 50)
    assert night(root, spoken, DOWN) == 3
    (root / "links.csv").write_bytes(good)
    assert night(root, spoken, DOWN) == 0
    yield layout
    shutil.rmtree(root)


def night(root: Path, spoken: list[str], settings: dict[str, str], *options: str) -> int:
    done = projects.nightly(root, *options, **settings)
    spoken.append(done.stdout + done.stderr)
    return done.returncode


def test_nothing_that_was_said_holds_a_password(layout, spoken):
    assert "went on without Prefect" in spoken[0] + spoken[1], "or the addresses were not used at all"
    assert "MLflow" in spoken[1]
    assert not [text for text in spoken if sings(text.encode())]


@pytest.mark.parametrize(
    "command",
    [
        ["kindex.cli", "doctor"],
        ["kindex.cli", "releases", projects.LINKED],
        ["tasks.tracking", "address"],
        ["tasks.tracking", "replay"],
        ["tasks.schedule"],
        ["tasks.ui", "--host", "example.org"],
    ],
    ids=" ".join,
)
def test_no_command_shows_a_password(layout, command):
    settings = {**DOWN, "PREFECT_SERVER_API_AUTH_STRING": f"team:{CANARY}"[:15]}  # too short for the last
    done = projects.run(layout.root, sys.executable, "-m", *command, **settings)
    assert done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert f"{CANARY}"[:10] not in done.stdout + done.stderr


def test_no_file_holds_a_password(layout):
    """Every file of the project: releases, reports, stores, logs, outbox, DVC's cache; Parquet decoded, too."""
    found = heard(layout.root)
    assert len(found) > 300 and sum(name.endswith(".parquet") for name in found) > 20
    assert "var/mlflow/mlflow.db" in found
    assert [name for name, hit in found.items() if hit] == []


def test_what_waits_for_mlflow_is_delivered_without_a_password(layout):
    """Messages that waited while an address with a password was down, told to the project's own store."""
    done = projects.run(layout.root, sys.executable, "-m", "tasks.tracking", "replay", **SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name, hit in heard(layout.var / "mlflow").items() if hit] == []
