"""A whole judgement of planted catalogues: the report is finite, the evidence agrees with it, twice the same."""

import base64
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from kindex.core import aside
from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, DataGateError
from kindex.core.params import EvaluateParams
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.core.watch import Silent
from kindex.judge.evidence import chosen_examples, well_known
from kindex.judge.findings import Findings, judge, main_kind
from kindex.judge.maps import pca_2d, tsne_2d
from kindex.judge.material import Material
from kindex.judge.told import Column
from tests.judge.small import items, links, planted, split_of

SETTINGS = EvaluateParams(bootstrap=20, sample_queries=100, map_items=120, examples=3, seed=1)


def picture_catalogue() -> Material:
    """Bright squares in one of two corners, with noise; the space is the corner's mean brightness."""
    rng = np.random.default_rng(0)
    names = [f"p{n:03}" for n in range(80)]
    pictures = {}
    for n, name in enumerate(names):
        image_HWC = 0.3 * rng.random((8, 8, 1)).astype(np.float32)
        corner = slice(0, 4) if n % 2 else slice(4, 8)
        image_HWC[corner, corner] += 0.6
        pictures[name] = image_HWC
    table = items(("image", names), labels={name: "upper" if n % 2 else "lower" for n, name in enumerate(names)})

    def side(chosen: list[int]) -> Catalogue:
        raw = pa.table({"id": [names[n] for n in chosen], "image": [b"png"] * len(chosen)})
        return Catalogue("pictures", {"items": table.take(pa.array(chosen)), "images": raw})

    vectors = np.stack([[image[:4, :4].mean(), image[4:, 4:].mean()] for image in pictures.values()])
    heldout = side([n for n in range(80) if n % 4 == 3 or n % 8 == 0])
    split = Split(side([n for n in range(80) if not (n % 4 == 3 or n % 8 == 0)]), heldout)
    rebuilt = np.stack([pictures[name] for name in heldout.images["id"].to_pylist()]) * 0.9
    space = Space("image", tuple(names), vectors.astype(np.float32))
    return Material(split, {"image": space}, {"image": 0.99}, pictures, rebuilt)


def digest(findings: Findings) -> str:
    return json.dumps([findings.report, findings.shown], sort_keys=True, allow_nan=False)


def test_links_from_report_to_map() -> None:
    split, spaces = planted()
    material = Material(split, spaces, {"reader": 0.97, "book": 1.0})
    found = judge(material, SETTINGS, "pairs", Silent())
    report = found.report
    assert list(report) == sorted(report) and all(np.isfinite(value) for value in report.values())
    assert report["index_recall_at_10"] == 0.97
    assert report["vectors_nan"] == report["vectors_zero"] == 0
    assert report["neighbour_agreement_at_10"] > 0.6 > report["neighbour_agreement_chance"]
    assert "raw_linear_probe_accuracy" in report and "reconstruction_mse" not in report
    headline = found.shown["headline"]
    assert headline["value"] == report["link_recall_at_10"] and headline["low"] == report["link_recall_at_10_low"]
    assert headline["baselines"] == {
        "popularity": report["popularity_link_recall_at_10"],
        "co-occurrence": report["cooccurrence_link_recall_at_10"],
        "SVD": report["svd_link_recall_at_10"],
    }
    assert [(p["k"], p["series"]) for p in found.shown["recall_curve"]][:5] == [
        (10, "pairs"), (10, "popularity"), (10, "co-occurrence"), (10, "SVD"), (20, "pairs"),
    ]  # fmt: skip
    places = found.shown["map"]
    assert places["kind"] == "reader" and len(places["items"]) == 120 and len(places["labels"]) == 20
    assert {item["id"] for item in places["items"]} >= {example["id"] for example in found.shown["examples"]}
    by_id = dict(zip(spaces["reader"].ids, spaces["reader"].unit_ND))
    for example in found.shown["examples"]:
        scores = [float(by_id[example["id"]] @ by_id[hit["id"]]) for hit in example["hits"]]
        assert [hit["score"] for hit in example["hits"]] == pytest.approx(scores, abs=1e-4) == sorted(scores, reverse=True)
        assert example["id"] not in [hit["id"] for hit in example["hits"]]
    assert len({example["label"] for example in found.shown["examples"]}) == 3
    assert digest(found) == digest(judge(material, SETTINGS, "pairs", Silent()))


def test_images_from_report_to_thumbnails() -> None:
    material = picture_catalogue()
    found = judge(material, SETTINGS, "autoencoder", Silent())
    report = found.report
    assert report["neighbour_agreement_at_10"] == 1.0 == report["linear_probe_accuracy"]
    assert report["neighbour_agreement_chance"] == pytest.approx(0.46, abs=0.1)
    assert {"raw_kmeans_nmi", "pca_reconstruction_mse", "mean_image_reconstruction_mse"} <= report.keys()
    assert report["reconstruction_mse"] < report["mean_image_reconstruction_mse"]
    assert found.shown["headline"]["metric"] == "neighbour_agreement_at_10"
    assert found.shown["recall_curve"] == []
    item = found.shown["map"]["items"][0]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(item["image"].partition(",")[2]))))
    np.testing.assert_array_equal(pixels, (material.images[item["id"]][:, :, 0] * 255).round())
    assert digest(found) == digest(judge(material, SETTINGS, "autoencoder", Silent()))


def test_broken_vectors_are_counted_and_do_not_break_other_numbers() -> None:
    split, spaces = planted()
    spaces["reader"].vectors_ND[5, 2] = np.nan
    report = judge(Material(split, spaces), SETTINGS, "pairs", Silent()).report
    assert report["vectors_nan"] == 1 and report["link_recall_at_10"] > 0.3


def test_what_the_data_do_not_allow_is_left_out() -> None:
    table = items(("reader", ["a", "c"]), ("book", ["b"]))
    split = split_of(table, links([("a", "b"), ("c", "b")]), links([]))
    spaces = {
        "reader": Space("reader", ("a", "c"), np.eye(2, dtype=np.float32), "cosine", "f"),
        "book": Space("book", ("b",), np.ones((1, 2), np.float32), "cosine", "f"),
    }
    found = judge(Material(split, spaces, {"reader": 1.0}), SETTINGS, "pairs", Silent())
    assert "link_recall_at_10" not in found.report and "linear_probe_accuracy" not in found.report
    assert found.shown["headline"]["metric"] == "index_recall_at_10"
    assert [item["id"] for item in found.shown["map"]["items"]] == ["a", "c"]
    empty = {"reader": Space("reader", (), np.empty((0, 2), np.float32))}
    with pytest.raises(DataGateError, match="no vectors"):
        judge(Material(split, empty), SETTINGS, "pairs", Silent())


def test_the_kind_that_asks_is_the_main_one() -> None:
    split, spaces = planted(readers=30, books=90)
    assert main_kind(split, spaces) == "reader"


def test_labels_of_one_kind_make_it_the_main_one() -> None:
    split, spaces = planted(readers=90, books=30)
    known = split.train.items.to_pylist()
    bare = [item if item["kind"] == "book" else {**item, "label": None, "description": None} for item in known]
    table = pa.Table.from_pylist(bare, split.train.items.schema)
    assert main_kind(split_of(table, split.train.links, split.heldout.links), spaces) == "book"


def test_the_best_known_come_first_one_for_each_label() -> None:
    table = items(("module", ["os", "re", "torch", "numpy"]), ("name", ["os", "torch", "re"]))
    train = links([("torch", "os"), ("numpy", "os"), ("re", "os"), ("numpy", "torch")], "module", "name")
    split = split_of(table, train, links([]))
    order = well_known(split, ("numpy", "os", "re", "torch")).order_N
    assert order.tolist() == [1, 3, 0, 2]  # os: 3 links lead to it; torch: 1; numpy: none, but 2 of its own
    assert chosen_examples(order, Column("label", ["far", "std"], np.array([0, 1, 1, 0])), 3) == [1, 3, 0]
    assert chosen_examples(order, Column("label", ["a", "b"], np.array([0, 1, 1, 1])), 2) == [1, 0]


def test_two_dimensions() -> None:
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(200, 2)) * [5, 1]
    turned = np.linalg.qr(rng.normal(size=(10, 10)))[0][:2]
    found = pca_2d((flat @ turned).astype(np.float32))
    np.testing.assert_allclose(np.abs(found[:, 0]), np.abs((flat - flat.mean(0))[:, 0]), atol=0.3)
    assert found.var(0) == pytest.approx([25, 1], rel=0.3)
    assert tsne_2d(np.ones((50, 3), np.float32), 1) is None and tsne_2d(flat[:5], 1) is None
    groups = np.repeat(np.eye(4) * 5, 30, axis=0) + 0.1 * rng.normal(size=(120, 4))
    places = tsne_2d(groups, 1)
    assert places is not None
    centres = places.reshape(4, 30, 2).mean(1)
    inside = np.abs(places.reshape(4, 30, 2) - centres[:, None]).max()
    assert inside < min(np.linalg.norm(centres[a] - centres[b]) for a in range(4) for b in range(a))


@pytest.mark.parametrize("catalogue", ["links", "pictures"])
def test_one_core_and_two_find_the_same(monkeypatch: pytest.MonkeyPatch, catalogue: str) -> None:
    found = []
    for count in (1, 2):
        monkeypatch.setattr(aside, "cores", lambda count=count: count)
        material = Material(*planted()) if catalogue == "links" else picture_catalogue()
        found.append(judge(material, SETTINGS, "family", Silent()))
    one, two = found
    assert digest(one) == digest(two) and list(one.report) == list(two.report)
    assert one.queries.equals(two.queries) and set(one.seconds) == set(two.seconds)


def test_an_error_of_one_part_is_raised_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    split, spaces = planted()
    for count in (1, 2):
        monkeypatch.setattr(aside, "cores", lambda count=count: count)
        with pytest.raises(ConfigError, match="no space of the kind 'book'"):
            judge(Material(split, {"reader": spaces["reader"]}), SETTINGS, "family", Silent())
