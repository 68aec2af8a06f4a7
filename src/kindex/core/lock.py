"""Which snapshot of a source we mean: `locks/<catalogue>.json`, in git. `ingest` reads exactly that and checks it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import canonical_json, pretty_json, read_json, write_atomic


@dataclass(frozen=True)
class Lock:
    """`snapshot` is the source's own description of the bytes it will read: versions, paths, sha256, sizes."""

    source: str
    snapshot: dict[str, Any]
    # of the last data that passed validation when this was locked: rows by table, and column types by table or file
    expected_rows: dict[str, int] | None = None
    expected_columns: dict[str, dict[str, str]] | None = None
    # what the last move brought, for people: files or rows that were added, changed and removed
    moved: dict[str, Any] | None = None

    @property
    def digest(self) -> str:
        """Hex sha256 over the source's name and the snapshot."""
        return hashlib.sha256(canonical_json([self.source, self.snapshot])).hexdigest()


def read_lock(path: Path) -> Lock:
    """Raises `ConfigError` when there is no lock yet and `DamagedError` when it is not one."""
    if not path.exists():
        raise ConfigError(f"{path} is missing: run `kindex lock {path.stem}` to lock the source as it is now")
    raw = read_json(path)
    try:
        lock = Lock(raw["source"], raw["snapshot"], raw["expected_rows"], raw.get("expected_columns"), raw.get("moved"))
        written = raw["digest"]
    except (KeyError, TypeError) as error:
        raise DamagedError(f"{path} is not a lock ({error!r}). Run `kindex lock {path.stem}`") from None
    if written != lock.digest:
        raise DamagedError(f"{path} was edited: its digest is not that of its snapshot. Run `kindex lock {path.stem}`")
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    content = {**asdict(lock), "digest": lock.digest}
    if not lock.moved:
        del content["moved"]
    if marks := _forgotten(path):
        content["forgotten"] = marks
    write_atomic(path, pretty_json(content))


def _forgotten(path: Path) -> dict[str, Any] | None:
    """The marks of `kindex.core.forget` in the present lock, which outlive its moves. A damaged lock may be written over, but
    for one that holds marks: what was forgotten would come back. Raises `DamagedError` then."""
    if not path.exists() or b'"forgotten"' not in path.read_bytes():
        return None
    marks: dict[str, Any] | None = read_json(path).get("forgotten")
    return marks
