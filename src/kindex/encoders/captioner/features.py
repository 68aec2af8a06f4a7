"""Features of images by a backbone that stays as it is: computed once, kept by content.

Below `store`, one folder for each backbone, named by a digest of all that decides a feature: weights, settings, torch,
threads and the processor's instructions. In it, shards of features with the sha256 of each image's bytes; a shard is written
under another name and renamed, so that several writers may meet, and one that is damaged counts as absent. Nothing else keeps
what is here: the whole store may be removed at any time. A store beyond `MOST_BYTES` loses the backbones unused for longest.

An image's features do not depend on the others: batches always have the backbone's own size, filled up with black images.
Numbers are float32, with a store or without.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from kindex.core.errors import DataGateError
from kindex.core.files import canonical_json
from kindex.core.watch import Silent, Watch
from kindex.encoders.captioner.backbones.backbone import Backbone
from kindex.encoders.parts.arrays import save_arrays
from kindex.encoders.parts.images import rgb, squared

MOST_BYTES = 20 * 10**9
"""Of the store; pooled features of MobileNetV2 are 5 kB for each image, its grid at 224 pixels 250 kB."""

MOST_MEMORY = 2 * 10**9
"""Bytes of an answer: a larger one lies in a file without a name on the disk of the store, and the system pages it."""

SHARD_BYTES, SHARD_IMAGES = 32 * 10**6, 1024
"""Most of a shard, so the most that a kill can cost."""


def grids(
    backbone: Backbone,
    encoded: Sequence[bytes],
    *,
    mirrored: bool = False,
    store: Path | None = None,
    watch: Watch | None = None,
    pooled: bool = True,
) -> np.ndarray:
    """Features of N encoded images, seen `mirrored` or not: (N, C), the mean over the grid, or (N, C, h, w); float32.

    Raises `DataGateError` naming the place of an image that does not decode.
    """
    watch = watch or Silent()
    keys = [hashlib.sha256(image).digest() for image in encoded]
    shape = _shape(backbone, pooled)
    made_NX = _room((len(encoded), *shape), store)
    places: dict[bytes, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    view = f"{'mirrored' if mirrored else 'plain'}-{'pooled' if pooled else 'grid'}"
    folder = store / digest(backbone) if store else None
    missing = list(places)
    if folder:
        missing = _fill_known(folder, view, places, made_NX)
    shown = iter(watch.progress(missing, f"features, {view}", len(missing), "image"))
    rows = max(1, min(SHARD_IMAGES, SHARD_BYTES // (4 * int(np.prod(shape)))))
    for start in range(0, len(missing), rows):
        part = missing[start : start + rows]
        found_MX = _computed(backbone, [(places[key][0], encoded[places[key][0]]) for key in part], mirrored, pooled, shown)
        for key, found_X in zip(part, found_MX, strict=True):
            made_NX[places[key]] = found_X
        if folder:
            _write(folder, view, part, found_MX)
    next(shown, None)  # ends the line of progress
    if folder and missing:
        _make_room(folder)
    return made_NX


def digest(backbone: Backbone) -> str:
    """Hex sha256 of all that decides a feature beside the image."""
    machine = [torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]
    total = hashlib.sha256(canonical_json([backbone.about(), machine]))
    for name, tensor in sorted(backbone.state_dict().items()):
        total.update(canonical_json([name, list(tensor.shape), str(tensor.dtype)]))
        total.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return total.hexdigest()


@torch.inference_mode()
def _computed(
    backbone: Backbone, images: list[tuple[int, bytes]], mirrored: bool, pooled: bool, shown: Iterable[bytes]
) -> np.ndarray:
    """Features of (place, encoded image), one by one taken off `shown`."""
    side, together = backbone.side, backbone.together
    made, counted, training = [], iter(shown), backbone.training
    backbone.eval()
    try:
        for start in range(0, len(images), together):
            part = images[start : start + together]
            given_BSS3 = np.zeros((together, side, side, 3), np.uint8)
            for row, (place, image) in enumerate(part):
                next(counted, None)
                try:
                    given_BSS3[row] = squared(rgb(image), side)[:, :: -1 if mirrored else 1]
                except DataGateError as error:
                    raise DataGateError(f"image {place}: {error}") from error
            grid_BCHW = backbone(torch.from_numpy(given_BSS3).permute(0, 3, 1, 2).float() / 255)
            made.append((grid_BCHW.mean((2, 3)) if pooled else grid_BCHW)[: len(part)].numpy())
    finally:
        backbone.train(training)
    return np.concatenate(made).astype(np.float32, copy=False)


@torch.inference_mode()
def _shape(backbone: Backbone, pooled: bool) -> tuple[int, ...]:
    if pooled:
        return (backbone.channels,)
    side = backbone.side
    return tuple(backbone(torch.zeros(1, 3, side, side)).shape[1:])


def _room(shape: tuple[int, ...], store: Path | None) -> np.ndarray:
    if not store or 4 * int(np.prod(shape)) <= MOST_MEMORY:
        return np.empty(shape, np.float32)
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=store) as file:  # the mapping keeps it after it is closed
        return np.asarray(np.memmap(file, np.float32, "w+", shape=shape))


def _fill_known(folder: Path, view: str, places: dict[bytes, list[int]], made_NX: np.ndarray) -> list[bytes]:
    """Put what the shards know into its places; the keys that none knows, in the order of `places`."""
    left = dict.fromkeys(places)
    for path in sorted(folder.glob(f"{view}-*.safetensors")):
        keys, found_MX = _read(path, left.keys(), made_NX.shape[1:])
        for key, found_X in zip(keys, found_MX, strict=True):
            if key in left:
                made_NX[places[key]] = found_X
                del left[key]
    if folder.is_dir():
        os.utime(folder)  # used last now
    return list(left)


def _read(path: Path, wanted: Iterable[bytes], shape: tuple[int, ...]) -> tuple[list[bytes], np.ndarray]:
    """A shard's keys and features; nothing when it is damaged, gone, or knows none of the `wanted`."""
    nothing: tuple[list[bytes], np.ndarray] = [], np.empty((0, *shape), np.float32)
    try:
        with safe_open(path, "numpy") as file:
            keys_M32 = file.get_tensor("keys")
            keys = [row.tobytes() for row in keys_M32]
            if set(keys).isdisjoint(wanted):
                return nothing
            found_MX, kept = file.get_tensor("features"), file.get_tensor("sha256").tobytes()
    except (OSError, SafetensorError):
        return nothing
    whole = found_MX.shape == (len(keys), *shape) and found_MX.dtype == np.float32
    return (keys, found_MX) if whole and _sum(keys_M32, found_MX) == kept else nothing


def _write(folder: Path, view: str, keys: list[bytes], found_MX: np.ndarray) -> None:
    keys_M32 = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
    name = hashlib.sha256(keys_M32.tobytes()).hexdigest()[:16]
    total = np.frombuffer(_sum(keys_M32, found_MX), np.uint8)
    save_arrays(folder / f"{view}-{name}.safetensors", {"keys": keys_M32, "features": found_MX, "sha256": total})


def _sum(keys_M32: np.ndarray, found_MX: np.ndarray) -> bytes:
    return hashlib.sha256(keys_M32.tobytes() + np.ascontiguousarray(found_MX).tobytes()).digest()


def _make_room(used: Path) -> None:
    """Remove backbones, the one unused for longest first, until the store fits; never the one `used` now."""
    try:
        folders = sorted((folder.stat().st_mtime, folder) for folder in used.parent.iterdir() if folder.is_dir())
        sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for _, folder in folders}
    except FileNotFoundError:  # another run makes room
        return
    total = sum(sizes.values())
    for _, folder in folders:
        if total > MOST_BYTES and folder != used:
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]
