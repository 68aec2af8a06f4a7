"""A full disk is found before work begins."""

import pytest

from flows.opening import opened
from flows.options import Options
from kindex.core.errors import OutsideError
from kindex.core.layout import Layout
from tasks import room
from tasks.clock import Clock

OUTS = "[{path: a, md5: c, size: 3000000000000000}, {path: b, md5: d, size: 5}]"
LOCK = f"schema: '2.0'\nstages:\n  train@m: {{cmd: make, outs: {OUTS}}}\n"


@pytest.fixture
def layout(tmp_path) -> Layout:
    (tmp_path / "params.yaml").write_text("")
    (tmp_path / "dvc.lock").write_text(LOCK)
    return Layout(tmp_path)


def test_a_target_needs_what_it_made_the_last_time_and_some_more(layout):
    assert room.made_before(layout, "train@m") == 3_000_000_000_000_005
    with pytest.raises(OutsideError, match=r"train@m needs 6,000,000,020 MB below .*, which has [\d,]+ MB free"):
        room.require(layout, "train@m")
    room.require(layout, "train@new")
    (layout.root / "dvc.lock").unlink()
    room.require(layout, "train@m")


def test_a_night_on_a_full_disk_says_what_it_needs_and_writes_nothing(layout, monkeypatch):
    monkeypatch.setattr(room, "SPARE_BYTES", 10**18)
    options = Options("2026-11-21", str(layout.root))
    with pytest.raises(OutsideError, match=r"a night needs 1,000,000,000,000 MB below"), opened(options, Clock()):
        pass
    assert not layout.var.exists()
