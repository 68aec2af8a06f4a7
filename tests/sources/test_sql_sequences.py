"""Promise 5: duplicated, late and out-of-order deltas end in the same tables as the same ones sorted and given once."""

import pytest

from tests.sources.sequences import run


def test_a_few_sequences(tmp_path):
    assert run(tmp_path, 9) == {"sequences": 9, "wrong": 0}


@pytest.mark.slow
@pytest.mark.long
def test_five_hundred_sequences(tmp_path):
    assert run(tmp_path, 500, first=1000) == {"sequences": 500, "wrong": 0}
