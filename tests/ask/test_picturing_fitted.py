"""The same questions to a real, tiny captioner: nothing of it is played."""

import inspect
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from kindex.ask.live import open_live
from kindex.ask.picturing import Pictured
from kindex.core.errors import DamagedError
from kindex.core.layout import Layout
from kindex.core.watch import Silent
from kindex.encoders import captioner
from tests.ask import captioned
from tests.ask.captioned import COLOURS, MODEL, SHADES, Played, png, squares

TINY = {"word_dimensions": 12, "hidden": 24, "side": 32, "min_count": 1, "starts": 2, "steps": 20, "longest": 6}
FITTED = {
    "epochs": 40,
    "patience": 40,
    "batch": 8,
    "learning_rate": 1e-2,
    "dropout": 0.0,
    "image_dropout": 0.0,
    "mirrored": False,
}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    config = captioner.Config(dimensions=12, **TINY, **FITTED, validation_share=0.0)
    encoder = captioner.fit(squares(list(SHADES)), config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())
    return captioned.published(tmp_path_factory.mktemp("fitted"), encoder)


@pytest.fixture(scope="module")
def pictured(layout: Layout) -> Pictured:
    return Pictured(open_live(MODEL, root=layout.root))


def test_what_is_played_elsewhere_has_the_real_methods() -> None:
    for name, method in vars(Played).items():
        if not name.startswith("_"):
            real, played = (list(inspect.signature(each).parameters) for each in (getattr(captioner.Encoder, name), method))
            assert real[: len(played)] == played, name


def test_all_four_uses_of_one_network(pictured: Pictured) -> None:
    new = {name: png(tuple(max(0, c - 9) for c in rgb), (50, 31), "JPEG") for name, rgb in COLOURS.items()}
    for name, image in new.items():
        (said,) = pictured.caption([image], count=2)
        assert name in said.captions[0][0] and len(said.captions) == 2 and said.captions[0][1] >= said.captions[1][1]
        assert pictured.similar_to_image(image, k=1)[0].label == name
        assert pictured.describe(f"a {name} square", k=1).hits[0].label == name
    inverted = pictured.describe("a red square", k=12, by="inversion")
    assert len(inverted.hits) == len(SHADES) and 0 < (inverted.loss or 0) < 5 and 0 < (inverted.steps or 0) <= 20
    assert "red" not in [hit.id for hit in pictured.live.similar("Red", k=3, kind="words")]


def test_an_image_of_the_release_finds_itself(pictured: Pictured) -> None:
    for name, shade in SHADES.items():
        hit = pictured.similar_to_image(png(shade, (32, 32)), k=1)[0]
        assert hit.score == pytest.approx(1, abs=1e-5)
        assert np.allclose(pictured.live.vector(hit.id), pictured.live.vector(name), atol=1e-3)


def test_an_answer_depends_on_its_image_alone(pictured: Pictured) -> None:
    images = [png(rgb, (40, 40)) for rgb in SHADES.values()]
    together = [one.captions for one in pictured.caption(images, count=3)]
    assert together == [next(pictured.caption([image], count=3)).captions for image in images]
    assert [one.captions for one in pictured.caption(images[::-1], count=3)][::-1] == together


def test_threads_of_the_asker_are_left_as_they_were(pictured: Pictured) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        many, about = pictured.text_vector("a red square", by="inversion")
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        one, again = pictured.text_vector("a red square", by="inversion")
        assert np.array_equal(many, one) and about == again
    finally:
        torch.set_num_threads(before)


def test_several_threads_may_ask_at_once(pictured: Pictured) -> None:
    image, found = png(COLOURS["blue"]), []
    right = next(pictured.caption([image])).captions

    def ask() -> None:
        found.extend(next(pictured.caption([image])).captions == right for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 20


def test_a_damaged_encoder_is_refused_when_it_is_asked_for(tmp_path: Path, layout: Layout) -> None:
    own = Layout(Path(shutil.copytree(layout.root, tmp_path / "own")))
    path = own.releases(MODEL) / "v0001" / "encoder" / "encoder.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    live = open_live(MODEL, root=own.root)
    assert live.similar("red 1"), "other questions do not need it"
    with pytest.raises(DamagedError, match=r"encoder/encoder\.safetensors"):
        Pictured(live)
