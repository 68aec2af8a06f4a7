"""What is particular to pairs: its spaces, its objectives, and that it beats an SVD of the same size."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.space import cross_scores, link_spaces
from kindex.core.split import divide
from kindex.encoders.pairs import fitting
from tests.encoders.pairs.small import fit
from tests.encoders.planted import planted_links

OBJECTIVES = ["auto", "spectral", "least_squares", "softmax", "classification", "regression", "bpr"]


def graph(edges: list[tuple[str, str]], nodes: int) -> Catalogue:
    rows = [{"left": a, "left_kind": "node", "right": b, "right_kind": "node", "weight": 1.0} for a, b in edges]
    items = [{"id": f"n{number:02}", "kind": "node"} for number in range(nodes)]
    return Catalogue(
        "graph", {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": pa.Table.from_pylist(rows, schema=LINKS)}
    )


def two_rings() -> Catalogue:
    """30 nodes, two groups by parity, each node linked to the next eight of its group."""
    return graph([(f"n{a:02}", f"n{(a + 2 * step) % 30:02}") for a in range(30) for step in range(1, 9)], 31)


def test_a_graph_of_one_kind_has_vectors_and_context_vectors() -> None:
    spaces = fit(two_rings()).embed(two_rings())
    assert sorted(spaces) == ["node", "node-context"]
    queries, answers = link_spaces(spaces, "node", "node")
    scores = cross_scores(queries, answers)
    same = np.array([[int(a[1:]) % 2 == int(b[1:]) % 2 for b in answers.ids] for a in queries.ids])
    assert scores[same].mean() > scores[~same].mean() + 1.4 * scores.std()
    near = queries.unit_ND @ queries.unit_ND.T
    assert near[same[:, : len(queries.ids)]].mean() > near[~same[:, : len(queries.ids)]].mean() + 0.5


def test_an_item_without_train_links_has_no_vector_and_ids_ascend() -> None:
    spaces = fit(two_rings()).embed(two_rings())
    assert "n30" not in spaces["node"].rows
    assert list(spaces["node"].ids) == sorted(spaces["node"].ids)


def test_what_is_set_aside_to_stop_early_leaves_each_row_a_link() -> None:
    pairs_ = sorted({(f"n{a:02}", f"n{a * 7 % 40:02}") for a in range(40)} | {(f"n{a:02}", "n00") for a in range(9, 20)})
    space = fit(graph([pair for pair in pairs_ if pair[0] != pair[1]], 40), validation_share=0.5).embed(graph([], 40))
    assert all(table.vectors_ND.any(1).all() for table in space.values())


def test_items_that_left_the_catalogue_are_left_out() -> None:
    catalogue = two_rings()
    fewer = Catalogue("graph", {**catalogue.tables, "items": catalogue.items.slice(0, 10)})
    assert fit(catalogue).embed(fewer)["node"].ids == tuple(f"n{number:02}" for number in range(10))


def test_several_kinds_on_one_side_have_a_space_each() -> None:
    rng = np.random.default_rng(0)
    rows, items = [], [{"id": f"f{n}", "kind": "film"} for n in range(40)]
    for kind in ("actor", "director"):
        items += [{"id": str(n), "kind": kind} for n in range(10)]
        for film in range(40):
            rows += [
                {"left": f"f{film}", "left_kind": "film", "right": str(who), "right_kind": kind, "weight": 1.0}
                for who in rng.permutation(5)[:3] + 5 * (film % 2)
            ]
    tables = {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": pa.Table.from_pylist(rows, schema=LINKS)}
    spaces = fit(Catalogue("films", tables)).embed(Catalogue("films", tables))
    assert {kind: len(space.ids) for kind, space in spaces.items()} == {"film": 40, "actor": 10, "director": 10}
    for kind in ("actor", "director"):
        scores = cross_scores(*link_spaces(spaces, "film", kind))
        own = np.array([[int(film[1:]) % 2 == int(who) // 5 for who in spaces[kind].ids] for film in spaces["film"].ids])
        assert scores[own].mean() > scores[~own].mean() + 0.4


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_beats_popularity_and_gives_the_same_bytes_twice(objective: str) -> None:
    case = planted_links()
    settings = {"dimensions": 8, "learning_rate": 0.3, "objective": objective}
    encoder = fit(case.split.train, **settings)
    figure, popularity, _ = case.score(encoder, case.split)
    assert figure > popularity + 0.2
    again = fit(case.split.train, **settings)
    assert encoder.about == again.about
    assert (encoder.left_LD.tobytes(), encoder.right_RD.tobytes()) == (again.left_LD.tobytes(), again.right_RD.tobytes())


def test_what_is_chosen_is_told_with_every_trial_and_what_is_given_stays() -> None:
    case = planted_links()
    told = fit(case.split.train, dimensions=8).about
    assert {"unobserved", "regularisation", "iterations", "left_power", "popularity", "blend"} <= set(told["chosen"])
    for what in ("least squares", "spectral", "blend"):
        trials = [row for row in told["trials"] if row["trial"] == what]
        top = max(row["validation"] for row in trials)
        chosen = told["chosen"]["blend"] if what == "blend" else told["chosen"]
        won = [row for row in trials if all(chosen.get(name, value) == value for name, value in row.items())]
        assert len(won) == 1 and won[0]["validation"] > top / 1.02
    given = {"unobserved": 0.02, "regularisation": 4.0, "iterations": 3, "left_power": 0.4, "popularity": 0.1}
    told = fit(case.split.train, dimensions=8, **given).about
    assert {name: told["chosen"][name] for name in given} == given
    assert {row["trial"] for row in told["trials"]} == {"blend"}


@pytest.mark.parametrize("objective", ["auto", "softmax"])
@pytest.mark.parametrize("start", ["spectral", "random"])
def test_popularity_is_in_the_length_of_right_vectors(start: str, objective: str) -> None:
    case = planted_links()
    space = fit(case.split.train, start=start, objective=objective, dimensions=8).embed(case.split.train)["link"]
    degree: dict[str, int] = {}
    for name in case.split.train.links["right"].to_pylist():
        degree[name] = degree.get(name, 0) + 1
    lengths = np.linalg.norm(space.vectors_ND, axis=1)
    assert np.corrcoef(lengths, [degree[name] for name in space.ids])[0, 1] > 0.2


def test_links_score_higher_than_all_pairs_whatever_the_objective_and_not_above_one() -> None:
    """One scale for all of them: the one at which items that came later are folded in."""
    case = planted_links()
    links = case.split.train.links
    for objective in OBJECTIVES:
        spaces = fit(case.split.train, objective=objective, dimensions=8).embed(case.split.train)
        queries, answers = link_spaces(spaces, "book", "link")
        scores = cross_scores(queries, answers)
        rows = zip(links["left"].to_pylist(), links["right"].to_pylist(), strict=True)
        linked = np.mean([scores[queries.rows[left], answers.rows[right]] for left, right in rows])
        assert 0.05 < linked < 1.2, objective
        assert linked > scores.mean() + 0.15, objective


@pytest.mark.parametrize("objective", ["auto", "softmax", "regression"])
def test_where_there_are_many_links_every_item_still_learns(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are chosen on a part of the left items then, and the tables made from all."""
    case = planted_links()
    monkeypatch.setattr(fitting, "MANY", 1000)
    monkeypatch.setattr(fitting, "SOME", 1000)
    encoder = fit(case.split.train, objective=objective, dimensions=8)
    assert (np.linalg.norm(encoder.left_LD, axis=1) > 1e-3).all()
    figure, popularity, _ = case.score(encoder, case.split)
    assert figure > popularity + 0.2


def recall_at_20(train_LR: np.ndarray, heldout_LR: np.ndarray, left_LD: np.ndarray, right_RD: np.ndarray) -> float:
    """Mean over left items, all right items ranked, train left out: as the literature scores these sets."""
    scores = np.where(train_LR, -np.inf, left_LD @ right_RD.T)
    top = np.argpartition(-scores, 20, axis=1)[:, :20]
    asked = heldout_LR.any(1)
    hits = np.take_along_axis(heldout_LR, top, 1).sum(1)[asked]
    return float((hits / heldout_LR.sum(1)[asked]).mean())


SHARED = Path(os.environ.get("KINDEX_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "lastfm").is_dir(), reason="a development data set; KINDEX_SHARED_DATA names its folder")
def test_it_beats_an_svd_of_the_same_size_on_real_listening() -> None:
    from sklearn.utils.extmath import randomized_svd

    parts = [pq.read_table(SHARED / "lastfm" / f"{part}.parquet", columns=["user", "item"]) for part in ("train", "test")]
    table = pa.concat_tables(parts)
    texts = [table[name].cast(pa.string()) for name in ("user", "item")]
    kinds = [pa.array([kind] * table.num_rows) for kind in ("user", "item")]
    links = pa.table([texts[0], kinds[0], texts[1], kinds[1], pa.array(np.ones(table.num_rows, np.float32))], schema=LINKS)
    links = links.append_column("heldout", pa.array(np.arange(table.num_rows) >= parts[0].num_rows))
    items = pa.table({"id": texts[0].unique().to_pylist() + texts[1].unique().to_pylist()})
    sides = [len(text.unique()) for text in texts]
    items = items.append_column("kind", pa.array(["user"] * sides[0] + ["item"] * sides[1]))
    split = divide(Catalogue("lastfm", {"items": items, "links": links}), 0.1, "s")

    spaces = fit(split.train, dimensions=64).embed(split.train)
    users, artists = spaces["user"], spaces["item"]
    masks = []
    for side in (split.train.links, split.heldout.links):
        mask = np.zeros((len(users.ids), len(artists.ids)), bool)
        for left, right in zip(side["left"].to_pylist(), side["right"].to_pylist()):
            if left in users.rows and right in artists.rows:
                mask[users.rows[left], artists.rows[right]] = True
        masks.append(mask)
    u, s, vt = randomized_svd(masks[0].astype(float), 64, random_state=0)
    assert recall_at_20(*masks, users.vectors_ND, artists.vectors_ND) > 1.05 * recall_at_20(*masks, u * s, vt.T)
