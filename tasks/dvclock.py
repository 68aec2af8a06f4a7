"""dvc.lock: what DVC recorded of each stage that has run, also while DVC writes it, or when a kill cut that short.

DVC rewrites the file in place; killed meanwhile, it leaves it empty or cut. So a flow keeps a copy while a stage is
reproduced. Readers take the copy where the file is not whole, and the next flow puts it back. What it lacks then is the entry
of the last stage, which DVC finds in its run cache.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kindex.core.errors import DamagedError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout
from tasks.reasons import PARAMS, changed_leaves, settings_named, value_at

TRIES, PAUSE = 20, 0.1
"""How often, and after how many seconds, a file is read again that is neither whole nor kept: it may be done just then."""


def recorded(layout: Layout) -> dict[str, Any]:
    """The entry of each target, such as `train@modules-pairs`; {} before the first time.

    Raises `DamagedError` when the file is not what DVC writes, and no copy is kept.
    """
    for left in reversed(range(TRIES)):
        found = _whole(layout)
        if found is not None:
            return found
        if not _lock(layout).exists():
            return {}
        time.sleep(PAUSE if left else 0)
    raise DamagedError(
        f"{_lock(layout)} is not what DVC writes. Bring it back from git, or remove it: all stages then run again"
    )


def changed_settings(layout: Layout, target: str, changes: Any) -> list[str]:
    """The settings, by their full names, that differ from those recorded, when `dvc status` says `changes` of the target."""
    names = settings_named(changes)
    if not names:
        return []
    params = _parsed(layout.params)
    then = recorded(layout).get(target, {}).get("params", {}).get(PARAMS, {})
    return [leaf for name in names for leaf in changed_leaves(then.get(name), value_at(params, name), name)]


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


def rewritten(layout: Layout) -> bool:
    """Whether DVC may be writing the file just now, or was when its flow was killed."""
    return _copy(layout).exists()


def mend(layout: Layout) -> None:
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


def _parsed(path: Path) -> Any:
    """The parsed file, by the fast parser where there is one."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _whole(layout: Layout) -> dict[str, Any] | None:
    """The entries of the file, or of the copy where the file was cut and so has fewer; None when neither is whole."""
    former, found = _stages(_copy(layout)), _stages(_lock(layout))  # in this order: the copy goes when the file is whole
    if found is None or (former and not former.keys() <= found.keys()):
        return former
    return found


def _stages(path: Path) -> dict[str, Any] | None:
    """The entries of a whole file by target; None for one that was cut, or is not there."""
    try:
        found = _parsed(path)
        entries = dict(found["stages"]) if found["schema"] else {}
        outs = [out for entry in entries.values() if entry["cmd"] for out in entry["outs"]]
        return entries if all({"path", "md5", "size"} <= out.keys() for out in outs) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return None


def _lock(layout: Layout) -> Path:
    return layout.root / "dvc.lock"


def _copy(layout: Layout) -> Path:
    return layout.var / "dvc.lock.kept"
