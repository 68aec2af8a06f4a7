import bz2
import io
import random

import pytest

from kindex.core.errors import DamagedError
from kindex.sources.parts.wikidump import PIECE, dump_pages
from tests.sources.made_dump import FOOTER, HEADER, book, dump, multistream, page


def read(content: bytes, most: int = 10_000):
    stream = bz2.BZ2File(io.BytesIO(content)) if content.startswith(b"BZh") else io.BytesIO(content)
    return [page for pages in dump_pages(stream, "d.xml", most) for page in pages]


def test_a_page_says_what_its_elements_say():
    one, moved, other = read(
        dump(
            page("A & B", 'x <ref name="q">&amp;</ref> é', timestamp="2021"),
            page("R", redirect='T "q"'),
            page("C", "text", ns=14),
        )
    )
    assert (one.title, one.namespace, one.number, one.timestamp) == ("A & B", "0", "7", "2021")
    assert one.text == 'x <ref name="q">&amp;</ref> é' and not one.redirect  # an entity of the wikitext is left to it
    assert (moved.title, moved.redirect) == ("R", 'T "q"')
    assert (other.title, other.namespace, other.text) == ("C", "14", "")  # text of other namespaces is not kept


def test_of_a_full_history_the_last_revision_stays():
    first = "<revision><id>1</id><timestamp>2001</timestamp><text>old</text></revision>"
    (found,) = read(dump(page("A", "new", timestamp="2002").replace("<revision>", first + "<revision>", 1)))
    assert (found.text, found.timestamp, found.number) == ("new", "2002", "7")


@pytest.mark.parametrize("pages", [1, 5, 12])
def test_streams_that_follow_one_another_are_read_to_the_end(pages):
    titles = [f"P{number}" for number in range(pages)]
    assert [found.title for found in read(multistream(*(page(title, "x") for title in titles)))] == titles


def test_text_over_the_limit_is_not_kept_and_the_pages_after_it_are():
    long, after = read(dump(page("Long", "ab" * (4 * PIECE)), page("After", "short")), most=1000)
    assert (long.title, long.cut, len(long.text)) == ("Long", True, 0)
    assert (after.text, after.cut) == ("short", False)


LAUGHS = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
UNREADABLE = {
    "declares a document type": (LAUGHS + HEADER + page("A").replace(">A<", ">&b;<") + FOOTER).encode(),
    "first element is <feed>": b"<feed><mediawiki/></feed>",
    "it breaks off": dump(page("A"))[:-14],
    "undefined entity": dump(page("A")).replace(b">A<", b">&nbsp;<"),
    "mismatched tag": dump(page("A")).replace(b"</title>", b"</titel>"),
    "more than 50 deep": (HEADER + "<a>" * 60).encode(),
    "more than 16 MB": HEADER.encode() + b"<page " + b"a" * (18 << 20),
    "unknown encoding": b'<?xml version="1.0" encoding="latin-17"?><mediawiki/>',
    "not well-formed": dump(page("A")).replace(b">A<", b">\xff<"),
    "no element found": b"",
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_what_is_no_dump_is_refused_by_name_and_reason(reason):
    with pytest.raises(DamagedError, match=rf"d\.xml is damaged.*{reason}"):
        read(UNREADABLE[reason])


def test_damage_names_the_page_that_it_is_in():
    with pytest.raises(DamagedError, match="in or after the page 'Third'"):
        read(dump(page("First"), page("Second"), page("Third").replace("</id>", "</di>", 1)))


@pytest.mark.parametrize("plain", [True, False])
def test_no_mutant_gives_anything_but_pages_or_a_named_error(plain):
    whole = [book(f"B{number}", ["X", "Y"], author="Z") for number in range(9)]
    content = dump(*whole) if plain else multistream(*whole)
    dice, refused = random.Random(4), 0
    for trial in range(60):
        at = dice.randrange(len(content))
        mutant = (
            content[:at]
            if trial % 3 == 0
            else content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]
        )
        try:
            assert len(read(mutant)) <= 9
        except DamagedError as error:
            assert "d.xml" in str(error)
            refused += 1
    assert refused >= (25 if plain else 55)  # a flipped letter of a text is still XML; bz2 has checksums
