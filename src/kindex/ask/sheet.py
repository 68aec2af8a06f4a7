"""A contact sheet: found images beside their scores and texts, as one PNG or one self-contained page of HTML.

A release holds vectors, not images. They are taken from the project's split tables, where these are; what is not there is
shown by its id and text alone. The page has no script and loads nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from kindex.ask.live import Live
from kindex.ask.loading import read_lineage
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout

ENDINGS = (".png", ".html", ".htm")
MADE_BY = "kindex contact sheet"
"""Stands in each sheet, and only a file with it is replaced."""

MOST = 500
"""Tiles of a sheet; more of them would be a file that no program opens with pleasure."""

TOGETHER = 32  # rows of a table of images that are in memory at a time


@dataclass(frozen=True)
class Tile:
    """An image with a heading (a score, an id) and a text; without the image where there is none."""

    head: str
    name: str
    text: str = ""
    image: bytes | None = None


@dataclass(frozen=True)
class Section:
    """Tiles in order below a title and a note."""

    title: str
    tiles: Sequence[Tile]
    note: str = ""


def check_sheet(to: Path, live: Live | None = None) -> None:
    """Raises `ConfigError` for a file that cannot be written or must not be replaced; asked before the work is done."""
    if to.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--show is {to}, allowed: a file that ends in {', '.join(ENDINGS)}")
    if not to.parent.is_dir():
        raise ConfigError(f"{to.parent} is no folder: make it first, or change --show")
    owned = [_layout(live).root / name for name in ("releases", "data")] if live and live.folder else []
    for folder in owned:
        if (to.parent.resolve() / to.name).is_relative_to(folder.resolve()):
            raise ConfigError(f"{to} is inside {folder}, where kindex keeps its own: change --show")
    if to.is_symlink() or (to.exists() and not (to.is_file() and _is_sheet(to))):
        raise ConfigError(f"{to} exists and is no contact sheet of kindex: name another file")


def write_sheet(to: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the sheet, whole or not at all; equal sections give equal bytes. Raises as `check_sheet` does."""
    check_sheet(to)
    if (count := sum(len(section.tiles) for section in sections)) > MOST:
        raise ConfigError(f"{to} would show {count:,} images, allowed: {MOST}. Lower -k, or leave --show away")
    if to.suffix.lower() == ".png":
        from kindex.ask.sheet_png import drawn

        write_atomic(to, drawn(_clean(title), [_cleaned(section) for section in sections], MADE_BY))
    else:
        from kindex.ask.sheet_page import page

        write_atomic(to, page(_clean(title), [_cleaned(section) for section in sections], MADE_BY).encode())


def images_of(live: Live, ids: Collection[str]) -> dict[str, bytes]:
    """The encoded images with these ids that the project's split tables have; none where a release was copied away.

    Raises `DamagedError` naming a table that cannot be read.
    """
    if live.folder is None:
        return {}
    catalogue = read_lineage(live.folder, live.manifest)["catalogue"]
    wanted, found = set(ids), dict[str, bytes]()
    for side in ("train", "heldout"):
        table = _layout(live).out("split", catalogue) / side / "images.parquet"
        if table.is_file() and wanted - found.keys():
            found |= _rows(table, wanted)
    return found


def _layout(live: Live) -> Layout:
    """The project that the release lies in: `releases/MODEL/VERSION` below its root."""
    assert live.folder is not None
    return Layout(live.folder.resolve().parents[2])


def _rows(table: Path, wanted: Collection[str]) -> dict[str, bytes]:
    import pyarrow as pa

    found: dict[str, bytes] = {}
    try:
        with pq.ParquetFile(table) as file:
            for batch in file.iter_batches(TOGETHER, columns=["id", "image"]):
                for row, name in enumerate(batch["id"].to_pylist()):
                    if name in wanted:
                        found[name] = batch["image"][row].as_py()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DamagedError(f"{table} is damaged: {error}") from error
    return {name: image for name, image in found.items() if image}


def _is_sheet(path: Path) -> bool:
    with path.open("rb") as file:
        return MADE_BY.encode() in file.read(1000)


def _clean(text: str) -> str:
    """Without controls and lone surrogates, which neither format can hold."""
    return "".join(c if c.isprintable() or c == "\u00a0" else "\ufffd" for c in text)


def _cleaned(section: Section) -> Section:
    tiles = [Tile(_clean(tile.head), _clean(tile.name), _clean(tile.text), tile.image) for tile in section.tiles]
    return Section(_clean(section.title), tiles, _clean(section.note))
