"""A fit of links on disk, some of them in memory at a time, against the same fit in memory."""

from pathlib import Path

import numpy as np
import pytest

from kindex.core.scratch import Scratch
from kindex.core.watch import Silent
from kindex.encoders import pairs
from kindex.encoders.pairs import fitting, observed
from kindex.encoders.parts import turning
from tests.encoders.pairs.test_observed import catalogue, shuffled


class OnDisk(Silent):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.scratch = folder


@pytest.mark.parametrize("settings", [{}, {"objective": "spectral"}, {"objective": "softmax", "epochs": 2}])
@pytest.mark.parametrize(("weighted", "one_kind"), [(True, False), (False, True)])
def test_links_on_disk_make_the_same_vectors(
    settings: dict[str, object], weighted: bool, one_kind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MANY", 100)
    monkeypatch.setattr(fitting, "SOME", 120)
    monkeypatch.setattr("kindex.core.scratch.ROWS", 50)
    rows = shuffled(weighted, weighted, one_kind)
    rows = sorted(rows, key=lambda row: (row["left_kind"], row["left"].encode(), row["right_kind"], row["right"].encode()))
    config = pairs.Config(dimensions=4, **settings)
    made = [pairs.fit(catalogue(rows), config, rng=np.random.default_rng(0), watch=Silent())]
    monkeypatch.setattr(observed, "ON_DISK", 1)
    monkeypatch.setattr(turning, "PART", 40)
    monkeypatch.setattr("kindex.core.scratch.ROWS", 30)
    assert isinstance(observed.observe(catalogue(rows), tmp_path).right_P, Scratch)
    made.append(pairs.fit(catalogue(rows), config, rng=np.random.default_rng(0), watch=OnDisk(tmp_path)))
    for one, other in zip(*((encoder.left_LD, encoder.right_RD) for encoder in made), strict=True):
        np.testing.assert_array_equal(one, other)
    assert made[0].about == made[1].about
    assert not list(tmp_path.iterdir())
