"""The files of a catalogue of captioned images, read as they are locked."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from kindex.core import quarantine
from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from kindex.sources import ColumnError, NotAsLockedError
from kindex.sources.parts.captionfiles import caption_suffix, read_captions
from kindex.sources.parts.captionfolder import Folder, listed
from kindex.sources.parts.captionimages import Image, folder_contents, of_folder, of_parquet, parquet_contents
from kindex.sources.parts.captionlines import Columns, Line
from kindex.sources.parts.captionnames import Names, names_of
from kindex.sources.parts.captionsides import Listed
from kindex.sources.parts.lines import BadRow
from kindex.sources.parts.locked import as_locked, digest
from kindex.sources.parts.reading import suffix_of

Named = dict[str, tuple[str, ...]]
"""Names of files and folders by setting: images, captions, train, heldout."""


def snapshot_of(root: Path, named: Named) -> dict[str, Any]:
    """`files` and `folders` by name. Raises `ConfigError` for what is not there or of another format."""
    files, folders = {}, {}
    for setting, names in named.items():
        for name in names:
            if setting == "images" and (root / name).is_dir():
                folders[name] = listed(root, name).about()
                continue
            if setting == "captions":
                caption_suffix(name)
            elif setting == "images" and ((root / name).exists() and suffix_of(name) != ".parquet"):
                raise ConfigError(f"source.images names {name}, allowed: a folder, or .parquet files. Edit params.yaml")
            files[name] = digest(root, name, setting)
    return {"files": files, "folders": folders}


class Reader:
    """Remembers the columns of files, what it counted, and quarantine entries of what it refused."""

    def __init__(self, root: Path, named: Named, locked: dict[str, Any], columns: Columns, content: str) -> None:
        self._root, self._named, self._names, self._content = root, named, columns, content
        self._files, self._folders = locked.get("files", {}), locked.get("folders", {})
        self._scratch = Layout(root).var / "scratch"
        self._listed: dict[str, Folder] = {}
        self.columns: dict[str, dict[str, str]] = {}
        self.refused: list[dict[str, Any]] = []
        given = {name for names in named.values() for name in names}
        for name in sorted(given ^ {*self._files, *self._folders}):
            raise NotAsLockedError(f"{name} is {'not locked' if name in given else 'locked and no longer named'}")

    def images(self) -> list[Image]:
        """All images that are there, without their bytes; one whose id is that of one before is refused."""
        found: dict[str, Image] = {}
        for name in self._named["images"]:
            for image in self._images_of(name):
                if not isinstance(image, Image):
                    self.refused.append(image)
                elif image.id in found:
                    self.refused.append(image.refused("image name is not unique"))
                else:
                    found[image.id] = image
        return list(found.values())

    def captions(self, names: Names) -> list[Line]:
        """All captions of images that are there, with the ids of the images; others are refused."""
        inside = self._labels_inside()
        columns = self._names if inside else Columns(self._names.image, self._names.caption, self._names.place)
        found = []
        for name in self._named["captions"]:
            with self._opened(name, "captions") as handle:
                for line in read_captions(name, handle, columns, self._scratch, self.columns):
                    if not isinstance(line, Line):
                        self.refused.append(line)
                        continue
                    id, rule = names.find(line.image)
                    if rule:
                        self.refused.append(line.refused(rule))
                    else:
                        found.append(line._replace(image=id))
        return found

    def listed(self, setting: str) -> list[Listed]:
        """The lines of the official lists of a setting, train or heldout."""
        found = []
        for name in self._named[setting]:
            with self._opened(name, setting) as handle:
                for line in names_of(handle):
                    if isinstance(line, BadRow):
                        self.refused.append(
                            quarantine.entry("images", -1, line.rule, line.value, f"{name}:{line.line}", {"line": line.value})
                        )
                    else:
                        found.append(Listed(f"{name}:{line[0]}", line[1]))
        return found

    def contents(self, images: list[Image]) -> Iterator[tuple[Image, bytes | dict[str, Any]]]:
        """Each image with its bytes, or the quarantine entry that says why it has none; one after the other."""
        for name, group in groupby(images, lambda image: image.source):
            wanted = list(group)
            if name in self._listed:
                yield from zip(wanted, folder_contents(self._root, name, self._listed[name], wanted), strict=True)
            else:
                with self._opened(name, "images") as handle:
                    yield from zip(wanted, parquet_contents(name, handle, self._content, wanted), strict=True)

    def _images_of(self, name: str) -> Iterator[Image | dict[str, Any]]:
        if name not in self._folders:
            inside = not self._labels_inside()
            columns = (self._names.image, *((self._names.label, self._names.split) if inside else ("", "")))
            with self._opened(name, "images") as handle:
                yield from of_parquet(name, handle, columns, self._scratch, self.columns)
            return
        folder = self._listed[name] = listed(self._root, name)
        if folder.about() != self._folders[name]:
            now, then = folder.about(), self._folders[name]
            counts = f"{now['images']} images of {now['bytes']} bytes, locked are {then['images']} of {then['bytes']}"
            raise NotAsLockedError(f"{name} is not the folder that is locked: it has {counts}")
        yield from of_folder(name, folder)

    def _labels_inside(self) -> bool:
        """Whether labels and sides are in the files of captions: they are where no images are rows of a file."""
        return all(name in self._folders for name in self._named["images"])

    @contextmanager
    def _opened(self, name: str, setting: str) -> Iterator[BinaryIO]:
        """The file as it is locked; an error about a column names the setting."""
        try:
            with as_locked(self._root, name, setting, self._files.get(name, {}).get("sha256")) as handle:
                yield handle
        except ColumnError as error:
            columns = {**vars(self._names), "content": self._content}
            setting = next(setting for setting, column in columns.items() if column == error.column)
            error.args = (f"{error}. Edit source.{setting} in params.yaml",)
            raise
