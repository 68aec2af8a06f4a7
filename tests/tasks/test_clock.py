import time

import pytest

from tasks.clock import Clock


def test_seconds_are_exclusive_and_add_up():
    clock = Clock()
    before = sum(clock.seconds.values())
    with clock.of("Prefect"):
        time.sleep(0.02)
        with clock.of("DVC"):
            time.sleep(0.05)
        time.sleep(0.02)
    assert clock.seconds["DVC"] == pytest.approx(0.05, abs=0.03)
    assert clock.seconds["Prefect"] == pytest.approx(0.04, abs=0.03)
    assert before + clock.seconds["DVC"] + clock.seconds["Prefect"] <= clock.total


def test_time_counts_when_the_block_fails():
    clock = Clock()
    with pytest.raises(ValueError), clock.of("DVC"):
        time.sleep(0.02)
        raise ValueError
    assert clock.seconds["DVC"] >= 0.02


def test_moving_takes_no_more_than_there_is():
    clock = Clock()
    clock.seconds["DVC"] = 3.0
    clock.move(2.0, "DVC", "work")
    clock.move(5.0, "DVC", "work")
    assert clock.seconds["DVC"] == 0.0
    assert clock.seconds["work"] == 3.0


def test_the_total_begins_with_the_process():
    assert Clock().total > 0.05  # the interpreter and pytest took longer than that
