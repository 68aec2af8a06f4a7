"""One caption as a file has it, and which columns of a table it comes from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from kindex.core import quarantine
from kindex.sources.parts.rows import Role


class Line(NamedTuple):
    """One caption as a file has it. `place` is None where the file does not number captions."""

    origin: str
    image: str
    caption: str | None
    place: int | None = None
    label: str | None = None
    split: str | None = None

    def refused(self, rule: str) -> dict[str, Any]:
        record = {"image": self.image, "caption": self.caption, "place": self.place}
        return quarantine.entry("captions", -1, rule, self.image, self.origin, record)


@dataclass(frozen=True)
class Columns:
    """Names of columns; the last three may be ""."""

    image: str
    caption: str
    place: str = ""
    label: str = ""
    split: str = ""

    def wanted(self) -> dict[str, Role]:
        roles: dict[str, Role] = {self.place: "number"}
        roles |= dict.fromkeys((self.image, self.caption, self.label, self.split), "text")
        return {column: role for column, role in roles.items() if column}


Found = Iterator[Line | dict[str, Any]]
"""Captions, and quarantine entries of what could not become one."""
