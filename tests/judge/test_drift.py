"""Data drift: counts by hand, and the stability index at its known thresholds."""

import numpy as np
import pytest

from kindex.judge.drift import item_drift, numbers, row_drift, stability_index


def test_items_that_came_went_and_changed_their_label():
    former = {"book": {"a": "x", "b": "x", "c": None}}
    now = {"book": {"b": "y", "c": None, "d": "x"}, "reader": {"r": None}}
    book, reader = item_drift(former, now)
    assert {name: book[name] for name in ("kind", "former", "now", "added", "removed", "relabelled")} == {
        "kind": "book",
        "former": 3,
        "now": 3,
        "added": 1,
        "removed": 1,
        "relabelled": 1,
    }
    assert (book["added_ids"], book["removed_ids"]) == (["d"], ["a"])
    assert {one["label"]: (one["former"], one["now"]) for one in book["labels"]} == {
        "x": (pytest.approx(2 / 3, abs=1e-6), pytest.approx(1 / 3, abs=1e-6)),
        "(other labels)": (0, pytest.approx(1 / 3, abs=1e-6)),
    }
    assert (reader["former"], reader["psi"]) == (0, 0.0)
    rows = row_drift({"links": 200, "images": 5}, {"links": 150, "items": 3})
    assert rows == [{"table": "links", "former": 200, "now": 150, "change": -0.25}]
    found = numbers([book], rows)
    assert found["drift_items_added"] == found["drift_items_removed"] == pytest.approx(1 / 3)
    assert found["drift_rows"] == found["drift_rows_links"] == 0.25


def test_the_stability_index_against_its_formula():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    exact = float(((q - p) * np.log(q / p)).sum())
    assert stability_index((p * 1e6).astype(int), (q * 1e6).astype(int)) == pytest.approx(exact, rel=1e-4)
    assert stability_index([10, 20], [100, 200]) == pytest.approx(0, abs=1e-3)
    assert np.isfinite(stability_index([100, 0], [0, 100])) and stability_index([100, 0], [0, 100]) > 0.25


def test_a_sample_of_the_same_population_is_stable_and_another_is_not():
    rng = np.random.default_rng(0)
    labels = [f"l{n}" for n in range(300)]  # far more than are counted by themselves
    share = 1 / np.arange(1, 301) / (1 / np.arange(1, 301)).sum()

    def drawn(names: list[str]) -> dict[str, str]:
        return {f"i{n}": names[label] for n, label in enumerate(rng.choice(300, 5000, p=share))}

    former = {"book": drawn(labels)}
    assert item_drift(former, {"book": drawn(labels)})[0]["psi"] < 0.1
    assert item_drift(former, {"book": drawn(labels[::-1])})[0]["psi"] > 0.25
