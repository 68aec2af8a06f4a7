"""dvc.lock while DVC writes it, and as a flow left it that was killed meanwhile."""

import threading

import pytest
import yaml

from kindex.core.errors import DamagedError
from kindex.core.layout import Layout
from tasks import dvclock
from tasks.dvclock import kept, mend, recorded

ENTRY = {"cmd": "make", "outs": [{"path": "data/a", "md5": "0" * 32, "size": 1}]}
WHOLE = yaml.safe_dump({"schema": "2.0", "stages": {"ingest@a": ENTRY, "train@a": ENTRY}}, sort_keys=False)
LONGER = yaml.safe_dump({"schema": "2.0", "stages": {"ingest@a": ENTRY, "train@a": ENTRY, "x": ENTRY}}, sort_keys=False)


class KilledError(BaseException):
    pass


def killed(layout: Layout, left: str | None) -> str:
    """What dvc.lock says after a flow that found it whole was killed when it said `left`, and the next one began."""
    lock = layout.root / "dvc.lock"
    lock.write_text(WHOLE)
    with pytest.raises(KilledError), kept(layout):
        lock.unlink() if left is None else lock.write_text(left)
        raise KilledError
    mend(layout)
    assert not list(layout.var.glob("dvc.lock*"))
    return lock.read_text()


@pytest.mark.parametrize("cut", [0, 5, 12, 20, 30, 60, 100, 130, len(WHOLE) // 2 + 20])
def test_a_file_that_was_cut_comes_back(tmp_path, cut):
    assert killed(Layout(tmp_path), WHOLE[:cut]) == WHOLE


@pytest.mark.parametrize("left", [None, "schema: '2.0'\nstages: [1]\n", "a: {b: [\n"])
def test_so_does_one_that_is_gone_or_is_no_list_of_stages(tmp_path, left):
    assert killed(Layout(tmp_path), left) == WHOLE


@pytest.mark.parametrize("cut", [0, 12, 60, len(WHOLE) // 2])
def test_the_first_file_of_all_goes_when_it_was_cut(tmp_path, cut):
    layout, lock = Layout(tmp_path), tmp_path / "dvc.lock"
    with pytest.raises(KilledError), kept(layout):
        lock.write_text(WHOLE[:cut])
        raise KilledError
    mend(layout)
    assert not lock.exists() and not list(layout.var.glob("dvc.lock*"))


def test_what_was_written_to_its_end_stays(tmp_path):
    assert killed(Layout(tmp_path), LONGER) == LONGER


def test_nothing_is_touched_after_a_stage_that_ended_or_failed(tmp_path):
    layout, lock = Layout(tmp_path), tmp_path / "dvc.lock"
    mend(layout)
    assert not lock.exists()
    with kept(layout):
        lock.write_text("first time")
    mend(layout)
    assert lock.read_text() == "first time"
    lock.write_text(WHOLE)
    with pytest.raises(ValueError, match="failed"), kept(layout):
        raise ValueError("failed")
    mend(layout)
    assert lock.read_text() == WHOLE and not list(layout.var.glob("dvc.lock*"))


@pytest.mark.parametrize("cut", [0, 5, 12, 20, 30, 60, 100, 130, len(WHOLE) // 2 + 20])
def test_a_reader_meets_what_it_said_before_while_it_is_written(tmp_path, cut):
    layout, lock = Layout(tmp_path), tmp_path / "dvc.lock"
    assert recorded(layout) == {}
    lock.write_text(WHOLE)
    with kept(layout):
        lock.write_text(LONGER[:cut])
        assert recorded(layout).keys() == {"ingest@a", "train@a"}
        lock.write_text(LONGER)
        assert recorded(layout).keys() == {"ingest@a", "train@a", "x"}
    assert recorded(layout).keys() == {"ingest@a", "train@a", "x"}


def test_a_reader_waits_for_the_first_file_of_all(tmp_path):
    layout, lock = Layout(tmp_path), tmp_path / "dvc.lock"
    with kept(layout):
        lock.write_text(WHOLE[:60])
        writer = threading.Timer(0.3, lock.write_text, [WHOLE])
        writer.start()
        assert recorded(layout).keys() == {"ingest@a", "train@a"}


def test_what_is_no_dvc_lock_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dvclock, "PAUSE", 0.0)
    (tmp_path / "dvc.lock").write_text("<<<<<<< HEAD\n" + WHOLE)
    with pytest.raises(DamagedError, match=r"dvc\.lock is not what DVC writes"):
        recorded(Layout(tmp_path))
