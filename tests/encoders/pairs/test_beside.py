"""Parts of a fit side by side: the same bytes on any number of cores, and parts of parts on idle cores only."""

import threading
from typing import Any

import numpy as np
import pytest
import torch

from kindex.core import aside
from kindex.core.errors import MetricGateError
from kindex.core.watch import Silent
from kindex.encoders import pairs
from kindex.encoders.pairs import blending, fitting, least_squares, measure
from kindex.encoders.pairs.beside import beside, each, working
from kindex.encoders.pairs.search import PARTS
from tests.encoders.pairs.small import fit, made

CPU = torch.device("cpu")


def on(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "cores", lambda: cores)


def weighted() -> Any:
    """Links with weights and dates between two groups, so that every choice is made."""
    rng = np.random.default_rng(5)
    ends = sorted({(a, b) for a, b in rng.integers(0, 60, (1500, 2)).tolist() if (a + b) % 3})
    return made(ends, weight=lambda number: 1 + number % 7, time=lambda number: 86_400 * (number * 37 % 400))


def digest(encoder: pairs.Encoder, watch: Silent) -> tuple[Any, ...]:
    return encoder.about, encoder.left_LD.tobytes(), encoder.right_RD.tobytes(), watch.history


def fitted(**settings: Any) -> tuple[Any, ...]:
    watch = Silent()
    return digest(fit(weighted(), watch, dimensions=8, epochs=4, **settings), watch)


@pytest.mark.parametrize("objective", ["auto", "least_squares"])
def test_a_fit_gives_the_same_bytes_on_any_number_of_cores(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "LINKS", 100)  # blocks and batches enough to share
    monkeypatch.setattr(measure, "BLOCK", 500)
    seen = []
    for cores in (1, 2, 5):
        on(cores, monkeypatch)
        seen.append(fitted(objective=objective))
    assert seen[0] == seen[1] == seen[2]
    tried = [row["trial"] for row in seen[0][0]["trials"]]
    order = ["weights", "dates", "least squares", "spectral", "blend"]
    assert list(dict.fromkeys(tried)) == (order if objective == "auto" else order[:3])
    assert working.threads == 1


def test_so_does_a_warm_start_and_it_takes_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    former = fit(weighted(), dimensions=8, epochs=4)
    for weights in ((0.4, 0.3, 0.3), (0, 1.0, 0)):
        blend = dict(zip(PARTS, weights, strict=True))
        former.about["chosen"]["blend"] = blend
        seen = []
        for cores in (1, 2):
            on(cores, monkeypatch)
            watch = Silent()
            rng = np.random.Generator(np.random.PCG64(3))
            config = pairs.Config(dimensions=8, epochs=8)
            seen.append(digest(pairs.warm(former, weighted(), config, rng=rng, watch=watch), watch))
        assert seen[0] == seen[1]
        assert seen[0][0]["chosen"]["blend"] == blend and seen[0][0]["trials"] == []
        assert len(seen[0][3]) == (2 if blend["softmax"] else 0)  # a quarter of the epochs


def test_many_links_are_fitted_one_part_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    on(2, monkeypatch)
    monkeypatch.setattr(fitting, "MANY", 100)
    monkeypatch.setattr(blending, "beside", lambda *works: pytest.fail("there is no memory for that"))
    fit(weighted(), dimensions=4)


def test_a_fit_that_diverges_beside_another_part_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    on(2, monkeypatch)
    with pytest.raises(MetricGateError, match=r"diverged at epoch \d: loss is .*Lower learning_rate in params\.yaml"):
        fit(weighted(), learning_rate=1e30)
    assert working.threads == 1


def test_works_have_the_number_of_threads_of_their_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    on(2, monkeypatch)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            assert beside(torch.get_num_threads, torch.get_num_threads) == [threads, threads]
    finally:
        torch.set_num_threads(before)


def test_parts_of_parts_take_an_idle_core_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    on(2, monkeypatch)
    meeting = threading.Barrier(2)

    def threads() -> int:
        meeting.wait(10)  # both are at work
        names = each(range(4), lambda _: threading.get_ident(), CPU)
        meeting.wait(10)
        return len(set(names))

    assert beside(threads, threads) == [1, 1]

    def spread() -> bool:
        """Each waits for the other half to begin; one thread would wait for ever."""
        both = threading.Barrier(2)
        return each(range(2), lambda _: both.wait(10) >= 0, CPU) == [True, True]

    assert spread()
    on(3, monkeypatch)
    assert beside(spread, spread)[0]
    assert working.threads == 1


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("cores", [1, 2])
def test_each_keeps_the_order(count: int, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    on(cores, monkeypatch)
    assert each(range(count), lambda item: item * item, CPU) == [item * item for item in range(count)]


def test_a_gpu_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    on(2, monkeypatch)
    here = threading.get_ident()
    assert each(range(3), lambda _: threading.get_ident(), torch.device("cuda")) == [here] * 3
