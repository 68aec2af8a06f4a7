"""Pages of a MediaWiki XML dump (export schema 0.3 to 0.11), one at a time, in memory that does not grow with the dump.

expat reads the file in pieces. Nothing is kept but the page that is being read, and of that no more text than allowed.
A dump has no document type; one that declares any is refused, and with it every entity that could expand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any
from xml.parsers import expat

from kindex.core.errors import DamagedError

PIECE = 1 << 18
LARGEST_TAG = 1 << 24
"""Bytes that expat may hold back while it waits for the end of one tag."""
DEEPEST = 50

WANTED = {("page", "title"), ("page", "ns"), ("page", "id"), ("revision", "timestamp"), ("revision", "text")}


@dataclass
class DumpPage:
    """One page, with its last revision. `redirect` is the title that it leads to, or ""; `cut`: its text was too long."""

    title: str = ""
    namespace: str = ""
    number: str = ""
    timestamp: str = ""
    redirect: str = ""
    text: str = ""
    cut: bool = False


def dump_pages(stream: IO[bytes], name: str, most_characters: int) -> Iterator[list[DumpPage]]:
    """The pages, as many at a time as end in one piece of the stream.

    Raises `DamagedError` naming the file and the place, when the stream breaks off, is not XML or not a dump.
    Text beyond `most_characters` is not kept, and pages outside the article namespace come without text.
    """
    reader = _Reader(name, most_characters)
    fed = 0
    while piece := _read(stream, name):
        fed += len(piece)
        yield reader.feed(piece)
        if fed - reader.parser.CurrentByteIndex > LARGEST_TAG:
            raise reader.damaged(f"a tag or a character reference of more than {LARGEST_TAG >> 20} MB")
    yield reader.feed(b"", last=True)


def _read(stream: IO[bytes], name: str) -> bytes:
    try:
        return stream.read(PIECE)
    except (OSError, EOFError, ValueError) as error:  # what bz2 raises for a broken block, and for one that is missing
        raise DamagedError(f"{name} is damaged: {error}") from None


class _Reader:
    """expat's handlers. Character data are only listened to inside the elements that are wanted."""

    def __init__(self, name: str, most_characters: int) -> None:
        self.name, self.most = name, most_characters
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.open: list[str] = []
        self.page = DumpPage()
        self.done: list[DumpPage] = []
        self.heard: list[str] = []
        self.length = 0

    def feed(self, piece: bytes, last: bool = False) -> list[DumpPage]:
        """The pages that end in this piece."""
        try:
            self.parser.Parse(piece, last)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            cut = " (it breaks off)" if last else ""
            raise self.damaged(f"{what}{cut}") from None
        except (ValueError, LookupError) as error:  # an encoding that is declared and not known
            raise self.damaged(str(error)) from None
        done, self.done = self.done, []
        return done

    def damaged(self, what: str) -> DamagedError:
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber
        after = f", in or after the page {self.page.title!r}" if self.page.title else ""
        return DamagedError(f"{self.name} is damaged at line {line}, column {column}{after}: {what}")

    def _start(self, tag: str, attributes: dict[str, Any]) -> None:
        parent = self.open[-1] if self.open else ""
        if not parent and tag != "mediawiki":
            raise self.damaged(f"its first element is <{tag[:40]}>; a MediaWiki dump begins with <mediawiki>")
        if len(self.open) >= DEEPEST:
            raise self.damaged(f"elements lie more than {DEEPEST} deep")
        self.open.append(tag)
        if tag == "page":
            self.page = DumpPage()
        elif parent == "page" and tag == "redirect":
            self.page.redirect = attributes.get("title", "")
        elif tag == "revision":
            self.page.text, self.page.cut = "", False  # of a full history the last one stays
        elif (parent, tag) in WANTED and not (tag == "text" and self.page.namespace not in ("", "0")):
            self.heard, self.length = [], 0
            self.parser.CharacterDataHandler = self._characters

    def _end(self, tag: str) -> None:
        self.open.pop()
        if tag == "page":
            self.done.append(self.page)
        elif self.parser.CharacterDataHandler is not None:
            self.parser.CharacterDataHandler = None
            where = {"ns": "namespace", "id": "number"}.get(tag, tag)
            setattr(self.page, where, "".join(self.heard))
            self.heard = []

    def _characters(self, text: str) -> None:
        self.length += len(text)
        if self.length <= self.most:
            self.heard.append(text)
        else:
            self.page.cut = True
            self.heard = []

    def _doctype(self, name: str, *_rest: object) -> None:
        raise self.damaged(f"it declares a document type ({name[:40]}); entities of its own are not read")
