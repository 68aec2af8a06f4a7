import time

import pytest

from kindex.sources.parts.infobox import identity, values
from kindex.sources.parts.wikitext import MOST_OPEN, mentions, most_open, parse_page
from kindex.sources.parts.wikititles import page_title

BOOK = """{{Use dmy dates}}<!-- [[Not this]] -->
{{infobox_Book <!-- novels -->
| name = '''War''' &amp; Peace
| author = [[Leo Tolstoy|Lev Tolstoy]]<ref>{{cite|[[Footnote]]}}</ref>
| genre = {{hlist|[[Novel]]|[[War novel]]}}
| country = {{plainlist|
* [[Russia]]
* {{nowrap|[[Kingdom of France]]}}
}}
| publisher = [http://x.org The Russian Messenger] (serial)<br />{{lang|ru|Издатель}}
| genre2 =
| image = [[File:a.jpg|thumb]]
}}
[[File:b.jpg|thumb|caption with [[Inner link]]]] {{quote|[[nested]]|x={{a|[[deeper]]}}}}
<nowiki>[[Not that]]</nowiki> [[a b#part|c]] [http://y.org y] [[unbalanced {{ [[Last]]
"""


def test_a_page_gives_its_fields_and_links():
    fields, links, external = parse_page(BOOK, ["book"])
    assert fields == {
        "name": "War & Peace",
        "author": "Lev Tolstoy",
        "genre": "Novel\nWar novel",
        "country": "Russia\nKingdom of France",
        "publisher": "The Russian Messenger (serial)\nИздатель",
    }
    expected = ["Leo Tolstoy", "Footnote", "Novel", "War novel", "Russia", "Kingdom of France", "File:a.jpg", "File:b.jpg"]
    assert links == [*expected, "Inner link", "nested", "deeper", "a b#part", "Last"]
    assert external == ["http://x.org", "http://y.org"]


def test_an_infobox_may_lie_inside_other_templates_and_the_first_is_taken():
    text = "{{wrap|{{Infobox Book|author=A}}}} {{Infobox book|author=B}} {{Infobox bookshop|author=C}}"
    assert parse_page(text, ["book"])[0] == {"author": "A"}
    assert parse_page("{{Infobox bookshop|author=C}} [[x]]", ["book"]) is None
    assert parse_page("{{Infobox  novel|author=D|author=E}}", ["book", "Novel"])[0] == {"author": "E"}


@pytest.mark.parametrize(
    ("text", "could_be"),
    [
        ("{{Infobox book\n", True), ("{{INFOBOX_BOOK", True), ("{{ infobox   Book|", True), ("{{Infobox<!-- c --> book", True),
        ("{{Infobox film}} book", False), ("info box book", False), ("{{Infobox bookshop", True), ("", False),
    ],
)  # fmt: skip
def test_the_first_look_never_misses_an_infobox(text, could_be):
    assert bool(mentions(["book"])(text)) is could_be


def test_open_brackets_are_counted():
    assert most_open("{{a|[[b]]}} <b>x</b> <br> <ref name=x /> {| |}") == 2
    assert most_open("<ref>" * 7 + "</ref>" * 3 + "{{" * 4) == 8
    assert most_open("}} ]] </b> {{") == 1
    assert most_open("<div class='" * 4) == 4


@pytest.mark.parametrize("lost", ["<ref>", "[[a|", "{{a|", "{|\n| [[a\n", "<div class='", "\n;:<b>", "[http://x <b>", "{{["])
def test_wikitext_that_would_take_the_parser_hours_is_seen_before(lost):
    assert most_open("{{Infobox book|name=X}}\n" + lost * 20_000) > MOST_OPEN
    within = lost * (MOST_OPEN // most_open(lost) // 4)
    before = time.process_time()
    assert parse_page("{{Infobox book|name=X}}\n" + within, ["book"])[0] == {"name": "X"}
    assert time.process_time() - before < 3


@pytest.mark.parametrize(
    ("target", "title"),
    [
        ("war and Peace", "War and Peace"), ("War_and__Peace ", "War and Peace"), ("A#Section", "A"), ("#Section", ""),
        ("Tom &amp; Jerry", "Tom & Jerry"), ("A\u00a0B\u200e", "A B"), ("Foo%20bar%3F", "Foo bar?"),
        ("100% Wolf", "100% Wolf"),
        ("File:a.jpg", ""), ("Image:a.jpg", ""), ("user_talk:X", ""), ("Wikipedia:WikiProject Books", ""), ("WP:NB", ""),
        ("fr:Guerre", ""), (":fr:Guerre", ""), ("b:Book", ""), ("zh-min-nan:X", ""), ("Star Trek: X", "Star Trek: X"),
        ("2001: A Space Odyssey", "2001: A Space Odyssey"),
        ("category: novels by x", "Category:Novels by x"), (":Category:X", "Category:X"),
        ("Category:", ""), ("Category talk:X", ""), ("a{{b}}", ""), ("a<!-- c -->b", "Ab"), ("a[b", ""),
        ("  ", ""), ("x" * 256, ""),
        ("e\u0301tude", "Étude"), ("ßeta", "ßeta"), ("\ud800", ""), ("a&#0;", ""), ("Draft:X", ""),
    ],
)  # fmt: skip
def test_a_target_means_one_title(target, title):
    assert page_title(target) == title


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("genre", "Fiction, novel", ["Fiction", "novel"]), ("genre", "Novel\nnovel; NOVEL.", ["Novel"]),
        ("genre", "Crime / Mystery < br > 'Horror' (genre)", ["Crime", "Mystery", "Horror"]),
        ("genre", "[[War novel|War]] < ref name=x / >, {{a}}Epic<ref>b, c</ref>", ["War", "Epic"]),
        ("country", "US, U.K.", ["United States", "United Kingdom"]), ("country", "england", ["england"]),
        ("author", "James Patterson and Michael Ledwidge", ["James Patterson", "Michael Ledwidge"]),
        ("author", "Arkady and Boris Strugatsky", ["Arkady and Boris Strugatsky"]),
        ("author", "A. Bee, Cee Dee, Jr., and Eff Gee", ["A. Bee", "Cee Dee, Jr.", "Eff Gee"]),
        ("author", "Walter Citrine, 1st Baron Citrine", ["Walter Citrine, 1st Baron Citrine"]),
        ("author", "edited by Jack Dann & Ann Lee (editors), et al.", ["Jack Dann", "Ann Lee"]),
        ("author", "Ann Lee https://x.org/a,b", ["Ann Lee"]), ("author", "Various", []), ("author", "x" * 101, []),
        ("publisher", "Farrar, Straus and Giroux", ["Farrar, Straus and Giroux"]),
        ("publisher", "Doubleday (US) < br > Jonathan Cape (UK)", ["Doubleday", "Jonathan Cape"]),
        ("publisher", "Harper  &  Brothers", ["Harper & Brothers"]), ("publisher", "< !-- none -- >", []),
    ],
)  # fmt: skip
def test_a_field_has_values(field, text, expected):
    assert values(field, text) == expected


def test_spellings_of_one_value_are_one():
    assert identity("Leo  TOLSTOY") == identity("leo tolstoy") and identity("Straße") == identity("STRASSE")
