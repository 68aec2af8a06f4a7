"""Where an item that was to be forgotten may be held, and what to do about each place: remove it, or tell a person how."""

from collections.abc import Iterator
from pathlib import Path

from kindex.core import release
from kindex.core.errors import OutsideError
from kindex.core.layout import Layout
from tasks import cache, remote
from tasks.git import Git
from tasks.tags import release_entry, tags

_AGAIN = "then `kindex forget` again"
LEFTOVERS = ("quarantine", "data-docs", "failures", "scratch", "captioned_images", "wikipedia_books")
"""Below var/: what is made again when it is needed, or shown for a while."""

_DEPTHS = {"releases/": 3, "data/": 3, ".dvc/cache/": 2, "var/mlflow/": 2, "var/prefect/": 2, "var/snapshots/": 3}
"""How much of a path makes one place of many files."""

_CURES = {
    "data": f"run `make nightly`, which makes it without the item, {_AGAIN}",
    "releases": f"it is live: run `make nightly`, which makes one without the item, {_AGAIN}",
    "var/mlflow": f"remove var/mlflow and run `python -m tasks.tracking rebuild`, {_AGAIN}",
    "var/prefect": f"remove var/prefect: Prefect makes its history anew, {_AGAIN}",
    "var/nights": f"remove the file: it tells of one night only, {_AGAIN}",
    "var/log": "remove the file: it is a log",
    "params.yaml": "take the item out of params.yaml",
}


SKIPPED = {
    ".git",
    ".venv",
    "__pycache__",
    "node_modules",
    ".site",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}
DATA = {
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".parquet",
    ".gz",
    ".bz2",
    ".npy",
    ".faiss",
    ".safetensors",
    ".yaml",
    ".dvc",
    ".lock",
}
"""Endings of tracked files that are looked into: a program that speaks of an item is no trace of it."""


def files(layout: Layout, git: Git | None) -> Iterator[Path]:
    """Every file of the project that may hold data, DVC's cache included, wherever it is."""
    tracked = set()
    if git is not None:
        listed = git.run("ls-files", "-z").decode(errors="surrogateescape").split("\0")
        tracked = {layout.root / name for name in listed if Path(name).suffix not in DATA}
    waiting = [layout.root]
    home = cache.place(layout.root)
    if not home.is_relative_to(layout.root) and home.is_dir():
        waiting.append(home)
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.is_symlink() or path in tracked:
                continue
            if path.is_dir():
                waiting += [path] if path.name not in SKIPPED else []
            elif path.is_file():
                yield path


def outside(layout: Layout, git: Git | None, models: list[str]) -> dict[str, str]:
    """Tagged releases that are not here any more, and may be at the remote with what they held."""
    if git is None or not remote.configured(layout):
        return {}
    entries: dict[str, str] = {}
    for model in models:
        for one in tags(git, model):
            entry = release_entry(git, one.name)
            if entry and one.version not in release.names(layout.releases(model)):
                entries[one.name] = entry["md5"]
    where = f"the DVC remote {remote.configured(layout)!r}"
    try:
        lost = remote.missing(layout, entries.values()) if entries else set()
    except OutsideError as error:
        return {where: str(error)}
    there = [name for name, md5 in entries.items() if md5 not in lost]
    command = "delete the tag (`git tag -d`), then `dvc gc --cloud --workspace --all-branches --all-tags`"
    return {f"{where}, {name}": f"may hold it, for it is not here to look at: {command}" for name in there}


def droppable(layout: Layout, path: Path) -> bool:
    """Whether a file goes at once: leftovers, and parts of snapshots that the lock does not name any more."""
    if not path.is_relative_to(layout.var):
        return False
    inside = path.relative_to(layout.var).parts
    if inside[0] == "snapshots" and len(inside) > 2:
        lock = layout.lock(inside[1])
        text = lock.read_text(encoding="utf-8", errors="replace") if lock.is_file() else ""
        return path.name not in text and path.stem not in text
    return inside[0] in LEFTOVERS


def grouped(holders: dict[str, str]) -> list[str]:
    """A line for each place and cure: a release, an output, a store, or a single file."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, why in holders.items():
        what, _, told = why.partition(": ")
        depth = next((depth for start, depth in _DEPTHS.items() if name.startswith(start)), 99)
        groups.setdefault(("/".join(name.split("/")[:depth]), told), []).append(f"{name}: {what}")
    lines = []
    for (place, told), names in groups.items():
        first = names[0].removeprefix(place).lstrip("/:").strip()
        lines.append(f"{place} ({first}{f', and {len(names) - 1} more files' if len(names) > 1 else ''}): {told}")
    return lines


def cure(layout: Layout, path: Path, catalogue: str) -> str:
    """What a person can do about a file that must not simply be removed."""
    home = cache.place(layout.root)
    if path.is_relative_to(home):
        return _CURES["data"]
    if not path.is_relative_to(layout.root):
        return "remove it by hand"
    name = path.relative_to(layout.root).as_posix()
    if name.startswith("releases/") and not _live(layout, path):
        return "it is not live: `kindex forget` removes it"
    for start, told in _CURES.items():
        if name == start or name.startswith(f"{start}/"):
            return told
    if name.startswith("var/snapshots/"):
        return f"the source's snapshot: let the source drop the item, then `kindex lock {catalogue}`, `make nightly`, {_AGAIN}"
    lock = layout.lock(catalogue)
    if lock.is_file() and f'"{name}"' in lock.read_text(encoding="utf-8", errors="replace"):
        return "the source itself: every ingest drops the item; take it out there, too, or let it be"
    return "not kindex's own (an export, a copy): remove it or make it again; if git tracks it, its history holds it, too"


def _live(layout: Layout, path: Path) -> bool:
    """Whether a file below releases/ is of the live version, or of none, as CURRENT is."""
    parts = path.relative_to(layout.root / "releases").parts
    pointer = release.current(layout.releases(parts[0]))
    return len(parts) < 3 or pointer is None or parts[1] == pointer.version
