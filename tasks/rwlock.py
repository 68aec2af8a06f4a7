"""DVC's record of who reads and writes what, as a killed flow leaves it: mended by the next, which holds the night's mutex."""

import json
import os
from pathlib import Path

from kindex.core.files import write_atomic


def mend(folder: Path, last: Path) -> None:
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
