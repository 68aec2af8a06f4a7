import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core.blocks import build
from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.core.watch import Silent
from kindex.sources import NotAsLockedError, wikipedia_books
from kindex.sources.parts import dumppart
from kindex.stages.ingest import canonical
from tests.sources.made_dump import book, dump, multistream, page

PAGES = [
    book("War and Peace", ["Russia", "Novel#Long", "Napoleon", "hardcover", "War and peace", "Category:1869 novels|War"],
         author="[[Leo Tolstoy]]", genre="{{hlist|[[Novel]]|War}}", country="Russia"),
    book("Anna Karenina", ["Russian Empire", "novel", "Anna Karenina (film)", "File:a.jpg", "fr:Anna"], author="Leo Tolstoy",
         genre="Novel"),
    book("Emma", ["Jane Austen", "Novel", "Boney", "Napoleon"], author="Jane Austen", genre="novel<br>comedy", country="UK"),
    page("Russian Empire", redirect="Russia"), page("Boney", redirect="Napoleon"), page("Talk:Emma", "{{Infobox book}}", ns=1),
    page("London", "[[Novel]] a town"), page("Bookshop", "{{Infobox bookshop|author=X}} [[Novel]]"),
]  # fmt: skip
ROWS = [
    ["War and Peace", {"author": "Leo Tolstoy", "genre": "Novel\nWar", "country": "Russia"},
     ["Leo Tolstoy", "Novel", "Russia", "Novel", "Napoleon", "hardcover", "War and peace", "Category:1869 novels"],
     [], "2020", 9],
    ["Anna Karenina", {"author": "Leo Tolstoy", "genre": "Novel"}, ["Russia", "Novel", "Anna Karenina (film)", "File:a.jpg"],
     [], "2020", 9],
    ["Emma", {"author": "Jane Austen", "genre": "novel < br / > comedy", "country": "UK"},
     ["Jane Austen", "Novel", "Napoleon", "Napoleon"], [], "2020", 9],
]  # fmt: skip
MORE = {"title": ["Emma", "Persuasion"], "author": ["nobody", "jane austen"], "genre": [None, "novel"], "country": ["x", None]}
LINKS = {
    ("Anna Karenina", "author", "leo tolstoy"), ("War and Peace", "author", "leo tolstoy"),
    ("Emma", "author", "jane austen"), ("Persuasion", "author", "jane austen"),
    ("Anna Karenina", "link", "novel"), ("Emma", "link", "novel"), ("War and Peace", "link", "novel"),
    ("Anna Karenina", "link", "russia"), ("War and Peace", "link", "russia"),
    ("Emma", "link", "napoleon"), ("War and Peace", "link", "napoleon"),
}  # fmt: skip


def made(root: Path) -> Path:
    """A project's folder with the same books as a plain dump, as two parts of a multistream dump and as lines of JSON."""
    root.mkdir(exist_ok=True)
    (root / "whole.xml").write_bytes(dump(*PAGES))
    (root / "part1.xml-p1p4.bz2").write_bytes(multistream(*PAGES[:4]))
    (root / "part2.xml-p5p8.bz2").write_bytes(multistream(*PAGES[4:], each=1))
    (root / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    pq.write_table(pa.table(MORE), root / "more.parquet")
    return root


def config(**settings):
    given = {"attributes": "more.parquet", "attribute_links": ["author"], "min_articles": 2, "processes": 1, **settings}
    return build(wikipedia_books.Config, given, "catalogues.books.source")


def read(root: Path, **settings):
    chosen = config(**settings)
    return wikipedia_books.read(chosen, wikipedia_books.snapshot(chosen, root), root, Silent())


def tables(found) -> dict[str, list[dict]]:
    return {name: canonical(name, table).to_pylist() for name, table in found.catalogue.tables.items()}


@pytest.mark.parametrize("pages", ["whole.xml", "part*.bz2", "rows.ndjson"])
def test_a_dump_its_parts_and_lines_of_json_give_the_same_tables(tmp_path, pages):
    found = read(made(tmp_path), pages=pages)
    links = {(link["left"], link["right_kind"], link["right"]) for link in found.catalogue.links.to_pylist()}
    assert links == LINKS and found.catalogue.links.num_rows == len(LINKS) and found.refused.num_rows == 0
    assert tables(found) == tables(read(tmp_path, pages="whole.xml"))
    items = {(item["kind"], item["id"]): item for item in found.catalogue.items.to_pylist()}
    assert items["book", "Persuasion"]["author"] == "Jane Austen" and items["book", "Persuasion"]["label"] == "Novel"
    assert items["book", "Emma"]["country"] == "United Kingdom"  # the infobox before the table
    assert items["book", "War and Peace"]["description"] == "Leo Tolstoy · Novel, War · Russia"
    assert (
        found.counts["books_with_page"] == 3 and found.counts["books_without_page"] == 1 and found.counts["links_to_self"] == 1
    )
    if pages != "rows.ndjson":
        assert (found.counts["dump_pages"], found.counts["dump_book_pages"], found.counts["links_redirected"]) == (8, 3, 2)
        assert found.counts["dump_redirect_pages"] == 2 and found.counts["dump_pages_elsewhere"] == 1


@pytest.mark.slow
def test_a_killed_ingest_goes_on_at_the_part_and_processes_change_nothing(tmp_path, monkeypatch):
    root = made(tmp_path)
    die = "\n".join([
        "import os, signal, sys; from pathlib import Path",
        "from kindex.sources.parts import dumppart; from tests.sources.test_wikipedia_books import read",
        "take = dumppart._take",
        "def stop(job, page, *rest): os.kill(os.getpid(), 9) if page.title == 'Bookshop' else take(job, page, *rest)",
        "dumppart._take = stop; read(Path(sys.argv[1]), pages='part*.bz2')",
    ])  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", die, str(root)], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -9
    begun, write = [], dumppart._write
    monkeypatch.setattr(dumppart, "_write", lambda job, *rest: begun.append(job.name) or write(job, *rest))
    resumed = tables(read(root, pages="part*.bz2"))
    assert begun == ["part2.xml-p5p8.bz2"]
    assert resumed == tables(read(made(tmp_path / "undisturbed"), pages="part*.bz2", processes=2))


def test_two_equal_parts_are_read_once_and_their_pages_refused_once(tmp_path):
    root = made(tmp_path)
    (root / "again.xml").write_bytes((root / "whole.xml").read_bytes())
    found = read(root, pages=["whole.xml", "again.xml"], processes=2)
    assert len(list((root / "var" / "wikipedia_books").iterdir())) == 1
    assert tables(found) == tables(read(root, pages="whole.xml"))
    assert [row["origin"] for row in found.refused.to_pylist()] == [f"again.xml: {row[0]}" for row in ROWS]


def test_a_kept_part_that_was_damaged_is_read_again(tmp_path):
    root = made(tmp_path)
    expected = tables(read(root, pages="whole.xml"))
    (kept,) = (root / "var" / "wikipedia_books").iterdir()
    for file in list(kept.iterdir()):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert tables(read(root, pages="whole.xml")) == expected and file.read_bytes() == content


def test_another_file_than_the_locked_one_is_refused(tmp_path):
    root, chosen = made(tmp_path), config(pages=["part*.bz2", "rows.ndjson"])
    locked = wikipedia_books.snapshot(chosen, root)
    assert sorted(locked["files"]) == ["more.parquet", "part1.xml-p1p4.bz2", "part2.xml-p5p8.bz2", "rows.ndjson"]
    assert locked["files"]["rows.ndjson"]["bytes"] == (root / "rows.ndjson").stat().st_size
    for name in locked["files"]:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content + b" ")
        with pytest.raises(NotAsLockedError, match=name):
            wikipedia_books.read(chosen, locked, root, Silent())
        (root / name).write_bytes(content)
    (root / "part3.xml.bz2").write_bytes(multistream())
    with pytest.raises(NotAsLockedError, match=r"part3\.xml\.bz2 is not locked"):
        wikipedia_books.read(chosen, locked, root, Silent())


def test_pages_that_cannot_be_parsed_are_refused_and_the_rest_is_read(tmp_path, monkeypatch):
    root = made(tmp_path)
    lost = page("Lost", "{{Infobox book|name=x}}" + "<ref>" * 600)
    (root / "odd.xml").write_bytes(dump(page("Long", "x" * 2000), lost, *PAGES))
    found = read(root, pages="odd.xml", max_page_characters=1500 + 2500)
    assert [(row["value"], row["rule"][:24]) for row in found.refused.to_pylist()] == [("Lost", "wikitext has more than 5")]
    found = read(root, pages="odd.xml", max_page_characters=1500)
    assert [row["rule"] for row in found.refused.to_pylist()] == ["page is longer than 1500 characters"] * 2
    assert found.refused["origin"].to_pylist()[0] == "odd.xml: page 7" and found.counts["books_with_page"] == 3
    monkeypatch.setattr("mwparserfromhell.parse", lambda text: 1 / 0)
    found = read(root, pages="odd.xml")
    assert {row["rule"] for row in found.refused.to_pylist()} >= {"wikitext does not parse: ZeroDivisionError"}
    assert found.refused.num_rows == 5  # Lost, the three books and the bookshop


@pytest.mark.parametrize("name", ["whole.xml", "part1.xml-p1p4.bz2", "rows.ndjson", "more.parquet"])
def test_no_damaged_file_gives_a_traceback(tmp_path, name):
    content, dice = (made(tmp_path) / name).read_bytes(), random.Random(name)
    for trial in range(12):
        at = dice.randrange(len(content))
        flipped = content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]
        (tmp_path / name).write_bytes(content[:at] if trial % 2 else flipped)
        try:
            read(tmp_path, pages=["whole.xml", "part1.xml-p1p4.bz2", "rows.ndjson"])
        except (DamagedError, DataGateError) as error:
            assert name in str(error)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pages": "none*.xml"}, "source.pages names none"), ({"pages": "folder.xml"}, "no file in the project"),
        ({"pages": "/"}, "no file in the project"), ({"pages": [], "attribute_links": []}, "attributes alone give no links"),
        ({"pages": [], "attributes": ""}, "give pages, attributes or both"), ({"min_articles": 0}, "allowed: 1 or more"),
        ({"fields": ["label"], "label": ""}, "and none of id, kind"),
        ({"label": "gerne"}, "label names gerne, allowed: the fields"),
        ({"attribute_links": ["translator"]}, "attribute_links names translator"),
        ({"drop_title": []}, "did you mean drop_titles"),
        ({"pages": "more.parquet"}, "allowed: .xml"), ({"processes": "2"}, "processes"),
    ],
)  # fmt: skip
def test_wrong_settings_name_themselves_and_the_file_to_edit(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(made(tmp_path), **{"pages": "rows.ndjson", **settings})
    assert "params.yaml" in str(caught.value)


def test_attributes_alone_make_a_catalogue(tmp_path):
    found = read(made(tmp_path), pages=[], min_attribute_books=1)
    assert {link["right"] for link in found.catalogue.links.to_pylist()} == {"nobody", "jane austen"}
