"""What a rebuild starts from: the source as it was locked, the parent release, or what ingest once made of the source.

Each is brought into the rebuild's own folder, by hard link where the disk can; readers check it against its lock.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from kindex.core import release
from kindex.core.errors import DamagedError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.parent import read_parent
from tasks import cache, remote
from tasks.git import Git
from tasks.tags import release_entry, tag_of


def bring_source(layout: Layout, place: Layout, catalogue: str) -> None:
    """Files that the lock names and that are here but not in git, and the parts of the source that are kept in var/."""
    for name in sorted(set(_texts(read_json(place.lock(catalogue))["snapshot"]))):
        inside = PurePosixPath(name)
        here, there = layout.root / name, place.root / name
        if inside.is_absolute() or ".." in inside.parts or not name or there.exists() or not here.exists():
            continue
        if here.is_file():
            _link(here, there)
        elif inside.parts[0] not in (".git", ".dvc", "data", "releases", "src"):
            shutil.copytree(here, there, copy_function=_link_for_copytree)
    parts = layout.var / "snapshots" / catalogue
    if parts.is_dir():
        shutil.copytree(parts, place.var / "snapshots" / catalogue, copy_function=_link_for_copytree, dirs_exist_ok=True)


def bring_parent(layout: Layout, place: Layout, git: Git, model: str) -> None:
    """The release that this one was made from, as its lock says: here, or by its own tag from the cache or the remote.

    Raises `DamagedError` when it is nowhere: then the release cannot be made again.
    """
    parent = read_parent(place.parent(model))
    if parent is None:
        return
    here, target = layout.releases(model), place.releases(model) / parent.version
    if parent.version in release.names(here) and release.read_manifest(here, parent.version).digest == parent.digest:
        shutil.copytree(here / parent.version, target, copy_function=_link_for_copytree)
        return
    tagged = tag_of(git, model, parent.version, parent.digest)
    entry = release_entry(git, tagged.name) if tagged else None
    home = cache.place(layout.root)
    if tagged and entry:
        there = cache.restore(home, entry["md5"], target)
        if there or (remote.pull(layout, tagged.name, entry["md5"]) and cache.restore(home, entry["md5"], target)):
            return
    raise DamagedError(
        f"{model} was made from {parent.version} ({parent.digest[:12]}), "
        "which is neither here nor in DVC's cache nor at its remote"
    )


def ingested(layout: Layout, place: Layout, git: Git, tag: str, catalogue: str) -> str:
    """Bring what ingest made for the tag, when the source is no longer as locked; says where from.

    Raises `DamagedError` when that is nowhere either.
    """
    stages = yaml.safe_load(git.run("show", f"refs/tags/{tag}:{git.inside('dvc.lock')}"))["stages"]
    md5 = stages[f"ingest@{catalogue}"]["outs"][0]["md5"]
    target, home = place.out("ingest", catalogue), cache.place(layout.root)
    shutil.rmtree(target, ignore_errors=True)
    if cache.restore(home, md5, target):
        return "what ingest made of it then, from DVC's cache"
    if remote.pull(layout, tag, md5) and cache.restore(home, md5, target):
        return "what ingest made of it then, from DVC's remote"
    raise DamagedError(
        f"{catalogue}: the source is not as locked, and what ingest made of it is neither in DVC's cache nor remote"
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in nested JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _link_for_copytree(source: str, target: str) -> str:
    _link(Path(source), Path(target))
    return target
