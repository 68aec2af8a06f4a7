"""The outbox: order, replacement, delivery once, and death between any two steps."""

import json
import os

import pytest

from kindex.core import files, outbox
from kindex.core.errors import DamagedError


def waiting(folder):
    return [(message.kind, message.key, message.payload) for message in outbox.pending(folder)]


def test_messages_wait_in_order_until_they_are_done(tmp_path):
    for number in range(12):
        outbox.put(tmp_path, "model", {"n": number}, f"key{number}")
    assert [payload["n"] for _, _, payload in waiting(tmp_path)] == list(range(12))
    for message in outbox.pending(tmp_path)[:5]:
        outbox.done(message)
    assert [payload["n"] for _, _, payload in waiting(tmp_path)] == list(range(5, 12))


def test_a_pending_message_is_replaced_and_goes_to_the_end(tmp_path):
    outbox.put(tmp_path, "aliases", {"champion": "v1"}, "m")
    outbox.put(tmp_path, "model", {"version": "v2"}, "m/v2")
    outbox.put(tmp_path, "aliases", {"champion": "v2"}, "m")  # v2 must be known before an alias names it
    assert waiting(tmp_path) == [("model", "m/v2", {"version": "v2"}), ("aliases", "m", {"champion": "v2"})]


def test_what_was_delivered_last_is_not_delivered_again_but_news_is(tmp_path):
    outbox.put(tmp_path, "aliases", {"champion": "v1"}, "m")
    outbox.done(outbox.pending(tmp_path)[0])
    assert outbox.put(tmp_path, "aliases", {"champion": "v1"}, "m") is None
    assert outbox.put(tmp_path, "aliases", {"champion": "v2"}, "m") is not None
    assert outbox.put(tmp_path, "aliases", {"champion": "v1"}, "m") is not None  # v2 may have arrived: say v1 again
    assert waiting(tmp_path) == [("aliases", "m", {"champion": "v1"})]


def test_numbers_go_on_after_everything_was_delivered(tmp_path):
    outbox.put(tmp_path, "aliases", {"champion": "v1"}, "m")
    outbox.done(outbox.pending(tmp_path)[0])
    message = outbox.put(tmp_path, "aliases", {"champion": "v2"}, "m")
    assert message is not None and message.number == 2
    assert waiting(tmp_path) == [("aliases", "m", {"champion": "v2"})]


def test_a_failure_is_counted_and_hides_credentials(tmp_path):
    outbox.put(tmp_path, "model", {"n": 1}, "k")
    outbox.failed(outbox.pending(tmp_path)[0], "https://me:canary@host/api refused " + "x" * 1000)
    (message,) = outbox.pending(tmp_path)
    assert message.attempts == 1
    assert message.reason.startswith("https://***@host/api refused") and len(message.reason) == 500
    outbox.put(tmp_path, "model", {"n": 2}, "k")
    outbox.failed(message, "late")  # it was replaced meanwhile and must not come back
    assert waiting(tmp_path) == [("model", "k", {"n": 2})]


def test_death_between_delivery_and_removal_does_not_deliver_twice(tmp_path):
    outbox.put(tmp_path, "model", {"n": 1}, "k")
    (message,) = outbox.pending(tmp_path)
    content = message.path.read_bytes()
    outbox.done(message)
    message.path.write_bytes(content)  # as if the removal had not happened
    assert waiting(tmp_path) == []
    assert not message.path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": 1}', b"\xff\xfe"])
def test_a_damaged_message_is_set_aside_and_blocks_nothing(tmp_path, content):
    outbox.put(tmp_path, "model", {"n": 1}, "k")
    (tmp_path / "00000000-model-0.json").write_bytes(content)
    assert waiting(tmp_path) == [("model", "k", {"n": 1})]
    assert [path.name for path in outbox.damaged(tmp_path)] == ["00000000-model-0.json"]


def test_hostile_keys_stay_in_the_folder_and_kinds_are_words(tmp_path):
    outbox.put(tmp_path / "box", "model", {}, "../../x\0<script>")
    assert waiting(tmp_path / "box") == [("model", "../../x\0<script>", {})]
    assert [path.name for path in tmp_path.iterdir()] == ["box"]
    with pytest.raises(ValueError, match="kind is"):
        outbox.put(tmp_path, "../model", {}, "k")


def test_a_full_disk_at_any_step_loses_neither_the_old_nor_the_new_message(tmp_path, monkeypatch):
    for step in range(1, 10):
        folder = tmp_path / str(step)
        outbox.put(folder, "aliases", {"champion": "v1"}, "m")
        files._reached = 0
        monkeypatch.setenv("KINDEX_FAULT", f"{step}:enospc")
        try:
            outbox.put(folder, "aliases", {"champion": "v2"}, "m")
            finished = True
        except OSError:
            finished = False
        monkeypatch.delenv("KINDEX_FAULT")
        assert waiting(folder)[-1][2]["champion"] in ({"v2"} if finished else {"v1", "v2"})
        outbox.put(folder, "aliases", {"champion": "v2"}, "m")
        assert waiting(folder)[-1] == ("aliases", "m", {"champion": "v2"})
        if finished:
            break
    assert finished and step == 5  # write, fsync, rename, fsync of the folder: then none is left


def test_a_delivered_marker_is_json_and_its_damage_is_named(tmp_path):
    outbox.put(tmp_path, "model", {"n": 1}, "k")
    (message,) = outbox.pending(tmp_path)
    outbox.done(message)
    assert set(json.loads(message.marker.read_bytes())) == {"number", "sha256"}
    os.truncate(message.marker, 3)
    with pytest.raises(DamagedError, match="delivered"):
        outbox.put(tmp_path, "model", {"n": 2}, "k")
