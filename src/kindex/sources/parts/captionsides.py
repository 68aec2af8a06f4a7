"""The official division of captioned images: which are train, which held out, and which left out."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from kindex.core import quarantine
from kindex.core.errors import ConfigError, choices
from kindex.sources.parts.captionimages import Image
from kindex.sources.parts.captionlines import Line
from kindex.sources.parts.captionnames import Names

Sides = dict[str, bool]
"""Whether an image is held out, by id; an image that is not in it is left out."""


class Listed(NamedTuple):
    """One line of an official list."""

    origin: str
    name: str

    def refused(self, rule: str) -> dict[str, Any]:
        return quarantine.entry("images", -1, rule, self.name, self.origin, {"image": self.name})


def sides_by_list(
    names: Names, ids: Iterable[str], lists: tuple[list[Listed], list[Listed]], refused: list[dict[str, Any]]
) -> Sides:
    """`lists` are train and held-out; with no train list, all images (`ids`) that are not held out are train.

    `refused` gets the lines that name no image, and those of held-out images that are train images too.
    """
    sides: Sides = {}
    for heldout, lines in zip((False, True), lists, strict=True):
        for line in lines:
            found, rule = names.find(line.name)
            if rule:
                refused.append(line.refused(f"in an official list: {rule}"))
            elif heldout and not sides.get(found, True):
                refused.append(line.refused("held-out image is also a train image"))
            else:
                sides[found] = heldout
    return sides if lists[0] else dict.fromkeys(ids, False) | sides


def sides_by_split(images: list[Image], lines: list[Line], train: tuple[str, ...], heldout: tuple[str, ...]) -> Sides:
    """By the value of the column `split` of the image, else of the first of its captions that has one.

    Raises `ConfigError` for a value of the settings that no image has, as a misspelt one.
    """
    value: dict[str, str] = {}
    for id, split in (*((image.id, image.split) for image in images), *((line.image, line.split) for line in lines)):
        if split is not None:
            value.setdefault(id, split)
    present = set(value.values())
    for setting, wanted in (("train_split", train), ("heldout_split", heldout)):
        for one in wanted:
            if one not in present:
                raise ConfigError(
                    f"source.{setting} names {one!r}, which no image has: {choices(one, present)}. Edit params.yaml"
                )
    return {id: split in heldout for id, split in value.items() if split in train or split in heldout}
