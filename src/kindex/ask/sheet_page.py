"""A contact sheet as one page of HTML that loads nothing, and is light or dark as its reader likes."""

import io
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from kindex.ask.sheet_png import opened

if TYPE_CHECKING:
    from kindex.ask.sheet import Section, Tile

SIDE = 320
"""Pixels of a thumbnail, at most; smaller images stay as they are."""

_STYLE = """
:root { --paper: #ffffff; --ink: #17191c; --quiet: #626a73; --wash: #f1f3f5; --own: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #131518; --ink: #e8eaed; --quiet: #99a2ab; --wash: #1f2328; --own: #56b4e9; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 40px 32px; max-width: 1240px; overflow-wrap: anywhere; background: var(--paper);
  color: var(--ink); font: 14px/1.45 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0 0 28px; font-size: 28px; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; }
h2 { margin: 0; font-size: 17px; font-weight: 650; }
section { margin-bottom: 44px; }
section > p { margin: 2px 0 0; color: var(--quiet); }
ol {
  list-style: none; margin: 14px 0 0; padding: 0;
  display: grid; gap: 24px 18px; grid-template-columns: repeat(auto-fill, minmax(min(190px, 44%), 1fr));
}
li > div {
  aspect-ratio: 1; margin-bottom: 8px; border-radius: 6px; overflow: hidden; background: var(--wash);
  display: flex; align-items: center; justify-content: center;
}
img { width: 100%; height: 100%; object-fit: contain; display: block; }
img.pixels { image-rendering: pixelated; }
.none { color: var(--quiet); font-size: 13px; }
b { display: block; color: var(--own); font-weight: 650; font-variant-numeric: tabular-nums; }
li p { margin: 2px 0 0; color: var(--quiet); }
"""


def page(title: str, sections: Sequence["Section"], made_by: str) -> str:
    """The sheet as HTML."""
    heading = escape(title)
    parts = "\n".join(_section(section) for section in sections)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="{made_by}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{heading}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1><bdi>{heading}</bdi></h1>\n{parts}\n"
        "</body>\n</html>\n"
    )


def _section(section: "Section") -> str:
    note = f"\n<p>{escape(section.note)}</p>" if section.note else ""
    head = f"<h2>{escape(section.title)}</h2>" if section.title else ""
    tiles = "\n".join(_tile(tile) for tile in section.tiles)
    return f"<section>\n{head}{note}\n<ol>\n{tiles}\n</ol>\n</section>"


def _tile(tile: "Tile") -> str:
    picture = _thumbnail(tile.image) if tile.image else None
    shown = f'<img alt="" {picture}>' if picture else '<span class="none">no image here</span>'
    text = f"<p><bdi>{escape(tile.text)}</bdi></p>" if tile.text else ""
    head = f"<b>{escape(tile.head)}</b> " if tile.head else ""
    return f"<li><div>{shown}</div>{head}<bdi>{escape(tile.name)}</bdi>{text}</li>"


def _thumbnail(image: bytes) -> str | None:
    """The attributes of an `img`; None for bytes that are no image."""
    drawn = opened(image)
    if drawn is None:
        return None
    small = max(drawn.size) <= 64
    drawn.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG" if small else "JPEG", quality=85)
    uri = f"data:image/{'png' if small else 'jpeg'};base64,{b64encode(buffer.getvalue()).decode()}"
    return f'{"class=pixels " if small else ""}src="{uri}"'
