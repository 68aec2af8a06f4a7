"""Moving a lock: the one place that looks whether a source has changed. It imports nothing heavy, for it runs nightly."""

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
    data that are meant to be of another size or to have other columns.

    Raises `ConfigError`, `DataGateError` or `DamagedError` as the source's `snapshot` does.
    """
    path = layout.lock(key)
    module, config = source(params.catalogue(key), key)
    with named(key):
        snapshot = module.snapshot(config, layout.root)
    former = _former(layout, key)
    kind = str(params.catalogue(key).source["kind"])
    moved = former is None or Lock(kind, snapshot).digest != former.digest
    if former is not None and not moved and not accept:
        return former, False
    rows, columns = (None, None) if accept else _expected(layout, key, former)
    lock = Lock(kind, snapshot, rows, columns)
    write_lock(path, lock)
    return lock, moved


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
