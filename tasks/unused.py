"""What lies in DVC's cache and in var/ of no further use: found here, removed by `tasks.collecting`."""

import time
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.keeping import GONE
from kindex.core.layout import Layout
from tasks import cache
from tasks.dvclock import recorded
from tasks.git import Git
from tasks.tags import Tagged, release_entry, tags

DAY = 86400.0
LEFTOVER_DAYS = 1.0
"""Leftovers younger than this may be in use: another process writes them just now."""


def objects_of(layout: Layout, git: Git, gone: list[Tagged]) -> list[Path]:
    """What the cache holds of these releases, which the remote has, and neither the outputs now nor another release needs."""
    home = cache.place(layout.root)
    entries = {one.name: release_entry(git, one.name) for folder in _models(layout) for one in tags(git, folder)}
    lost = {one.name for one in gone}
    used = used_now(layout, home)
    for name, entry in entries.items():
        if entry and name not in lost and (layout.root / "releases" / name.partition("@")[0] / entry["path"]).is_dir():
            used |= _whole(home, entry["md5"])
    dropped = set().union(*(_whole(home, entry["md5"]) for name, entry in entries.items() if entry and name in lost)) - used
    return sorted(path for md5 in dropped if (path := cache.object_path(home, md5)).is_file())


def used_now(layout: Layout, home: Path) -> set[str]:
    """Everything that dvc.lock names as it is now."""
    outs = {out["md5"] for stage in recorded(layout).values() for out in stage.get("outs", []) if "md5" in out}
    return set().union(*(_whole(home, md5) for md5 in outs)) if outs else set()


def leftovers(layout: Layout, git: Git | None) -> list[Path]:
    """What is of no further use, by a rule each, and older than a day.

    Rebuilds that were killed; temporary files of the cache; releases that a killed cleaning left; and parts of snapshots that
    no lock names, neither the present one nor one of a branch or a tag.
    """
    home = cache.place(layout.root)
    found = [*(layout.var / "rebuild").glob("*"), *(home / "files").glob("md5/??/.*.tmp")]
    found += (layout.root / "releases").glob(f"*/{GONE}*")
    locks = _locks(layout, git)
    for part in sorted((layout.var / "snapshots").glob("*/**/*")):
        if part.is_file() and not any(part.name in text or part.stem in text for text in locks):
            found.append(part)
    before = time.time() - LEFTOVER_DAYS * DAY
    return [path for path in found if path.exists() and path.lstat().st_mtime < before]


def _locks(layout: Layout, git: Git | None) -> list[str]:
    """The text of every lock: as it is now, and as branches and tags have it."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted((layout.root / "locks").glob("*.json"))]
    if git is None:
        return texts
    refs = git.text("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags", "refs/remotes").splitlines()
    blobs: set[str] = set()
    for ref in refs:
        listed = git.run("ls-tree", "-z", f"{ref}:{git.inside('locks')}", fails=True).decode(errors="replace")
        blobs |= {entry.split()[2] for entry in listed.split("\0") if entry.endswith(".json") and entry.split()[1] == "blob"}
    return texts + [git.run("cat-file", "blob", blob).decode(errors="replace") for blob in sorted(blobs)]


def _whole(home: Path, md5: str) -> set[str]:
    """An object, and what it lists when it is a folder."""
    if not md5.endswith(".dir"):
        return {md5}
    try:
        return {md5, *cache.members(home, md5).values()}
    except DamagedError:
        return {md5}


def _models(layout: Layout) -> list[str]:
    return [path.name for path in sorted((layout.root / "releases").glob("*")) if path.is_dir()]
