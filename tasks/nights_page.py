"""The page over all nights, made anew at the end of each: `var/nights/index.html`."""

from pathlib import Path

from kindex.core.layout import Layout


def render(layout: Layout) -> Path:
    """Write the page from the journal; returns where it is. Equal journals give equal bytes."""
    from kindex.morning.page import write

    return write(layout)
