"""From images and captions to the tables of a catalogue."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS
from kindex.sources.parts.captionimages import Image
from kindex.sources.parts.captionlines import Line
from kindex.sources.parts.captionsides import Sides

MOST_DESCRIPTION = 200
"""Characters of a description, which is the first caption: a caption that is refused for its length must not take its image
with it."""

CHUNK = 1 << 24
"""Bytes of images that are Python objects at a time."""


@dataclass(frozen=True)
class Chosen:
    """What is in the catalogue: images, and captions with the ids of their images."""

    images: list[Image]
    lines: list[Line]
    counts: dict[str, int]


def chosen(images: list[Image], lines: list[Line], sides: Sides | None) -> Chosen:
    """Leave out the images that are on neither side, and their captions, and count them; None takes all."""
    wanted = {image.id for image in images if sides is None or image.id in sides}
    kept = Chosen([image for image in images if image.id in wanted], [line for line in lines if line.image in wanted], {})
    kept.counts["left_out_images"] = len(images) - len(kept.images)
    kept.counts["left_out_captions"] = len(lines) - len(kept.lines)
    kept.counts["images_without_captions"] = len(wanted - {line.image for line in kept.lines})
    return kept


def tables_of(
    kept: Chosen,
    contents: Iterable[tuple[Image, bytes | dict[str, Any]]],
    sides: Sides | None,
    refused: list[dict[str, Any]],
) -> dict[str, pa.Table]:
    """`items`, `images` and `captions`. With `sides`, images have the column `heldout`.

    An image whose content is a quarantine entry is refused, and its captions with it.
    """
    images, ids = _image_table(contents, sides, refused)
    placed: dict[str, list[tuple[int, Line]]] = {id: [] for id in ids}
    for line in kept.lines:
        if line.image not in placed:
            refused.append(line.refused("its image was refused"))
        else:
            so_far = placed[line.image]
            so_far.append((len(so_far) if line.place is None else line.place, line))
    labels = {image.id: image.label for image in kept.images}
    items = [
        (id, "image", labels[id] or next((line.label for _, line in found if line.label), None), _description(found))
        for id, found in placed.items()
    ]
    captions = [(id, place, line.caption) for id, found in placed.items() for place, line in found]
    return {"items": _table(items, ITEMS), "images": images, "captions": _table(captions, CAPTIONS)}


def _image_table(
    contents: Iterable[tuple[Image, bytes | dict[str, Any]]], sides: Sides | None, refused: list[dict[str, Any]]
) -> tuple[pa.Table, list[str]]:
    """The table, packed while it is read, so that no image is held twice; and its ids."""
    ids: list[str] = []
    chunks: list[pa.Array] = []
    waiting: list[bytes] = []
    size = 0
    for image, content in contents:
        if not isinstance(content, bytes):
            refused.append(content)
            continue
        ids.append(image.id)
        waiting.append(content)
        size += len(content)
        if size >= CHUNK:
            chunks.append(pa.array(waiting, pa.binary()))
            waiting, size = [], 0
    chunks.append(pa.array(waiting, pa.binary()))
    table = pa.table([pa.chunked_array([ids], pa.string()), pa.chunked_array(chunks, pa.binary())], schema=IMAGES)
    if sides is not None:
        table = table.append_column("heldout", pa.array([sides[id] for id in ids], pa.bool_()))
    return table, ids


def _description(found: list[tuple[int, Line]]) -> str | None:
    """The first caption that says something, cut where it is long."""
    said = [(place, line.caption) for place, line in found if line.caption and _shows(line.caption)]
    if not said:
        return None
    first = min(said, key=lambda pair: pair[0])[1].replace("\0", "")
    return first if len(first) <= MOST_DESCRIPTION else first[: MOST_DESCRIPTION - 1] + "…"


def _shows(text: str) -> bool:
    """Whether anything of it can be seen."""
    return any(character.isprintable() and not character.isspace() for character in text)


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[]] * len(schema)
    return pa.table([pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
