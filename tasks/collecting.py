"""`python -m tasks.collecting --keep 7`: remove releases that nobody needs, and what else lies in var/ of no further use.

Which releases stay: `kindex.core.keeping`; and beside that whatever a tag names and the DVC remote has not got. It may run
beside nights and readers: each release is renamed away under the publisher's own locks, then deleted.
"""

import argparse
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kindex.core import release
from kindex.core.errors import ConfigError, DamagedError, KindexError, OutsideError
from kindex.core.keeping import cleaning, pointing, remove, staying, sweep
from kindex.core.layout import Layout, find
from kindex.core.parent import read_parent
from tasks import cache, remote
from tasks.git import Git, repository
from tasks.tags import Tagged, release_entry, tags
from tasks.unused import leftovers, objects_of


@dataclass
class Collected:
    """What went (or would go), with its bytes, and why each release that stays does."""

    removed: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.removed.values())


def collect(layout: Layout, keep: int = 7, *, dry_run: bool = False, models: Iterable[str] = ()) -> Collected:
    """Clean the releases of all models (or of those named), then var/ and what no release in the cache needs any more.

    Killed anywhere, running again ends in the same state. Raises `BusyError` when a model's release is being built.
    """
    found = Collected()
    git = repository(layout.root)
    for folder in sorted((layout.root / "releases").glob("*")):
        if release.names(folder) and (not models or folder.name in models):
            _releases(layout, git, folder, keep, dry_run, found)
    for path in leftovers(layout, git):
        found.removed[path.relative_to(layout.root).as_posix()] = _size(path)
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return found


def _releases(layout: Layout, git: Git | None, folder: Path, keep: int, dry_run: bool, found: Collected) -> None:
    model = folder.name
    going = [version for version in release.names(folder) if version not in staying(folder, keep, _parent(layout, model))]
    tagged = {one.version: one for one in tags(git, model)} if git else {}
    needed = {**_parent(layout, model), **_unpushed(layout, git, [tagged[one] for one in going if one in tagged])}
    with cleaning(folder), pointing(folder):  # decided again: what is live may have moved while the remote was asked
        why = staying(folder, keep, needed)
        going = [version for version in going if version not in why]
        for version in going:
            found.removed[f"releases/{model}/{version}"] = _size(folder / version)
            if not dry_run:
                remove(folder, version)
    if not dry_run:
        sweep(folder)  # outside the locks: it may take long, and nobody looks for these names
    found.kept |= {f"{model} {version}": reason for version, reason in why.items()}
    gone = [tagged[version] for version in going if version in tagged]
    if git and gone:
        for path in objects_of(layout, git, gone):
            found.removed[path.relative_to(layout.root).as_posix() if path.is_relative_to(layout.root) else str(path)] = (
                0 if path.stat().st_nlink > 1 else path.stat().st_size
            )
            if not dry_run:
                path.unlink(missing_ok=True)


def _parent(layout: Layout, model: str) -> dict[str, str]:
    """The locked parent stays: the next night starts from it."""
    try:
        parent = read_parent(layout.parent(model))
    except DamagedError:
        return {}
    return {parent.version: "the next release is made from it"} if parent else {}


def _unpushed(layout: Layout, git: Git | None, candidates: list[Tagged]) -> dict[str, str]:
    """Those whose bytes the default remote has not got in full, with the reason."""
    if git is None or not candidates:
        return {}
    home = cache.place(layout.root)
    if not remote.configured(layout):
        return {one.version: f"{one.name} names it, and there is no DVC remote that has it" for one in candidates}
    needed: dict[str, set[str]] = {}
    for one in candidates:
        entry = release_entry(git, one.name)
        try:
            needed[one.version] = {entry["md5"], *cache.members(home, entry["md5"]).values()} if entry else set()
        except DamagedError:
            needed[one.version] = {"unknown"}
    try:
        lost = remote.missing(layout, set().union(*needed.values()))
    except OutsideError as error:
        return {one.version: f"{one.name} names it, and {error}" for one in candidates}
    return {
        one.version: f"{one.name} names it, and the DVC remote has not got it"
        for one in candidates
        if needed[one.version] & lost
    }


def _size(path: Path) -> int:
    """Bytes that deleting frees: a file that another name still has frees none."""
    files: Mapping[Path, None] = dict.fromkeys([path] if path.is_file() else path.rglob("*"))
    return sum(one.stat().st_size for one in files if one.is_file() and one.stat().st_nlink == 1)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m tasks.collecting", description=__doc__)
    parser.add_argument("--root", help="the project's folder")
    parser.add_argument("--keep", type=int, default=7, help="how many formerly live releases of each model stay")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    asked = parser.parse_args(arguments)
    try:
        if asked.keep < 1:
            raise ConfigError(f"--keep is {asked.keep}, allowed: 1 or more, for a reader may be at what was live a moment ago")
        found = collect(find(asked.root), asked.keep, dry_run=asked.dry_run)
    except KindexError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name, reason in found.kept.items():
        print(f"stays  {name}: {reason}")
    shown = {name: size for name, size in found.removed.items() if not name.startswith(".dvc/cache")}
    for name, size in shown.items():
        print(f"{'would go' if asked.dry_run else 'gone'}   {name} ({size / 1e6:.1f} MB)")
    objects = len(found.removed) - len(shown)
    also = f" and {objects} objects of DVC's cache" if objects else ""
    print(f"{len(shown)} removed{also}, {found.bytes / 1e6:.1f} MB" + (" (dry run: nothing was)" if asked.dry_run else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
