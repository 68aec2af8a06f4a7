"""`infra/start.sh check`: what is up, what is down, and what a worker that fell silent looks like."""

import importlib.util
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType
from typing import Any

import pytest

from tests.projects import ROOT


@pytest.fixture
def healthy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthy", ROOT / "infra" / "healthy.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(healthy):
    """A server on loopback that says what `answer` holds, and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        answer: Any = "ok"
        status = 200
        seen: list[tuple[str, str, str | None]] = []  # noqa: RUF012  (one server a test)

        def do_GET(self) -> None:
            self.seen.append((self.command, self.path, self.headers["Authorization"]))
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(type(self).status)
            self.end_headers()
            self.wfile.write(json.dumps(type(self).answer).encode())

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            return None

    Handler.seen = []
    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = f"http://127.0.0.1:{running.server_port}"
    healthy.PREFECT, healthy.MLFLOW = f"{address}/api", address
    yield Handler
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(("part", "path"), [("prefect", "/api/health"), ("mlflow", "/health")])
def test_a_server_that_answers_and_one_that_does_not(healthy, server, capsys, part, path):
    assert healthy.main(part) == 0
    assert server.seen == [("GET", path, None)]
    server.status = 500
    assert healthy.main(part) == 6
    healthy.PREFECT = healthy.MLFLOW = "http://127.0.0.1:9"
    assert healthy.main(part) == 6
    assert "refused" in capsys.readouterr().out


@pytest.mark.parametrize(("ages", "code"), [([], 6), ([10], 0), ([1000], 6), ([1000, 10], 0)])
def test_a_worker_is_there_while_its_heart_beats(healthy, server, monkeypatch, capsys, ages, code):
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "team:canary")
    now = datetime.now(UTC)
    server.answer = [
        {"last_heartbeat_time": (now - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")} for age in ages
    ]
    assert healthy.main("worker") == code
    assert server.seen == [("POST", "/api/work_pools/kindex/workers/filter", "Basic dGVhbTpjYW5hcnk=")]
    said = capsys.readouterr().out
    assert ("answers" in said) == (code == 0) and "canary" not in said


@pytest.mark.parametrize("answer", ["no list", [{}], [{"last_heartbeat_time": None}], {"detail": "no such pool"}])
def test_an_answer_of_another_kind_is_no_worker(healthy, server, answer):
    server.answer = answer
    assert healthy.main("worker") == 6


def test_no_other_part(healthy, capsys):
    assert healthy.main("postgres") == 2
    assert "'postgres' is no part, allowed: prefect, mlflow, worker" in capsys.readouterr().err
