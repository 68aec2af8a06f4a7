"""`kindex pause` and `kindex resume`, without a Prefect server."""

from datetime import UTC, datetime, timedelta

import pytest

from kindex.cli import pausing
from kindex.core import pause
from kindex.core.errors import ConfigError
from kindex.core.layout import Layout


@pytest.fixture
def layout(tmp_path, monkeypatch) -> Layout:
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    monkeypatch.setattr(pausing, "_told", lambda layout, verb: f"Prefect was told to {verb}")
    return Layout(tmp_path)


def test_pause_and_resume(layout, capsys):
    pausing.pause("the disk is moved")
    said = capsys.readouterr().out
    assert ": the disk is moved\nPrefect was told to pause\n" in said
    assert pause.read(layout) is not None
    pausing.resume()
    assert capsys.readouterr().out == "nights go on\nPrefect was told to resume\n"
    assert pause.read(layout) is None
    pausing.resume()
    assert capsys.readouterr().out.startswith("nights were not paused\n")


def test_a_pause_with_an_end_leaves_prefects_schedule_alone(layout, capsys):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    pausing.pause("a holiday", tomorrow)
    assert capsys.readouterr().out.endswith(f"until {tomorrow}T00:00+00:00: a holiday\n")


@pytest.mark.parametrize(
    ("because", "until", "message"),
    [("", None, "--because is empty"), ("x", "soon", "allowed: YYYY-MM-DD"), ("x", "2020-01-01", "which is over")],
)
def test_a_wrong_pause_pauses_nothing(layout, because, until, message):
    with pytest.raises(ConfigError, match=message):
        pausing.pause(because, until)
    assert pause.read(layout) is None


@pytest.mark.parametrize(("verb", "said"), [("pause", "finds the nights paused"), ("resume", "again when it does")])
def test_without_a_server_the_command_says_what_that_means(tmp_path, monkeypatch, verb, said):
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert pausing._told(Layout(tmp_path), verb).endswith(said)
