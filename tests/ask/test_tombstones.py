"""A release whose graph has tombstones: nobody is answered who left, and places that do not fit are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.ask.live import open_live
from kindex.core.errors import DamagedError
from kindex.core.publish import build
from kindex.core.release import CURRENT
from tests.index.nights import Nights, exact
from tests.stages.delta_project import MODEL, DeltaProject
from tests.stages.small_project import params

PLACES = "index/places/thing.parquet"
COVERED = ["index/thing.faiss", "index/thing.json", PLACES, "vectors/thing.parquet"]


@pytest.fixture(scope="module")
def marked(tmp_path_factory) -> tuple[DeltaProject, Nights]:
    """A release v0003 with 24 tombstones."""
    made, nights = DeltaProject(tmp_path_factory.mktemp("marked"), params("pairs", "HNSW16")), Nights.of()
    made.night(nights.space)
    for _ in range(2):
        made.night(nights.next())
    return made, nights


@pytest.fixture
def own(marked, tmp_path) -> Path:
    """The releases of a copy, to be damaged."""
    shutil.copytree(marked[0].root, tmp_path / "own")
    return tmp_path / "own"


def test_who_left_is_not_answered_and_who_is_there_is(marked):
    made, nights = marked
    live = open_live(MODEL, root=made.root)
    assert live.manifest.version == "v0003" and live.indexes["thing"].tombstones == 24
    space = nights.space
    for vector_D in nights.gone.values():
        assert not {hit.id for hit in live.similar_to_vector(vector_D, k=20)} & nights.gone.keys()
    best_QK = exact(space, space.vectors_ND, 11)[:, 1:]
    found = [[hit.score for hit in live.similar(name)] for name in space.ids]
    assert (np.abs(np.array(found) - best_QK) < 1e-4).mean() > 0.98
    for hit, score in zip(live.similar(space.ids[-1]), found[-1]):
        asked = space.unit_ND[-1] @ space.unit_ND[space.rows[hit.id]]
        assert score == pytest.approx(float(asked), abs=1e-5)
    assert len(live.similar(space.ids[0], k=1000)) == 399


def mutants(content: bytes, count: int):
    """Truncated, extended, bits flipped, runs of bytes swapped and zeroed."""
    rng = np.random.default_rng(4)
    for number in range(count):
        changed = bytearray(content)
        place = int(rng.integers(len(content)))
        how = number % 5
        if how == 0:
            changed[place] ^= 1 << int(rng.integers(8))
        elif how == 1:
            del changed[place:]
        elif how == 2:
            changed[place : place + 8] = bytes(len(changed[place : place + 8]))
        elif how == 3:
            changed[place : place + 8] = changed[place : place + 8][::-1]
        else:
            changed += bytes(rng.integers(0, 256, 1 + place % 9, dtype=np.uint8))
        if changed != content:
            yield bytes(changed)


@pytest.mark.parametrize(("name", "count"), [(name, 25) for name in COVERED])
def test_no_mutant_of_an_index_or_its_places_is_accepted(own, name, count):
    path = own / "releases" / MODEL / "v0003" / name
    content, refused = path.read_bytes(), 0
    for mutant in mutants(content, count):
        path.write_bytes(mutant)
        with pytest.raises(DamagedError, match=name):
            open_live(MODEL, root=own)
        refused += 1
    assert refused > 0.8 * count
    path.write_bytes(content)
    open_live(MODEL, root=own)


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERED)
def test_no_mutant_of_250(own, name):
    test_no_mutant_of_an_index_or_its_places_is_accepted(own, name, 250)


def published_with(own: Path, **changed: bytes | None) -> None:
    """A release whose manifest agrees with the changed files, as one that somebody made on purpose; None leaves it out."""
    releases = own / "releases" / MODEL
    files: dict[str, Path | bytes] = {
        str(path.relative_to(releases / "v0003")): path.read_bytes()
        for path in sorted((releases / "v0003").rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    names = {"places": PLACES, "about": "index/thing.json", "index": "index/thing.faiss"}
    for key, content in changed.items():
        del files[names[key]]
        if content is not None:
            files[names[key]] = content
    (releases / CURRENT).unlink(missing_ok=True)
    shutil.rmtree(releases / "v0004", ignore_errors=True)
    build(releases, MODEL, files, {}, {})


def table(rows: list, kind: str = "int32", name: str = "row") -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table({name: pa.array(rows, kind)}), buffer)
    return buffer.getvalue().to_pybytes()


def rows_of(own: Path) -> list[int]:
    return pq.read_table(own / "releases" / MODEL / "v0003" / PLACES)["row"].to_pylist()


HOSTILE = {
    "too few": (lambda rows: table(rows[:-1]), "has 423 places, and its index 424 positions"),
    "too many": (lambda rows: table([*rows, -1]), "has 425 places"),
    "beyond the space": (
        lambda rows: table([400 if row == 7 else row for row in rows]),
        "does not place each of 400 rows once",
    ),
    "below -1": (lambda rows: table([-2 if row == 7 else row for row in rows]), "does not place each of 400 rows once"),
    "one row twice": (lambda rows: table([8 if row == 7 else row for row in rows]), "names 399 in 400"),
    "a tombstone more": (lambda rows: table([-1 if row == 7 else row for row in rows]), "names 399 in 399"),
    "wide numbers": (lambda rows: table(rows, "int64"), "holds no places"),
    "a gap": (lambda rows: table([None if row == 7 else row for row in rows]), "holds no places"),
    "another column": (lambda rows: table(rows, name="place"), "holds no places"),
    "no parquet": (lambda rows: b"PAR1 and no more", "places"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_places_that_do_not_fit_are_refused_even_when_the_manifest_was_made_with_them(own, name):
    make, message = HOSTILE[name]
    published_with(own, places=make(rows_of(own)))
    with pytest.raises(DamagedError, match=rf"places/thing\.parquet|{message}") as caught:
        open_live(MODEL, root=own, release="v0004")
    assert message in str(caught.value)


def test_places_and_the_description_must_agree_that_there_are_some(own):
    about = json.loads((own / "releases" / MODEL / "v0003" / "index" / "thing.json").read_text())
    published_with(own, places=None)
    with pytest.raises(DamagedError, match=r"came with no places, and its description says that it has them"):
        open_live(MODEL, root=own, release="v0004")
    silent = {name: value for name, value in about.items() if name != "positions"}
    published_with(own, about=json.dumps(silent | {"count": 424}).encode())
    with pytest.raises(DamagedError, match=r"came with places, and its description says that it has none"):
        open_live(MODEL, root=own, release="v0004")
    published_with(own, about=json.dumps(about | {"positions": 423}).encode())
    with pytest.raises(DamagedError, match=r"holds positions 424, its description says 423"):
        open_live(MODEL, root=own, release="v0004")
