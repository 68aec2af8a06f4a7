import random

import pyarrow as pa

from kindex.sources.parts.booklinks import BookLinks, followed
from kindex.sources.parts.bookpages import BookPage
from kindex.sources.parts.booktables import attribute_links, item_table, link_table
from kindex.sources.parts.dumppart import REDIRECTS

DROP = ("Paper", "ware*")


def page(title: str, links: list[str], timestamp: str = "2020", **infobox: str) -> BookPage:
    return BookPage(title, infobox, links, [], timestamp, 0, f"p:{title}")


def slowly(pages: list[BookPage], min_articles: int, moved: dict[str, str]) -> set[tuple[str, str]]:
    """The links by the rules of docs/books.md, in plain loops."""
    found = set()
    for book in pages:
        for link in book.links:
            title = link[:1].upper() + link[1:]
            title = moved.get(title, title)
            if title.startswith(("File:", "Fr:")) or title.lower() == "paper" or title.lower().startswith("ware"):
                continue
            if title.lower() != moved.get(book.title, book.title).lower():
                found.add((book.title, title.lower()))
    often = [link for _, link in found]
    return {(book, link) for book, link in found if often.count(link) >= min_articles}


def test_links_are_those_of_slow_loops():
    dice = random.Random(3)
    words = [
        "one",
        "One",
        "oNE",
        "two",
        "Three",
        "File:a.jpg",
        "Fr:x",
        "paper",
        "Warehouse",
        "four",
        "Four",
        "five",
        *"abcdefgh",
    ]
    for trial in range(30):
        moved = {"Two": "Four", "A": "B", "One": "One (number)"} if trial % 2 else {}
        pages = [page(title, dice.choices(words, k=dice.randrange(12))) for title in ["Four", "E", "Z", "Y", "X", "A", "W"]]
        books = BookLinks((), (), True)
        for each in pages:
            books.add(each)
        found = books.gather(True, DROP, 2, moved)
        pairs = {(list(found.books)[left], found.targets[right]) for left, right in found.link_N2.tolist()}
        assert pairs == slowly(pages, 2, moved) and len(pairs) == len(found.link_N2)
        assert sorted(found.targets) == sorted({link for _, link in pairs})  # no item without a link
        counted = sum(count for name, count in books.counts.items() if name != "links_redirected")
        assert counted + len(pairs) == sum(len(each.links) for each in pages)  # no link is lost untold


def test_case_may_be_kept_and_categories_left_out():
    books = BookLinks((), (), False)
    books.add(page("A", ["NATO", "nATO", "Category:X"]))
    assert books.gather(False, (), 1, {}).targets == ["NATO"]
    assert (books.counts["links_repeated"], books.counts["links_elsewhere"]) == (1, 1)


def test_of_pages_with_one_title_the_latest_stays_in_any_order():
    versions = [page("A", ["Old"], "2001"), page("A", ["New"], "2003"), page("A", ["Middle"], "2002")]
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        books = BookLinks((), ("Wikipedia:",), True)
        for at in order:
            books.add(versions[at])
        books.add(page("Wikipedia:A", ["New"]))
        assert books.gather(True, (), 1, {}).targets == ["new"]
        assert sorted(entry["value"] for entry in books.refused) == ["A 2001", "A 2002"]
        assert books.counts["titles_dropped"] == 1


def test_redirects_are_followed_and_circles_end():
    rows = {"A": "B", "B": "C#part", "Round": "Other", "Other": "Round", "Out": "Wikipedia:X", "Un": "asked", "D": "C"}
    batch = pa.RecordBatch.from_pylist([{"title": title, "target": target} for title, target in rows.items()], REDIRECTS)
    moved = followed(["A", "C", "D", "Out", "Round"], lambda: iter([batch.slice(0, 2), batch.slice(2)]))
    assert {title: moved[title] for title in ("A", "D")} == {"A": "C", "D": "C"}
    assert moved["Round"] in ("Round", "Other") and set(moved) == {"A", "D", "Round"}


def test_values_become_columns_labels_links_and_descriptions():
    books = BookLinks(("author", "genre", "country"), (), True)
    books.add(page("War", ["peace"], author="Leo Tolstoy", genre="war novel, Epic", country="Russia"))
    books.add(page("Peace", ["War"], author="leo tolstoy", genre="War novel"))
    books.add(page("Other", ["peace"], author="LEO TOLSTOY & Ann Lee", genre="Poem"))
    found = books.gather(True, (), 1, {})
    author, genre = (attribute_links(found.books, name, 2) for name in ("author", "genre"))
    items = item_table(found.books, found.targets, [author, genre], ("author", "genre", "country"), "genre").to_pylist()
    by_key = {(item["kind"], item["id"]): item for item in items}
    assert by_key["book", "War"] == {
        "id": "War", "kind": "book", "label": "War novel", "description": "Leo Tolstoy · War novel, Epic · Russia",
        "author": "Leo Tolstoy", "genre": "War novel; Epic", "country": "Russia",
    }  # fmt: skip
    assert by_key["book", "Peace"]["country"] is None and by_key["book", "Other"]["author"] == "Leo Tolstoy; Ann Lee"
    assert (by_key["link", "war"]["label"], by_key["link", "war"]["description"]) == (
        "book",
        by_key["book", "War"]["description"],
    )
    assert by_key["author", "leo tolstoy"]["description"] == "Leo Tolstoy · 3 books"
    assert ("author", "ann lee") not in by_key and ("genre", "poem") not in by_key
    links = link_table(list(found.books), found.link_N2, found.targets, [author, genre]).to_pylist()
    assert {(link["left"], link["right_kind"], link["right"]) for link in links} == {
        ("War", "link", "peace"), ("Other", "link", "peace"), ("Peace", "link", "war"),
        *((title, "author", "leo tolstoy") for title in ("War", "Peace", "Other")),
        *((title, "genre", "war novel") for title in ("War", "Peace")),
    }  # fmt: skip
    assert all(link["weight"] == 1 and link["left_kind"] == "book" for link in links)
