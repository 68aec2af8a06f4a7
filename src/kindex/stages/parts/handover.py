"""A stage's command as the client of a night's fork server: see `kindex.stages.forkserver`.

The command stays what DVC calls and waits for. It lends the server its environment, folder and standard streams, passes
Ctrl-C on, and ends as the stage's process ended. Nothing heavy is imported here.
"""

import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from kindex.stages.parts.lifetime import die_with_parent

ADDRESS = "KINDEX_FORKSERVER"
"""The environment variable that names the server's socket, `kindex-FLOW-…` with the flow's process id. It is in Linux's
abstract namespace: no file is left behind."""

LENGTH = struct.Struct("!I")
CODE = struct.Struct("!i")
BEGUN = 2**31 - 1
"""What the stage's process says first, and its exit code last. Without it the server could not, and nothing has begun."""


def handed_over(arguments: list[str]) -> int | None:
    """The exit code of the stage in a process of the fork server's; None when there is no server, and it must run here.

    A stage that was ended by a signal ends this process by the same one, or by SIGKILL when nobody could tell.
    """
    name = os.environ.get(ADDRESS)
    if not name:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        try:
            server.connect(f"\0{name}")
        except OSError:
            if not Path(f"/proc/{name.split('-')[1]}").exists():
                sys.exit("the flow that asked for this stage was killed")  # before the stage could ask to end with it
            return None  # it was killed, or has not begun to listen
        die_with_parent()
        interrupt = signal.getsignal(signal.SIGINT)
        if interrupt is not signal.SIG_IGN:  # as it is for a command in a shell's background
            signal.signal(signal.SIGINT, lambda number, _: server.sendall(bytes([number])))
        begun, code = False, None
        asked = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        try:
            _send(server, json.dumps(asked).encode())
            begun = _answer(server) == BEGUN
            code = _answer(server) if begun else None
        except OSError:
            code = None
    if not begun:
        signal.signal(signal.SIGINT, interrupt)
        return None
    if code is None:
        code = -signal.SIGKILL
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _answer(server: socket.socket) -> int | None:
    """The next number, or None when nobody is there to tell."""
    came = server.recv(CODE.size, socket.MSG_WAITALL)
    return int(CODE.unpack(came)[0]) if len(came) == CODE.size else None


def _send(server: socket.socket, message: bytes) -> None:
    """The length of the message, with this process's standard streams, then the message."""
    socket.send_fds(server, [LENGTH.pack(len(message))], [0, 1, 2])
    server.sendall(message)


def received(asking: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The other end of it: what is asked, and the descriptors. Raises `ValueError` for anything else."""
    head, streams, *_ = socket.recv_fds(asking, LENGTH.size, 3)
    if len(head) != LENGTH.size or len(streams) != 3:
        for stream in streams:
            os.close(stream)
        raise ValueError("not a stage's command")
    message = asking.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL)
    return json.loads(message), streams
