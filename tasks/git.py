"""git by its plumbing: what is written goes to the object store and to tags, never to the branch, the index or the files.

Every command runs with a clean environment: a flow that was started from a git hook would else work on the hook's index.
"""

import os
import subprocess
from pathlib import Path

from kindex.core.errors import OutsideError

SECONDS = 120.0
NOBODY = {"NAME": "kindex", "EMAIL": "kindex@localhost"}
"""Who writes commits where git knows no name, as on a machine that nobody has set up."""
_INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")


class Git:
    """The repository that `root` lies in; `prefix` is where in it, empty or ending with a slash."""

    def __init__(self, root: Path, prefix: str) -> None:
        self.root, self.prefix = root, prefix

    def run(
        self, *arguments: str, stdin: bytes = b"", index: Path | None = None, fails: bool = False, author: bool = False
    ) -> bytes:
        """What the command prints. Raises `OutsideError`; with `fails`, gives b"" instead.

        `index` stands in for the user's. `author` is asked for where something is signed with a name.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _INHERITED}
        environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        if author:
            environment = {**self._nobody(), **environment}
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "tag.gpgSign=false", "-c", "core.fsmonitor=false"]
        try:
            done = subprocess.run(
                [*command, *arguments],
                cwd=self.root,
                env=environment,
                input=stdin,
                capture_output=True,
                check=False,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutsideError(f"git {arguments[0]} in {self.root}: {error}") from None
        if done.returncode and not fails:
            raise OutsideError(f"git {arguments[0]} in {self.root}: {done.stderr.decode(errors='replace').strip()}")
        return b"" if done.returncode else done.stdout

    def text(self, *arguments: str, fails: bool = False, index: Path | None = None) -> str:
        """What the command prints, without the last newline."""
        return self.run(*arguments, fails=fails, index=index).decode(errors="surrogateescape").rstrip("\n")

    def inside(self, path: str) -> str:
        """A path of the project as the repository's tree names it."""
        return f"{self.prefix}{path}"

    def _nobody(self) -> dict[str, str]:
        """Name and address where a person gave none: git would make an address of the host's name, which is private."""
        if self.text("config", "user.email", fails=True):
            return {}
        return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in NOBODY.items()}


def repository(root: Path) -> Git | None:
    """The git repository around `root`, or None: none there, bare, or no git on this machine."""
    try:
        prefix = Git(root, "").run("rev-parse", "--is-inside-work-tree", "--show-prefix").decode().split("\n")
    except OutsideError:
        return None
    return Git(root, prefix[1]) if prefix[0] == "true" else None
