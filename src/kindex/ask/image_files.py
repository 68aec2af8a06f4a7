"""Files of images as people give them: some paths and folders, of which some may not be there or be no image."""

import os
from collections.abc import Iterable
from pathlib import Path

from kindex.core.errors import DataGateError

LARGEST = 256_000_000
"""Bytes of a file; a photograph has a hundredth of it, and what is larger is not read."""


def image_files(given: Iterable[Path | str]) -> list[Path]:
    """Each path as it is, and for a folder the files with an image's ending in it and below, in the order of their names.

    Hidden files and what links lead to are left out. A folder without one, or that may not be read, stays in the list, so
    that whoever reads the files names it.
    """
    found: list[Path] = []
    for path in map(Path, given):
        found += (_inside(path) or [path]) if os.path.isdir(path) else [path]  # noqa: PTH112  it never raises
    return found


def _inside(folder: Path) -> list[Path]:
    from PIL import Image

    from kindex.encoders.parts.images import FORMATS

    endings = {ending for ending, format in Image.registered_extensions().items() if format in FORMATS}
    files = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = (Path(where, name) for name in sorted(names) if not name.startswith("."))
        files += [path for path in inside if path.suffix.lower() in endings and path.is_file()]
    return files


def read_image(path: Path) -> bytes:
    """The bytes of a file. Raises `DataGateError` saying why there are none, without the path."""
    try:
        if path.is_dir():
            raise DataGateError("is a folder without images that can be read")
        if not path.exists():
            raise DataGateError("there is no such file")
        if not path.is_file():
            raise DataGateError("is no plain file")
        if (size := path.stat().st_size) > LARGEST:
            raise DataGateError(f"has {size / 1e6:,.0f} MB, allowed: {LARGEST / 1e6:,.0f} MB")
        return path.read_bytes()
    except PermissionError:
        raise DataGateError("may not be read: its permissions forbid it") from None
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null byte
        raise DataGateError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
