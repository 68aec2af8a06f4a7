"""Catalogues in which we know what there is to find, one for each set of tables that a family may need.

A new family with other NEEDS gets its catalogue here, and is then tested by `test_contract` like all others.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, LINKS, Catalogue
from kindex.core.space import link_spaces
from kindex.core.split import Split, divide
from kindex.encoders.parts.images import decode


@dataclass(frozen=True)
class Planted:
    """A split, small settings that suffice for it, and `score(encoder, split)` → (figure, baseline, figure to reach)."""

    split: Split
    config: dict[str, Any]
    score: Any


def planted(needs: tuple[str, ...]) -> Planted:
    return {("links",): planted_links, ("images",): planted_images, ("images", "captions"): planted_captions}[needs]()


def planted_links() -> Planted:
    """400 x 240 items in 20 groups, more items than any of the 8 dimensions; links inside groups, and some anywhere."""
    rng = np.random.default_rng(0)
    inside = np.arange(400)[:, None] % 20 == np.arange(240)[None, :] % 20
    popular = rng.random(240) < 0.1
    found = np.argwhere(rng.random(inside.shape) < np.where(inside, 0.5, 0.003 + 0.03 * popular))
    links = [
        {"left": f"b{a:03}", "left_kind": "book", "right": f"l{b:03}", "right_kind": "link", "weight": 1.0} for a, b in found
    ]
    items = [{"id": f"b{n:03}", "kind": "book"} for n in range(400)] + [{"id": f"l{n:03}", "kind": "link"} for n in range(240)]
    tables = {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": pa.Table.from_pylist(links, schema=LINKS)}
    config = {"dimensions": 8, "epochs": 12, "batch": 64, "negatives": 100, "learning_rate": 0.3}
    return Planted(divide(Catalogue("books", tables), 0.15, "planted"), config, link_recall_beside_popularity)


def link_recall_beside_popularity(encoder: Any, split: Split) -> tuple[float, float, float]:
    """Link recall@10 by slow loops: of the encoder, of popularity, and what is asked of the encoder."""
    queries, answers = link_spaces(encoder.embed(split.train), "book", "link")
    known: dict[str, set[str]] = {}
    degree: dict[str, int] = {}
    for left, right in zip(split.train.links["left"].to_pylist(), split.train.links["right"].to_pylist()):
        known.setdefault(left, set()).add(right)
        degree[right] = degree.get(right, 0) + 1
    found, by_popularity = [], []
    for left, right in zip(split.heldout.links["left"].to_pylist(), split.heldout.links["right"].to_pylist()):
        scores = answers.vectors_ND @ queries.vectors_ND[queries.rows[left]]
        open_ids = [name for name in answers.ids if name not in known[left]]
        ranked = sorted(open_ids, key=lambda name: -scores[answers.rows[name]])
        found.append(right in ranked[:10])
        by_popularity.append(right in sorted(open_ids, key=lambda name: -degree.get(name, 0))[:10])
    baseline = float(np.mean(by_popularity))
    return float(np.mean(found)), baseline, baseline + 0.4


def planted_images(size: int = 9, colours: int = 1) -> Planted:
    """240 images of one bright disc each: where it is decides everything, and a linear code of 4 numbers cannot say it."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[0:size, 0:size]
    ids, images, labels = [], [], []
    for number in range(240):
        y, x = rng.uniform(2 * size / 9, size - 1 - 2 * size / 9, 2)
        disc = np.exp(-((down - y) ** 2 + (across - x) ** 2) / (3.0 * (size / 9) ** 2))
        pixels = (255 * disc).round().astype(np.uint8)
        ids.append(f"p{number:03}")
        images.append(png(pixels if colours == 1 else np.stack([pixels, pixels // 2, 255 - pixels], -1)))
        labels.append(f"{int(y > size / 2)}{int(x > size / 2)}")
    items = [{"id": name, "kind": "image", "label": label} for name, label in zip(ids, labels)]
    tables = {
        "items": pa.Table.from_pylist(items, schema=ITEMS),
        "images": pa.Table.from_pylist([{"id": a, "image": b} for a, b in zip(ids, images)], schema=IMAGES),
    }
    config = {"dimensions": 4, "epochs": 30, "batch": 16, "channels": 8, "learning_rate": 0.005}
    return Planted(divide(Catalogue("discs", tables), 0.2, "planted"), config, error_beside_principal_components)


def error_beside_principal_components(encoder: Any, split: Split) -> tuple[float, float, float]:
    """Minus the held-out squared error per pixel: of the encoder, of PCA of the same width, and what is asked."""
    train_NP, heldout_NP = (decode(side.images).reshape(side.images.num_rows, -1) for side in (split.train, split.heldout))
    drawn_NP = encoder.reconstruct(split.heldout).reshape(heldout_NP.shape)
    mean_P = train_NP.mean(0)
    components_DP = np.linalg.svd(train_NP - mean_P, full_matrices=False)[2][: len(encoder.centre_D)]
    linear_NP = mean_P + (heldout_NP - mean_P) @ components_DP.T @ components_DP
    baseline = -float(np.square(linear_NP - heldout_NP).mean())
    return -float(np.square(drawn_NP - heldout_NP).mean()), baseline, baseline * 0.7


COLOURS = {"red": (230, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 230), "yellow": (235, 220, 30), "white": (250,) * 3}
SIDES = {"upper": "top", "lower": "bottom", "left": "left", "right": "right"}
TOLD = [
    "a {colour} {shape} in the {SIDE} {side} corner",
    "one {colour} {shape} lies on the {side} , near the {SIDE} edge",
    "the {shape} at the {SIDE} {side} is {colour}",
    "some {colour} thing fills a corner on the {side}",
]


def planted_captions(count: int = 180, size: int = 16) -> Planted:
    """Images of one coloured square or disc in a corner, each told of in two true sentences, and noise."""
    rng = np.random.default_rng(0)
    items, images, captions = [], [], []
    for number in range(count):
        colour, down, across, shape = (
            str(rng.choice(some)) for some in (list(COLOURS), ["upper", "lower"], ["left", "right"], ["square", "disc"])
        )
        name, sides = f"c{number:03}", [SIDES[down], down]
        pixels = _corner(shape, COLOURS[colour], down == "lower", across == "right", size, rng)
        for place, form in enumerate(rng.permutation(len(TOLD))[:2]):
            text = TOLD[form].format(colour=colour, shape=shape, side=across, SIDE=sides[int(rng.integers(2))])
            captions.append({"id": name, "place": place, "caption": text})
        items.append({"id": name, "kind": "image", "label": colour, "description": captions[-2]["caption"]})
        images.append({"id": name, "image": png(pixels)})
    tables = {
        "items": pa.Table.from_pylist(items, schema=ITEMS),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
        "captions": pa.Table.from_pylist(captions, schema=CAPTIONS),
    }
    return Planted(divide(Catalogue("corners", tables), 0.25, "planted"), CAPTIONER, text_recall_beside_chance)


CAPTIONER = {
    "dimensions": 8,
    "word_dimensions": 8,
    "hidden": 24,
    "side": 32,
    "min_count": 2,
    "epochs": 14,
    "batch": 16,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "image_dropout": 0.0,
    "mirrored": False,
    "validation_share": 0.1,
}
"""Small settings of a captioner for `planted_captions`; left and right must not be mirrored."""


def _corner(shape: str, colour: tuple[int, ...], low: bool, right: bool, size: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (S, S, 3): a shape about half as wide as the image, moved a little, on dark noise."""
    down, across = np.mgrid[0:size, 0:size] / size
    y, x = 0.28 + 0.44 * np.array([low, right]) + rng.uniform(-0.04, 0.04, 2)
    away = np.stack([np.abs(down - y), np.abs(across - x)])
    inside = away.max(0) < 0.2 if shape == "square" else np.hypot(*away) < 0.23
    pixels = rng.integers(0, 40, (size, size, 3))
    pixels[inside] = np.array(colour) - pixels[inside] // 4
    return pixels.clip(0, 255).astype(np.uint8)


def text_recall_beside_chance(encoder: Any, split: Split) -> tuple[float, float, float]:
    """Share of held-out captions whose own image is among the 5 nearest held-out ones: by the tower, by chance, and asked."""
    space = encoder.embed(split.heldout)["image"]
    found = []
    for name, caption in zip(split.heldout.captions["id"].to_pylist(), split.heldout.captions["caption"].to_pylist()):
        scores_N = space.unit_ND @ encoder.text_vectors([caption])[0]
        found.append(space.rows[name] in np.argsort(-scores_N)[:5])
    chance = 5 / len(space.ids)
    return float(np.mean(found)), chance, 4 * chance


def png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
