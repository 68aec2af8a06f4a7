"""Real servers on loopback for the tests of team mode: a PostgreSQL of its own, an S3 endpoint, and infra/start.sh's parts."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import projects

BINARIES = Path("/usr/lib/postgresql/15/bin")
PATIENCE = 480.0  # seconds; servers take 20 to 40 and a first night 60, on a machine that is not busy


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def wait_for(
    question: Callable[[], Any], what: str, process: subprocess.Popen[Any] | None = None, log: Path | None = None
) -> Any:
    """The first true answer, or a failure when it takes too long or `process` ends before."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        if process is not None and process.poll() is not None:
            pytest.fail(f"{what}: ended with {process.returncode}: {log.read_text()[-3000:]}")
        time.sleep(0.3)
    return pytest.fail(f"{what} did not come within {PATIENCE:.0f} seconds: {log.read_text()[-3000:]}")


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """A PostgreSQL whose superuser has no password but may come through its socket in `folder` only. Yields its port.

    It refuses to run as root, so the system's user `postgres` runs it then; `folder` must be open to that user.
    """
    if not BINARIES.is_dir():
        pytest.skip(f"no PostgreSQL in {BINARIES}")
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    port, data, log = free_port(), folder / "data", folder / "postgres.log"
    # everything is logged: the tests look for passwords there
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c log_statement=all -c max_connections=60"
    as_owner(str(BINARIES / "initdb"), "-A", "scram-sha-256", "--auth-local=trust", "-N", "-D", str(data), cwd=folder)
    as_owner(str(BINARIES / "pg_ctl"), "-w", "-D", str(data), "-l", str(log), "-o", options, "start", cwd=folder)
    try:
        yield port
    finally:
        as_owner(str(BINARIES / "pg_ctl"), "-w", "-m", "immediate", "-D", str(data), "stop", cwd=folder)


def as_owner(*command: str, cwd: Path, **more: str) -> str:
    """Run a command as the user that owns the database; what it printed."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
    log = cwd / "commands.log"
    with log.open("ab") as output:  # a pipe would stay open in the server that pg_ctl starts
        begin = output.tell()
        done = subprocess.run(
            [*prefix, *command],
            cwd=cwd,
            env={**os.environ, "PATH": path, **more},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    said = log.read_bytes()[begin:].decode()
    assert done.returncode == 0, f"{command}: {said}"
    return said


def superuser() -> str:
    """Who owns the cluster, and so is its superuser."""
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def store(folder: Path) -> Iterator[str]:
    """An S3 endpoint that keeps its objects in memory. Yields its address."""
    port = free_port()
    folder.mkdir(parents=True)
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder / "store.log", dict(os.environ)) as process:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/moto-api/"), "the S3 endpoint", process, folder / "store.log")
        yield address


@contextmanager
def part(root: Path, name: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`sh infra/start.sh NAME` of the project, with var/team.env alone to tell it what it needs. Healthy when yielded."""
    settings = bare_environment(root)
    with running(["sh", str(root / "infra" / "start.sh"), name], log, settings) as process:
        check = ["sh", str(root / "infra" / "start.sh"), "check", name]

        def healthy() -> bool:
            return subprocess.run(check, env=settings, capture_output=True, check=False).returncode == 0

        wait_for(healthy, name, process, log)
        yield process


def bare_environment(root: Path, **more: str) -> dict[str, str]:
    """What a person's shell has: this Python on PATH, and no setting of Prefect's, MLflow's, the store's or ours."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    mine = {name: value for name, value in projects.environment(root).items() if not name.startswith("AWS_")}
    return {**mine, "PATH": path, "HOME": str(root.parent), **more}


@contextmanager
def running(command: list[str], log: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which ends with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, kind)
                process.wait(15)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


def family(process: subprocess.Popen[bytes]) -> list[Path]:
    """/proc folders of the process and of all in its group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(entry.name)) == process.pid:
                found.append(entry)
        except ProcessLookupError:
            continue
    return found
