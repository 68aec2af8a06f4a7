"""Captioned images that kindex draws itself, so that a captioner can be tried where there are no data.

A scene is one kind of thing or two, of six shapes, eight colours and two sizes, one to four of a kind, on a background of
four; its captions are sentences of about a hundred words, all true of it. Each scene is drawn from the seed and its own
number and nothing else: more scenes, or more captions of each, leave those that there were as they are.

Johnson et al., "CLEVR: A diagnostic dataset for compositional language and elementary visual reasoning", CVPR 2017, is the
well-known set of this kind, in three dimensions.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from kindex.core import quarantine
from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, Catalogue
from kindex.core.watch import Watch
from kindex.sources import Ingested, NotAsLockedError
from kindex.sources.parts.scenecaptions import captions
from kindex.sources.parts.scenedraws import Draws
from kindex.sources.parts.scenemake import compose
from kindex.sources.parts.scenepaint import paint
from kindex.sources.parts.scenephrases import NUMBERS
from kindex.sources.parts.scenepng import png
from kindex.sources.parts.scenethings import Scene

GENERATOR = 1
"""The version of the drawing and the telling: one more whenever a pixel or a caption comes out otherwise."""

PROBE = 8
"""Scenes that a snapshot draws, to see that they come out as they did."""

COLUMNS = ("colour", "number", "size", "layout", "background")
"""What `items` say beside the label, which is the shape: all of the first group."""

COMPOSED, PAINTED, TOLD = range(3)
"""Streams of draws of one scene: so its picture does not depend on how often it is told of."""

_ALLOWED = {"count": (1, 100_000), "side": (32, 512), "captions": (1, 20), "seed": (0, 2**63 - 1)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many scenes, and which."""

    count: int = 2400  # scenes
    side: int = 48  # pixels of a picture's side
    captions: int = 5  # of each scene
    seed: int = 7

    def __post_init__(self) -> None:
        for name, (least, most) in _ALLOWED.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: {least} to {most}")


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "images", "captions")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """The settings, the generator's version, and sha256 over the first scenes as they are drawn and told of here."""
    return _describe(config)


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Items `scene-0000` … labelled by shape. Raises `NotAsLockedError` for other settings or another version."""
    present = _describe(config)
    for name, value in present.items():
        if snapshot.get(name) != value:
            raise NotAsLockedError(f"source.kind scenes: {name} is {value}, locked is {snapshot.get(name)}")
    items, images, sentences = [], [], []
    for number in watch.progress(range(config.count), "draw", config.count, "scene"):
        name, scene = f"scene-{number:04d}", composed(config.seed, number)
        said = told(config, number, scene)
        items.append((name, "image", scene.groups[0].shape, said[0], *_columns(scene)))
        images.append((name, painted(config, number, scene)))
        sentences += [(name, place, caption) for place, caption in enumerate(said)]
    schema = pa.schema([*ITEMS, *((column, pa.string()) for column in COLUMNS)])
    made = {"items": _table(items, schema), "images": _table(images, IMAGES), "captions": _table(sentences, CAPTIONS)}
    return Ingested(Catalogue("", made), quarantine.table([]))


def composed(seed: int, number: int) -> Scene:
    """What is in the scene of this number."""
    return compose(Draws(seed, number, COMPOSED))


def painted(config: Config, number: int, scene: Scene) -> bytes:
    """Its picture, a PNG."""
    return png(paint(scene, config.side, Draws(config.seed, number, PAINTED)))


def told(config: Config, number: int, scene: Scene) -> list[str]:
    """Its captions."""
    return captions(scene, config.captions, Draws(config.seed, number, TOLD))


def _describe(config: Config) -> dict[str, Any]:
    probed = hashlib.sha256()
    for number in range(min(PROBE, config.count)):
        scene = composed(config.seed, number)
        probed.update(painted(config, number, scene))
        probed.update("\n".join(told(config, number, scene)).encode())
    return {"generator": GENERATOR, **asdict(config), "probe_sha256": probed.hexdigest()}


def _columns(scene: Scene) -> tuple[str, ...]:
    group = scene.groups[0]
    return (group.colour, NUMBERS[len(group.things)], group.size, scene.layout, scene.background)


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(list(column), field.type) for column, field in zip(zip(*rows), schema)], schema=schema)
