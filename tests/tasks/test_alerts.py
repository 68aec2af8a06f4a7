"""Alerts, heard over real HTTP by a receiver on loopback."""

import json
from collections.abc import Iterator

import pytest

from kindex.core import outbox
from kindex.core.layout import Layout
from tasks import alerts
from tasks.alerts import Event, queue, raise_and_send, send
from tasks.environment import Server
from tasks.receivers import by_apprise
from tests.tasks.hearing import Heard, hearing

NOBODY = Server("ephemeral")
HELD = Event("held", "m", "link recall fell", "/p/report.html", "kindex diff m v0001 v0002")
FINE = Event("fine", "m")


@pytest.fixture
def layout(tmp_path) -> Layout:
    (tmp_path / "params.yaml").write_text("")
    return Layout(tmp_path)


@pytest.fixture
def heard(monkeypatch) -> Iterator[Heard]:
    with hearing() as found:
        monkeypatch.setenv("KINDEX_ALERT_URLS", found.url())
        yield found


def waiting(layout: Layout) -> list[outbox.Message]:
    return outbox.pending(queue(layout))


def test_a_message_carries_the_reason_the_report_and_the_command_to_look_closer(layout, heard):
    assert raise_and_send(layout, NOBODY, [HELD], "2026-11-21") == []
    (message,) = heard.messages
    assert message["title"] == "kindex: m held (night 2026-11-21)"
    body = f"link recall fell\nreport: /p/report.html\nlook: kindex diff m v0001 v0002\nproject: {layout.root}"
    assert message["message"] == body
    assert message["type"] == "warning"


def test_the_same_event_of_the_same_night_is_told_once_and_recovery_once(layout, heard):
    for _ in range(3):
        raise_and_send(layout, NOBODY, [HELD], "2026-11-21")
    raise_and_send(layout, NOBODY, [HELD], "2026-11-22")
    for _ in range(3):
        raise_and_send(layout, NOBODY, [FINE], "2026-11-23")
    raise_and_send(layout, NOBODY, [HELD], "2026-11-23")
    assert heard.titles == [
        "kindex: m held (night 2026-11-21)",
        "kindex: m held (night 2026-11-22)",
        "kindex: m recovered (night 2026-11-23)",
        "kindex: m held (night 2026-11-23)",
    ]
    assert "it was held on 2026-11-22" in heard.messages[2]["message"]


def test_one_subjects_recovery_is_not_anothers(layout, heard):
    raise_and_send(layout, NOBODY, [HELD, Event("failed", "n", "broke")], "2026-11-21")
    raise_and_send(layout, NOBODY, [FINE], "2026-11-22")
    assert heard.titles[2:] == ["kindex: m recovered (night 2026-11-22)"]
    assert json.loads((layout.var / "alerts.json").read_text()) == {"n": {"kind": "failed", "night": "2026-11-21"}}


def test_a_receiver_that_is_down_gets_it_later_and_once(layout, heard):
    heard.status = 500
    (notice,) = raise_and_send(layout, NOBODY, [HELD], "2026-11-21")
    assert notice == "1 wait: not taken by json. `python -m tasks.alerts send` tries again"
    assert heard.messages == []
    heard.status = 200
    assert send(layout, NOBODY) == []
    assert send(layout, NOBODY) == []
    assert len(heard.messages) == 1


def test_of_two_receivers_the_one_that_heard_does_not_hear_again(layout, heard, monkeypatch):
    with hearing() as other:
        monkeypatch.setenv("KINDEX_ALERT_URLS", f"{heard.url()} {other.url()}")
        other.status = 503
        raise_and_send(layout, NOBODY, [HELD], "2026-11-21")
        other.status = 200
        assert raise_and_send(layout, NOBODY, [], "2026-11-22") == []
        assert (len(heard.messages), len(other.messages)) == (1, 1)
    assert json.loads((layout.var / "alerts-told.json").read_text()) == {}


def test_late_and_skipped_do_not_replace_a_failure_that_waits(layout, heard):
    heard.status = 500
    raise_and_send(layout, NOBODY, [Event("failed", "night", "a source is down")], "2026-11-21")
    raise_and_send(layout, NOBODY, [Event("late", "night", "did not begin")], "2026-11-22")
    raise_and_send(layout, NOBODY, [Event("skipped", "night", "paused")], "2026-11-22")
    heard.status = 200
    send(layout, NOBODY)
    assert [title.split()[2] for title in heard.titles] == ["failed", "late", "skipped"]


def test_without_a_receiver_nothing_is_kept_but_what_is_in_trouble(layout, monkeypatch):
    monkeypatch.delenv("KINDEX_ALERT_URLS", raising=False)
    assert raise_and_send(layout, NOBODY, [HELD], "2026-11-21") == []
    assert waiting(layout) == []
    assert json.loads((layout.var / "alerts.json").read_text())["m"]["kind"] == "held"


def test_a_block_whose_server_is_down_gets_its_messages_later(layout, heard, monkeypatch):
    """The block is pretended here; `tests/flows/test_served.py` has a real one."""
    up, down = Server("given", "http://x/api"), Server("down", "http://x/api", "refused")
    url = heard.url()
    monkeypatch.delenv("KINDEX_ALERT_URLS")
    monkeypatch.setattr("tasks.receivers.from_block", lambda name: [by_apprise(url)])
    assert raise_and_send(layout, down, [HELD], "2026-11-20") == []
    assert waiting(layout) == [], "nobody knows of a block yet"
    raise_and_send(layout, up, [HELD], "2026-11-21")
    (notice,) = raise_and_send(layout, down, [HELD], "2026-11-22")
    assert notice.startswith("1 wait: KINDEX_ALERT_URLS is not set, and Prefect's server")
    assert send(layout, up) == []
    assert [title[-11:-1] for title in heard.titles] == ["2026-11-21", "2026-11-22"]


def test_a_server_without_a_block_hears_nothing_and_nothing_waits(layout, monkeypatch):
    monkeypatch.delenv("KINDEX_ALERT_URLS", raising=False)
    monkeypatch.setattr("tasks.receivers.from_block", lambda name: [])
    assert raise_and_send(layout, Server("standing", "http://x/api"), [HELD], "2026-11-21") == []
    assert waiting(layout) == []


@pytest.mark.parametrize("url", ["jsn://127.0.0.1/s3cret-t0ken", "s3cret-t0ken", "json://s3cret-t0ken@:x/"])
def test_an_address_that_cannot_be_read_is_never_repeated(layout, monkeypatch, capsys, caplog, url):
    monkeypatch.setenv("KINDEX_ALERT_URLS", url)
    (notice,) = raise_and_send(layout, NOBODY, [HELD], "2026-11-21")
    assert "not taken by" in notice
    written = "".join(path.read_text() for path in layout.var.rglob("*") if path.is_file())
    said = capsys.readouterr()
    assert "s3cret" not in notice + written + said.out + said.err + caplog.text


def test_secrets_in_a_reason_are_hidden(layout, heard, monkeypatch, caplog, capfd):
    monkeypatch.setenv("SHOP_PASSWORD", "canary-7Qx")
    monkeypatch.setenv("MY_API_KEY", "canary-9Zz")
    reason = f"postgresql://bob:hunter22@db/shop refused canary-7Qx and canary-9Zz via {heard.url()}"
    heard.status = 500
    (notice,) = raise_and_send(layout, NOBODY, [Event("failed", "m", reason)], "2026-11-21")
    heard.status = 200
    send(layout, NOBODY)
    said = capfd.readouterr()
    written = "".join(path.read_text() for path in layout.var.rglob("*") if path.is_file())
    everywhere = json.dumps(heard.messages) + notice + said.out + said.err + caplog.text + written
    for secret in ("hunter22", "canary", "s3cret"):
        assert secret not in everywhere
    assert "postgresql://***@db/shop refused *** and ***" in heard.messages[0]["message"]


def test_a_long_reason_is_cut(layout, heard):
    raise_and_send(layout, NOBODY, [Event("failed", "m", "x" * 100_000)], "2026-11-21")
    assert len(heard.messages[0]["message"]) < 1700


def test_the_command_line_sends_what_waits_and_tries_a_receiver(layout, heard, capsys, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert alerts.main(["test", "--root", str(layout.root)]) == 0
    assert heard.titles == ["kindex: test skipped (night none)"]
    heard.status = 500
    raise_and_send(layout, NOBODY, [HELD], "2026-11-21")
    assert alerts.main(["send", "--root", str(layout.root)]) == 6
    heard.status = 200
    assert alerts.main(["send", "--root", str(layout.root)]) == 0
    assert len(heard.messages) == 2
    monkeypatch.delenv("KINDEX_ALERT_URLS")
    assert alerts.main(["test", "--root", str(layout.root)]) == 6
    assert "KINDEX_ALERT_URLS is not set, and Prefect's server" in capsys.readouterr().err
    assert alerts.tried(layout, NOBODY) == [
        "nobody hears alerts: set KINDEX_ALERT_URLS, or make Prefect's block secret/kindex-alerts"
    ]
