"""The fork server of one flow: where its stages' processes come from. See `kindex.stages.forkserver`."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from kindex.stages.parts.handover import ADDRESS
from kindex.stages.parts.running import thread_variables


class ForkServer:
    """Not started until something is stale: a night with nothing new pays nothing for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it does not run, and name it in the environment, which DVC hands on to a stage's command.

        Without it, for it was killed or the system is not Linux, each command runs its stage itself.
        """
        if sys.platform != "linux" or (self._process and self._process.poll() is None):
            return
        flow = os.getpid()
        name = f"kindex-{flow}-{secrets.token_hex(8)}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kindex.stages.forkserver", name, str(flow)],
            cwd=self.root,
            env={**os.environ, **thread_variables(1)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches a stage once: through its command
        )
        os.environ[ADDRESS] = name

    def close(self) -> None:
        """End it, and with it a stage that it still runs."""
        if self._process:
            os.environ.pop(ADDRESS, None)
            self._process.terminate()
            self._process.wait()
            self._process = None
