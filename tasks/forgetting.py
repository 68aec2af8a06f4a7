"""`python -m tasks.forgetting CATALOGUE ID`: erase an item, and prove it or list what still holds it.

The first call marks the id in the catalogue's lock, so that every ingest from now on drops it, and asks for a full build. The
night after that makes releases without it; the second call then removes the former ones, with what DVC's cache, the
quarantine and other leftovers hold. Each call removes what can go and ends with a scan over all files; 0 means none holds it.
"""

import argparse
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from kindex.core import release
from kindex.core.errors import ConfigError, DamagedError, KindexError, choices
from kindex.core.forget import forget, read_forgotten
from kindex.core.keeping import cleaning, pointing, remove, sweep
from kindex.core.layout import Layout, find
from kindex.core.params import Params, load
from kindex.core.traces import Traces, scan
from kindex.sources.locking import purge
from tasks import cache
from tasks.git import repository
from tasks.holders import cure, droppable, files, grouped, outside
from tasks.unused import used_now


@dataclass
class Erased:
    """What went, what still holds the item with the cure for each, and how much was looked at."""

    marked: bool = False
    removed: list[str] = field(default_factory=list)
    holders: dict[str, str] = field(default_factory=dict)
    scanned: int = 0
    size: int = 0
    unread: list[str] = field(default_factory=list)


def erase(layout: Layout, params: Params, name: str, item: str, *, dry_run: bool = False) -> Erased:
    """Erase `item` of the catalogue (or of a model's catalogue) `name` as far as can be now; twice changes nothing more.

    Raises `ConfigError` for an unknown name, or an id that nothing here knows; `BusyError` while a release is built.
    """
    catalogue, models = _named(params, name)
    git = repository(layout.root)
    traces = Traces(item)
    for path in sorted(
        {*layout.root.glob("releases/*/*/vectors/*.parquet"), *layout.root.glob("data/train/*/spaces/*.parquet")}
    ):
        if any(part in models for part in path.parts):
            traces.learn(path)
    found = dict(scan(traces, files(layout, git)))
    done = Erased()
    if not dry_run:
        lock = layout.lock(catalogue)
        if item not in (read_forgotten(lock) or ()):
            for model in models:  # without the lock of a parent, the next night builds anew and takes nothing over
                layout.parent(model).unlink(missing_ok=True)
        done.marked = forget(lock, item)  # after it, so that a call which is killed in between does both again
        done.removed = _drop(layout, models, found)
        if any(path.is_relative_to(layout.var / "snapshots" / catalogue) for path in found):
            purge(layout, params, catalogue)  # values of rows that the source has let go
        traces.scanned = traces.size = 0
        traces.unread.clear()
        found = dict(scan(traces, files(layout, git)))
    done.holders = {_shown(layout, path): f"{what}: {cure(layout, path, catalogue)}" for path, what in found.items()}
    done.holders |= outside(layout, git, models)
    done.scanned, done.size = traces.scanned, traces.size
    done.unread = [_shown(layout, path) for path in traces.unread]
    return done


def _drop(layout: Layout, models: list[str], found: dict[Path, str]) -> list[str]:
    """Remove what holds the item and is nobody's any more: releases as a whole, objects of the cache, leftovers."""
    gone = []
    for model in models:
        folder = layout.releases(model)
        holding = {path.relative_to(folder).parts[0] for path in found if path.is_relative_to(folder)}
        with cleaning(folder), pointing(folder):
            pointer = release.current(folder)
            versions = [name for name in release.names(folder) if name in holding and pointer and name != pointer.version]
            for version in versions:
                remove(folder, version)
        sweep(folder)
        gone += [f"releases/{model}/{version}" for version in versions]
    home = cache.place(layout.root)
    used = {cache.object_path(home, md5) for md5 in used_now(layout, home)}
    for path in found:
        if (path.is_relative_to(home) and path not in used) or droppable(layout, path):
            path.chmod(0o644)
            path.unlink(missing_ok=True)
            gone.append(_shown(layout, path))
    for path in (layout.var / "rebuild", layout.root / "data" / ".work"):
        if any(one.is_relative_to(path) for one in found):
            shutil.rmtree(path, ignore_errors=True)
            gone.append(_shown(layout, path))
    return gone


def _named(params: Params, name: str) -> tuple[str, list[str]]:
    catalogue = params.models[name].catalogue if name in params.models else name
    if catalogue not in params.catalogues:
        raise ConfigError(f"no catalogue or model named {name!r}: {choices(name, {*params.catalogues, *params.models})}")
    return catalogue, [model for model, block in params.models.items() if block.catalogue == catalogue]


def _shown(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix() if path.is_relative_to(layout.root) else str(path)


def main(arguments: list[str]) -> int:
    """Exit 0 when nothing holds the item, 3 when something does, else as the error says."""
    parser = argparse.ArgumentParser("python -m tasks.forgetting", description=__doc__)
    parser.add_argument("name", help="a catalogue, or a model of it")
    parser.add_argument("item", help="the id")
    parser.add_argument("--root", help="the project's folder")
    parser.add_argument("--dry-run", action="store_true", help="only say what holds it")
    asked = parser.parse_args(arguments)
    try:
        layout = find(asked.root)
        done = erase(layout, load(layout.params), asked.name, asked.item, dry_run=asked.dry_run)
    except KindexError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if done.marked:
        print(
            f"marked in {_shown(layout, layout.lock(_named(load(layout.params), asked.name)[0]))}: every ingest drops it now"
        )
    for name in done.removed:
        print(f"gone   {name}")
    for line in grouped(done.holders):
        print(f"holds  {line}")
    for name in done.unread:
        print(f"unread {name}: it cannot be decoded, see `kindex verify`")
    scanned = f"{done.scanned} files, {done.size / 1e6:.1f} MB scanned"
    if done.holders or done.unread:
        print(f"{scanned}: {len(done.holders)} hold it still", file=sys.stderr)
        return DamagedError.exit_code
    print(f"{scanned}: nothing here holds it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
