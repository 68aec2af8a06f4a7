"""The files of a release's index (graph, description, places of tombstones, vectors) are truncated, extended, and bits,
zeroes and reversed runs put into them, one mutant at a time; a reader in a process of its own opens the release and must
refuse each, naming the file. Its sha256 is looked at first, so faiss never sees one. Then the manifest agrees with what was
changed, as one that somebody made on purpose: another count, dimension, metric or kind in the description, an index of
another space.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from kindex.ask.live import open_live
from kindex.core.errors import DamagedError
from kindex.core.space import Space
from kindex.index.build import build
from tests.ask.test_tombstones import COVERED, mutants, published_with
from tests.index.nights import Nights
from tests.reliability import Say, Seen
from tests.stages.delta_project import MODEL, DeltaProject
from tests.stages.small_project import params

NUMBER = 17
PROMISE = "an index file that is not the manifest's, or not of its vectors, is refused"
WANTED = "1,000 mutants: 0 accepted, 0 crashes of the reader"
LONG, SMALL = 1200, 40
SLOW = True
VERSION = "v0003"


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` mutants over four files, and each of the hostile releases once."""
    seen, nights = Seen(), Nights.of()
    made = DeltaProject(scratch / "marked", params("pairs", "HNSW16"))
    made.night(nights.space)
    for _ in range(2):
        made.night(nights.next())
    open_live(MODEL, root=made.root)
    for name in COVERED:
        for problem in in_a_process(lambda name=name: list(accepted(made.root, name, count // len(COVERED)))):
            seen.failures.append(f"{name}: {problem}")
        seen.tries += made_of(made.root, name, count // len(COVERED))
    open_live(MODEL, root=made.root)  # and whole again it is taken
    mutated = seen.tries
    for what, files in hostile(made.root, nights).items():
        own = scratch / "own"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(made.root, own)
        published_with(own, **files)
        problems = in_a_process(lambda own=own: opened(own, "v0004"))
        seen.expect(not problems, f"{what}: {' '.join(problems)}")
    seen.notes.append(f"{mutated:,} mutants of {', '.join(COVERED)}; {seen.tries - mutated} releases whose manifest agrees")
    return seen


def made_of(root: Path, name: str, count: int) -> int:
    """How many of the mutants differ from the file."""
    return sum(1 for _ in mutants((root / "releases" / MODEL / VERSION / name).read_bytes(), count))


def accepted(root: Path, name: str, count: int) -> Iterator[str]:
    """The mutants that were not refused with the file's name."""
    path = root / "releases" / MODEL / VERSION / name
    content = path.read_bytes()
    for number, mutant in enumerate(mutants(content, count)):
        path.write_bytes(mutant)
        for problem in opened(root, VERSION, name):
            yield f"mutant {number}: {problem}"
    path.write_bytes(content)


def opened(root: Path, version: str, name: str = "") -> list[str]:
    """Nothing when the release is refused, by a message with the file's name, if given; else what happened."""
    try:
        open_live(MODEL, root=root, release=version)
    except DamagedError as error:
        return [] if name in str(error) else [f"refused, but not by name: {error}"]
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    return ["was accepted"]


def hostile(root: Path, nights: Nights) -> dict[str, dict[str, bytes | None]]:
    """Files to exchange, by what is wrong with them."""
    folder = root / "releases" / MODEL / VERSION / "index"
    about = json.loads((folder / "thing.json").read_bytes())
    told = {"count": 401, "dimensions": 25, "metric": "dot", "kind": "other", "positions": 423}
    found: dict[str, dict[str, bytes | None]] = {
        f"described with another {name}": {"about": json.dumps({**about, name: value}).encode()}
        for name, value in told.items()
    }
    for name in (*told, "factory", "setting", "index_recall_at_10"):
        left = {key: value for key, value in about.items() if key != name}
        found[f"described without {name}"] = {"about": json.dumps(left).encode()}
    space = nights.space
    others = {
        "of fewer vectors": Space("thing", space.ids[:-1], space.vectors_ND[:-1]),
        "of other dimensions": Space("thing", space.ids, space.vectors_ND[:, :-1].copy()),
    }
    for what, other in others.items():
        build(other, params("pairs", "HNSW16").indexes[MODEL]).save(folder.parents[3] / "other.faiss")
        found[f"an index {what}"] = {"index": (folder.parents[3] / "other.faiss").read_bytes()}
    found |= {"no places": {"places": None}, "an empty index": {"index": b""}, "no index": {"index": b"IxHN" * 9}}
    return found


def in_a_process(look: Callable[[], list[str]]) -> list[str]:
    """What `look` returns, from a forked process; a crash of it is a problem like any other."""
    here, there = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(there, json.dumps(look()[:20]).encode())
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return json.loads(told) if told and status == 0 else [f"the reader ended with {status}"]
