"""The watch of a stage: history that winds back, checkpoints of one identity, damage that begins again."""

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kindex.core.errors import MetricGateError
from kindex.stages.parts.terminal import TerminalWatch

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.asfortranarray(np.arange(6.0).reshape(2, 3))}


def watch(folder: Path, identity: object = "one") -> TerminalWatch:
    made = TerminalWatch("train m", folder / "history.jsonl", folder / "checkpoint")
    made.bind(identity)
    return made


def test_a_checkpoint_comes_back_with_its_history(tmp_path: Path) -> None:
    first = watch(tmp_path)
    first.record(epoch=1, loss=0.5)
    first.save(ARRAYS, {"epoch": 1})
    first.record(epoch=2, loss=0.4)
    found = watch(tmp_path).resume()
    assert found is not None
    assert found[1] == {"epoch": 1}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[0][name], array)
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert lines == [{"epoch": 1.0, "loss": 0.5}]


def test_another_identity_or_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert watch(tmp_path).resume() is None
    watch(tmp_path).save(ARRAYS, {})
    assert watch(tmp_path, "two").resume() is None
    watch(tmp_path).forget()
    assert watch(tmp_path).resume() is None


@pytest.mark.parametrize("name", ["arrays.safetensors", "state.json"])
def test_a_damaged_checkpoint_begins_again_with_a_word(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    watch(tmp_path).save(ARRAYS, {})
    path = tmp_path / "checkpoint" / name
    content = path.read_bytes()
    for damaged in (content[:-9], content[:-5] + bytes([content[-5] ^ 1]) + content[-4:], b""):
        path.write_bytes(damaged)
        assert watch(tmp_path).resume() is None
        assert "damaged" in capsys.readouterr().err


def test_a_checkpoint_of_another_format_begins_again_even_with_its_sha256(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch(tmp_path).save(ARRAYS, {})
    folder, content = tmp_path / "checkpoint", pickle.dumps({"a": 1})
    (folder / "arrays.safetensors").write_bytes(content)
    kept = json.loads((folder / "state.json").read_text()) | {"sha256": hashlib.sha256(content).hexdigest()}
    (folder / "state.json").write_text(json.dumps(kept))
    assert watch(tmp_path).resume() is None
    assert "damaged" in capsys.readouterr().err


def test_the_former_checkpoint_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(tmp_path).save(ARRAYS, {"epoch": 1})
    monkeypatch.setattr("kindex.stages.parts.terminal.write_atomic", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        watch(tmp_path).save(ARRAYS, {"epoch": 2})
    found = watch(tmp_path).resume()
    assert found is not None and found[1] == {"epoch": 1}


def test_nan_and_infinity_are_refused_by_name(tmp_path: Path) -> None:
    for value in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(MetricGateError, match=r"diverged at epoch 3\.0: loss is -?(nan|inf)"):
            watch(tmp_path).record(epoch=3, loss=value)
    assert not (tmp_path / "history.jsonl").exists()


def test_a_log_gets_lines_for_what_takes_long_and_nothing_for_the_rest(tmp_path: Path, capsys, monkeypatch) -> None:
    assert list(watch(tmp_path).progress(range(3), "quick", 3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("kindex.stages.parts.terminal.LOG_SECONDS", 0.0)
    assert list(watch(tmp_path).progress(range(3), "counting", 3, "sheep")) == [0, 1, 2]
    said = capsys.readouterr().err
    assert "\r" not in said
    assert said.splitlines()[-1].startswith("train m: counting: 100%") and "3.00/3.00" in said and "sheep/s" in said


def test_progress_passes_everything_on(tmp_path: Path) -> None:
    assert list(watch(tmp_path).progress(range(5), "counting", 5)) == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_a_stage_does_not_count_the_memory_of_what_started_it() -> None:
    """Linux hands the parent's peak on to ru_maxrss when a process is replaced."""
    held = "held = bytearray(300_000_000); held[::4096] = b'1' * len(held[::4096])"
    asked = "from kindex.stages.parts.running import _own_peak_kb; print(_own_peak_kb())"
    parent = f"import os, sys; {held}; os.execv(sys.executable, [sys.executable, '-c', {asked!r}])"
    printed = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    assert 1_000 < int(printed) < 150_000
