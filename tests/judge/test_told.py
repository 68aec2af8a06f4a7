"""Further columns of the items: read, judged against slow loops, coloured, and accepted by a gate."""

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError
from kindex.core.hubs import correct_space
from kindex.core.params import EvaluateParams, Threshold
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.core.watch import Silent
from kindex.judge.findings import judge
from kindex.judge.gate import better, check_names
from kindex.judge.material import Material
from kindex.judge.measures import described
from kindex.judge.told import told
from tests.judge.small import planted

SETTINGS = EvaluateParams(bootstrap=20, sample_queries=50, map_items=80, examples=2, seed=1)


def books() -> tuple[Split, dict[str, Space]]:
    """Planted readers and books; a book's genre is its group, its country says nothing, few have a prize, readers nothing."""
    split, spaces = planted(readers=120, books=240, groups=6)
    rng = np.random.default_rng(8)
    ids, kinds = split.train.items["id"].to_pylist(), split.train.items["kind"].to_pylist()
    is_book = [kind == "book" for kind in kinds]
    columns = {
        "genre": [f"genre {int(name[1:]) % 6}" if book else None for name, book in zip(ids, is_book)],
        "Country of origin": [("", "UK", "US")[rng.integers(3)] if book else None for book in is_book],
        "prize": ["Booker" if book and int(name[1:]) < 5 else None for name, book in zip(ids, is_book)],
        "genre again": [f"genre {int(name[1:]) % 6}" if book else None for name, book in zip(ids, is_book)],
        "year": pa.array([1900] * len(ids)),
    }
    items = split.train.items.drop_columns(["label"]).append_column("label", pa.nulls(len(ids), pa.string()))
    bare = [None if not book else f"about {name}" for name, book in zip(ids, is_book)]
    items = items.drop_columns(["description"]).append_column("description", pa.array(bare, pa.string()))
    for name, values in columns.items():
        items = items.append_column(name, pa.array(values) if isinstance(values, list) else values)

    def side(catalogue: Catalogue) -> Catalogue:
        return Catalogue("small", {**catalogue.tables, "items": items})

    return Split(side(split.train), side(split.heldout)), spaces


def test_columns_are_read_in_order_without_numbers_repeats_and_empty_texts() -> None:
    split, spaces = books()
    turned = Space("book", spaces["book"].ids[::-1], spaces["book"].vectors_ND[::-1].copy())
    about = told(split, turned)
    assert [column.title for column in about.columns] == ["label", "genre", "Country of origin", "prize"]
    label, genre, country, prize = about.columns
    assert label.names == [] and label.share == 0.0 and label.of(3) is None
    assert [genre.of(row) for row in range(3)] == ["genre 5", "genre 4", "genre 3"], "book 239 stands first"
    assert country.names == ["UK", "US"] and country.slug == "country_of_origin" and 0.5 < country.share < 0.8
    assert prize.share == pytest.approx(5 / 240)
    assert about.described([0, 239]) == ["about b239", "about b000"]


def test_agreement_of_each_column_with_enough_items_is_that_of_the_slow_loops() -> None:
    split, spaces = books()
    report = judge(Material(split, spaces), SETTINGS, "pairs", Silent()).report
    about, unit_ND = told(split, spaces["book"]), spaces["book"].unit_ND
    from kindex.core.split import id_fractions

    test_N = id_fractions(pa.chunked_array([pa.array(spaces["book"].ids)]), "label test") < 0.3
    for place, name in ((1, "genre"), (2, "country_of_origin")):
        code_N = about.columns[place].code_N
        known = np.flatnonzero(code_N >= 0)
        teach = [row for row in known if not test_N[row]]
        shares, chances = [], []
        for item in (row for row in known if test_N[row]):
            near = sorted(teach, key=lambda other: -float(unit_ND[item] @ unit_ND[other]))[:10]
            shares.append(sum(code_N[other] == code_N[item] for other in near) / 10)
            chances.append(sum(code_N[other] == code_N[item] for other in teach) / len(teach))
        assert report[f"agreement_at_10_{name}"] == pytest.approx(np.mean(shares), abs=1e-6)
        assert report[f"chance_agreement_at_10_{name}"] == pytest.approx(np.mean(chances), abs=1e-6)
        assert report[f"labelled_share_{name}"] == pytest.approx(len(known) / 240, abs=1e-6)
        for ending in ("_low", "_high"):
            assert f"agreement_at_10_{name}{ending}" in report
    assert report["agreement_at_10_genre"] > 0.6 > 0.55 > report["agreement_at_10_country_of_origin"]
    assert "agreement_at_10_prize" not in report and "neighbour_agreement_at_10" not in report
    shown = {measure["name"]: measure for measure in described(report)}
    assert shown["agreement_at_10_genre"]["baselines"] == {"chance": report["chance_agreement_at_10_genre"]}


def test_the_map_and_the_neighbours_tell_every_column() -> None:
    split, spaces = books()
    found = judge(Material(split, spaces), SETTINGS, "pairs", Silent())
    places = found.shown["map"]
    assert places["kind"] == "book" and [column["title"] for column in places["columns"]][:2] == ["genre", "Country of origin"]
    genre = places["columns"][0]
    for item, code in zip(places["items"], genre["label"]):
        assert genre["labels"][code] == f"genre {int(item['id'][1:]) % 6}"
    hit = found.shown["examples"][0]["hits"][0]
    assert hit["more"]["genre"] == f"genre {int(hit['id'][1:]) % 6}"


def test_golden_items_come_first_in_full_and_unknown_ones_are_named() -> None:
    split, spaces = books()
    golden = ("b017", "nobody", "r003", "b002", "b017")
    found = judge(Material(split, spaces, golden=golden), SETTINGS, "pairs", Silent())
    shown = [(one["id"], one["kind"], one.get("golden", False)) for one in found.shown["examples"]]
    assert shown[:3] == [("b017", "book", True), ("b002", "book", True), ("r003", "reader", True)]
    assert len(shown) == 3 + SETTINGS.examples and not any(golden for _, _, golden in shown[3:])
    assert all(len(one["hits"]) == 10 for one in found.shown["examples"])
    assert found.shown["golden_unknown"] == ["nobody"]
    assert {"b017", "b002"} <= {item["id"] for item in found.shown["map"]["items"]}


def test_neighbours_are_shown_as_a_release_answers_them() -> None:
    split, spaces = books()
    offsets = correct_space("local_scaling", spaces["book"])
    found = judge(Material(split, spaces, offsets={"book": offsets}, golden=("b017",)), SETTINGS, "pairs", Silent())
    unit_ND, row = spaces["book"].unit_ND, 17
    cosines_N = unit_ND @ unit_ND[row]
    cosines_N[row] = -np.inf
    scores_N = 2 * cosines_N - offsets.offset_N - offsets.offset_N[row]
    hits = found.shown["examples"][0]["hits"]
    assert [hit["id"] for hit in hits] == [spaces["book"].ids[n] for n in np.argsort(-scores_N)[:10]]
    assert [hit["score"] for hit in hits] == pytest.approx(np.sort(scores_N)[::-1][:10].tolist(), abs=1e-4)
    assert [(row["neighbours"], row["served"]) for row in found.shown["corrected"]] == [
        ("cosine", False),
        ("local_scaling", True),
        ("inverted_softmax", False),
    ]
    titles = [cell["title"] for cell in found.shown["corrected"][1]["numbers"]]
    assert titles[:2] == ["Hubness", "Neighbour coverage@10"] and "Agreement@10, genre" in titles
    values = {cell["title"]: cell["value"] for cell in found.shown["corrected"][1]["numbers"]}
    assert values["Agreement@10, genre"] == found.report["local_scaling_agreement_at_10_genre"]


def test_a_gate_takes_the_numbers_of_columns_and_of_corrections() -> None:
    good = (
        "agreement_at_10_genre",
        "raw_agreement_at_10_genre_low",
        "local_scaling_hubness",
        "default_mrr",
        "labelled_share_x",
    )
    check_names([Threshold(metric=name, at_least=0.1) for name in good], "gates.m")
    check_names([Threshold(metric="agreement_at_10_genre", beats="chance_agreement_at_10_genre", by=0.1)], "gates.m")
    for bad in ("agreement_at_10", "agreement_at_10_", "agrement_at_10_genre", "local_scaling_mrr"):
        with pytest.raises(ConfigError, match=r"gates\.m\.0\.metric"):
            check_names([Threshold(metric=bad, at_least=0.1)], "gates.m")
    assert better("inverted_softmax_hubness") == "lower" and better("agreement_at_10_genre") == "higher"
