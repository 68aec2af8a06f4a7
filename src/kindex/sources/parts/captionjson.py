"""Captions in a JSON file: rows, COCO's images and annotations, Karpathy's images with sentences, or {name: [captions]}."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kindex.core import quarantine
from kindex.core.errors import DamagedError, DataGateError
from kindex.core.quarantine import writable
from kindex.sources.parts.captionlines import Columns, Found, Line
from kindex.sources.parts.lines import BadRow, Row
from kindex.sources.parts.records import from_records
from kindex.sources.parts.rows import Rows

SHAPES = (
    "an array of rows; {images, annotations} as COCO's; {images: [{filename, sentences}]} as Karpathy's; {name: [captions]}"
)


def of_json(name: str, content: bytes, columns: Columns, of_rows: Callable[[Iterable[Rows]], Found]) -> Found:
    """Raises `DamagedError` for what is no JSON, `DataGateError` for JSON of another shape."""
    if not content:
        raise DataGateError(f"{name} is empty")
    try:
        whole = json.loads(content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{name} is damaged: {type(error).__name__}: {writable(str(error))}") from None
    images = whole.get("images") if isinstance(whole, dict) else None
    if isinstance(whole, list):
        found = of_rows(from_records("captions", name, _rows(whole), columns.wanted()))
    elif isinstance(images, list) and isinstance(whole.get("annotations"), list):
        found = _coco(name, images, whole["annotations"])
    elif isinstance(images, list):
        found = _karpathy(name, images, columns.split)
    elif isinstance(whole, dict) and whole and all(isinstance(value, list | str) for value in whole.values()):
        found = _by_name(name, whole)
    else:
        keys = f" with {', '.join(map(writable, list(whole)[:5]))}" if isinstance(whole, dict) else ""
        raise DataGateError(f"{name} holds a JSON {type(whole).__name__}{keys}, allowed: {SHAPES}")
    yield from found


def _rows(values: list[Any]) -> Iterator[Row | BadRow]:
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            yield Row(number, {writable(key): part for key, part in value.items()})
        else:
            yield BadRow(number, "row is not a JSON object", writable(repr(value)))


def _coco(name: str, images: list[Any], annotations: list[Any]) -> Found:
    """Annotations in their order, each of the image with its `image_id`."""
    names: dict[Any, Any] = {}
    for number, image in enumerate(images, start=1):
        origin = f"{name}: image {number}"
        try:
            names[image["id"]] = _text(image["file_name"], "file_name")
        except (TypeError, KeyError):
            yield _refused("image has no id and file_name", image, origin)
        except ValueError as error:
            yield _refused(str(error), image, origin)
    for number, annotation in enumerate(annotations, start=1):
        origin = f"{name}: annotation {number}"
        try:
            found = names.get(annotation["image_id"])
            caption = _text(annotation["caption"], "caption")
        except (TypeError, KeyError):
            yield _refused("annotation has no image_id and caption", annotation, origin)
        except ValueError as error:
            yield _refused(str(error), annotation, origin)
        else:
            yield Line(origin, found, caption) if found else _refused("image_id is of no image", annotation, origin)


def _karpathy(name: str, images: list[Any], split: str) -> Found:
    """Images with `filename`, perhaps `filepath`, `sentences` with `raw`, and the side under the key `split`."""
    for number, image in enumerate(images, start=1):
        origin = f"{name}: image {number}"
        try:
            path = _text(image["filename"], "filename")
            path = f"{_text(image['filepath'], 'filepath')}/{path}" if image.get("filepath") else path
            side = _text(image[split], split) if split else None
            sentences = list(image["sentences"])
        except (TypeError, KeyError, AttributeError):
            yield _refused(f"image has no filename, sentences{split and f' and {split}'}", image, origin)
            continue
        except ValueError as error:
            yield _refused(str(error), image, origin)
            continue
        for place, sentence in enumerate(sentences):
            try:
                yield Line(f"{origin}.{place}", path, _text(sentence["raw"], "raw"), place, split=side)
            except (TypeError, KeyError):
                yield _refused("sentence has no raw", sentence, f"{origin}.{place}")
            except ValueError as error:
                yield _refused(str(error), sentence, f"{origin}.{place}")


def _by_name(name: str, whole: dict[str, Any]) -> Found:
    for image, captions in whole.items():
        for place, caption in enumerate([captions] if isinstance(captions, str) else captions):
            origin = f"{name}: {image}.{place}"
            try:
                yield Line(origin, _text(image, "name"), _text(caption, "caption"), place)
            except ValueError as error:
                yield _refused(str(error), caption, origin)


def _text(value: Any, what: str) -> str:
    """Raises `ValueError` with the rule that `value` breaks."""
    if not isinstance(value, str):
        raise ValueError(f"{what} is not text")
    if writable(value) != value:
        raise ValueError("text is not UTF-8")
    return value


def _refused(rule: str, value: Any, origin: str) -> dict[str, Any]:
    return quarantine.entry("captions", -1, rule, value, origin, value if isinstance(value, dict) else {"value": value})
