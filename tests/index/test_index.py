"""Every kind of index against exact search in slow loops: ids and scores, on vectors that do not have length 1."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kindex.core.errors import ConfigError, DamagedError, DataGateError, MetricGateError
from kindex.core.params import IndexParams
from kindex.core.space import METRICS, Space
from kindex.index.build import build, choose
from kindex.index.faiss_parts import faiss_one_thread, stored_bytes
from kindex.index.index import load
from kindex.index.tune import index_recall, ladder, sample


def clustered(count: int = 1200, dimensions: int = 24, metric: str = "cosine") -> Space:
    """Sixty clusters, lengths from 0.1 to 12: cosine and dot answer differently."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(60, dimensions))
    vectors = centres[rng.integers(0, 60, count)] + 0.6 * rng.normal(size=(count, dimensions))
    vectors *= rng.gamma(2, 1.5, size=(count, 1)) + 0.1
    return Space("thing", tuple(f"id{row}" for row in range(count)), vectors.astype(np.float32), metric)


def slow_nearest(space: Space, query: np.ndarray, k: int) -> list[tuple[float, int]]:
    """By definition, one pair at a time."""
    scored = []
    for row, vector in enumerate(space.vectors_ND.astype(float).tolist()):
        score = sum(a * b for a, b in zip(query.astype(float).tolist(), vector))
        if space.metric == "cosine":
            score /= math.sqrt(sum(a * a for a in query.astype(float))) * math.sqrt(sum(a * a for a in vector))
        scored.append((score, row))
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]


@pytest.mark.parametrize("metric", METRICS)
def test_exact_index_gives_the_ids_and_scores_of_the_definition(metric: str) -> None:
    space = clustered(300, metric=metric)
    index = build(space, IndexParams())
    queries_QD = clustered(8).vectors_ND * 3 + 0.5
    scores_QK, rows_QK = index.search(queries_QD, 10)
    assert scores_QK.dtype == np.float32 and rows_QK.dtype == np.int64
    for query, scores_K, rows_K in zip(queries_QD, scores_QK, rows_QK):
        expected = slow_nearest(space, query, 10)
        assert rows_K.tolist() == [row for _, row in expected]
        np.testing.assert_allclose(scores_K, [score for score, _ in expected], rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["PQ12x4fs,RFlat", "IVF32,SQ8", "HNSW16", "IVF16,PQ12x4fs,RFlat", "RR24,IVF16,Flat"])
def test_approximate_index_is_faithful_and_its_scores_are_similarities(kind: str, metric: str) -> None:
    space = clustered(metric=metric)
    index = build(space, IndexParams(kind=kind, index_recall_at_10=0.9))
    assert index.factory == kind
    assert index.index_recall_at_10 >= 0.9
    scores_QK, rows_QK = index.search(space.vectors_ND[:50], 10)
    found = 0
    for number in range(50):
        expected = {row: score for score, row in slow_nearest(space, space.vectors_ND[number], 10)}
        found += len(expected.keys() & set(rows_QK[number].tolist()))
        for row, score in zip(rows_QK[number].tolist(), scores_QK[number]):
            true = float(space.search_ND[row] @ space.search_ND[number])
            assert score == pytest.approx(true, rel=0.1, abs=0.1 * abs(float(scores_QK[number, 0])))
        assert (np.diff(scores_QK[number]) <= 0).all()
    assert found / 500 >= 0.87


def test_size_decides_the_kind_and_params_overrule_it() -> None:
    assert choose(IndexParams(), 20_000, 50) == ("Flat",)
    assert choose(IndexParams(), 20_001, 50) == ("IVF512,Flat", "PQ25x4fs,RFlat", "Flat")
    assert choose(IndexParams(), 50_000, 53, "dot") == ("Pad54,PQ27x4fs,RFlat", "Flat")  # long vectors are in all lists
    assert choose(IndexParams(), 1_000_000, 50)[:2] == ("Pad56,IVF4096,SQfp16", "IVF4096,Flat")
    assert choose(IndexParams(kind="exact"), 1_000_000, 64) == ("Flat",)
    assert choose(IndexParams(kind="HNSW32"), 10, 64) == ("HNSW32",)


def test_the_smallest_setting_that_reaches_the_target_is_kept() -> None:
    space = clustered()
    index = build(space, IndexParams(kind="IVF32,Flat", index_recall_at_10=0.97))
    exact, *tried = index.trials
    assert (exact.setting, exact.index_recall_at_10, exact.bytes_per_vector) == ("exact", 1.0, 96.0)
    assert [trial.setting for trial in tried] == [f"nprobe={2**n}" for n in range(len(tried))]
    assert all(trial.index_recall_at_10 < 0.97 for trial in tried[:-1])
    assert tried[-1].index_recall_at_10 >= 0.97
    assert [trial.chosen for trial in tried] == [False] * (len(tried) - 1) + [True]
    assert index.setting == tried[-1].setting
    assert index.faiss_index.nprobe == 2 ** (len(tried) - 1)


def test_auto_returns_to_exact_search_when_the_approximate_index_is_not_faithful() -> None:
    noise = np.random.default_rng(0).normal(size=(800, 24)).astype(np.float32)
    for metric, tried in (("dot", {"PQ12x4fs,RFlat"}), ("cosine", {"IVF128,Flat", "PQ12x4fs,RFlat"})):
        space = Space("noise", tuple(map(str, range(800))), noise, metric)
        index = build(space, IndexParams(exact_below=100, index_recall_at_10=1.0))
        assert (index.factory, index.setting, index.index_recall_at_10) == ("Flat", "exact", 1.0)
        assert [trial.chosen for trial in index.trials] == [True] + [False] * (len(index.trials) - 1)
        assert {trial.factory for trial in index.trials} == {"Flat"} | tried
    asked = build(space, IndexParams(kind="IVF8,SQ4", index_recall_at_10=1.0))
    assert asked.factory == "IVF8,SQ4"  # asked for by name: kept, and the gate judges it
    assert asked.index_recall_at_10 < 1


def test_duplicates_come_in_the_order_of_their_rows() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    index = build(Space("twin", tuple("abcdefghijkl"), vectors), IndexParams())
    _, rows_QK = index.search(np.array([[0, 2, 0]], np.float32), 12)
    assert rows_QK.tolist() == [[4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11]]


def test_index_recall_by_hand() -> None:
    vectors = np.array([[1, 0], [0.9, 0], [0.9, 0], [0.5, 0], [0.1, 0]], np.float32)
    exact_QK = np.array([[0.9, 0.9]])
    query = np.array([0])
    assert index_recall(vectors, query, np.array([[0, 1, 2]]), exact_QK) == 1.0
    assert index_recall(vectors, query, np.array([[0, 1, 3]]), exact_QK) == 0.5
    assert index_recall(vectors, query, np.array([[0, 1, 1]]), exact_QK) == 0.5  # one answer twice is one answer
    assert index_recall(vectors, query, np.array([[0, -1, -1]]), exact_QK) == 0.0
    # the second of two equals is as good as the first
    assert index_recall(vectors, query, np.array([[2]]), np.array([[0.9]])) == 1.0


def test_a_search_that_finds_too_few_says_so() -> None:
    space = clustered(200)
    index = build(space, IndexParams(kind="IVF64,Flat", index_recall_at_10=0.01))
    assert index.setting == "nprobe=1"
    scores_QK, rows_QK = index.search(space.vectors_ND[:3], 150)
    assert (rows_QK[:, -1] == -1).all() and np.isneginf(scores_QK[:, -1]).all()
    assert (rows_QK[:, 0] == [0, 1, 2]).all()
    assert build(space, IndexParams()).search(space.vectors_ND[:3], 999)[0].shape == (3, 200)
    with pytest.raises(ValueError, match=r"\(3, 5\).*\(Q, 24\)"):
        index.search(np.ones((3, 5), np.float32), 2)


@pytest.mark.parametrize("kind", ["exact", "IVF32,SQ8", "HNSW16", "PQ12x4fs,RFlat"])
def test_saved_twice_the_same_bytes_and_loaded_the_same_answers(kind: str, tmp_path: Path) -> None:
    space = clustered()
    first, second = (build(space, IndexParams(kind=kind)) for _ in range(2))
    first.save(tmp_path / "a.faiss")
    second.save(tmp_path / "b.faiss")
    assert (tmp_path / "a.faiss").read_bytes() == (tmp_path / "b.faiss").read_bytes()
    again = load(tmp_path / "a.faiss", first.about())
    assert again.about() == first.about()
    for mine, theirs in zip(first.search(space.vectors_ND[:20], 10), again.search(space.vectors_ND[:20], 10)):
        np.testing.assert_array_equal(mine, theirs)


PROGRAM = """
import hashlib, sys, pathlib
from kindex.core.params import IndexParams
from kindex.index.build import build
from tests.index.test_index import clustered
for number, kind in enumerate(["exact", "IVF32,SQ8", "HNSW16", "PQ12x4fs,RFlat", "budget"]):
    path = pathlib.Path(sys.argv[1]) / f"{number}.faiss"
    build(clustered(700), IndexParams(kind=kind, sample=50)).save(path)
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_does_not_change_the_bytes(tmp_path: Path) -> None:
    answers = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        run = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        answers.add(subprocess.run(run, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(answers) == 1 and len(answers.pop().split()) == 5


def test_an_index_that_is_not_what_its_description_says_is_refused(tmp_path: Path) -> None:
    import faiss

    index = build(clustered(100), IndexParams())
    path = tmp_path / "thing.faiss"
    index.save(path)
    for name, value in (("count", 99), ("dimensions", 25), ("metric", "euclidean")):
        with pytest.raises(DamagedError, match=rf"thing\.faiss.*{value}"):
            load(path, index.about() | {name: value})
    with pytest.raises(DamagedError, match=r"thing\.faiss.*factory"):
        load(path, {name: value for name, value in index.about().items() if name != "factory"})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedError, match=r"thing\.faiss"):
        load(path, index.about())
    path.write_bytes(b"not an index")
    with pytest.raises(DamagedError, match=r"thing\.faiss"):
        load(path, index.about())
    with pytest.raises(DamagedError, match="missing"):
        load(tmp_path / "other.faiss", index.about())
    euclidean = faiss.IndexFlatL2(24)
    euclidean.add(clustered(100).vectors_ND)
    faiss.write_index(euclidean, str(path))
    with pytest.raises(DamagedError, match="does not score by 'cosine'"):
        load(path, index.about())


@pytest.mark.parametrize("kind", ["IVFF", "PQ7x4fs", "", "IVF500,Flat", "PQ12x8"])
def test_a_factory_that_cannot_be_made_names_the_value_and_the_file(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"indexes\.books\.kind is '{kind}'.*params\.yaml"):
        build(clustered(200), IndexParams(kind=kind), "indexes.books")


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("PCA20,Flat", "cosine"),
        ("PCAR20,IVF4,Flat,RFlat", "dot"),
        ("L2norm,Flat", "dot"),
        ("RR20,Flat", "cosine"),  # a turn to fewer dimensions is not one
        ("OPQ4_8,Flat", "dot"),
    ],
)
def test_a_transform_that_changes_scores_is_refused(kind: str, metric: str) -> None:
    with pytest.raises(ConfigError, match=rf"kind is '{kind}', whose .* changes inner products"):
        build(clustered(200, metric=metric), IndexParams(kind=kind))


def test_broken_and_empty_spaces_are_refused_by_name() -> None:
    space = clustered(100)
    space.vectors_ND[[7, 9], 3] = np.nan
    with pytest.raises(MetricGateError, match="'thing' has 2 vectors with NaN or infinity, first 'id7'"):
        build(space, IndexParams())
    with pytest.raises(DataGateError, match="'thing' has no vectors"):
        build(Space("thing", (), np.empty((0, 4), np.float32)), IndexParams())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_spaces_can_be_searched(count: int) -> None:
    space = clustered(count)
    index = build(space, IndexParams())
    assert index.index_recall_at_10 == 1.0
    assert sorted(index.search(space.vectors_ND[:1], 10)[1][0].tolist()) == list(range(count))


def test_the_sample_does_not_depend_on_the_order_of_the_items() -> None:
    space = clustered(100)
    turned = Space(space.kind, space.ids[::-1], space.vectors_ND[::-1].copy(), space.metric)
    names = {space.ids[row] for row in sample(space, 20)}
    assert names == {turned.ids[row] for row in sample(turned, 20)} and len(names) == 20


def test_ladders_start_cheap() -> None:
    import faiss

    def steps(factory: str) -> list[str]:
        return ladder(faiss.index_factory(24, factory, faiss.METRIC_INNER_PRODUCT))

    assert steps("Flat") == ["exact"]
    assert steps("SQ8") == ["fixed"]
    assert steps("IVF6,Flat") == ["nprobe=1", "nprobe=2", "nprobe=4"]
    assert steps("HNSW8")[:2] == ["efSearch=16", "efSearch=32"]
    assert steps("IVF4,PQ12x4fs,RFlat")[:4] == [
        "nprobe=1,k_factor_rf=1",
        "nprobe=2,k_factor_rf=2",
        "nprobe=4,k_factor_rf=4",
        "nprobe=4,k_factor_rf=8",
    ]


def test_planted_bytes_digest_is_of_the_whole_file(tmp_path: Path) -> None:
    """The chosen setting is in the file: two targets give two digests."""
    digests = set()
    for target in (0.3, 0.999):
        build(clustered(), IndexParams(kind="IVF32,Flat", index_recall_at_10=target)).save(tmp_path / "x.faiss")
        digests.add(hashlib.sha256((tmp_path / "x.faiss").read_bytes()).hexdigest())
    assert len(digests) == 2


def test_a_label_that_no_row_has_is_refused_when_it_is_answered() -> None:
    space = clustered(200)
    index = build(space, IndexParams(kind="IVF4,Flat"))
    lists = index.faiss_index.invlists
    labels = faiss_one_thread().rev_swig_ptr(lists.get_ids(0), lists.list_size(0))
    labels[labels == labels.max()] = 200
    with pytest.raises(DamagedError, match="the index of thing answers row 200, and its space has 200"):
        index.search(space.vectors_ND, 10)


@pytest.mark.parametrize("kind", ["exact", "IVF16,Flat", "HNSW16", "RR24,IVF16,PQ12x4fs,Refine(SQ8)"])
def test_bytes_are_those_of_the_file(tmp_path: Path, kind: str) -> None:
    index = build(clustered(), IndexParams(kind=kind))
    index.save(tmp_path / "index.faiss")
    assert stored_bytes(index.faiss_index) == (tmp_path / "index.faiss").stat().st_size
