"""Offsets of corrected neighbours, as the index stage writes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kindex.core.hubs import CORRECTIONS, correct_space, read_offsets
from kindex.core.layout import Layout
from kindex.core.space import read_space, write_space
from tests.stages.small_project import contents, linked_project, params, run, space_of


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_offsets_are_written_when_neighbours_are_corrected(tmp_path: Path, correction: str) -> None:
    layout = linked_project(tmp_path)
    of = params("pairs")
    of = replace(of, indexes={"small-model": replace(of.indexes["small-model"], neighbours=correction)})
    out, _ = run("index", layout, of)
    assert {"offsets/book.parquet", "offsets/reader.parquet"} < set(contents(out))
    space = read_space(layout.out("train", "small-model") / "spaces" / "book.parquet")
    found = read_offsets(out / "offsets" / "book.parquet", space)
    np.testing.assert_array_equal(found.offset_N, correct_space(correction, space).offset_N)
    again, _ = run("index", layout, of, "-again")
    assert contents(out) == contents(again)


def test_a_large_space_asks_its_index_for_neighbourhoods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kindex.stages.index.EXACT_NEIGHBOURHOODS", 100)
    layout = Layout(tmp_path)
    space = space_of(600)
    write_space(layout.out("train", "small-model") / "spaces" / "thing.parquet", space)
    of = params("pairs", "IVF16,Flat")
    of = replace(of, indexes={"small-model": replace(of.indexes["small-model"], neighbours="local_scaling")})
    out, _ = run("index", layout, of)
    found = read_offsets(out / "offsets" / "thing.parquet", space).offset_N
    exact = correct_space("local_scaling", space).offset_N
    assert (found <= exact + 1e-6).all() and np.abs(found - exact).mean() < 0.01 and (found != exact).any()
