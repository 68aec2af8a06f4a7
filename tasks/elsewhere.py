"""A tag's tree in a folder of its own, and its code running there: nothing of git, DVC or the project's outputs changes."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from kindex.core.errors import OutsideError
from kindex.core.layout import Layout
from tasks.git import Git

SECONDS = 6 * 3600.0
_CONTENT = """
import hashlib, json, sys
from pathlib import Path
from kindex.core.contents import contents
from kindex.core.layout import find
from kindex.core.params import load
layout = find()
sha256 = lambda part: hashlib.sha256(part if isinstance(part, bytes) else Path(part).read_bytes()).hexdigest()
print(json.dumps({name: sha256(part) for name, part in contents(layout, load(layout.params), sys.argv[1])[0].items()}))
"""


def unpack(git: Git, tag: str, target: Path) -> None:
    """The tag's files below `target`; the user's working tree, index and list of worktrees stay as they are."""
    content = git.run("archive", "--format=tar", f"refs/tags/{tag}:{git.prefix}" if git.prefix else f"refs/tags/{tag}")
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(target, filter="data")


def run(place: Layout, *arguments: str) -> str:
    """One process of the tag's own code, in the tag's own project."""
    environment = {name: value for name, value in os.environ.items() if name not in ("KINDEX_FAULT", "PYTHONSAFEPATH")}
    environment |= {"KINDEX_ROOT": str(place.root), "PYTHONPATH": str(place.root / "src"), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(
            command, cwd=place.root, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise OutsideError(f"{' '.join(arguments[:4])} took more than {SECONDS / 3600:.0f} hours") from None
    if done.returncode:
        told = [line for line in (done.stderr.strip() or done.stdout.strip()).splitlines() if line][-8:]
        raise OutsideError(f"{' '.join(arguments[1:4])} ended with {done.returncode}:\n" + "\n".join(told))
    return done.stdout


def content(place: Layout, model: str) -> dict[str, str]:
    """sha256 by path of what a release of the outputs there would hold, as the tag's own code says."""
    found: dict[str, str] = json.loads(run(place, "-c", _CONTENT, model))
    return found
