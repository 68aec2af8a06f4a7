"""A contact sheet as one PNG, drawn with Pillow and the font that it brings (Latin letters)."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

    from kindex.ask.sheet import Section, Tile

COLUMNS, LEAST = 5, 3  # of tiles; fewer leave no room for the title
SIDE, GAP, EDGE = 220, 20, 36
LINE, LINES = 19, 3  # pixels of a line of text, and lines of a tile's text
PAPER, INK, QUIET, WASH, OWN = "#ffffff", "#17191c", "#626a73", "#f1f3f5", "#0072b2"
HEAD, TITLE, NOTE = 60, 26, 20  # pixels: the sheet's title, a section's title, its note


def opened(image: bytes) -> "Image | None":
    """An image as RGB, turned as its EXIF says; None when it does not decode."""
    from PIL import Image

    from kindex.core.errors import DataGateError
    from kindex.encoders.parts.images import rgb

    try:
        return Image.fromarray(rgb(image))
    except DataGateError:
        return None


def drawn(title: str, sections: Sequence["Section"], made_by: str) -> bytes:
    """The sheet: a title, then rows of tiles for each section."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    columns = min(COLUMNS, max([LEAST, *(len(section.tiles) for section in sections)]))
    width = 2 * EDGE + columns * (SIDE + GAP) - GAP
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    rows = [_row(measure, section) for section in sections]
    heights = [_above(section) + row * -(-len(section.tiles) // columns) for section, row in zip(sections, rows, strict=True)]
    sheet = Image.new("RGB", (width, 2 * EDGE + HEAD + sum(heights) + GAP * (len(sections) - 1)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((EDGE, EDGE), _cut(pen, title, width - 2 * EDGE, 26), INK, _font(26))
    top = EDGE + HEAD
    for section, row, height in zip(sections, rows, heights, strict=True):
        at = top
        for text, size, colour, step in ((section.title, 18, INK, TITLE), (section.note, 14, QUIET, NOTE)):
            if text:
                pen.text((EDGE, at), _cut(pen, text, width - 2 * EDGE, size), colour, _font(size))
                at += step
        for place, tile in enumerate(section.tiles):
            left = EDGE + place % columns * (SIDE + GAP)
            _draw(sheet, pen, tile, left, top + _above(section) + place // columns * row)
        top += height + GAP
    info = PngInfo()
    info.add_text("Software", made_by)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def _above(section: "Section") -> int:
    """Pixels between the top of a section and its tiles."""
    return TITLE * bool(section.title) + NOTE * bool(section.note) + 8


def _row(pen: Any, section: "Section") -> int:
    """Pixels of a row of tiles with the longest text among them."""
    return SIDE + 8 + LINE * (1 + max((len(_wrapped(pen, tile.text)) for tile in section.tiles), default=0)) + GAP


def _draw(sheet: "Image", pen: Any, tile: "Tile", left: int, top: int) -> None:
    from PIL import Image, ImageOps

    pen.rounded_rectangle((left, top, left + SIDE, top + SIDE), 6, WASH)
    image = opened(tile.image) if tile.image else None
    if image is None:
        pen.text((left + SIDE / 2, top + SIDE / 2), "no image here", QUIET, _font(14), anchor="mm")
    else:
        how = Image.Resampling.NEAREST if max(image.size) <= 64 else Image.Resampling.LANCZOS
        fitted = ImageOps.contain(image, (SIDE, SIDE), how)
        sheet.paste(fitted, (left + (SIDE - fitted.width) // 2, top + (SIDE - fitted.height) // 2))
    at = top + SIDE + 8
    if tile.head:
        pen.text((left, at), tile.head, OWN, _font(14))
    indent = int(pen.textlength(tile.head, _font(14))) + 8 if tile.head else 0
    pen.text((left + indent, at), _cut(pen, tile.name, SIDE - indent, 14), INK, _font(14))
    for number, line in enumerate(_wrapped(pen, tile.text), 1):
        pen.text((left, at + number * LINE), line, QUIET, _font(14))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _cut(pen: Any, text: str, width: int, size: int) -> str:
    """The text, ended with … where it would be wider."""
    text = text[:400]
    if pen.textlength(text, _font(size)) <= width:
        return text
    while text and pen.textlength(f"{text}…", _font(size)) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _wrapped(pen: Any, text: str) -> list[str]:
    """The text in up to `LINES` lines, broken at spaces."""
    lines: list[str] = []
    words = text[:400].split()
    while words and len(lines) < LINES:
        count = 1
        while count < len(words) and pen.textlength(" ".join(words[: count + 1]), _font(14)) <= SIDE:
            count += 1
        last = len(lines) == LINES - 1
        lines.append(_cut(pen, " ".join(words if last else words[:count]), SIDE, 14))
        words = words[count:]
    return lines
