"""New items: placed by their links, in one question and in bulk; every answer says where its vector comes from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.ask.fold_in import fold_in
from kindex.ask.link_rows import Columns
from kindex.ask.live import open_live
from kindex.ask.unseen import Unseen
from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.core.layout import Layout
from tests.ask.linked import MODEL, ODD, films, published, ring
from tests.commands import runner


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return published(tmp_path_factory.mktemp("films"), films())


@pytest.fixture(scope="module")
def unseen(project: Layout) -> Unseen:
    return Unseen(open_live(MODEL, root=project.root))


@pytest.fixture
def kindex(project: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("KINDEX_ROOT", str(project.root))

    return runner(monkeypatch, capsys)


def test_a_new_item_is_near_to_those_that_share_its_links(unseen: Unseen) -> None:
    placed, hits = unseen.similar(["actor 10", "link 13", "link 14"], k=10)
    assert (placed.standing.side, placed.standing.kind, placed.origin) == ("left", "film", "folded-in")
    assert placed.known == (("actor", "actor 10"), ("link", "link 13"), ("link", "link 14")) and not placed.unknown
    assert {int(hit.id[5:]) % 2 for hit in hits} == {1} and {hit.origin for hit in hits} == {"folded-in"}
    expected, _ = unseen.encoder.fold_in([placed.known])
    assert np.array_equal(placed.vector_D, expected[0])
    unit = unseen.live.spaces["film"].unit_ND
    cosines = unit @ (expected[0] / np.linalg.norm(expected[0]))
    best = np.argsort(-cosines, kind="stable")[:10]
    assert [hit.score for hit in hits] == pytest.approx(cosines[best].tolist(), abs=1e-5)
    assert {hit.origin for hit in unseen.live.similar("film 00")} == {"trained"}
    assert {hit.origin for hit in unseen.live.similar_to_vector(placed.vector_D)} == {None}


def test_a_film_folded_in_from_its_own_links_finds_itself(unseen: Unseen) -> None:
    own = [row["right"] for row in films() if row["left"] == "film 07" and row["right"] != "Leo"]
    _, hits = unseen.similar(own, k=3)
    assert "film 07" in [hit.id for hit in hits]


def test_the_side_is_where_the_links_are_known(unseen: Unseen) -> None:
    placed, hits = unseen.similar(["film 01", "film 03", "actor 10"], kind=None, k=5)
    assert (placed.standing.side, placed.standing.kind, placed.unknown) == ("right", "actor", ("actor 10",))
    assert {hit.id.split()[-1][0] for hit in hits if hit.id.startswith("actor")} <= {"1"} | {"0"}
    assert hits[0].id.startswith("actor 1") or hits[0].id == "Leo"
    placed = unseen.place(["film 01", "actor 10"])
    assert placed.standing.side == "left", "as many on both sides"
    assert unseen.place(["film 01", "actor 10"], side="right").known == (("film", "film 01"),)
    assert unseen.place(["film 01"], kind="link").standing.space == "link"
    assert unseen.place(["film 01"], kind="film").origin == "fallback", "the kind says the side"


def test_a_graph_of_one_kind_has_two_sides_and_two_spaces(tmp_path: Path) -> None:
    graph = Unseen(open_live(MODEL, root=published(tmp_path, ring()).root))
    left, hits = graph.similar(["n11", "n12", "n13"], k=3)
    assert (left.standing.side, left.standing.space) == ("left", "node")
    assert hits[0].id == "n10", "whose links these are"
    right, hits = graph.similar(["n08", "n09", "n07"], k=3, kind="node", side="right")
    assert (right.standing.side, right.standing.space) == ("right", "node-context")
    assert hits[0].id == "n10", "to which these link"


def test_links_are_found_as_people_write_them(unseen: Unseen) -> None:
    def known(*links: str) -> tuple[tuple[str, str], ...]:
        return unseen.place(links, side="left").known

    assert known("Leo") == (("actor", "Leo"), ("link", "Leo")), "what both kinds have is both"
    assert known("actor:Leo") == (("actor", "Leo"),) and known("link:Leo") == (("link", "Leo"),)
    assert known("LEO") == (("actor", "Leo"),), "Leo and leo are two links, so neither is meant"
    assert known("link:LEO") == () and known("leo") == (("link", "leo"),)
    assert known("NAPOLEON", "Napoleon", "link:napoleon") == (("link", "Napoleon"),)
    assert known("a:b") == (("link", "a:b"),), "a colon may be part of an id"
    assert known("actor:Napoleon", "film:film 01", ":", "actor:") == ()
    for odd in ODD:
        assert ("link", odd) in known(odd)
    placed = unseen.place(["napoloen", "link:napoloen", "zzzz"], side="left")
    assert unseen.spellings(placed) == {"napoloen": ["Napoleon"], "link:napoloen": ["link:Napoleon"], "zzzz": []}


@pytest.mark.parametrize("links", [[], [""], ["nobody"], ["\0", "\u202e", "a" * 100_000]])
def test_no_known_link_is_a_fallback_and_says_so(unseen: Unseen, links: list[str]) -> None:
    placed, hits = unseen.similar(links, k=3)
    assert placed.origin == "fallback" and [hit.origin for hit in hits] == ["fallback"] * 3
    assert np.array_equal(placed.vector_D, unseen.encoder.left_LD.mean(0))


def test_ten_thousand_links_are_one_question(unseen: Unseen) -> None:
    links = [f"nobody {n}" for n in range(9_900)] + [f"link 1{n}" for n in range(12)] * 9
    placed, hits = unseen.similar(links, k=5)
    assert len(placed.known) == 12 and len(placed.unknown) == 9_900
    assert {int(hit.id[5:]) % 2 for hit in hits} == {1}


def test_wrong_questions_are_refused_by_name(unseen: Unseen, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kind 'flim': did you mean film"):
        unseen.place(["Leo"], kind="flim")
    with pytest.raises(ConfigError, match="no kind 'film' at the right end of links: Allowed: actor, link"):
        unseen.place(["Leo"], kind="film", side="right")
    with pytest.raises(ConfigError, match="side is 'top': Allowed: left, right"):
        unseen.place(["Leo"], side="top")
    with pytest.raises(ConfigError, match=r"family autoencoder, which folds no item in: families that can: pairs"):
        Unseen(open_live(MODEL, root=published(tmp_path, ring(), "autoencoder").root))


def test_a_damaged_encoder_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    layout = published(tmp_path, ring())
    path = layout.releases(MODEL) / "v0001" / "encoder" / "encoder.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    live = open_live(MODEL, root=layout.root)
    assert live.similar("n01"), "other questions do not need it"
    with pytest.raises(DamagedError, match=r"encoder/encoder\.safetensors"):
        Unseen(live)


def test_the_command_says_origin_known_links_and_near_spellings(kindex: Any, tmp_path: Path) -> None:
    code, out, err = kindex("similar", MODEL, "--links", "actor:Leo, Napoleon,napoloen", "--link", "Paris, Texas", "-k", "2")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "folded-in: a new film from 3 known links: actor:Leo, link:Napoleon, link:Paris, Texas"
    assert lines[1] == "unknown: napoloen, did you mean Napoleon?"
    assert lines[2].split()[:2] == ["score", "id"] and len(lines) == 5
    code, out, err = kindex("similar", MODEL, "--links", "nobody", "--json", "-k", "1")
    assert json.loads(out)[0]["origin"] == "fallback" and err.startswith("fallback: none of its links is known")
    assert json.loads(kindex("similar", MODEL, "film 01", "--json", "-k", "1")[1])[0]["origin"] == "trained"
    (tmp_path / "links.txt").write_bytes("\ufeffParis, Texas\r\n\n\u202egnp.exe\n".encode())
    code, out, _ = kindex("similar", MODEL, "--links-file", str(tmp_path / "links.txt"), "-k", "1")
    assert (code, out.splitlines()[0]) == (
        0,
        "folded-in: a new film from 2 known links: link:Paris, Texas, link:\\u202egnp.exe",
    )
    assert kindex("similar", MODEL, "--links", "")[1].startswith("fallback: no link is given")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either the id of an item, or the links"),
        (["film 01", "--links", "Leo"], "give either"),
        (["--links", "Leo", "--minus", "film 01"], "--minus goes with an id"),
        (["film 01", "--side", "left"], "--side goes with links"),
        (["--links", "Leo", "--kind", "flim"], "did you mean film"),
        (["--links-file", "nowhere.txt"], "nowhere.txt is no file"),
    ],
)
def test_a_wrong_command_is_refused(kindex: Any, arguments: list[str], said: str) -> None:
    code, out, err = kindex("similar", MODEL, *arguments)
    assert (code, out) == (2, "") and said in err


LINKED = [("new", "link 13"), ("new", "LINK 14"), ("new", "link 14"), ("other", "nobody"), ("film 01", "Leo"), ("bare", None)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_in_bulk_each_item_is_what_it_is_alone(unseen: Unseen, project: Layout, tmp_path: Path, suffix: str) -> None:
    table = pa.table({"id": [id for id, _ in LINKED], "link": [link for _, link in LINKED]})
    path = tmp_path / f"links.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path)
    elif suffix == "csv":
        path.write_text("id,link\n" + "".join(f"{id},{link or ''}\n" for id, link in LINKED))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    steps: list[tuple[int, int]] = []
    told = fold_in(MODEL, path, tmp_path / "o.parquet", root=project.root, progress=lambda *step: steps.append(step))
    rows = {row["id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert list(rows) == ["bare", "film 01", "new", "other"] and steps[-1] == (4, 4)
    assert [(r["origin"], r["links_known"], r["links_given"], r["kind"]) for r in rows.values()] == [
        ("fallback", 0, 0, "film"),
        ("trained", 1, 1, "film"),
        ("folded-in", 3, 3, "film"),
        ("fallback", 0, 1, "film"),
    ]
    assert np.array_equal(rows["film 01"]["vector"], unseen.live.vector("film 01"))
    assert rows["new"]["vector"] == pytest.approx(unseen.place(["link 13", "link 14"]).vector_D, rel=1e-5)
    assert np.array_equal(rows["bare"]["vector"], unseen.encoder.left_LD.mean(0))
    assert told.items == {"trained": 1, "folded-in": 1, "fallback": 2}
    assert (told.links, told.unknown, told.bad) == ((5, 4), ["nobody"], 0)
    assert pq.read_schema(tmp_path / "o.parquet").metadata[b"kindex.release"] == b"v0001"


def test_many_items_in_any_order_give_the_same_bytes(
    unseen: Unseen, project: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    ids = [id for _, id in unseen.encoder.right.rows if id != "Leo"] + ["nobody"]
    rows = sorted({(f"x{rng.integers(200):03}", ids[rng.integers(len(ids))]) for _ in range(1500)})
    monkeypatch.setattr("kindex.ask.fold_in.GROUP", 64)
    written = []
    for turn in range(2):
        order = rng.permutation(len(rows)) if turn else range(len(rows))
        table = pa.table({"who": [rows[at][0] for at in order], "what": [rows[at][1] for at in order]})
        pq.write_table(table, tmp_path / "links.parquet")
        columns = Columns(id="who", link="what")
        fold_in(MODEL, tmp_path / "links.parquet", tmp_path / "o.parquet", columns, root=project.root, force=turn > 0)
        written.append((tmp_path / "o.parquet").read_bytes())
    assert written[0] == written[1]
    made = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [row["id"] for row in made] == sorted({id for id, _ in rows})
    for row in made[::23]:
        alone = unseen.place([link for id, link in rows if id == row["id"]])
        assert row["vector"] == pytest.approx(alone.vector_D, rel=1e-4, abs=1e-5)
        assert (row["links_known"], row["origin"]) == (len(alone.known), alone.origin)


def test_the_kind_of_a_link_may_have_a_column(project: Layout, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("id,link,of\na,Leo,actor\nb,Leo,link\nc,Leo,\nd,Leo,film\n")
    fold_in(MODEL, tmp_path / "l.csv", tmp_path / "o.parquet", Columns(link_kind="of"), root=project.root)
    made = {row["id"]: row for row in pq.read_table(tmp_path / "o.parquet").to_pylist()}
    assert [made[id]["origin"] for id in "abcd"] == ["folded-in"] * 3 + ["fallback"]
    assert not np.allclose(made["a"]["vector"], made["b"]["vector"])
    assert not np.allclose(made["a"]["vector"], made["c"]["vector"])


def test_bad_rows_are_named_and_the_rest_is_used(kindex: Any, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(b"id,link\nnew,link 13\n,link 14\nx\xff,link 13\ny,a,b\nn\xe2\x80\xaeew,link 13\n")
    code, out, err = kindex("fold-in", MODEL, str(tmp_path / "l.csv"), "--to", str(tmp_path / "o.parquet"))
    assert code == 0 and "0 trained, 2 folded-in, 0 fallback, of the kind film" in out
    assert err.splitlines()[0] == "3 bad rows left out:"
    for line, rule in ((3, "id is missing"), (4, "text is not UTF-8"), (5, "row does not parse")):
        assert f"l.csv:{line}: {rule}" in err
    assert pq.read_table(tmp_path / "o.parquet")["id"].to_pylist() == ["new", "n\u202eew"]
    code, _, err = kindex("fold-in", MODEL, str(tmp_path / "l.csv"), "--to", str(tmp_path / "o.parquet"))
    assert code == 2 and "exists: --force" in err


def test_what_cannot_be_read_is_refused_and_nothing_is_written(project: Layout, tmp_path: Path) -> None:
    def asked(content: bytes | None, match: str, error: type[Exception], to: str = "o.parquet", **more: Any) -> None:
        if content is not None:
            (tmp_path / "l.csv").write_bytes(content)
        with pytest.raises(error, match=match):
            fold_in(MODEL, tmp_path / "l.csv", tmp_path / to, root=project.root, **more)
        assert [path.name for path in tmp_path.iterdir() if path.name != "l.csv"] == []

    asked(None, "is no file", ConfigError)
    asked(b"id,link\n,a\n", r"no row that can be used: .*l\.csv:2: id is missing", DataGateError)
    asked(b"", "is empty", DataGateError)
    asked(b"id,links\na,b\n", "has no column 'link': did you mean links", DataGateError)
    asked(b"id,link\na,b\n", "ends in .parquet", ConfigError, "o.csv")
    asked(b"id,link\na,b\n", "no kind 'flim'", ConfigError, kind="flim")
