"""Which image a file of captions, or an official list, means by a name; and such lists."""

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from kindex.sources.parts.captionfolder import SUFFIXES
from kindex.sources.parts.lines import BadRow

ABSENT = "image is not there"
AMBIGUOUS = "name is that of several images"


class Names:
    """The ids of images by every name that they may be called: the id, its last part, either without the extension.

    A name that has a folder must be the id, for the same file name may be in several folders.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._by_name: dict[str, set[str]] = {}
        self._ids = set(ids)
        for one in self._ids:
            plain = _plain(one)
            last = plain.rpartition("/")[2]
            for name in {plain, last, _stem(plain), _stem(last)}:
                self._by_name.setdefault(name, set()).add(one)

    def find(self, name: str) -> tuple[str, str]:
        """(id, "") of the image that is meant, else ("", rule).

        >>> Names(["a/1.jpg", "b/1.jpg", "2.png"]).find("2"), Names(["a/1.jpg", "b/1.jpg"]).find("1.jpg")
        (('2.png', ''), ('', 'name is that of several images'))
        """
        if name in self._ids:
            return name, ""
        found = self._by_name.get(_plain(name), set())
        if len(found) == 1:
            return next(iter(found)), ""
        return "", AMBIGUOUS if found else ABSENT


def names_of(handle: BinaryIO) -> Iterator[tuple[int, str] | BadRow]:
    """The names in an official list, one on each line, with their lines; blank lines are skipped."""
    for number, line in enumerate(handle, start=1):
        try:
            name = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield BadRow(number, "text is not UTF-8", line.decode("utf-8", "backslashreplace").strip())
            continue
        if name:
            yield number, name


def _plain(name: str) -> str:
    """One spelling of names that mean the same: letters composed, folders behind /, no ./ in front."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def _stem(name: str) -> str:
    """Without the extension, when that is one of an image."""
    return name[: -len(suffix)] if (suffix := PurePosixPath(name).suffix).lower() in SUFFIXES else name
