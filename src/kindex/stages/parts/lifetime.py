"""A stage's process must not outlive who asked for it: the flow, `dvc`, or the command that handed it over."""

import ctypes
import os
import signal
import socket
import threading


def die_with_parent(parent: int | None = None) -> None:
    """A killed `dvc` must not leave its stage writing on: ask the kernel to end this process with its parent.

    With the id of the parent, one that died before this process could ask ends it too: Python takes a while to start.
    """
    parent = parent or os.getppid()
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; Linux only
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with(asking: socket.socket) -> None:
    """End this process when the other end of `asking` closes; each byte that comes is a signal for its main thread."""
    main = threading.main_thread().ident
    assert main

    def watch() -> None:
        while came := asking.recv(1):
            signal.pthread_kill(main, came[0])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
