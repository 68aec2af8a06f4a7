"""The small form of each promise; `make reliability` runs the long ones."""

import pytest

from tests.reliability import Seen, promises


def marked(promise):
    marks = {False: (), True: pytest.mark.slow, "long": (pytest.mark.slow, pytest.mark.long)}[promise.SLOW]
    return pytest.param(promise, id=promise.__name__.rpartition(".")[2], marks=marks)


@pytest.mark.parametrize("promise", [marked(promise) for promise in promises()])
def test_the_promise_is_kept(promise, tmp_path):
    seen = promise.tried(tmp_path, promise.SMALL, print)
    assert not seen.failures
    assert seen.held


def test_nothing_tried_is_nothing_held():
    seen = Seen()
    assert not seen.held
    seen.expect(True, "one")
    assert seen.held
    seen.expect(False, "another")
    assert seen.failures == ["another"] and not seen.held


def test_numbers_are_those_of_the_table_and_each_is_there_once():
    numbers = [promise.NUMBER for promise in promises()]
    assert numbers == list(range(1, 25))
