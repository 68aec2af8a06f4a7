"""Book pages as lines of JSON: `[title, infobox, wikilinks, external links, timestamp, characters]`.

The format of the seed's `found_books.ndjson`; also what is kept of a dump, so that both take one way from here on.
"""

import bz2
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from kindex.core import quarantine
from kindex.core.errors import ConfigError, DamagedError, DataGateError, OutsideError
from kindex.sources.parts.wikititles import tidy

LINES = re.compile(r".*\.(ndjson|jsonl)(\.gz|\.bz2)?", re.DOTALL)
DUMP = re.compile(r".*\.xml(-p\d+p\d+)?(\.bz2)?", re.DOTALL)
_SPACED = re.compile(r'  [&"<>]|[&"<>]  ')
_AROUND = re.compile(r' ?([&"<>]) ?')
_OPEN = {".gz": gzip.open, ".bz2": bz2.open}


@dataclass(frozen=True)
class BookPage:
    """`infobox` holds text by field; `links` are targets as they are written; `origin` is for a refusal to name."""

    title: str
    infobox: dict[str, str]
    links: list[str]
    external: list[str]
    timestamp: str
    characters: int
    origin: str


def line_of(page: BookPage) -> bytes:
    """The page as a line."""
    row = [page.title, page.infobox, page.links, page.external, page.timestamp, page.characters]
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def is_dump(name: str) -> bool:
    """Whether the file is a dump or lines of JSON. Raises `ConfigError` when its suffix is that of neither."""
    if DUMP.fullmatch(name):
        return True
    if LINES.fullmatch(name):
        return False
    allowed = (
        ".xml, .xml-p1p41242 as the parts of a dump end, .ndjson or .jsonl, each also with .bz2, the last two also with .gz"
    )
    raise ConfigError(f"source.pages names {name}, allowed: {allowed}. Edit params.yaml")


def opened(path: Path, name: str) -> IO[bytes]:
    """The file as it lies. Raises `OutsideError` naming it."""
    try:
        return path.open("rb")
    except OSError as error:
        raise OutsideError(f"{name} cannot be read: {error.strerror}") from None


def unpacked(packed: IO[bytes], name: str) -> IO[bytes]:
    """The file's plain bytes, unpacked as they are read; bz2 streams that follow one another are one text."""
    unpacking: Any = _OPEN.get(Path(name).suffix)
    return cast(IO[bytes], unpacking(packed, "rb")) if unpacking else packed


def book_pages(stream: IO[bytes], name: str, most_characters: int) -> Iterator[BookPage | dict[str, Any]]:
    """The pages, and a quarantine entry for each line that is none. Raises `DamagedError`, `DataGateError` when empty."""
    number = 0
    for number, line in enumerate(_lines(stream, name, most_characters), start=1):
        origin = f"{name}:{number}"
        if len(line) > most_characters:
            yield refusal(f"line is longer than {most_characters} characters", line[:200], origin)
        elif line.strip():
            yield _page(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, origin)
    if not number:
        raise DataGateError(f"{name} is empty")


def refusal(rule: str, shown: str | bytes, origin: str) -> dict[str, Any]:
    """A quarantine entry for a page; at most 1,000 characters of it are kept."""
    text = shown[:1000].decode("utf-8", "backslashreplace") if isinstance(shown, bytes) else shown[:1000]
    return quarantine.entry("items", -1, rule, text, origin, {"page": quarantine.writable(text)})


def _lines(stream: IO[bytes], name: str, most: int) -> Iterator[bytes]:
    """Lines, of which one that is too long comes cut, and its rest not at all."""
    try:
        while line := stream.readline(most + 1):
            end = line
            while not end.endswith(b"\n") and (end := stream.readline(1 << 20)):
                pass
            yield line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DamagedError(f"{name} is damaged: {error}") from None


def _page(line: bytes, origin: str) -> BookPage | dict[str, Any]:
    try:
        row = json.loads(line.decode())
    except UnicodeDecodeError:
        return refusal("text is not UTF-8", line, origin)
    except (ValueError, RecursionError) as error:
        rule = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return refusal(f"row does not parse: {rule}", line, origin)
    if not isinstance(row, list) or len(row) != 6:
        return refusal(
            "row is not a JSON list of title, infobox, wikilinks, external links, timestamp, characters", line, origin
        )
    title, infobox, links, external, timestamp, characters = row
    wrong = next((what for what, good in _checks(row) if not good), "")
    if wrong:
        return refusal(wrong, line, origin)
    if "\\ud" in line.decode().lower() and not _writable(row):
        return refusal("text is not UTF-8", line, origin)
    fields = {tidy(name).casefold(): _joined(value) for name, value in (infobox or {}).items()}
    links = [_joined(link) for link in links]
    return BookPage(tidy(_joined(title)), fields, links, external or [], timestamp or "", characters or 0, origin)


def _joined(text: str) -> str:
    """Undo what some readers of dumps did: put a space on either side of each `&`, `"`, `<` and `>`.

    Two spaces in a row show that it was done: no title has them.

    >>> _joined('Behind  " The Lord of the Rings "'), _joined("Harper & Brothers")
    ('Behind "The Lord of the Rings"', 'Harper & Brothers')
    """
    return _AROUND.sub(r"\1", text) if _SPACED.search(text) else text


def _checks(row: list[Any]) -> list[tuple[str, bool]]:
    title, infobox, links, external, timestamp, characters = row
    texts = isinstance(infobox, dict) and all(isinstance(value, str) for value in infobox.values())
    return [
        ("title is missing", isinstance(title, str) and bool(tidy(title))),
        ("title has a NUL", not isinstance(title, str) or "\0" not in title),
        ("infobox is not an object of texts", infobox is None or texts),
        ("wikilinks are not a list of texts", isinstance(links, list) and all(isinstance(link, str) for link in links)),
        ("external links are not a list", external is None or isinstance(external, list)),
        ("timestamp is not a text", timestamp is None or isinstance(timestamp, str)),
        ("characters are not a whole number", characters is None or type(characters) is int),
    ]


def _writable(row: list[Any]) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
        return True
    except UnicodeEncodeError:
        return False
