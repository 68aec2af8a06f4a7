"""infra/start.sh where nothing is started: beside a `python` that only says how it was called."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.projects import ROOT

PREFECT = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": "x", "PREFECT_SERVER_API_AUTH_STRING": "team:0123456789ab"}
MLFLOW = {"MLFLOW_BACKEND_STORE_URI": "x", "MLFLOW_ARTIFACTS_DESTINATION": "s3://x"}

Start = Callable[..., subprocess.CompletedProcess[str]]


def starter(folder: Path) -> Start:
    """A function of the script's arguments and the environment's settings. What was called, and with what, is printed."""
    (folder / "bin").mkdir()
    script = folder / "project" / "infra" / "start.sh"  # a project without an environment, which would come first on PATH
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "infra" / "start.sh", script)
    fake = folder / "bin" / "python"
    fake.write_text('#!/bin/sh\necho "called: $*"; env\n')
    fake.chmod(0o755)

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "KINDEX_TEAM_ENV": "", **settings}
        command = ["sh", str(script), *arguments]
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)

    return run
