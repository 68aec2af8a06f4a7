"""Every kind that a budget tries: its ids and scores against exact search, its bytes, and the vectors that break others."""

import numpy as np
import pytest

from kindex.core.errors import ConfigError
from kindex.core.space import METRICS, Space
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.index import Index
from kindex.index.kinds import FEW, swept
from kindex.index.training import Material, empty
from kindex.index.tune import apply, ladder
from tests.index.test_index import clustered

WIDTHS = {1: "Pad8,SQ8", 7: "Pad8,PQ4x4fs,RFlat", 24: "PQ12x4fs,RFlat", 50: "Pad56,IVF64,SQ8", 64: "IVF64,SQ8"}


def material(space: Space) -> Material:
    return Material(space.search_ND, space.metric)


def saved(faiss_index: object) -> bytes:
    return bytes(faiss_one_thread().serialize_index(faiss_index).tobytes())


@pytest.mark.parametrize("metric", METRICS)
def test_every_kind_finds_what_exact_search_finds_and_scores_it_rightly(metric: str) -> None:
    space = clustered(700, 20, metric)
    made = material(space)
    true_QN = (space.search_ND[:40].astype(float)) @ space.search_ND.T.astype(float)
    expected_Q = [set(np.argsort(-row_N, kind="stable")[:10].tolist()) for row_N in true_QN]
    for factory in swept(700, 20):
        faiss_index = made.of(factory)
        apply(faiss_index, ladder(faiss_index)[-1])
        scores_QK, rows_QK = faiss_index.search(space.search_ND[:40], 10)
        recall = np.mean([len(expected & set(rows_K.tolist())) / 10 for expected, rows_K in zip(expected_Q, rows_QK)])
        assert recall >= (0.85 if factory.endswith("RaBitQ4") else 0.93), (factory, recall)
        off_QK = np.abs(scores_QK - np.take_along_axis(true_QN, rows_QK, 1))
        exact = factory.endswith("Flat") or factory == "HNSW16"
        allowed = 1e-5 if exact else 0.05 if factory.endswith("RaBitQ4") else 0.01
        assert off_QK.mean() <= allowed * np.abs(true_QN).max(1).mean(), factory
        assert (np.diff(scores_QK) <= 1e-6).all(), factory


def test_every_kind_has_the_same_bytes_twice_and_when_it_is_built_alone() -> None:
    """A factory string taken from the table of a sweep gives the index of that sweep."""
    space = clustered(600, 12, "dot")
    together = material(space)
    for factory in swept(600, 12):
        shared = saved(together.of(factory))
        assert shared == saved(material(space).of(factory)), factory


@pytest.mark.parametrize("dimensions", WIDTHS)
def test_any_width_and_few_vectors_build_without_a_word(dimensions: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert WIDTHS[dimensions] in swept(FEW, dimensions)
    made = material(clustered(FEW, dimensions, "dot"))
    for factory in swept(FEW, dimensions):
        faiss_index = made.of(factory)
        assert faiss_index.ntotal == FEW and faiss_index.d == dimensions
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("count", [1, 2, 9])
def test_too_few_vectors_for_code_words_are_refused_by_name(count: int, capfd: pytest.CaptureFixture[str]) -> None:
    for factory in swept(count, 8):
        assert material(clustered(count, 8)).of(factory).ntotal == count
    for factory in ("PQ4x4fs,RFlat", "IVF16,Flat"):
        with pytest.raises(
            ConfigError, match=rf"kind is '{factory}', which cannot be built from {count} vectors.*params\.yaml"
        ):
            material(clustered(count, 8)).of(factory)
    assert material(clustered(40, 8)).of("IVF16,Flat").ntotal == 40
    assert material(clustered(40, 8)).of("PQ4x4fs,RFlat").ntotal == 40
    assert capfd.readouterr() == ("", "")


def test_duplicates_and_zero_vectors_keep_finite_scores() -> None:
    vectors = np.repeat(clustered(60, 16).vectors_ND, 10, axis=0)
    vectors[100:140] = 0
    for metric in METRICS:
        space = Space("twin", tuple(map(str, range(600))), vectors, metric)
        made = material(space)
        for factory in swept(600, 16):
            faiss_index = made.of(factory)
            apply(faiss_index, ladder(faiss_index)[-1])
            index = Index(faiss_index, "twin", metric, factory)
            scores_QK, rows_QK = index.search(space.vectors_ND[95:105], 10)
            assert np.isfinite(scores_QK).all() and (rows_QK >= 0).all(), factory
            assert (scores_QK[5:] == 0).all() and (rows_QK[5:] == np.arange(10)).all(), factory
            true_QK = np.einsum("qd,qkd->qk", space.search_ND[95:105], space.search_ND[rows_QK])
            size = float(np.abs(space.search_ND[95:100] @ space.search_ND.T).max())
            assert np.abs(scores_QK - true_QK).mean() <= 0.03 * size, factory


@pytest.mark.parametrize("length", [1e-7, 1e5])
def test_the_length_of_vectors_does_not_drown_their_codes(length: float) -> None:
    """Faiss leaves the centroids of inner products at length 1: codes of what is left of short vectors were noise."""
    space = clustered(700, 16)
    space = Space("far", space.ids, (space.unit_ND * np.float32(length)), "dot")
    true_QN = space.vectors_ND[:50].astype(float) @ space.vectors_ND.T.astype(float)
    for factory in ("IVF64,SQ8", "RR64,IVF64,RaBitQ4", "IVF64,PQ8x4fs"):
        faiss_index = material(space).of(factory)
        apply(faiss_index, "nprobe=64")
        scores_QK, rows_QK = faiss_index.search(space.vectors_ND[:50], 1)
        assert (rows_QK[:, 0] == np.arange(50)).mean() > (0.9 if factory.endswith("SQ8") else 0.3), factory
        off = np.abs(scores_QK - np.take_along_axis(true_QN, rows_QK, 1)).mean()
        assert off < 0.1 * length**2, factory


def test_what_is_allowed_is_named() -> None:
    with pytest.raises(ConfigError, match=r"indexes\.books\.kind is 'FIV4'.*Allowed: auto, exact, budget, or a factory"):
        empty("FIV4", 8, "indexes.books")
