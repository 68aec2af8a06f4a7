"""The DVC remote: what a tag names is pushed there, so that `git checkout TAG && dvc pull` works in any clone.

A push is a message in an outbox of its own, `var/outbox/remote/`: a remote that is down keeps it waiting, and nothing else.
This file and `tasks.stages` are the two that import dvc.

    python -m tasks.remote push          push what waits, now
    python -m tasks.remote push --all    every tag of every model; after a remote was set up late
"""

import argparse
import contextlib
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kindex.core import mutex, outbox
from kindex.core.errors import KindexError, OutsideError
from kindex.core.layout import Layout, find
from tasks import cache
from tasks.git import repository
from tasks.tags import release_entry, tags

KIND = "push"
_CREDENTIALS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True)
class Pushed:
    """Tags whose bytes are at the remote now, how many wait, and why. All empty when no remote is set up."""

    tags: tuple[str, ...] = ()
    waiting: int = 0
    reason: str = ""


def queue(layout: Layout) -> Path:
    """The messages of this outside system; MLflow's replay does not look here."""
    return layout.outbox / "remote"


def configured(layout: Layout) -> str:
    """The name of the default remote, or an empty string. Reads .dvc/config as DVC does, without starting it."""
    return cache.settings(layout.root).get("core", "remote", fallback="")


def ask(layout: Layout, tag: str) -> None:
    """Leave word that what `tag` names is to be pushed; without a default remote nothing happens."""
    if configured(layout):
        outbox.put(queue(layout), KIND, {"tag": tag}, key=tag)


def push(layout: Layout) -> Pushed:
    """Push what was asked for, tonight and by earlier nights; without a default remote nothing happens. Never raises.

    Pushing twice sends nothing twice: DVC asks the remote what it has.
    """
    if not configured(layout):
        return Pushed()
    waiting = outbox.pending(queue(layout))
    done: list[str] = []
    try:
        with mutex.hold(layout.mutex("remote"), "the DVC remote", wait_seconds=10):
            for message in waiting:
                _push(layout, message.payload["tag"])
                outbox.done(message)
                done.append(message.payload["tag"])
    except Exception as error:  # the remote, or the way to it: the release is out, and the outbox keeps the rest
        why = _plain(error)
        outbox.failed(waiting[len(done)], why)
        return Pushed(tuple(done), len(waiting) - len(done), why)
    return Pushed(tuple(done))


def missing(layout: Layout, md5s: Iterable[str]) -> set[str]:
    """Those of the objects that the default remote does not have. Raises `OutsideError` when it cannot be asked."""
    wanted = set(md5s)
    if not configured(layout):
        return wanted
    try:
        with _repo(layout) as repo:
            odb = repo.cloud.get_remote_odb()
            return wanted - set(odb.oids_exist(sorted(wanted)))
    except Exception as error:
        raise OutsideError(f"the DVC remote {configured(layout)!r} cannot be asked: {_plain(error)}") from None


def pull(layout: Layout, tag: str, md5: str) -> bool:
    """Bring one folder (`md5` ends with .dir) of a tag from the remote into the cache; False when it is not there.

    Raises `OutsideError` when the remote is down.
    """
    home = cache.place(layout.root)
    if not configured(layout):
        return False
    try:
        with _repo(layout) as repo:
            odb = repo.cloud.get_remote_odb()
            _download(odb, home, [md5])
            _download(odb, home, cache.members(home, md5).values())
    except FileNotFoundError:
        return False
    except Exception as error:
        raise OutsideError(f"{tag} cannot be pulled from {configured(layout)!r}: {_plain(error)}") from None
    return True


def _download(odb: Any, home: Path, md5s: Iterable[str]) -> None:
    for md5 in sorted(set(md5s)):
        cache.receive(home, md5, partial(_fetch, odb, md5))


def _fetch(odb: Any, md5: str, target: Path) -> None:
    odb.fs.get_file(odb.oid_to_path(md5), str(target))


def _push(layout: Layout, tag: str) -> None:
    """All that the tag names. DVC only warns of bytes that are not in the cache, so the release's own are asked for."""
    git = repository(layout.root)
    if git is None or (entry := release_entry(git, tag)) is None:
        return  # the tag was deleted meanwhile, and nothing needs to be kept for it
    with _repo(layout) as repo:
        repo.push(revs=[tag], workspace=False)
    members = cache.members(cache.place(layout.root), entry["md5"])
    if lost := missing(layout, [entry["md5"], *members.values()]):
        raise OutsideError(f"{len(lost)} of {len(members)} files of {tag} did not arrive at {configured(layout)!r}")


@contextlib.contextmanager
def _repo(layout: Layout) -> Iterator[Any]:
    """DVC's view of the project, from inside its folder, silent."""
    from dvc.repo import Repo

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with contextlib.chdir(layout.root):
        repo = Repo(str(layout.root))
        try:
            yield repo
        finally:
            repo.close()


def _plain(error: BaseException) -> str:
    """One line without credentials."""
    cause = error.__cause__ or error
    text = str(cause) if str(cause) in str(error) or not str(error) else f"{error}: {cause}"
    return _CREDENTIALS.sub("//***@", " ".join(text.split()))[:500] or type(error).__name__


def main(arguments: list[str]) -> int:
    """Exit 0, or 6 when something waits."""
    parser = argparse.ArgumentParser("python -m tasks.remote", description=__doc__)
    parser.add_argument("verb", choices=["push"])
    parser.add_argument("--root", help="the project's folder")
    parser.add_argument("--all", action="store_true", help="every release tag, also those that were pushed before")
    asked = parser.parse_args(arguments)
    try:
        layout = find(asked.root)
        if not configured(layout):
            print("no DVC remote is set up: `dvc remote add -d NAME URL`")
            return 0
        if asked.all and (git := repository(layout.root)):
            for folder in sorted((layout.root / "releases").glob("*")):
                for one in tags(git, folder.name):
                    outbox.put(queue(layout), KIND, {"tag": one.name, "again": True}, key=one.name)
        pushed = push(layout)
    except KindexError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    waits = f", {pushed.waiting} waiting: {pushed.reason}" if pushed.waiting else ""
    print(f"{len(pushed.tags)} pushed{waits}")
    return OutsideError.exit_code if pushed.waiting else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
