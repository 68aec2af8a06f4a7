"""New items on a command line: the links that they are given by, and what became of them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kindex.cli.text import printable
from kindex.core.errors import ConfigError

if TYPE_CHECKING:
    from kindex.ask.unseen import Placed, Unseen

SHOWN = 12
"""Links that are listed; the others are counted."""


def given_links(links: str | None, link: Sequence[str] | None, file: Path | None) -> list[str] | None:
    """The ids given in any of three ways, empty ones left out; None when none was used. Raises `ConfigError`."""
    if links is None and not link and file is None:
        return None
    found = [*(links or "").split(","), *(link or ()), *(_lines(file) if file else ())]
    return [text for text in (each.strip() for each in found) if text]


def _lines(file: Path) -> list[str]:
    """The lines of a file, or of the input for -."""
    try:
        return (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        raise ConfigError(f"--links-file {file} is no file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"--links-file {file} is not UTF-8: {error}") from None


def tell(unseen: "Unseen", placed: "Placed", out: IO[str]) -> None:
    """Say where the new item's vector comes from, which links were known, and what the others may mean."""
    count = len(placed.known)
    if count:
        known = _listed([f"{kind}:{id}" for kind, id in placed.known])
        print(f"{placed.origin}: a new {printable(placed.standing.kind)} from {_links(count)}: {known}", file=out)
    else:
        given = "none of its links is known" if placed.unknown else "no link is given"
        print(
            f"{placed.origin}: {given}, so this is the mean {printable(placed.standing.kind)}: it says only what is popular",
            file=out,
        )
    meant = unseen.spellings(placed)
    for text, near in meant.items():
        print(f"unknown: {printable(text)}" + (f", did you mean {printable(' or '.join(near))}?" if near else ""), file=out)
    if more := len(placed.unknown) - len(meant):
        print(f"unknown: {more:,} more", file=out)


def _links(count: int) -> str:
    return "1 known link" if count == 1 else f"{count:,} known links"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN:,} more" if len(texts) > SHOWN else ""
    return printable(", ".join(texts[:SHOWN])) + more
