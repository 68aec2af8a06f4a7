"""Passwords in the environment and in addresses: no night, failed or not, and no command shows or keeps one."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kindex.core.layout import Layout
from tests import projects

pytestmark = pytest.mark.slow
CANARY = "kanarienvogel"
NOWHERE = "127.0.0.1:9/"
SETTINGS = {
    "PREFECT_API_URL": f"http://team:{CANARY}1@{NOWHERE}api",
    "PREFECT_SERVER_API_AUTH_STRING": f"team:{CANARY}2",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://prefect:{CANARY}3@{NOWHERE}prefect",
    "MLFLOW_TRACKING_PASSWORD": f"{CANARY}4",
    "MLFLOW_BACKEND_STORE_URI": f"postgresql://mlflow:{CANARY}5@{NOWHERE}mlflow",
    "AWS_ACCESS_KEY_ID": f"{CANARY}6",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}7",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "KINDEX_ALERT_URLS": f"json://team:{CANARY}8@{NOWHERE}?+token={CANARY}9",
    "SHOP_PASSWORD": f"{CANARY}10",
}
DOWN = {**SETTINGS, "MLFLOW_TRACKING_URI": f"http://team:{CANARY}11@127.0.0.1:9"}


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
    assert not [text for text in spoken if CANARY in text]


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
    files = [path for path in layout.root.rglob("*") if path.is_file()]
    parquet = [path for path in files if path.suffix == ".parquet"]
    assert len(files) > 300 and len(parquet) > 20
    assert (layout.var / "mlflow" / "mlflow.db") in files
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    assert [path for path in parquet if CANARY in json.dumps(pq.read_table(path).to_pylist(), default=repr)] == []


def test_what_waits_for_mlflow_is_delivered_without_a_password(layout):
    """Messages that waited while an address with a password was down, told to the project's own store."""
    done = projects.run(layout.root, sys.executable, "-m", "tasks.tracking", "replay", **SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = [path for path in (layout.var / "mlflow").rglob("*") if path.is_file()]
    assert [path for path in kept if CANARY.encode() in path.read_bytes()] == []
