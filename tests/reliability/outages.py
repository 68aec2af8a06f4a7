"""A door before a server, through which its callers go, and which can be made to fail in the ways that servers do."""

import contextlib
import socket
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType

FAULTS = ("stopped", "500s", "30 s late", "answers lost")
LATENCY = 30.0  # seconds
SERVER_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndown"
_BLOCK = 1 << 16


class Door:
    """Passes bytes between whoever connects to `address` and the server on `port` of loopback, while `fault` is empty.

    `stopped`: nobody listens, and connections break. `500s`: every request is answered so, and does not reach the server.
    `30 s late`: each piece of an answer comes so much later. `answers lost`: requests arrive and are carried out, and then the
    connection breaks before the answer: whoever sends them again does things twice.
    """

    def __init__(self, port: int) -> None:
        self.server = port
        self.fault = ""
        self.failed = 0  # connections that met the fault
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._listener)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def become(self, fault: str) -> None:
        """Fail so from now on; well again with an empty string."""
        if fault == self.fault:
            return
        if fault == "stopped":
            self._stop()
        elif self.fault == "stopped":
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._start(self._listener)
        self.fault = fault

    def _start(self, listener: socket.socket) -> None:
        threading.Thread(target=self._listen, args=(listener,), daemon=True).start()

    def _stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            _break(one)

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        self._open.add(caller)
        server = None
        try:
            server = socket.create_connection(("127.0.0.1", self.server))
            self._open.add(server)
            back = threading.Thread(target=self._answer, args=(server, caller), daemon=True)
            back.start()
            while piece := caller.recv(_BLOCK):
                if self.fault == "500s":
                    self.failed += 1
                    caller.sendall(SERVER_ERROR)
                    break
                server.sendall(piece)
        except OSError:
            pass
        finally:
            for one in (caller, server):
                if one is not None and not (one is caller and self.fault == "30 s late"):
                    self._open.discard(one)
                    _end(one)

    def _answer(self, server: socket.socket, caller: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(_BLOCK):
                if self.fault:
                    self.failed += 1
                if self.fault == "answers lost":
                    break
                if self.fault == "30 s late":
                    time.sleep(LATENCY)
                caller.sendall(piece)
        _break(caller) if self.fault == "answers lost" else _end(caller)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _break(one: socket.socket) -> None:
    """Without goodbye: the other side sees a reset."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.shutdown(socket.SHUT_RDWR)
    one.close()
