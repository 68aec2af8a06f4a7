"""What this process writes outside a folder: an audit hook hears Python's own calls, a look around finds the rest."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PLACES = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
}
"""Which of an event's arguments are paths, each with that of the folder which it is relative to (a descriptor, or -1)."""

_TEMPORARY = tuple(str(Path(tempfile.gettempdir()).resolve() / name) for name in (tempfile.gettempprefix(), "torchinductor_"))
"""How Python's own temporary files and folders begin, and the empty folder that comes with torch's optimisers."""

_watching: list[tuple[str, list[str]]] = []
_unpickled: list[list[str]] = []


@contextmanager
def watched(root: Path, around: Path) -> Iterator[list[str]]:
    """What is written or removed outside `root` in the block; `around` is a folder that holds it and is looked through."""
    found: list[str] = []
    before = set(_others(root, around))
    _watching.append((os.path.realpath(root), found))
    try:
        yield found
    finally:
        _watching.pop()
        found += sorted(set(_others(root, around)) ^ before)


@contextmanager
def unpickling() -> Iterator[list[str]]:
    """What an unpickler looks up in the block, by module and name: no code runs from a pickle without that."""
    found: list[str] = []
    _unpickled.append(found)
    try:
        yield found
    finally:
        _unpickled.pop()


def _others(root: Path, around: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(around):
        folders[:] = [name for name in folders if Path(folder, name) != root]
        yield from (str(Path(folder, name)) for name in [*folders, *files])


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        for found in _unpickled:
            found.append(".".join(map(str, arguments)))
    if not _watching or (event != "open" and event not in _PLACES):
        return
    if event == "open" and (not isinstance(arguments[2], int) or not arguments[2] & _WRITING):
        return
    root, found = _watching[-1]
    for place, folder in _PLACES.get(event, ((0, None),)):
        if isinstance(arguments[place], str | bytes | os.PathLike):
            within = "" if folder is None or arguments[folder] < 0 else Path(f"/proc/self/fd/{arguments[folder]}").readlink()
            path = os.path.realpath(Path(within, os.fsdecode(arguments[place])))
            if path != os.devnull and not path.startswith((root + os.sep, *_TEMPORARY)) and path != root:
                found.append(f"{event} {path}")


sys.addaudithook(_hear)
