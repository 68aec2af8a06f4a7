"""Small MediaWiki dumps, written as Wikimedia writes them: a header, pages, a footer; in bz2 a stream for each of them."""

import bz2
from xml.sax.saxutils import escape, quoteattr

HEADER = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n'
    '  <siteinfo><sitename>Wikipedia</sitename><namespaces><namespace key="0" case="first-letter" />'
    '<namespace key="14" case="first-letter">Category</namespace></namespaces></siteinfo>\n'
)
FOOTER = "</mediawiki>\n"


def page(title: str, text: str = "", ns: int = 0, redirect: str = "", timestamp: str = "2020-01-01T00:00:00Z") -> str:
    leads = f"<redirect title={quoteattr(redirect)} />" if redirect else ""
    return (
        f"  <page><title>{escape(title)}</title><ns>{ns}</ns><id>7</id>{leads}\n"
        f"    <revision><id>8</id><timestamp>{timestamp}</timestamp>"
        "<contributor><username>A</username><id>9</id></contributor>"
        f'<comment>text and title of no page</comment><text bytes="1" xml:space="preserve">{escape(text)}</text></revision>\n'
        "  </page>\n"
    )


def dump(*pages: str) -> bytes:
    return (HEADER + "".join(pages) + FOOTER).encode()


def multistream(*pages: str, each: int = 2) -> bytes:
    """The streams of a multistream file: the header, `each` pages at a time, the footer."""
    middle = ["".join(pages[at : at + each]) for at in range(0, len(pages), each)]
    return b"".join(bz2.compress(text.encode()) for text in (HEADER, *middle, FOOTER))


def book(title: str, links: list[str], timestamp: str = "2020-01-01T00:00:00Z", **fields: str) -> str:
    """A page with an infobox of `fields` and a text with `links`."""
    box = "".join(f"| {name} = {value}\n" for name, value in fields.items())
    text = f"{{{{Infobox book\n{box}}}}}\n'''{title}''' " + " ".join(f"[[{link}]]" for link in links)
    return page(title, text, timestamp=timestamp)
