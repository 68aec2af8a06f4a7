"""The files source on published data sets, where they are at hand."""

import os
from pathlib import Path

import pyarrow.compute as pc
import pytest

from kindex.core.watch import Silent
from kindex.sources import files

SETS = Path(os.environ.get("KINDEX_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = pytest.mark.skipif(not SETS.is_dir(), reason="no shared data sets here")


def read(**settings):
    config = files.Config(**settings)
    return files.read(config, files.snapshot(config, SETS), SETS, Silent())


def test_listeners_and_artists_with_their_own_division():
    found = read(
        links="lastfm/train.parquet", heldout="lastfm/test.parquet", left="user", right="item", weight="weight",
        left_kind="user", right_kind="artist",
    )  # fmt: skip
    assert found.refused.num_rows == 0
    assert pc.sum(found.catalogue.links["heldout"]).as_py() == 10_533 and found.catalogue.links.num_rows == 52_668


def test_a_graph_with_labelled_nodes():
    found = read(
        links="graph-cora/edges.parquet", left="source", right="target", left_kind="paper", right_kind="paper",
        items="graph-cora/nodes.parquet", id="node", label="label",
    )  # fmt: skip
    assert (found.catalogue.links.num_rows, found.catalogue.items.num_rows) == (5_278, 2_708)
    assert len(pc.unique(found.catalogue.items["label"])) == 7


def test_photographs_of_objects():
    found = read(images="coil20/images.parquet", image="png", id=["object", "view"], label="object")
    assert found.catalogue.images.num_rows == 1_000 and found.refused.num_rows == 0
