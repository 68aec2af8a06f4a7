"""A night that did not begin, died or still works is late; one that ended, has time left or is paused is not."""

from datetime import UTC, datetime

import pytest

from flows import running
from flows.options import Options
from flows.watch import main, watch
from kindex.core import mutex, pause
from kindex.core.pause import Pause
from tasks import fencing
from tests.flows.pretending import pretend
from tests.tasks.hearing import hearing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path, monkeypatch):
    return pretend(tmp_path, monkeypatch).layout


def test_a_night_that_did_not_begin_is_told_once_and_recovers(tmp_path, monkeypatch):
    with hearing() as heard:
        monkeypatch.setenv("KINDEX_ALERT_URLS", heard.url())
        made = pretend(tmp_path, monkeypatch)
        for _ in range(3):
            code, said = watch(made.layout, 6.0, NOON)
            assert code == 6
            assert "night 2026-11-21, called at 2026-11-21 00:00 UTC, did not begin" in said
        assert running.by_hand("nightly", Options(), made.body) == 0
        assert watch(made.layout, 6.0, NOON)[0] == 0
    assert heard.titles == ["kindex: night late (night 2026-11-21)", "kindex: night recovered (night 2026-11-21)"]


def test_a_night_that_died_and_one_that_still_works(layout):
    fencing.take(layout, "2026-11-21", ["m"], "2026-11-21T00:00:05+00:00")
    assert "began at 2026-11-21T00:00:05+00:00 and died" in watch(layout, 6.0, NOON)[1]
    with mutex.hold(layout.mutex("night"), "the night"):
        assert "and still works" in watch(layout, 6.0, NOON)[1]


def test_a_night_with_time_left_or_paused_is_not_late(layout):
    assert watch(layout, 13.0, NOON) == (0, "night 2026-11-21 was called at 00:00 UTC and has until 13:00 UTC")
    pause.write(layout, Pause("a holiday", "2026-11-20T09:00+00:00"))
    assert watch(layout, 6.0, NOON)[0] == 0


def test_the_command_line(layout, capsys):
    assert main(["--hours", "0"]) == 6
    assert "did not begin: does the worker run" in capsys.readouterr().err
    assert main(["--root", "/nowhere"]) == 2
