"""What is asked of a fitted captioner: images seen alone and together, captions, texts, and files that do not fit."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from kindex.core.catalogue import CAPTIONS, Catalogue
from kindex.core.errors import ConfigError, DamagedError, DataGateError
from kindex.core.files import sha256_file
from kindex.core.watch import Silent
from kindex.encoders import captioner
from kindex.encoders.captioner import backbones
from kindex.encoders.captioner.encoder import TOGETHER, Encoder
from kindex.encoders.captioner.tokens import END, MARKS, PAD, START, UNKNOWN
from tests.encoders.captioner.networks import npz
from tests.encoders.planted import Planted, planted_captions, png

pytestmark = pytest.mark.slow  # a captioner is trained first


@pytest.fixture(scope="module")
def case() -> Planted:
    return planted_captions()


def fit(case: Planted, train: Catalogue | None = None, **changes: Any) -> Encoder:
    config = captioner.Config(**{**case.config, **changes})
    return captioner.fit(train or case.split.train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())


@pytest.fixture(scope="module")
def encoder(case: Planted) -> Encoder:
    return fit(case)


@pytest.fixture(scope="module")
def attending(case: Planted) -> Encoder:
    return fit(case, epochs=2, attention=True, cell="gru")


@pytest.fixture(scope="module")
def images(case: Planted) -> list[bytes]:
    return case.split.heldout.images["image"].to_pylist()


def test_an_image_that_is_looked_at_has_the_vector_that_is_in_the_space(
    encoder: Encoder, attending: Encoder, case: Planted, images: list[bytes]
) -> None:
    np.testing.assert_array_equal(encoder.look(images).vectors_ND, encoder.embed(case.split.heldout)["image"].vectors_ND)
    seen = attending.look(images)
    assert seen.cells_NPD.shape == (len(images), 16, 8)
    np.testing.assert_allclose(seen.vectors_ND, attending.embed(case.split.heldout)["image"].vectors_ND, atol=1e-5)
    np.testing.assert_allclose(seen.cells_NPD.mean(1), seen.vectors_ND * np.sqrt(8), atol=1e-5)


@pytest.mark.parametrize("kind", ["encoder", "attending"])
def test_what_is_seen_in_an_image_has_the_same_bits_alone_and_in_any_company(
    kind: str, images: list[bytes], request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue(kind)
    together, backwards = made.look(images[: TOGETHER + 5]), made.look(images[: TOGETHER + 5][::-1])
    for row in (0, 7, TOGETHER - 1, TOGETHER + 4):
        alone = made.look([images[row]])
        for found, place in ((together, row), (backwards, TOGETHER + 4 - row)):
            np.testing.assert_array_equal(found.vectors_ND[place], alone.vectors_ND[0])
            np.testing.assert_array_equal(found.cells_NPD[place], alone.cells_NPD[0])
        assert made.captions(alone)[0] == made.captions(together)[row]


def test_images_of_any_size_and_mode_are_seen_and_a_broken_one_is_named_by_its_place(encoder: Encoder) -> None:
    rng, content = np.random.default_rng(1), io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (50, 31, 3), np.uint8)).convert("CMYK").save(content, "JPEG")
    odd = [png(rng.integers(0, 256, shape, np.uint8)) for shape in ((9, 70), (3, 5, 3), (40, 40, 4))]
    seen = encoder.look([*odd, content.getvalue()])
    assert seen.vectors_ND.dtype == seen.cells_NPD.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(seen.vectors_ND, axis=1), 1, atol=1e-5)
    with pytest.raises(DataGateError, match=r"image 2: .*does not decode"):
        encoder.look([*odd[:2], odd[2][:60]])


def test_nothing_asked_gives_nothing(encoder: Encoder) -> None:
    seen = encoder.look([])
    assert seen.vectors_ND.shape == (0, 8) and seen.cells_NPD.shape == (0, 1, 8)
    assert encoder.captions(seen) == []
    assert encoder.text_vectors([]).shape == encoder.inverted([]).vectors_QD.shape == (0, 8)


@torch.no_grad()
def greedy(encoder: Encoder, cells_PD: np.ndarray) -> list[int]:
    """The likeliest word, one after the other; no sentence is without a word."""
    decoder, said = encoder.network.decoder, [START]
    state = decoder.start(torch.from_numpy(cells_PD)[None])
    while said[-1] != END:
        scores_1V, state = decoder.step(torch.tensor(said[-1:]), state)
        scores_V = scores_1V[0].numpy()
        scores_V[[PAD, START, UNKNOWN] + [END] * (len(said) == 1)] = -np.inf
        said.append(END if len(said) > encoder.config.longest else int(scores_V.argmax()))
    return said


@pytest.mark.parametrize("kind", ["encoder", "attending"])
def test_captions_of_width_1_are_those_of_a_greedy_loop(
    kind: str, images: list[bytes], request: pytest.FixtureRequest
) -> None:
    made = request.getfixturevalue(kind)
    seen = made.look(images[:9])
    found = [some[0].text for some in made.captions(seen, width=1)]
    assert found == [made.vocabulary.decode(greedy(made, cells_PD)) for cells_PD in seen.cells_NPD]


def test_captions_come_best_first_and_as_many_as_are_asked_for(encoder: Encoder, images: list[bytes]) -> None:
    seen = encoder.look(images[:6])
    width, length_penalty = encoder.config.beam_width, encoder.config.length_penalty
    assert encoder.captions(seen) == encoder.captions(seen, width=width, length_penalty=length_penalty, count=1)
    for some in encoder.captions(seen, width=2, count=4):
        scores = [caption.score for caption in some]
        assert len({caption.text for caption in some}) == 4 and scores == sorted(scores, reverse=True) and scores[0] < 0
    assert encoder.captions(seen, length_penalty=0.0) != encoder.captions(seen, length_penalty=2.0)


def test_held_out_images_are_told_of_with_their_colours(encoder: Encoder, case: Planted, images: list[bytes]) -> None:
    colours = case.split.heldout.items["label"].to_pylist()
    told = [some[0].text.split() for some in encoder.captions(encoder.look(images))]
    assert np.mean([colour in words for colour, words in zip(colours, told, strict=True)]) > 0.6  # of five


def test_unknown_words_are_left_out_and_a_text_of_them_alone_is_refused_by_name(encoder: Encoder) -> None:
    assert encoder.understood("A Purple square, somewhere red!") == (["a", "square", "red"], ["purple", "somewhere"])
    texts = ["a purple square red", "a square red"]
    np.testing.assert_array_equal(*encoder.text_vectors(texts))
    np.testing.assert_array_equal(*encoder.inverted(texts).vectors_QD)
    for ask in (encoder.text_vectors, encoder.inverted):
        with pytest.raises(ConfigError, match=r"'squares' has no word .*did you mean square\?"):
            ask(["a red disc", "squares"])
        with pytest.raises(ConfigError, match="' , ' has no word"):
            ask([" , "])


def test_text_vectors_are_unit_and_do_not_hang_on_their_batch(encoder: Encoder, case: Planted) -> None:
    texts = case.split.heldout.captions["caption"].to_pylist()[: TOGETHER + 3]
    together_QD = encoder.text_vectors([*texts, "red " * 40])
    np.testing.assert_allclose(np.linalg.norm(together_QD, axis=1), 1, atol=1e-5)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.text_vectors([text])[0], together_QD[row], atol=1e-6)


def test_the_words_have_a_space_of_their_own_without_the_marks(encoder: Encoder, case: Planted) -> None:
    spaces = encoder.embed(case.split.heldout)
    assert list(spaces) == ["image", "word"] and spaces["image"].frame != spaces["word"].frame
    assert spaces["word"].ids == encoder.vocabulary.words[len(MARKS) :] and "square" in spaces["word"].ids
    np.testing.assert_allclose(spaces["word"].vectors_ND.mean(0), 0, atol=1e-6)


def test_inversions_begin_at_unit_vectors_of_which_the_first_is_the_mean(encoder: Encoder, case: Planted) -> None:
    train_ND = encoder.embed(case.split.train)["image"].vectors_ND
    assert encoder.starts_SD.shape == (encoder.config.starts, 8) and encoder.starts_SD.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(encoder.starts_SD, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.starts_SD[0], train_ND.mean(0) / np.linalg.norm(train_ND.mean(0)), atol=1e-5)
    assert len(np.unique(encoder.starts_SD.round(3), axis=0)) == encoder.config.starts


def test_a_loaded_captioner_answers_the_same_bits(encoder: Encoder, images: list[bytes], tmp_path: Path) -> None:
    encoder.save(tmp_path)
    again = Encoder.load(tmp_path)
    assert again.captions(again.look(images[:5]), count=3) == encoder.captions(encoder.look(images[:5]), count=3)
    texts = ["a red square in the top left corner", "some blue thing"]
    np.testing.assert_array_equal(again.text_vectors(texts), encoder.text_vectors(texts))
    np.testing.assert_array_equal(again.inverted(texts).vectors_QD, encoder.inverted(texts).vectors_QD)
    assert again.config == encoder.config


def edit(about: dict[str, Any], arrays: dict[str, np.ndarray], case: str) -> None:
    match case:
        case "a word less":
            about["vocabulary"]["words"].pop(), about["vocabulary"]["counts"].pop()
        case "other dimensions":
            about["config"]["dimensions"] = 9
        case "a setting that is none":
            about["config"]["wide"] = 3
        case "no settings":
            about["config"] = None
        case "another backbone":
            about["backbone"] = {"backbone": "none"}
        case "no backbone":
            about["backbone"] = None
        case "no vocabulary":
            about["vocabulary"] = None
        case "an array less":
            del arrays["network.head.bias"]
        case "no starts":
            del arrays["starts"]
        case "starts of another width":
            arrays["starts"] = arrays["starts"][:, :5].copy()


CASES = ["a word less", "other dimensions", "a setting that is none", "no settings", "another backbone", "no backbone"]
CASES += ["no vocabulary", "an array less", "no starts", "starts of another width"]


@pytest.mark.parametrize("what", CASES)
def test_files_that_do_not_fit_one_another_are_refused(encoder: Encoder, tmp_path: Path, what: str) -> None:
    encoder.save(tmp_path)
    about, arrays = json.loads((tmp_path / "encoder.json").read_text()), load_file(tmp_path / "encoder.safetensors")
    edit(about, arrays, what)
    (tmp_path / "encoder.json").write_text(json.dumps(about))
    save_file(arrays, tmp_path / "encoder.safetensors")
    with pytest.raises(DamagedError, match=str(tmp_path)):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("name", ["encoder.json", "encoder.safetensors"])
def test_missing_and_cut_files_are_named(encoder: Encoder, tmp_path: Path, name: str) -> None:
    encoder.save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match=name):
        Encoder.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DamagedError, match=name):
        Encoder.load(tmp_path)


def test_images_without_a_caption_are_left_out_of_the_fit_but_have_a_vector(case: Planted, tmp_path: Path) -> None:
    train = case.split.train
    few = train.captions.filter(pa.array([name < "c040" for name in train.captions["id"].to_pylist()]))
    told = train.images.filter(pa.array([name < "c040" for name in train.images["id"].to_pylist()]))
    some = fit(case, Catalogue("corners", {**train.tables, "captions": few}), epochs=1)
    only = fit(case, Catalogue("corners", {**train.tables, "captions": few, "images": told}), epochs=1)
    assert len(some.embed(train)["image"].ids) == train.images.num_rows
    for name, array in some.network.state_dict().items():
        assert torch.equal(array, only.network.state_dict()[name]), name


def test_captions_that_cannot_be_learnt_from_are_refused(case: Planted) -> None:
    train = case.split.train
    with pytest.raises(DataGateError, match="no image has a caption"):
        fit(case, Catalogue("corners", {**train.tables, "captions": CAPTIONS.empty_table()}))
    with pytest.raises(DataGateError, match="no word occurs min_count = 500 times"):
        fit(case, min_count=500)
    silent = pa.table(
        {"id": train.captions["id"], "place": train.captions["place"], "caption": ["..."] * train.captions.num_rows}
    )
    with pytest.raises(DataGateError, match="no word"):
        fit(case, Catalogue("corners", {**train.tables, "captions": silent}))


def test_some_captions_without_a_word_do_no_harm(case: Planted) -> None:
    train = case.split.train
    texts = ["!" if row % 3 == 0 else text for row, text in enumerate(train.captions["caption"].to_pylist())]
    captions = train.captions.set_column(2, "caption", pa.array(texts))
    made = fit(case, Catalogue("corners", {**train.tables, "captions": captions}), epochs=1)
    assert all(torch.isfinite(array).all() for array in made.network.state_dict().values())
    told = captioner._numbered([["a red disc", "!"], [""], ["red"]], np.array([0, 1, 2]), made.vocabulary)
    assert [len(words) for words in told.words] == [3, 1] and told.image_N.tolist() == [0, 2]


def test_a_fit_whose_images_are_all_set_aside_learns_from_them_all(case: Planted) -> None:
    watch = Silent()
    config = captioner.Config(**{**case.config, "epochs": 1, "validation_share": 0.999})
    captioner.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=watch)
    assert "validation" not in watch.history[0]


@pytest.mark.parametrize("tuning", ["frozen", "head", "fine_tuned"])
def test_a_pre_trained_backbone_is_used_as_it_is_said_and_its_features_are_kept(
    case: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuning: str, images: list[bytes]
) -> None:
    (tmp_path / "params.yaml").write_text("{}")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    digest = sha256_file(npz(tmp_path / "weights.npz"))
    given = {"backbone": "mobilenet_v2", "weights": "weights.npz", "weights_sha256": digest, "tuning": tuning}
    made, again = (fit(case, **given, epochs=2, dimensions=30, mirrored=True) for _ in range(2))
    assert len(list((tmp_path / "var" / "features").iterdir())) == (2 if tuning == "fine_tuned" else 1)
    for folder, one in (("made", made), ("again", again)):  # the second one's features came from the store
        one.save(tmp_path / folder)
    assert (tmp_path / "made" / "encoder.safetensors").read_bytes() == (
        tmp_path / "again" / "encoder.safetensors"
    ).read_bytes()
    space, loaded = made.embed(case.split.heldout)["image"], Encoder.load(tmp_path / "made")
    np.testing.assert_array_equal(loaded.look(images).vectors_ND, space.vectors_ND)
    unfitted = backbones.from_config(made.config, np.random.default_rng(0)).state_dict()
    same = [torch.equal(array, unfitted[name]) for name, array in made.backbone.state_dict().items()]
    assert not any(same) if tuning == "fine_tuned" else all(same)


def test_the_tunings_to_compare_with_are_the_others() -> None:
    given = {"backbone": "mobilenet_v2", "weights": "given"}
    config = captioner.Config(**given, compare=("frozen", "head"))
    assert captioner.rivals(config) == {"frozen": captioner.Config(**given, tuning="frozen")}
    assert captioner.rivals(captioner.Config()) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hidden": 0}, "hidden is 0, allowed: 1 or more"),
        ({"dropout": 1.0}, "dropout is 1.0, allowed: 0 to below 1"),
        ({"gradient_norm": 0.0}, "gradient_norm is 0.0, allowed: above 0"),
        ({"contrast": -0.1}, "contrast is -0.1, allowed: 0 or more"),
        ({"backbone": "mobilenet_v2"}, "backbone is 'mobilenet_v2' and weights is ''"),
        ({"weights": "w.npz"}, "backbone is 'scratch' and weights is 'w.npz'"),
        ({"tuning": "frozen"}, "tuning is 'frozen'"),
    ],
)
def test_a_setting_out_of_range_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        captioner.Config(**wrong)
