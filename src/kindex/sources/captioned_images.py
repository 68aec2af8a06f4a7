"""Images with captions, as Flickr8k, COCO and their like come: a folder of images or Parquet files, and files of captions.

    images: flickr8k/images                   a folder with all below it; or Parquet files with a column of encoded bytes
    captions: flickr8k/Flickr8k.token.txt     see `kindex.sources.parts.captionfiles` for the formats
    train: flickr8k/Flickr_8k.trainImages.txt official division, a name on each line; images in neither list are left out
    heldout: flickr8k/Flickr_8k.devImages.txt

An item is an image; its id is the image's name, below a folder with the folders between. Hodosh, Young and Hockenmaier,
"Framing image description as a ranking task", JAIR 47 (2013), describe Flickr8k.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.watch import Watch
from kindex.sources import Ingested
from kindex.sources.parts.captionlines import Columns
from kindex.sources.parts.captionnames import Names
from kindex.sources.parts.captionread import Reader, snapshot_of
from kindex.sources.parts.captionsides import sides_by_list, sides_by_split
from kindex.sources.parts.captiontables import chosen, tables_of

Files = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which files, and what their columns mean. Paths are relative to the project."""

    images: Files  # folders, or Parquet files
    captions: Files
    image: str = "image"  # column of the image's name, in files of captions and in Parquet files of images
    content: str = "content"  # column of encoded bytes (JPEG, PNG …) in Parquet files of images
    caption: str = "caption"
    place: str = ""  # column of the caption's number; without it captions of an image are numbered as they come
    label: str = ""  # column in the Parquet files of images, else in the files of captions
    train: Files = ()  # official lists, a name on each line; with heldout alone all others are train
    heldout: Files = ()
    split: str = ""  # instead of lists: column of the side, where label would be; in Karpathy's JSON a key
    train_split: Files = "train"  # values of split; images with any other are left out
    heldout_split: Files = ()

    def __post_init__(self) -> None:
        if not self.images or not self.captions:
            raise ValueError("give images and captions: the folder and the files that hold them")
        if self.split and (self.train or self.heldout):
            raise ValueError("give either split, a column, or the lists train and heldout")
        if self.heldout_split and not self.split:
            raise ValueError("heldout_split is of a column: name it in split")
        if both := sorted({*listed(self.train_split)} & {*listed(self.heldout_split)}):
            raise ValueError(f"{both[0]!r} is in train_split and in heldout_split, allowed: one of them")


def listed(names: Files) -> tuple[str, ...]:
    """A setting that takes one name or several, as several."""
    return (names,) if isinstance(names, str) and names else tuple(names)


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "images", "captions")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Size and sha256 of each file; of a folder the number of images, their size, and a sha256 over names and contents.

    Raises `ConfigError` naming the setting of what is not there or of another format.
    """
    return snapshot_of(root, _named(config))


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `DataGateError` for a file that is not the locked one, is empty or lacks a column; `DamagedError` for damage."""
    columns = Columns(config.image, config.caption, config.place, config.label, config.split)
    reader = Reader(root, _named(config), snapshot, columns, config.content)
    images = reader.images()
    names = Names(image.id for image in images)
    lines = reader.captions(names)
    sides = None
    if config.split:
        sides = sides_by_split(images, lines, listed(config.train_split), listed(config.heldout_split))
    elif config.train or config.heldout:
        lists = (reader.listed("train"), reader.listed("heldout"))
        sides = sides_by_list(names, (image.id for image in images), lists, reader.refused)
    kept = chosen(images, lines, sides)
    contents = watch.progress(reader.contents(kept.images), "read", len(kept.images), "image")
    divided = bool(config.heldout or config.heldout_split)
    made = tables_of(kept, contents, sides if divided else None, reader.refused)
    return Ingested(Catalogue("", made), quarantine.table(reader.refused), kept.counts, reader.columns)


def _named(config: Config) -> dict[str, tuple[str, ...]]:
    """Names of files and folders by setting."""
    return {setting: listed(getattr(config, setting)) for setting in ("images", "captions", "train", "heldout")}
