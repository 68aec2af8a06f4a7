"""A receiver of alerts on loopback, over real HTTP: apprise's `json://` posts to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Heard:
    """What came, oldest first. `status` is what the receiver answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.status = 200
        self.port = 0

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    def url(self, secret: str = "s3cret-t0ken") -> str:
        return f"json://127.0.0.1:{self.port}/{secret}"


@contextmanager
def hearing() -> Iterator[Heard]:
    """A receiver until the block ends."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if heard.status == 200:
                heard.messages.append(json.loads(body))
            self.send_response(heard.status)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
