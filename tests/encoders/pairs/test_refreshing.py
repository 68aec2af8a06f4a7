"""Folding a night in against slow loops: what stays, what moves, what comes and what goes."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.core.delta import fingerprint, touched
from kindex.core.errors import DamagedError
from kindex.core.tables import streamed
from kindex.encoders import pairs
from kindex.encoders.parts.vocabulary import Vocabulary

Links = dict[tuple[str, str], float]
TMP = Path(tempfile.gettempdir())


def catalogue(links: Links) -> Catalogue:
    rows = [
        {"left": a, "left_kind": "book", "right": b, "right_kind": "link", "weight": w} for (a, b), w in sorted(links.items())
    ]
    return Catalogue("c", {"items": ITEMS.empty_table(), "links": pa.Table.from_pylist(rows, schema=LINKS)})


def planted(seed: int = 0, lefts: int = 40, rights: int = 30) -> Links:
    rng = np.random.default_rng(seed)
    drawn = zip(rng.integers(0, lefts, 400).tolist(), rng.integers(0, rights, 400).tolist(), strict=True)
    return {(f"b{a:02}", f"l{b:02}"): 1.0 for a, b in drawn}


def encoder_of(links: Links, width: int = 6) -> pairs.Encoder:
    """Drawn vectors: what stays of them shows what was not folded."""
    rng = np.random.default_rng(3)
    sides = [Vocabulary({kind: tuple(sorted({pair[at] for pair in links}))}) for at, kind in ((0, "book"), (1, "link"))]
    tables = [rng.standard_normal((len(side), width)).astype(np.float32) for side in sides]
    about = {
        "chosen": {},
        "weights": {"unobserved": 0.05, "regularisation": 0.7},
        "mean_links": {"left": 9.0, "right": 12.0},
        "gain": {"left": 1.2, "right": 0.8},
    }
    return pairs.Encoder(*sides, *tables, about)


def night(before: Links, after: Links) -> tuple[pairs.Encoder, pairs.Encoder, dict[str, int]]:
    """The encoder before, the one folded, and how many vectors were made."""
    parent, evidence = encoder_of(before), pairs.Evidence(catalogue(after))
    moved, _ = touched(*(fingerprint(catalogue(links), ["links"], TMP).entities for links in (before, after)))
    folded, made = evidence.fold(parent, pairs.Evidence(catalogue(before)).remembered(), moved)
    return parent, folded, made


def vector(encoder: pairs.Encoder, name: str) -> np.ndarray:
    left = name.startswith("b")
    side, table = (encoder.left, encoder.left_LD) if left else (encoder.right, encoder.right_RD)
    return table[side.rows["book" if left else "link", name]]


def links_of(links: Links, name: str) -> set[str]:
    return {b if a == name else a for a, b in links if name in (a, b)}


def fold(encoder: pairs.Encoder, names: set[str], side: str) -> np.ndarray:
    kind = "link" if side == "left" else "book"
    return encoder.fold_in([[(kind, name) for name in names]], side)[0][0]


def test_nothing_changed_and_nothing_moves() -> None:
    links = planted()
    parent, folded, made = night(links, links)
    np.testing.assert_array_equal(parent.left_LD, folded.left_LD)
    np.testing.assert_array_equal(parent.right_RD, folded.right_RD)
    assert made == {"book": 0, "link": 0}
    assert folded.about == parent.about


def test_untouched_items_keep_every_bit_and_items_that_went_are_gone() -> None:
    before = planted()
    gone = {pair: weight for pair, weight in before.items() if "b07" not in pair and "l03" not in pair}
    parent, folded, made = night(before, gone)
    assert ("book", "b07") not in folded.left.rows
    assert ("link", "l03") not in folded.right.rows
    stay = [n for n in {a for a, _ in gone} | {b for _, b in gone} if links_of(gone, n) == links_of(before, n)]
    assert len(stay) > 20
    for name in stay:
        np.testing.assert_array_equal(vector(parent, name), vector(folded, name))
    assert made["book"] + made["link"] == len({n for pair in gone for n in pair}) - len(stay)


def test_a_touched_item_keeps_what_its_former_links_did_not_explain() -> None:
    before = planted()
    after = {pair: weight for pair, weight in before.items() if pair != ("b05", min(links_of(before, "b05")))}
    after["b05", "l29"] = after["b06", "l28"] = 1.0
    parent, folded, _ = night(before, after)
    for name in ("l28", "l29", "b05", "b06"):
        then, now = links_of(before, name), links_of(after, name)
        share = len(then & now) / len(then | now)
        side = "left" if name.startswith("b") else "right"
        # right items are made first, by the left ones that were there; then left ones by the right ones of now
        between = pairs.Encoder(parent.left, folded.right, parent.left_LD, folded.right_RD, parent.about)
        expected = fold(between, now, side) + share * (vector(parent, name) - fold(parent, then, side))
        np.testing.assert_allclose(vector(folded, name), expected, rtol=1e-5, atol=1e-6)
        assert not np.array_equal(vector(folded, name), vector(parent, name))


def test_new_items_are_folded_in_and_so_are_those_that_only_new_items_know() -> None:
    before = planted()
    after = before | {("b90", "l00"): 1.0, ("b90", "l01"): 1.0, ("b00", "l90"): 1.0, ("b90", "l91"): 1.0, ("b91", "l91"): 1.0}
    parent, folded, made = night(before, after)
    np.testing.assert_allclose(vector(folded, "l90"), fold(parent, {"b00"}, "right"), rtol=1e-5, atol=1e-6)
    assert made["book"] >= 2 and made["link"] >= 2
    np.testing.assert_allclose(vector(folded, "l91"), fold(folded, {"b90", "b91"}, "right"), rtol=1e-5, atol=1e-6)
    assert np.isfinite(folded.left_LD).all() and np.isfinite(folded.right_RD).all()


def test_one_link_in_a_hundred_and_a_new_weight_move_nothing() -> None:
    before = planted() | {(f"b{n:02}", "l50"): 1.0 for n in range(60)}
    after = before | {("b60", "l50"): 1.0, ("b00", min(links_of(before, "b00"))): 3.0}
    parent, folded, made = night(before, after)
    np.testing.assert_array_equal(vector(parent, "l50"), vector(folded, "l50"))
    np.testing.assert_array_equal(vector(parent, "b00"), vector(folded, "b00"))
    assert made == {"book": 1, "link": 0}


def test_a_graph_of_one_kind_of_node_has_both_ends_folded() -> None:
    rng = np.random.default_rng(1)
    rows = sorted({(f"n{a:02}", f"n{b:02}") for a, b in rng.integers(0, 25, (200, 2)) if a != b})

    def graph(pairs_: list[tuple[str, str]]) -> Catalogue:
        table = [{"left": a, "left_kind": "node", "right": b, "right_kind": "node", "weight": 1.0} for a, b in pairs_]
        return Catalogue("c", {"items": ITEMS.empty_table(), "links": pa.Table.from_pylist(table, schema=LINKS)})

    before, after = graph(rows), graph([pair for pair in rows if pair != rows[0]] + [("n99", "n05")])
    parent = encoder_of(dict.fromkeys(rows, 1.0))
    parent.left, parent.right = (Vocabulary({"node": next(iter(side.ids.values()))}) for side in (parent.left, parent.right))
    moved, _ = touched(*(fingerprint(one, ["links"], TMP).entities for one in (before, after)))
    folded, made = pairs.Evidence(after).fold(parent, pairs.Evidence(before).remembered(), moved)
    assert set(moved["node"]) == {*rows[0], "n05", "n99"}
    assert made == {"node": 4}  # of each link that came or went, the left end's left vector and the right end's right one
    row = parent.left.rows["node", rows[0][1]], folded.left.rows["node", rows[0][1]]
    np.testing.assert_array_equal(parent.left_LD[row[0]], folded.left_LD[row[1]])


def test_links_of_another_encoder_are_damage() -> None:
    links = planted()
    remembered = streamed(pa.table({"left": pa.array([500], pa.int32()), "right": pa.array([0], pa.int32())}))
    with pytest.raises(DamagedError, match=r"rows/ends\.parquet has links of items"):
        pairs.Evidence(catalogue(links)).fold(encoder_of(links), remembered, {})


def test_agreement_is_the_mean_cosine_of_vectors_and_their_folds() -> None:
    links = planted()
    encoder, evidence = encoder_of(links), pairs.Evidence(catalogue(links))
    cosines = []
    for side, vocabulary in (("left", encoder.left), ("right", encoder.right)):
        for _, name in vocabulary.rows:
            known = links_of(links, name)
            if len(known) <= 6 and name != "b01":
                one, two = fold(encoder, known, side), vector(encoder, name)
                cosines.append(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    assert evidence.agreement(encoder, {"book": ["b01"]}) == pytest.approx(np.mean(cosines), abs=1e-5)
    everyone = {"book": [n for _, n in encoder.left.rows], "link": [n for _, n in encoder.right.rows]}
    assert evidence.agreement(encoder, everyone) is None
