"""Promise 9: a run that wakes up late publishes nothing, in whatever order the two runs' steps come."""

import random
from collections.abc import Iterator

import pytest

from kindex.core import publish, release
from kindex.core.errors import BusyError, ConfigError, OutsideError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout
from kindex.core.pointer import promote
from tasks import fencing

MODEL = "m"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(fencing, "WAIT", 0.0)


def run(layout: Layout, night: str, log: list[str]) -> Iterator[None]:
    """One run, a step at a time, as `flows.night` and `tasks.releases` take them. It gives up when it is refused."""
    releases = layout.releases(MODEL)
    while True:
        try:
            fence = fencing.take(layout, night, [MODEL], f"{night}T02:00:00+00:00")
            break
        except BusyError:  # the other publishes just now
            yield
    log.append(f"{night} began")
    yield
    try:
        fence.check()  # before a stage
        yield
        with fence.held():
            yield
            pointer = release.current(releases)
            yield
            content = {"report.json": f'{{"night": "{night}"}}'.encode()}
            manifest, _ = publish.build(releases, MODEL, content, {}, {"night": night})
            yield
            promote(releases, manifest.version, pointer.version if pointer else None)
            log.append(f"{night} live")
    except BusyError:
        log.append(f"{night} refused")


def interleave(steps: list[Iterator[None]], chooser: random.Random) -> None:
    """Step one or the other until both have ended."""
    while steps:
        one = chooser.choice(steps)
        if next(one, "ended") == "ended":
            steps.remove(one)


@pytest.mark.parametrize("count", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_of_many_interleavings_none_lets_the_late_run_publish_over_the_newer_one(tmp_path, count):
    seen: set[str] = set()
    for seed in range(count):
        layout, log = Layout(tmp_path / str(seed)), []
        late, newer = run(layout, "2026-11-20", log), run(layout, "2026-11-21", log)
        next(late)  # it began first; then the mutex of the night failed
        interleave([late, newer], random.Random(seed))
        live = release.live(layout.releases(MODEL))
        assert live.about["night"] == "2026-11-21", log
        assert log.index("2026-11-21 began") < log.index("2026-11-21 live")
        assert "2026-11-20 live" not in log[log.index("2026-11-21 began") :], "it published after a newer run began"
        seen |= set(log)
    assert {"2026-11-20 live", "2026-11-20 refused"} <= seen, "both orders were met"


def test_without_a_fence_compare_and_swap_alone_still_refuses_what_was_judged_against_a_former_release(tmp_path):
    releases = tmp_path / MODEL
    first, _ = publish.build(releases, MODEL, {"a": b"1"}, {}, {})
    promote(releases, first.version, None)
    late, _ = publish.build(releases, MODEL, {"a": b"2"}, {}, {})
    newer, _ = publish.build(releases, MODEL, {"a": b"3"}, {}, {})
    promote(releases, newer.version, first.version)
    with pytest.raises(BusyError, match="another run published first"):
        promote(releases, late.version, first.version)


def test_a_night_that_goes_back_is_refused_with_what_to_do(tmp_path):
    layout = Layout(tmp_path)
    fencing.take(layout, "2026-11-21", ["a", "b"], "2026-11-21T02:00:00+00:00")
    fencing.take(layout, "2026-11-22", ["b"], "2026-11-22T02:00:00+00:00")
    fencing.require_in_order(layout, "2026-11-21", ["a"], by_clock=True)
    fencing.require_in_order(layout, "2026-11-19", ["new"], by_clock=True)
    with pytest.raises(OutsideError, match=r"b had its night of 2026-11-22 already: the clock went back.*fence\.json"):
        fencing.require_in_order(layout, "2026-11-20", ["a", "b"], by_clock=True)
    with pytest.raises(ConfigError, match=r"2026-11-20 lies before 2026-11-21, the last night of a.*--force"):
        fencing.require_in_order(layout, "2026-11-20", ["a"], by_clock=False)


def test_a_night_that_is_passed_over_counts_but_begins_no_run(tmp_path):
    layout = Layout(tmp_path)
    fence = fencing.take(layout, "2026-11-20", ["a"], "2026-11-20T02:00:00+00:00")
    fencing.pass_over(layout, "2026-11-21", ["a"], "2026-11-21T02:00:00+00:00")
    fence.check()
    assert fencing.nights(layout) == {"a": "2026-11-21"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"token": "x", "nights": {}}', b'{"token": 1, "nights": {"a": 3}}'])
def test_a_damaged_fence_stops_nobody_and_readmits_nobody(tmp_path, content):
    layout = Layout(tmp_path)
    fencing.take(layout, "2026-11-20", ["a"], "")
    late = fencing.take(layout, "2026-11-20", ["a"], "")
    write_atomic(layout.var / "fence.json", content)
    assert fencing.nights(layout) == {}
    fencing.take(layout, "2026-11-21", ["a"], "2026-11-21T02:00:00+00:00").check()
    with pytest.raises(BusyError):
        late.check()
