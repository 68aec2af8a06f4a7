"""`--show`: answers as a contact sheet, see `kindex.ask.sheet`."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kindex.cli.text import printable

if TYPE_CHECKING:
    from kindex.ask.live import Hit, Live
    from kindex.ask.picturing import Captioned, Described
    from kindex.ask.sheet import Section, Tile

Show = Annotated[Path | None, typer.Option(help="Write the answers with their images to this .png or .html, too")]


def check_show(to: Path | None, live: "Live") -> None:
    """Raises `ConfigError`, before anything is asked, for a --show that cannot be written."""
    if to is not None:
        from kindex.ask.sheet import check_sheet

        check_sheet(to, live)


def show_hits(to: Path | None, live: "Live", hits: "Sequence[Hit]", asked: str, image: Path | None = None) -> None:
    """Hits, and before them the image that was asked about: a file's, or that of the id."""
    from kindex.ask.sheet import Section, Tile, images_of

    if to is None:
        return
    encoded = image.read_bytes() if image else images_of(live, [asked]).get(asked)
    own = [Section("asked", [Tile("", Path(asked).name if image else asked, "", encoded)])] if encoded else []
    _write(to, f"nearest to {asked}", [*own, Section("found", _tiles(live, hits), _release(live))])


def show_described(to: Path | None, live: "Live", found: "Sequence[Described]", text: str, told: Sequence[str]) -> None:
    """What a description found; `told` has a note for each way."""
    from kindex.ask.sheet import Section

    if to is not None:
        ways = zip(found, told, strict=True)
        sections = [Section(f"by {each.by}", _tiles(live, each.hits), note or _release(live)) for each, note in ways]
        _write(to, text[:200], sections)


def show_captions(to: Path | None, live: "Live", told: "Iterable[Captioned]", files: Iterable[Path]) -> None:
    """Images with their captions, without those that were left out."""
    from kindex.ask.sheet import Section, Tile

    if to is None:
        return
    tiles = [
        Tile("", file.name, " / ".join(text for text, _ in one.captions), file.read_bytes())
        for one, file in zip(told, files, strict=True)
        if one.refused is None
    ]
    _write(to, "captions", [Section("", tiles, _release(live))])


def _tiles(live: "Live", hits: "Sequence[Hit]") -> "list[Tile]":
    from kindex.ask.sheet import Tile, images_of

    images = images_of(live, [hit.id for hit in hits])
    if hits and not images:
        print("no images of these are here (data/split of the project may have them): only ids are shown", file=sys.stderr)
    texts = (" · ".join(part for part in (hit.label, hit.description) if part) for hit in hits)
    return [Tile(f"{hit.score:.3f}", hit.id, text, images.get(hit.id)) for hit, text in zip(hits, texts, strict=True)]


def _release(live: "Live") -> str:
    return f"{live.manifest.model} {live.manifest.version}"


def _write(to: Path, title: str, sections: "Sequence[Section]") -> None:
    from kindex.ask.sheet import write_sheet

    write_sheet(to, title, sections)
    print(f"shown: {printable(str(to))}", file=sys.stderr)
