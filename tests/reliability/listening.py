"""Servers that are really started, and where the processes of their group listen, as the system has it."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tasks import environment
from tests import projects
from tests.infra.servers import family
from tests.reliability import Say

PATIENCE = 240.0  # seconds
PASSWORD = "team:0123456789ab"


def servers(scratch: Path, say: Say) -> Iterator[tuple[str, str]]:
    """What was started and where it listened, in words, and what is wrong with it, if anything."""
    layout = projects.make(scratch / "served")
    for host, password in (("127.0.0.1", ""), ("0.0.0.0", PASSWORD)):
        say(f"make ui on {host}")
        given = {"PREFECT_SERVER_API_AUTH_STRING": password} if password else {}
        process = projects.start(layout.root, sys.executable, "-m", "tasks.ui", "--host", host, **given)
        try:
            pages = _wait(lambda: environment.read_pages(layout), process)
            found = doors(process)
            trouble = _open(found, pages["prefect"].rpartition(":")[2] if password else "")
            if password:
                trouble = trouble or answered(f"http://127.0.0.1:{pages['prefect'].rpartition(':')[2]}")
        finally:
            _end(process)
        with_one = " with a password, asked for at every question" if password else ""
        yield f"`make ui` on {host}{with_one} listened on {_told(found)}", trouble
    say("a night with a temporary server")
    process = projects.start(layout.root, sys.executable, "-m", "flows.nightly", "--only", projects.LINKED)
    found = set()
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        found |= doors(process)
        time.sleep(0.5)
    _end(process)
    trouble = _open(found, "") or ("" if process.returncode == 0 else f"the night ended with {process.returncode}")
    yield f"a night with a temporary server listened on {_told(found)}", trouble


def doors(process: subprocess.Popen[str]) -> set[tuple[str, int]]:
    """Addresses and ports that the process and those of its group, or begun by them, listen on."""
    found = set()
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    for number in {int(entry.name) for entry in family(process)} | {child.pid for child in children}:
        try:
            connections = psutil.Process(number).net_connections("inet")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        found |= {(one.laddr.ip, one.laddr.port) for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def answered(address: str) -> str:
    """What Prefect says without the password, but for its health."""
    for what in ("flow_runs/filter", "deployments/filter", "block_documents/filter", "variables/filter", "logs/filter"):
        question = urllib.request.Request(f"{address}/api/{what}", b"{}", {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(question, timeout=20) as answer:
                return f"{what} is answered without the password: {answer.status}"
        except urllib.error.HTTPError as error:
            if error.code != 401:
                return f"{what} without the password: {error.code}"
    return ""


def _open(found: set[tuple[str, int]], except_port: str) -> str:
    """Doors that are open to others, or that there is none at all, which would show nothing."""
    outside = sorted(f"{ip}:{port}" for ip, port in found if ip not in environment.LOOPBACK and str(port) != except_port)
    return "no socket seen" if not found else f"open: {', '.join(outside)}" if outside else ""


def _told(found: set[tuple[str, int]]) -> str:
    return ", ".join(f"{ip} ({sum(one == ip for one, _ in found)})" for ip in sorted({ip for ip, _ in found})) or "nothing"


def _wait(question: Callable[[], dict[str, str]], process: subprocess.Popen[str]) -> dict[str, str]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if answer := question():
            return answer
        time.sleep(0.5)
    raise RuntimeError(f"no pages within {PATIENCE:.0f} seconds")


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        projects.kill_group(process)
