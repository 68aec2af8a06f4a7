"""Curves in MLflow while a model trains: a thread follows the history that the stage writes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from kindex.core import mutex
from kindex.core.layout import Layout
from tasks.tracking.runs import Points, agree, log_points, read_points, training_run
from tasks.tracking.store import Store, connect, reason

LOOK_EVERY = 0.5  # seconds
PARTING = 3.0  # seconds that a night waits for the last points; the replay brings what is missing


@contextmanager
def curves(layout: Layout, model: str, night: str) -> Iterator[None]:
    """While the block trains `model`, log each new line of its history to the nested run of (night, model).

    It never raises and never holds the night up for more than `PARTING` seconds: when MLflow is down or slow, the curves
    come with the release, from the outbox. MLflow is imported only when a history grows, in the thread, while the
    stage's own process trains.
    """
    tail = Tail(layout, model, night)
    thread = threading.Thread(target=tail.follow, name=f"curves {model}", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        tail.outcome = "FAILED"
        raise
    finally:
        tail.stop.set()
        thread.join(PARTING)


class Tail:
    """Follows one history file, from the moment that it is written to until `stop`; `trouble` says why it gave up."""

    def __init__(self, layout: Layout, model: str, night: str) -> None:
        self.layout, self.model, self.night = layout, model, night
        self.path = layout.work("train", model) / "history.jsonl"
        self.left = _identity(self.path)  # what a killed training left; the stage has not begun yet
        self.stop = threading.Event()
        self.outcome: str | None = None  # the run's last status; None leaves it open for the release
        self.trouble: str | None = None
        self.lines = ""
        self.seen: Points = {}
        self.run_id: str | None = None

    def follow(self) -> None:
        try:
            handle = self._opened()
            if handle is None:
                return
            with handle:
                store = connect(self.layout)
                while not self.stop.wait(LOOK_EVERY):
                    self._log_new(store, handle)
                self._log_new(store, handle)
            if self.run_id and self.outcome:
                store.client.set_terminated(self.run_id, self.outcome)
        except Exception as error:  # whatever it is, curves are not worth a night
            self.trouble = reason(error)

    def _opened(self) -> TextIO | None:
        """The history, once this training writes it.

        The open file is followed, not its name: the stage renames the folder when it is done.
        """
        while not self.stop.is_set():
            if _identity(self.path) not in (None, self.left):
                return self.path.open(encoding="utf-8")
            self.stop.wait(LOOK_EVERY)
        return None

    def _log_new(self, store: Store, handle: TextIO) -> None:
        if not (more := handle.read()):
            return
        self.lines += more
        points = read_points(self.lines.splitlines(keepends=True))
        if self.run_id is None or not agree(self.seen, points, whole=False):
            # under the replay's mutex, so that the replay finds this run, or this thread sees that it came too late
            with mutex.hold(self.layout.mutex("mlflow"), "MLflow", wait_seconds=PARTING):
                if self.stop.is_set() and self.run_id is None:
                    return
                run, self.seen = training_run(store, self.model, self.night, None, points)
                self.run_id = run.info.run_id
        new = {place: value for place, value in points.items() if place not in self.seen}
        log_points(store, self.run_id, new, time.time_ns() // 1_000_000)
        self.seen |= new


def _identity(path: Path) -> tuple[Any, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns
