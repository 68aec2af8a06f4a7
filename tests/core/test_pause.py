from datetime import UTC, datetime

import pytest

from kindex.core import pause
from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from kindex.core.pause import Pause

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


def test_a_pause_holds_until_it_is_cleared(tmp_path):
    layout = Layout(tmp_path)
    assert pause.read(layout, NOW) is None
    assert not pause.clear(layout)
    pause.write(layout, Pause("the disk is moved", "2026-11-20T09:00+00:00"))
    found = pause.read(layout, NOW)
    assert str(found) == "paused since 2026-11-20T09:00+00:00: the disk is moved"
    assert pause.clear(layout)
    assert pause.read(layout, NOW) is None


@pytest.mark.parametrize(
    ("until", "holds"),
    [("2026-11-22", True), ("2026-11-21", False), ("2026-11-21T03:00+01:00", False), ("2026-11-21T03:00", True)],
)
def test_a_pause_with_an_end_ends_by_itself(tmp_path, until, holds):
    layout = Layout(tmp_path)
    pause.write(layout, Pause("a holiday", "2026-11-20T09:00+00:00", pause.moment(until)))
    assert (pause.read(layout, NOW) is not None) == holds


@pytest.mark.parametrize("text", ["", "{", "[]", '{"because": "x"}', '{"because": "x", "since": "y", "until": "soon"}'])
def test_a_file_that_cannot_be_read_still_pauses(tmp_path, text):
    layout = Layout(tmp_path)
    layout.var.mkdir()
    pause.path(layout).write_text(text)
    found = pause.read(layout, NOW)
    assert found is not None
    assert "cannot be read" in found.because


def test_a_wrong_end_names_what_is_allowed():
    with pytest.raises(ConfigError, match=r"--until is 'soon', allowed: YYYY-MM-DD"):
        pause.moment("soon")
