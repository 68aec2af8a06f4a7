"""The watch of a stage that runs under DVC: progress on stderr, history line by line, checkpoints on disk."""

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, fault_point, read_json, replacing, write_atomic
from kindex.core.watch import check_finite

T = TypeVar("T")


LOG_SECONDS = 5.0
"""Between two lines of progress where no person watches."""


class _Lines(io.TextIOBase):
    """stderr for a bar that would go back to the beginning of its line: each state is a line of its own."""

    def write(self, text: str) -> int:
        if state := text.strip():
            sys.stderr.write(state + "\n")
        return len(text)


class TerminalWatch:
    """See `kindex.core.watch.Watch`. A checkpoint is used only for the same data and settings: see `bind`."""

    def __init__(self, title: str, history: Path, checkpoint: Path) -> None:
        self.title = title
        self.history = history
        self.checkpoint = checkpoint
        self.scratch: Path | None = history.parent
        self.identity = ""

    def bind(self, identity: Any) -> None:
        """Say what the checkpoints are of (digests of data, settings); another identity does not resume from them."""
        self.identity = hashlib.sha256(canonical_json(identity)).hexdigest()

    def progress(self, items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
        said = {"desc": f"{self.title}: {what}", "total": total, "unit": f" {unit}", "unit_scale": True}
        if sys.stderr.isatty():
            yield from tqdm(items, mininterval=0.2, leave=total is None or total > 1, dynamic_ncols=True, **said)
        else:  # a log: nothing of what takes seconds, and now and then a line of what takes longer
            yield from tqdm(items, mininterval=LOG_SECONDS, delay=LOG_SECONDS, ascii=True, ncols=80, file=_Lines(), **said)

    def record(self, **numbers: float) -> None:
        line = json.dumps(check_finite({key: round(float(value), 7) for key, value in numbers.items()}))
        with self.history.open("a") as handle:
            handle.write(line + "\n")

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        from safetensors.numpy import save

        lines = self.history.read_text() if self.history.exists() else ""
        # safetensors writes the memory as it lies, also when an array is a transposed view
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        kept = {"identity": self.identity, "sha256": hashlib.sha256(content).hexdigest(), "state": state, "history": lines}
        with replacing(self.checkpoint, self.checkpoint.with_name(f"{self.checkpoint.name}.work")) as work:
            write_atomic(work / "arrays.safetensors", content)
            write_atomic(work / "state.json", canonical_json(kept))
        fault_point("after checkpoint")

    def resume(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Also None, with a word of why, for a damaged checkpoint: beginning again is always right."""
        if not (self.checkpoint / "state.json").exists():
            return None
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            kept = read_json(self.checkpoint / "state.json")
            if kept["identity"] != self.identity:
                return None
            content = (self.checkpoint / "arrays.safetensors").read_bytes()
            if hashlib.sha256(content).hexdigest() != kept["sha256"]:
                raise DamagedError("its arrays do not have the sha256 that was noted")
            arrays, state, lines = load(content), kept["state"], kept["history"]
        except (DamagedError, OSError, KeyError, TypeError, SafetensorError) as error:
            print(f"{self.title}: beginning again, for the checkpoint is damaged: {error}", file=sys.stderr)
            return None
        self.history.write_text(lines)
        print(f"{self.title}: resuming from the checkpoint of a run that was stopped", file=sys.stderr)
        return arrays, state

    def forget(self) -> None:
        """The stage is done: drop the checkpoint."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)
