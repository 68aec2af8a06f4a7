"""Where a person opens a file of the project: over http where the project's folder is served, else the file itself."""

import os
import urllib.parse
from pathlib import Path

from kindex.core.layout import Layout

PAGES = "KINDEX_PAGES_URL"
"""The address at which a team's web server shows the project's folder, e.g. https://kindex.example.org/books/."""


def address(layout: Layout, path: Path | str, scheme: str = "") -> str:
    """`path` below the served address, or `scheme` and the path where nothing is served."""
    served, path = os.environ.get(PAGES, ""), Path(path)
    if served.startswith(("http://", "https://")) and path.is_relative_to(layout.root):
        return f"{served.rstrip('/')}/{urllib.parse.quote(path.relative_to(layout.root).as_posix())}"
    return f"{scheme}{path}"
