"""`make schedule`: deploy the flows to the Prefect server of `make ui`, and work for it until Ctrl-C."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kindex.core.errors import KindexError, OutsideError
from kindex.core.layout import Layout, find
from tasks import environment

POOL = "kindex"
DEPLOYMENTS = Path("infra") / "prefect.yaml"


def deploy(layout: Layout, deployments: Path | None = None) -> None:
    """Make the work pool and the deployments. Doing it again changes nothing. Raises `OutsideError`."""
    environment.settle(layout)
    server = environment.server(layout)
    if server.kind not in ("given", "standing"):
        trouble = f"{server.address} does not answer" if server.kind == "down" else "no Prefect server runs"
        raise OutsideError(f"{trouble}: start one with `make ui` in another terminal, or set PREFECT_API_URL")
    os.environ.setdefault("KINDEX_ROOT", str(layout.root))
    prefect(layout, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    prefect(layout, "--no-prompt", "deploy", "--all", "--prefect-file", str(deployments or DEPLOYMENTS))


def prefect(layout: Layout, *arguments: str) -> None:
    """Run one command of Prefect's. Raises `OutsideError` with what it printed."""
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(
            f"prefect {' '.join(arguments)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: deploys, and then becomes the worker. Returns the exit code when it cannot."""
    parser = argparse.ArgumentParser(prog="python -m tasks.schedule", description=__doc__)
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    given = parser.parse_args(arguments)
    try:
        deploy(find(given.root))
        print("nightly runs at 02:00 UTC. Ctrl-C stops the worker; the schedule stays", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"])
    except KindexError as error:
        print(f"schedule: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
