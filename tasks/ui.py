"""`make ui`: Prefect's and MLflow's pages on this machine, until Ctrl-C. A night beside them uses their Prefect server."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kindex.core import mutex
from kindex.core.errors import KindexError, OutsideError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.layout import Layout, find
from tasks import environment, leftovers, stores

PATIENCE = 180.0  # seconds that a page may take to answer; about 20 on an idle machine
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Page:
    """One server: its command, the address that it answers, where its health is asked, and what only it is told.

    `settings` are variables of its environment: a database's password belongs on no command line, which all can list.
    """

    name: str
    command: list[str]
    address: str
    health: str
    settings: dict[str, str] = field(default_factory=dict)


def pages(layout: Layout, host: str) -> list[Page]:
    """The servers of this project. MLflow's has no password of its own, so it stays on loopback whatever `host` says."""
    from tasks.tracking import address

    at = f"http://{LOOPBACK if host in environment.LOOPBACK else host}"
    port = free_port(host, 4200)
    prefect = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)]
    found = [Page("prefect", prefect, f"{at}:{port}", f"{at}:{port}/api/health")]
    store = address(layout)
    if not store.startswith("http"):
        port = free_port(LOOPBACK, 5000)
        mlflow = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", LOOPBACK, "--port", str(port)]
        where = f"http://{LOOPBACK}:{port}"
        found.append(Page("mlflow", mlflow, where, f"{where}/health", {"MLFLOW_BACKEND_STORE_URI": store}))
    return found


def free_port(host: str, first: int, tries: int = 50) -> int:
    """`first`, or the next port that nobody listens on. Raises `OutsideError` when all `tries` are taken."""
    for port in range(first, first + tries):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except OSError:
                continue
            return port
    raise OutsideError(f"no free port on {host} from {first} to {first + tries - 1}")


def serve(layout: Layout, host: str) -> None:
    """Start both, say where they are, and wait until one ends or a signal comes; then stop both.

    Raises `BusyError` when this project's pages run already, `OutsideError` when a page does not start or ends.
    """
    environment.require_loopback(host)
    environment.settle(layout)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # nine processes become two
    os.environ.pop("PREFECT_API_URL", None)
    if password := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):  # its own parts ask it, too
        os.environ.setdefault("PREFECT_API_AUTH_STRING", password)
    with mutex.hold(layout.mutex("ui"), f"the pages of {layout.root}"):
        leftovers.end(layout, leftovers.PAGES)
        stores.prepare(layout)
        wanted = pages(layout, host)
        with started(wanted, layout) as running:
            leftovers.note(layout, leftovers.PAGES, [process.pid for process in running.values()])
            for page in wanted:
                wait_until_healthy(page, running[page.name], layout)
                print(f"{page.name:<8} {page.address}", flush=True)
            write_atomic(environment.pages_file(layout), pretty_json({page.name: page.address for page in wanted}))
            try:
                print("Ctrl-C stops both", flush=True)
                while all(process.poll() is None for process in running.values()):
                    time.sleep(0.5)
            finally:
                environment.pages_file(layout).unlink(missing_ok=True)
            ended = next(name for name, process in running.items() if process.poll() is not None)
            raise OutsideError(f"{ended} ended; its last words are in {log_file(layout, ended)}")


@contextmanager
def started(wanted: Sequence[Page], layout: Layout) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The servers' processes, each with its own group, so that all that a server started ends with it."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for page in wanted:
            log = log_file(layout, page.name)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as output:
                running[page.name] = subprocess.Popen(
                    page.command,
                    env={**os.environ, **page.settings},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        yield running
    finally:
        for process in running.values():
            stop(process)


def stop(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """End the process and its group, kindly first."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def wait_until_healthy(page: Page, process: subprocess.Popen[bytes], layout: Layout) -> None:
    """Return when the page answers. Raises `OutsideError` when it ends or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OutsideError(f"{page.name} did not start; its last words are in {log_file(layout, page.name)}")
        try:
            with urllib.request.urlopen(page.health, timeout=2):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    raise OutsideError(f"{page.name} does not answer at {page.health} after {PATIENCE:.0f} seconds")


def log_file(layout: Layout, name: str) -> Path:
    return layout.var / "log" / f"{name}-server.log"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tasks.ui", description=__doc__)
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    parser.add_argument("--host", default=LOOPBACK, help="where Prefect's page listens; not loopback needs a password")
    given = parser.parse_args(arguments)
    for kind in (signal.SIGTERM, signal.SIGHUP):  # the latter when its terminal is closed, unless it is to go on then (nohup)
        if signal.getsignal(kind) is not signal.SIG_IGN:
            signal.signal(kind, lambda *_: sys.exit(0))
    try:
        serve(find(given.root), given.host)
    except KeyboardInterrupt:
        return 0
    except KindexError as error:
        print(f"ui: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
