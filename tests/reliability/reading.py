"""Releases with a number in every part of them, and readers in processes of their own that look for a mixture."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from kindex.ask.live import Live, open_live
from kindex.core.files import canonical_json
from kindex.core.layout import Layout
from tests.ask.project import VECTORS, make_stages, release

MODEL = "words-pairs"
MARKED, ASKED = "Łódź", "torch.optim.adam"
_forks = multiprocessing.get_context("fork")


@dataclass
class Told:
    """What a reader saw: how often it read, which releases, what was wrong."""

    reads: int = 0
    numbers: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def publish(root: Path, number: int) -> Layout:
    """Make release `number` live: the number is in its vectors, so in its index, in the descriptions, and in the report."""
    vectors_ND = VECTORS.copy()
    vectors_ND[-1, 2] = number
    layout = make_stages(root, vectors_ND, recall=number / 1000, salt=f" #{number}")
    release(layout, f"night {number}")
    return layout


def number_of(live: Live) -> int:
    """The number of an opened release. Raises `ValueError` for parts of different ones, or answers by other vectors."""
    space = live.spaces["word"]
    hits = live.similar(ASKED, k=7, kind="word")
    numbers = {(hit.description or "").rpartition("#")[2] for hit in hits}
    numbers |= {str(int(live.vector(MARKED)[2])), str(round(live.report["link_recall_at_10"] * 1000))}
    if len(numbers) != 1:
        raise ValueError(f"a mixture of {sorted(numbers)}")
    for hit in hits:
        score = float(space.unit_ND[space.rows[ASKED]] @ space.unit_ND[space.rows[hit.id]])
        if abs(score - hit.score) > 1e-5:
            raise ValueError(f"the index is of other vectors: {hit.id} has {hit.score}, its vector {score}")
    return int(numbers.pop())


@contextmanager
def readers(layout: Layout, count: int) -> Iterator[list[Told]]:
    """`count` processes that open, check and ask the live release without a pause; the list is filled when the block ends."""
    stop: Event = _forks.Event()
    told: list[Told] = []
    pipes = [_forks.Pipe(duplex=False) for _ in range(count)]
    processes = [_forks.Process(target=_read, args=(layout, stop, there), daemon=True) for _, there in pipes]
    for process in processes:
        process.start()
    try:
        yield told
    finally:
        stop.set()
        for (here, _), process in zip(pipes, processes):
            told.append(here.recv() if here.poll(60) else Told(wrong=["a reader died"]))
            process.join(10)


def _read(layout: Layout, stop: Event, there: Connection) -> None:
    told = Told()
    while not stop.is_set():
        try:
            told.numbers.add(number_of(open_live(MODEL, root=layout.root)))
        except Exception as error:  # whatever it is, a reader must not meet it
            told.wrong.append(f"{type(error).__name__}: {error}")
        told.reads += 1
    there.send(told)


def answers(live: Live) -> bytes:
    """All that can be asked of the small release, in one spelling: neighbours with the bits of their scores, vectors."""
    found = {
        name: [(hit.id, float(np.float32(hit.score)).hex()) for hit in live.similar(name, k=5, kind="word")]
        for name in live.ids("word")
    }
    return canonical_json([live.manifest.digest, found]) + live.spaces["word"].vectors_ND.tobytes()
