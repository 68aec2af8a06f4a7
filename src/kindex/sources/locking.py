"""Moving a lock: the one place that looks whether a source has changed. It imports nothing heavy, for it runs nightly."""

from dataclasses import replace
from typing import Any

from kindex.core.errors import DamagedError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.lock import Lock, read_lock, write_lock
from kindex.core.params import Params
from kindex.sources import named, source


def move(layout: Layout, params: Params, key: str, accept: bool = False) -> tuple[Lock, bool]:
    """Lock the catalogue's source as it is now; returns the lock and whether it moved.

    `locks/<key>.json` is written only when the snapshot differs from the locked one. What validation will expect, rows
    and columns by table, comes from the last data that passed, else from the former lock. `accept` forgets it, for
    data that are meant to be of another size or to have other columns; and a source that reads only what is new since the
    former lock reads everything.

    Raises `ConfigError`, `DataGateError`, `DamagedError` or `OutsideError` as the source does; then the lock is as it was.
    """
    path = layout.lock(key)
    former = _former(layout, key)
    kind = str(params.catalogue(key).source.get("kind"))
    snapshot, brought = _snapshot(layout, params, key, former, fresh=accept)
    moved = former is None or Lock(kind, snapshot).digest != former.digest
    if former is not None and not moved and not accept:
        return former, False
    rows, columns = (None, None) if accept else _expected(layout, key, former)
    told = (brought or None) if moved or former is None else former.moved
    lock = Lock(kind, snapshot, rows, columns, told)
    write_lock(path, lock)
    return lock, moved


def look(layout: Layout, params: Params, key: str) -> tuple[bool, dict[str, Any]]:
    """Whether `move` would move the lock, and what that would bring; nothing is kept. Raises as `move` does."""
    former = _former(layout, key)
    snapshot, brought = _snapshot(layout, params, key, former, dry=True)
    kind = str(params.catalogue(key).source.get("kind"))
    return former is None or Lock(kind, snapshot).digest != former.digest, brought


def purge(layout: Layout, params: Params, key: str) -> bool:
    """Rid a source's own snapshots of the values of rows that went, and move the lock to what is left; for `kindex forget`.

    Whether there was anything to do: sources that keep nothing have nothing. Former locks cannot be read after it.
    """
    module, config = source(params.catalogue(key), key)
    former = _former(layout, key)
    if former is None or not hasattr(module, "purged"):
        return False
    with named(key):
        snapshot = module.purged(config, layout.root, former.snapshot)
    write_lock(layout.lock(key), replace(former, snapshot=snapshot))
    module.tidy(layout.root, snapshot)  # last: the lock must always name parts that are there
    return True


def brought(moved: dict[str, Any] | None) -> str:
    """What a move brought, in a few words: "2 files added, 1 removed", or "links: 5 rows added"; "" when nothing is known."""
    parts = []
    for name, counts in (moved or {}).items():
        numbers = {word: count if isinstance(count, int) else len(count) for word, count in counts.items() if word in _WORDS}
        unit = "files " if name == "files" else f"{name} "
        parts += [unit + ", ".join(f"{word} {count}" for word, count in numbers.items() if count)] * any(numbers.values())
    return "; ".join(parts)


_WORDS = ("added", "changed", "removed")


def _snapshot(
    layout: Layout, params: Params, key: str, former: Lock | None, *, fresh: bool = False, dry: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What there is now, and what of it differs from the former lock."""
    module, config = source(params.catalogue(key), key)
    known = former.snapshot if former and former.source == params.catalogue(key).source["kind"] else None
    with named(key):
        if hasattr(module, "advance"):
            found: tuple[dict[str, Any], dict[str, Any]] = module.advance(
                config, layout.root, known, key, fresh=fresh, dry=dry
            )
            return found
        snapshot = module.snapshot(config, layout.root)
        return snapshot, module.changes(known, snapshot) if known and hasattr(module, "changes") else {}


def _former(layout: Layout, key: str) -> Lock | None:
    """The present lock, or None. A damaged one counts as none: moving it is the cure that its error names."""
    try:
        return read_lock(layout.lock(key)) if layout.lock(key).exists() else None
    except DamagedError:
        return None


def _expected(layout: Layout, key: str, former: Lock | None) -> tuple[dict[str, int] | None, dict[str, dict[str, str]] | None]:
    """Rows that passed and columns, by table, of the last validation; else those of the former lock."""
    try:
        validation = read_json(layout.out("validate", key) / "validation.json")
        return {table: int(counts["passed"]) for table, counts in validation["rows"].items()}, validation["columns"]
    except (DamagedError, KeyError, TypeError, ValueError, AttributeError):
        return (former.expected_rows, former.expected_columns) if former else (None, None)
