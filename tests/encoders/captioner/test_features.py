"""Features are the same bits computed or kept, alone or in company; damage, other weights and other views are no hit."""

import threading

import numpy as np
import pytest
import torch

from kindex.core.errors import DataGateError
from kindex.core.watch import Silent
from kindex.encoders.captioner import features
from kindex.encoders.captioner.backbones.mobilenet import MobileNetV2
from kindex.encoders.captioner.backbones.scratch import Scratch, initialise
from kindex.encoders.parts.images import rgb, squared
from tests.encoders.captioner.networks import npz, photographs


def scratch(seed=0, side=32):
    network = Scratch(32, side)
    initialise(network, np.random.default_rng(seed))
    return network


@pytest.fixture
def mobilenet(tmp_path):
    return MobileNetV2.read(npz(tmp_path / "w.npz").read_bytes(), "w.npz", 64)


class Counted(Silent):
    """Counts the images that are computed."""

    computed = 0

    def progress(self, items, what, total=None, unit="it"):
        for item in items:
            self.computed += 1
            yield item


def computed(backbone, encoded, store, **more):
    watch = Counted()
    return features.grids(backbone, encoded, store=store, watch=watch, **more), watch.computed


def test_features_are_those_of_the_network(mobilenet):
    encoded = photographs(5)
    grid_NCHW = features.grids(mobilenet, encoded, pooled=False)
    pooled_NC = features.grids(mobilenet, encoded)
    turned_NCHW = features.grids(mobilenet, encoded, mirrored=True, pooled=False)
    assert (grid_NCHW.shape, grid_NCHW.dtype) == ((5, 24, 2, 2), np.float32)
    assert (pooled_NC.shape, pooled_NC.dtype) == ((5, 24), np.float32)
    for place, image in enumerate(encoded):
        given = torch.from_numpy(squared(rgb(image), 64).copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            np.testing.assert_allclose(grid_NCHW[place], mobilenet(given)[0], atol=1e-5)
            np.testing.assert_allclose(turned_NCHW[place], mobilenet(given.flip(3))[0], atol=1e-5)
        np.testing.assert_allclose(pooled_NC[place], grid_NCHW[place].mean((1, 2)), atol=1e-5)
    assert not np.allclose(grid_NCHW, turned_NCHW, atol=1e-2)


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("kind", ["scratch", "mobilenet_v2"])
def test_an_image_has_the_same_bits_in_any_company_and_from_the_store(tmp_path, mobilenet, kind, pooled):
    backbone, encoded = (scratch() if kind == "scratch" else mobilenet), photographs(21)
    whole = features.grids(backbone, encoded, pooled=pooled)
    for part in ([7], [20, 3, 7], list(range(20, -1, -1))):
        found = features.grids(backbone, [encoded[place] for place in part], pooled=pooled)
        assert found.tobytes() == whole[part].tobytes()
    store = tmp_path / "features"
    features.grids(backbone, encoded[5:9], store=store, pooled=pooled)
    mixed, count = computed(backbone, encoded, store, pooled=pooled)
    kept, none = computed(backbone, encoded, store, pooled=pooled)
    assert mixed.tobytes() == kept.tobytes() == whole.tobytes()
    assert (count, none) == (17, 0)


def test_the_same_image_twice_is_computed_once(tmp_path):
    first, second = photographs(2)
    found, count = computed(scratch(), [first, second, first], tmp_path)
    assert count == 2
    assert np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[1])


def test_no_images_have_no_features(tmp_path):
    assert features.grids(scratch(), [], store=tmp_path).shape == (0, 64)
    assert features.grids(scratch(), [], pooled=False).shape == (0, 64, 4, 4)


def test_other_weights_sides_views_and_forms_are_no_hit(tmp_path):
    encoded = photographs(3)
    assert computed(scratch(), encoded, tmp_path)[1] == 3
    assert computed(scratch(seed=1), encoded, tmp_path)[1] == 3
    assert computed(scratch(side=40), encoded, tmp_path)[1] == 3
    assert computed(scratch(), encoded, tmp_path, mirrored=True)[1] == 3
    assert computed(scratch(), encoded, tmp_path, pooled=False)[1] == 3
    assert computed(scratch(), encoded, tmp_path)[1] == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "other", "gone"])
def test_a_damaged_shard_is_made_again(tmp_path, damage):
    encoded = photographs(3)
    whole, _ = computed(scratch(), encoded, tmp_path)
    (shard,) = tmp_path.glob("*/*.safetensors")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    spoilt = {"cut": content[:-7], "empty": b"", "flipped": content, "other": b"no shard at all", "gone": None}[damage]
    shard.unlink() if spoilt is None else shard.write_bytes(bytes(spoilt))
    assert [computed(scratch(), encoded, tmp_path)[1] for _ in range(2)] == [3, 0]
    assert computed(scratch(), encoded, tmp_path)[0].tobytes() == whole.tobytes()


def test_what_was_done_before_a_bad_image_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "SHARD_IMAGES", 2)
    encoded = photographs(5)
    with pytest.raises(DataGateError, match=r"image 4: the image does not decode"):
        computed(scratch(), [*encoded[:4], encoded[4][:50]], tmp_path)
    assert computed(scratch(), encoded, tmp_path)[1] == 1


def test_writers_may_meet(tmp_path):
    encoded = photographs(8)
    found = {}

    def work(name):
        found[name] = features.grids(scratch(), encoded[name:], store=tmp_path)

    workers = [threading.Thread(target=work, args=(name,)) for name in (0, 0, 1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    whole = features.grids(scratch(), encoded)
    assert all(np.array_equal(made, whole[name:]) for name, made in found.items()) and set(found) == {0, 1, 2}
    assert not list(tmp_path.glob("*/.*"))


def test_the_backbone_unused_for_longest_makes_room(tmp_path, monkeypatch):
    import os

    encoded = photographs(4)
    for seed in range(3):
        computed(scratch(seed), encoded, tmp_path)
        os.utime(tmp_path / features.digest(scratch(seed)), (1000 + seed, 1000 + seed))
    assert computed(scratch(0), encoded, tmp_path)[1] == 0  # used again: now the latest
    size = sum(file.stat().st_size for file in tmp_path.glob("*/*")) // 3
    monkeypatch.setattr(features, "MOST_BYTES", 3 * size + size // 2)
    computed(scratch(3), encoded, tmp_path)
    kept = {folder.name for folder in tmp_path.iterdir()}
    assert kept == {features.digest(scratch(seed)) for seed in (0, 2, 3)}
    monkeypatch.setattr(features, "MOST_BYTES", 1)
    computed(scratch(3), photographs(1, seed=9), tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == {features.digest(scratch(3))}


def test_a_large_answer_lies_on_the_disk(tmp_path, monkeypatch):
    encoded = photographs(4)
    whole = features.grids(scratch(), encoded, pooled=False)
    monkeypatch.setattr(features, "MOST_MEMORY", 1000)
    found = features.grids(scratch(), encoded, store=tmp_path, pooled=False)
    assert isinstance(found.base, np.memmap)
    assert type(found) is np.ndarray and found.tobytes() == whole.tobytes()
    assert all(path.is_dir() for path in tmp_path.iterdir())  # the file has no name


def test_the_mode_of_the_backbone_stays(tmp_path):
    backbone = scratch().train()
    features.grids(backbone, photographs(1))
    assert backbone.training and not backbone.eval().training
    features.grids(backbone, photographs(1))
    assert not backbone.training
