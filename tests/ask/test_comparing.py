"""Two releases opened and compared: the same on one core and on two, and what is damaged is named."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from kindex.ask.comparing import compare_releases, opened, opened_both
from kindex.core import aside, release
from kindex.core.errors import DamagedError
from tests.ask.project import VECTORS, make_stages
from tests.ask.project import release as publish


@pytest.fixture
def two(tmp_path):
    """The folders and manifests of two releases."""
    found = []
    for name, vectors in (("one", VECTORS), ("other", VECTORS + np.float32(0.3) * VECTORS[::-1])):
        publish(make_stages(tmp_path / name, vectors))
        releases = tmp_path / name / "releases" / "words-pairs"
        found.append((releases / "v0001", release.read_manifest(releases, "v0001")))
    return found


def test_one_core_and_two_compare_alike(two, monkeypatch):
    found = []
    for count in (1, 2):
        monkeypatch.setattr(aside, "cores", lambda count=count: count)
        found.append(compare_releases(*opened_both(*two)))
    one, another = found
    assert (one.numbers, one.pairs, one.shown) == (another.numbers, another.pairs, another.shown)
    assert one.numbers["neighbour_churn_at_10"] >= 0 and one.shown["shadow"]["asked"] > 0
    assert compare_releases(opened(*two[0]), opened(*two[1])).shown == one.shown


def threads():
    """Of each BLAS but faiss's own, which is held to one thread for good."""
    return {one["filepath"]: one["num_threads"] for one in threadpool_info() if "faiss" not in one["filepath"]}


def test_the_number_of_threads_is_afterwards_what_it_was(two, monkeypatch):
    monkeypatch.setattr(aside, "cores", lambda: 2)
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        compare_releases(*opened_both(*two))
        after = threads()
    assert before == {path: after[path] for path in before}


@pytest.mark.parametrize("cores", [1, 2])
def test_a_damaged_file_is_named_the_former_s_first(two, monkeypatch, cores):
    monkeypatch.setattr(aside, "cores", lambda: cores)
    for folder, _ in two:
        path = min((folder / "vectors").glob("*.parquet"))
        path.write_bytes(path.read_bytes()[:-9] + b"something")
    with pytest.raises(DamagedError, match="one/releases/words-pairs/v0001/vectors"):
        opened_both(*two)
