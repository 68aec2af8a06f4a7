import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from tasks import environment


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    for name in list(os.environ):
        if name.startswith(("PREFECT_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return Layout(tmp_path)


@pytest.fixture
def health():
    """A server on loopback whose answer to every request can be set."""

    class Handler(BaseHTTPRequestHandler):
        status = 200
        heard: tuple[str, str | None, bytes] = ("", None, b"")

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            type(self).heard = (self.path, self.headers["Authorization"], content)
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(type(self).status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_defaults_give_way_to_what_is_set(layout, monkeypatch):
    os.environ["PREFECT_HOME"] = "/elsewhere"
    environment.settle(layout)
    assert os.environ["PREFECT_HOME"] == "/elsewhere"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_python_is_this_python(layout):
    os.environ["PATH"] = "/usr/bin"
    environment.settle(layout)
    environment.settle(layout)
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/usr/bin"


def test_without_anything_the_server_is_ephemeral(layout):
    assert environment.server(layout).kind == "ephemeral"
    assert "PREFECT_API_URL" not in os.environ


def test_a_standing_server_is_used_while_it_answers(layout, health):
    _, address = health
    layout.var.mkdir()
    environment.pages_file(layout).write_text(json.dumps({"prefect": address}))
    assert environment.server(layout) == environment.Server("standing", f"{address}/api")
    assert os.environ["PREFECT_API_URL"] == f"{address}/api"


def test_a_standing_server_that_is_gone_is_forgotten(layout):
    layout.var.mkdir()
    environment.pages_file(layout).write_text('{"prefect": "http://127.0.0.1:9"}')
    assert environment.server(layout).kind == "ephemeral"


@pytest.mark.parametrize("content", ["", "[]", '{"prefect": 3}', "not json"])
def test_a_damaged_note_of_the_pages_is_no_server(layout, content):
    layout.var.mkdir()
    environment.pages_file(layout).write_text(content)
    assert environment.server(layout).kind == "ephemeral"


def test_a_given_server_that_does_not_answer_is_down(layout):
    os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    found = environment.server(layout)
    assert found.kind == "down"
    assert "refused" in found.trouble


@pytest.mark.parametrize(("status", "kind"), [(200, "given"), (401, "given"), (500, "down"), (503, "down")])
def test_a_given_server_is_down_when_it_only_answers_with_errors(layout, health, status, kind):
    handler, address = health
    handler.status = status
    os.environ["PREFECT_API_URL"] = f"{address}/api"
    assert environment.server(layout).kind == kind


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_password(layout, host):
    environment.require_loopback(host)


def test_another_host_needs_a_password(layout):
    with pytest.raises(ConfigError, match=r"'0\.0\.0\.0', allowed: 127\.0\.0\.1.*PREFECT_SERVER_API_AUTH_STRING"):
        environment.require_loopback("0.0.0.0")
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = "user:0123456789ab"
    environment.require_loopback("0.0.0.0")


@pytest.mark.parametrize("password", ["", "canary", "canary:", "canary:short", ":0123456789ab", "0123456789ab"])
def test_another_host_needs_a_real_password(layout, password):
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = password
    with pytest.raises(ConfigError, match="12 characters or more") as refused:
        environment.require_loopback("0.0.0.0")
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "address", "password"),
    [
        ("http://team:p%40ss@prefect:4200/api", "http://prefect:4200/api", "team:p@ss"),
        ("https://team:a@b@prefect/api", "https://prefect/api", "team:a@b"),
        ("http://prefect:4200/api", "http://prefect:4200/api", None),
        ("http://prefect/api?at=a@b", "http://prefect/api?at=a@b", None),
        ("nonsense", "nonsense", None),
    ],
)
def test_a_password_leaves_the_address_of_the_server(layout, given, address, password):
    os.environ["PREFECT_API_URL"] = given
    environment.settle(layout)
    environment.settle(layout)
    assert os.environ["PREFECT_API_URL"] == address
    assert os.environ.get("PREFECT_API_AUTH_STRING") == password


@pytest.mark.parametrize("given", ["http://team:canary@127.0.0.1:9/api", "team:canary@127.0.0.1", "ftp://team:canary@x/api"])
def test_a_server_that_is_down_is_named_without_its_password(layout, given):
    os.environ["PREFECT_API_URL"] = given
    found = environment.server(layout)
    assert found.kind == "down"
    assert "canary" not in f"{found}"


def test_the_health_check_sends_the_password(layout, health):
    handler, address = health
    seen = []
    handler.do_GET = lambda self: (seen.append(self.headers["Authorization"]), self.send_response(200), self.end_headers())
    os.environ["PREFECT_API_AUTH_STRING"] = "team:canary"
    assert environment.unreachable(f"{address}/api") == ""
    assert seen == ["Basic dGVhbTpjYW5hcnk="]


def test_what_is_posted_arrives_with_the_password(layout, health):
    handler, address = health
    os.environ["PREFECT_API_AUTH_STRING"] = "admin:secret"
    environment.post(f"{address}/api/x", {"force": True})
    assert handler.heard == ("/api/x", "Basic YWRtaW46c2VjcmV0", b'{"force": true}')
    handler.status = 503
    with pytest.raises(OSError, match="503"):
        environment.post(f"{address}/api/x", {})
