"""What a killed flow leaves of DVC's own files, and DVC would refuse: mended by the next flow, which holds the night's mutex.

DVC rewrites dvc.lock in place; killed meanwhile, it leaves the file empty or cut short. So a flow keeps a copy of it while a
stage is reproduced, and the next one puts that back where the file is not whole. What it lacks then is the entry of the last
stage, which DVC finds in its run cache.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kindex.core.files import write_atomic
from kindex.core.layout import Layout
from tasks.reasons import read_yaml


@contextmanager
def kept(layout: Layout) -> Iterator[None]:
    """Keep a copy for the block, empty when there is no file. A kill leaves it behind; after any other end DVC is done."""
    lock, copy = _lock(layout), _copy(layout)
    write_atomic(copy, lock.read_bytes() if lock.exists() else b"")
    try:
        yield
    except Exception:
        copy.unlink(missing_ok=True)
        raise
    copy.unlink(missing_ok=True)


def mend_lock(layout: Layout) -> None:
    """Put the copy of a killed flow back if dvc.lock is not whole. The caller holds the night's mutex."""
    lock, copy = _lock(layout), _copy(layout)
    if not copy.exists():
        return
    found, former = _stages(lock), _stages(copy) or {}
    if found is None or not former.keys() <= found.keys():
        if former:
            write_atomic(lock, copy.read_bytes())
        else:
            lock.unlink(missing_ok=True)
    copy.unlink()


def mend_rwlock(folder: Path, last: Path) -> None:
    """Free what the last flow held in DVC's record of readers and writers, should it have been killed; then note our id.

    DVC sees by its number whether a holder lives: numbers are used again, and a kill in the middle of writing leaves a file
    that DVC refuses from then on. The caller holds the night's mutex, so the last flow is no more.
    """
    from dvc.lock import make_lock

    record = folder / "rwlock"
    dead = int(last.read_text()) if last.exists() and last.read_text().isdigit() else None
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):
        try:
            held = json.loads(record.read_text()) if record.exists() else {}
            writers = {path: one for path, one in held.get("write", {}).items() if one["pid"] != dead}
            readers = {path: [one for one in many if one["pid"] != dead] for path, many in held.get("read", {}).items()}
            mended = {"read": {path: left for path, left in readers.items() if left}, "write": writers}
        except (ValueError, AttributeError, KeyError, TypeError):
            mended = {}
        write_atomic(record, json.dumps(mended).encode())
    write_atomic(last, str(os.getpid()).encode())


def _stages(path: Path) -> dict[str, Any] | None:
    """The entries of a whole file by target; None for one that was cut, or is not there."""
    try:
        found = read_yaml(path)
        entries = dict(found["stages"]) if found["schema"] else {}
        outs = [out for entry in entries.values() if entry["cmd"] for out in entry["outs"]]
        return entries if all({"path", "md5", "size"} <= out.keys() for out in outs) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return None


def _lock(layout: Layout) -> Path:
    return layout.root / "dvc.lock"


def _copy(layout: Layout) -> Path:
    return layout.var / "dvc.lock.kept"
