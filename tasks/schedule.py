"""`make schedule`: deploy the flows to the Prefect server of `make ui`, and work for it until Ctrl-C.

python -m tasks.schedule            deploy, then work
python -m tasks.schedule pause      pause the schedules in Prefect (`kindex pause` does so), or resume them
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kindex.core import pause
from kindex.core.errors import KindexError, OutsideError
from kindex.core.layout import Layout, find
from tasks import calendar, environment

POOL = "kindex"
DEPLOYMENTS = Path("infra") / "prefect.yaml"
PAUSED = ("nightly/nightly",)
"""The deployments whose schedules `kindex pause` stops; the watch goes on, and finds the nights paused."""


def deploy(layout: Layout, deployments: Path | None = None) -> None:
    """Make the work pool and the deployments. Doing it again changes nothing. Raises `OutsideError` and `ConfigError`."""
    calendar.read(layout)
    require_server(layout)
    os.environ.setdefault("KINDEX_ROOT", str(layout.root))
    prefect(layout, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    prefect(layout, "--no-prompt", "deploy", "--all", "--prefect-file", str(deployments or DEPLOYMENTS))
    if (paused := pause.read(layout)) and not paused.until:
        switch(layout, active=False)  # deploying makes every schedule active


def require_server(layout: Layout) -> None:
    """Settle the environment for the server that answers. Raises `OutsideError` when none does."""
    environment.settle(layout)
    server = environment.server(layout)
    if server.kind not in ("given", "standing"):
        trouble = f"{server.address} does not answer" if server.kind == "down" else "no Prefect server runs"
        raise OutsideError(f"{trouble}: start one with `make ui` in another terminal, or set PREFECT_API_URL")


def switch(layout: Layout, *, active: bool) -> int:
    """Pause or resume the schedules of the deployments `PAUSED` that there are; returns how many schedules they have.

    Raises `OutsideError`.
    """
    require_server(layout)
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    count = 0
    try:
        with get_client(sync_client=True) as client:
            for name in PAUSED:
                try:
                    deployment: Any = client.read_deployment_by_name(name)
                except ObjectNotFound:
                    continue
                for one in deployment.schedules:
                    client.update_deployment_schedule(deployment.id, one.id, active=active)
                    count += 1
    except Exception as error:
        raise OutsideError(f"Prefect's schedules stay as they are: {type(error).__name__}") from None
    return count


def prefect(layout: Layout, *arguments: str) -> None:
    """Run one command of Prefect's. Raises `OutsideError` with what it printed."""
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OutsideError(
            f"prefect {' '.join(arguments)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
        )


def called(layout: Layout) -> str:
    """When nights are called, for people."""
    plan = calendar.read(layout)
    return f"{plan.at:%H:%M} {plan.timezone}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: deploys, and then becomes the worker. Returns the exit code when it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.schedule", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", nargs="?", default="work", choices=["work", "pause", "resume"])
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    given = parser.parse_args(arguments)
    try:
        layout = find(given.root)
        if given.verb != "work":
            count = switch(layout, active=given.verb == "resume")
            print(f"Prefect: {count} {'schedule' if count == 1 else 'schedules'} {given.verb}d")
            return 0
        deploy(layout)
        print(f"nightly is called at {called(layout)}. Ctrl-C stops the worker; the schedule stays", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"])
    except KindexError as error:
        print(f"schedule: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
