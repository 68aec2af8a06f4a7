"""Work side by side: results and exceptions in the order of the works, whatever ends first, on any number of cores."""

import threading
from collections.abc import Callable

import pytest

from kindex.core import aside

WAIT = 10.0
"""Seconds after which a test gives up."""


@pytest.fixture(params=[1, 2, 4])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(aside, "cores", lambda: request.param)
    return int(request.param)


def test_this_process_may_use_a_core() -> None:
    assert aside.cores() >= 1


def test_results_come_in_the_order_of_the_works(cores: int) -> None:
    assert aside.side_by_side(*(lambda number=number: number * number for number in range(5))) == [0, 1, 4, 9, 16]
    assert aside.side_by_side() == []
    assert aside.side_by_side(lambda: "alone") == ["alone"]


def test_the_first_work_may_end_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the second: with threads only, or it would wait for ever."""
    monkeypatch.setattr(aside, "cores", lambda: 2)
    ended = threading.Event()

    def first() -> bool:
        return ended.wait(WAIT)

    def second() -> str:
        ended.set()
        return "second"

    assert aside.side_by_side(first, second) == [True, "second"]


def test_with_one_core_no_thread_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "cores", lambda: 1)
    here = threading.current_thread()
    assert aside.side_by_side(threading.current_thread, threading.current_thread) == [here, here]
    monkeypatch.setattr(aside, "cores", lambda: 2)
    assert here not in aside.side_by_side(threading.current_thread, threading.current_thread)


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


def test_the_first_exception_in_the_order_of_the_works_is_raised(cores: int) -> None:
    with pytest.raises(ValueError, match="one"):
        aside.side_by_side(lambda: 1, failing(ValueError("one")), failing(KeyError("two")))


def test_an_exception_is_raised_when_the_others_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "cores", lambda: 2)
    done: list[int] = []

    def slow() -> None:
        threading.Event().wait(0.05)
        done.append(1)

    with pytest.raises(ValueError, match="soon"):
        aside.side_by_side(failing(ValueError("soon")), slow)
    assert done == [1]


@pytest.mark.parametrize("told, most", [("2", 1), ("1", 1000), (None, 1000)])
def test_where_blas_was_told_to_use_several_threads_there_is_no_second_core(told: str | None, most: int, monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    assert aside.cores() == min(3, most)
