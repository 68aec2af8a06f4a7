"""What a delta night carries over, and what it must not."""

import numpy as np

from kindex.judge.before import Before
from kindex.judge.queries import queries_table

REPORT = {
    "link_recall_at_10": 0.4,
    "svd_link_recall_at_10": 0.3,
    "default_link_recall_at_10": 0.35,
    "popularity_bias": 0.1,
    "baseline_links": 900,
    "linear_probe_accuracy": 0.8,
    "linear_probe_accuracy_low": 0.7,
    "raw_neighbour_agreement_at_10": 0.6,
    "neighbour_agreement_at_10": 0.7,
    "raw_agreement_at_10_genre": 0.5,
    "local_scaling_hubness": 0.2,
    "hubness": 1.0,
    "bleu_4": 0.2,
    "default_bleu_4": 0.1,
    "index_recall_at_10": 1.0,
    "vectors_nan": 0.0,
}


def test_only_a_delta_night_carries_and_only_what_was_not_measured():
    tonight = {"link_recall_at_10": 0.41, "popularity_bias": 0.2, "neighbour_agreement_at_10": 0.7, "hubness": 0.9}
    before = Before("v0001", True, REPORT, {})
    assert before.carried(tonight) == {
        "svd_link_recall_at_10": 0.3,
        "default_link_recall_at_10": 0.35,
        "baseline_links": 900,
        "linear_probe_accuracy": 0.8,
        "linear_probe_accuracy_low": 0.7,
        "raw_neighbour_agreement_at_10": 0.6,
        "local_scaling_hubness": 0.2,
        "bleu_4": 0.2,
        "default_bleu_4": 0.1,
    }, "neither health nor index, nor a column that the items no longer have"
    assert Before("v0001", False, REPORT, {}).carried(tonight) == {}
    assert before.has("bleu_4") and not before.has("cider")
    assert not Before("v0001", False, REPORT, {}).has("bleu_4")


def test_the_source_is_who_measured():
    assert Before("v0002", True, REPORT, {}).source() == "v0002"
    assert Before("v0003", True, REPORT, {"carried": {"from": "v0001", "names": ["bleu_4"]}}).source() == "v0001"


def test_places_and_scores_of_the_parent():
    evidence = {"map": {"kind": "book", "items": [{"id": "a", "pca": [1, 2], "tsne": [3, 4]}, {"id": "b", "pca": [5, 6]}]}}
    scores = {"cider": {"image": (["i"], np.ones(1))}, "mrr": {"reader book": (["r"], np.ones(1))}}
    before = Before("v0001", True, REPORT, evidence, queries_table(scores, {"book": ["a"]}))
    assert np.array_equal(before.places("book", ["b", "a"], "pca"), [[5, 6], [1, 2]])
    assert np.array_equal(before.places("book", ["b", "a"], "tsne"), [[np.nan, np.nan], [3, 4]], equal_nan=True)
    assert np.isnan(before.places("reader", ["a"], "pca")).all()
    assert before.scores(["cider", "asked"])["metric"].to_pylist() == ["cider"]
    assert Before("v0001", True, REPORT, {}).scores(["cider"]) is None
