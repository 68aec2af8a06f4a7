"""Processes for stages, forked from one that has imported what stages import: `python -m kindex.stages.forkserver NAME FLOW`.

Great Expectations takes three seconds to import, torch two; a night of three models runs eighteen stages. A flow, the process
FLOW, starts this server for as long as it runs (`tasks.forkserver`). Each stage is a process of its own all the same: it can
be killed, runs out of memory alone, and gives its memory back. It ends with the command that asked for it; all end with the
flow. The server imports while nobody waits for it, and stays single-threaded but for Arrow's allocator, which minds forks.
"""

import os
import select
import signal
import socket
import struct
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

from kindex.core.errors import KindexError
from kindex.core.layout import find
from kindex.core.params import load
from kindex.stages.importing import ahead, bring, edited_since, modules
from kindex.stages.parts import running
from kindex.stages.parts.handover import BEGUN, CODE, received
from kindex.stages.parts.lifetime import die_with, die_with_parent

LAST_SECONDS = 1.0

_forked: set[int] = set()
"""Processes that work, or have ended and were not waited for."""


def serve(name: str) -> None:
    """Fork a process for each command that connects to the socket `name`, one after the other, until this one is ended."""
    began = time.time()
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    signal.signal(signal.SIGTERM, lambda *_: end())
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        coming = ahead()
        while True:
            while not select.select([listener], [], [], 0)[0] and (module := next(coming, None)):
                bring(module)
            asking, _ = listener.accept()
            with asking, suppress(OSError, ValueError, KeyError):  # a command that was killed meanwhile
                if _is_own(asking):
                    _answer(asking, *received(asking), began)


def _answer(asking: socket.socket, asked: dict[str, Any], streams: list[int], began: float) -> None:
    """Fork, unless the command must run the stage itself: this process knows one number of threads, and the code as it was."""
    stage, key = (*asked["arguments"], "", "")[:2]
    for module in modules(stage):
        bring(module)
    if not edited_since(began) and _threads(asked["environment"].get("DVC_ROOT"), stage, key) == 1:
        forked = os.fork()
        if forked == 0:
            _become(asking, asked, streams)
        _forked.add(forked)
    for descriptor in streams:
        os.close(descriptor)


def reap() -> None:
    """Wait for the processes that have ended: what they used is then told with what the flow used."""
    for pid in [*_forked]:
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        _forked.discard(pid)


def end() -> None:
    """End this process. A stage that has answered is about to end; one that still works is killed."""
    deadline = time.monotonic() + LAST_SECONDS
    while _forked and time.monotonic() < deadline:
        reap()
        time.sleep(0.005)
    for pid in [*_forked]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os._exit(0)


def _is_own(asking: socket.socket) -> bool:
    """Whether it is a process of this user: a name in the abstract namespace has no permissions."""
    _, user, _ = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(user == os.getuid())


def _threads(root: str | None, stage: str, key: str) -> int:
    """What the settings say; of wrong ones the stage will tell."""
    try:
        return running.threads(load(find(root).params), stage, key)
    except KindexError:
        return 1


def _become(asking: socket.socket, asked: dict[str, Any], streams: list[int]) -> None:
    """The forked process: run the stage as the command would have, answer with its exit code, and end."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor, stream in enumerate(streams):
            os.dup2(stream, descriptor)
        sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        asking.sendall(CODE.pack(BEGUN))
        die_with(asking)
        code = running.main(asked["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        code = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
    finally:  # come what may, this process must not go back into the server's loop
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        with suppress(OSError):
            asking.sendall(CODE.pack(code))
        os._exit(code if code >= 0 else 1)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    serve(sys.argv[1])
