"""Questions with images and descriptions: answers by hand, what cannot be used by name, and settings that allow nothing."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kindex.ask import image_files as files_module
from kindex.ask import live as live_module
from kindex.ask.image_files import image_files, read_image
from kindex.ask.live import Live, open_live
from kindex.ask.picturing import Pictured
from kindex.core.errors import ConfigError, DataGateError
from kindex.core.layout import Layout
from kindex.core.space import unit
from tests.ask import captioned, linked, project
from tests.ask.captioned import COLOURS, LONGEST, MODEL, SHADES, WORDS, Played, png


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return captioned.published(tmp_path_factory.mktemp("squares"))


@pytest.fixture
def live(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Live:
    monkeypatch.setattr(live_module, "read_encoder", lambda folder, manifest: Played())
    return open_live(MODEL, root=layout.root)


@pytest.fixture
def pictured(live: Live) -> Pictured:
    return Pictured(live)


def bomb() -> bytes:
    """A few bytes that say they are 2,000,000,000 pixels."""
    whole = bytearray(png((0, 0, 0)))
    whole[16:24] = struct.pack(">II", 50_000, 40_000)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return bytes(whole)


def test_captions_of_files_and_bytes_are_the_encoders_in_their_order(pictured: Pictured, tmp_path: Path) -> None:
    (tmp_path / "tall.jpg").write_bytes(png(COLOURS["blue"], (30, 900), "JPEG"))
    (tmp_path / "one.gif").write_bytes(png(COLOURS["green"], (1, 1), "GIF"))
    said = list(pictured.caption([tmp_path / "tall.jpg", str(tmp_path / "one.gif"), png(COLOURS["red"])], count=2))
    assert [one.name for one in said] == [str(tmp_path / "tall.jpg"), str(tmp_path / "one.gif"), "image 2"]
    assert [one.captions[0][0] for one in said] == ["a blue square", "a green square", "a red square"]
    assert all(len(one.captions) == 2 and one.captions[0][1] > one.captions[1][1] for one in said)


def test_the_settings_of_a_search_reach_the_encoder(pictured: Pictured) -> None:
    list(pictured.caption([png(COLOURS["red"])]))
    list(pictured.caption([png(COLOURS["red"])], width=7, length_penalty=0.0, count=3))
    assert pictured.encoder.asked == [
        {"width": None, "length_penalty": None, "count": 1},
        {"width": 7, "length_penalty": 0.0, "count": 3},
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 0}, "width is 0, allowed: 1 to 100"),
        ({"count": 101}, "count is 101"),
        ({"length_penalty": float("nan")}, "length_penalty is nan, allowed: 0 to 10"),
        ({"length_penalty": -0.1}, "length_penalty is -0.1"),
    ],
)
def test_settings_that_allow_nothing_are_refused_before_an_image_is_read(
    pictured: Pictured, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        pictured.caption(["nowhere.jpg"], **settings)


def test_what_cannot_be_used_is_named_with_the_reason_and_the_rest_is_answered(
    pictured: Pictured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = png(COLOURS["red"], (64, 64), "JPEG")
    monkeypatch.setattr(files_module, "LARGEST", 10_000)
    for name, content in {
        "a.jpg": whole,
        "cut.png": png(COLOURS["red"], (64, 64))[:60],
        "empty.png": b"",
        "text.jpg": b"hello",
        "bomb.png": bomb(),
        "huge.png": b"0" * 10_001,
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    names = [
        "a.jpg",
        "bomb.png",
        "cut.png",
        "empty.png",
        "text.jpg",
        "huge.png",
        "folder",
        "loop",
        "pipe",
        "none.jpg",
        "\0",
        "x" * 5000,
    ]
    said = {Path(one.name).name: one for one in pictured.caption([tmp_path / name for name in names])}
    reasons = {name: one.refused for name, one in said.items()}
    assert reasons.pop("a.jpg") is None and said["a.jpg"].captions[0][0] == "a red square"
    for name in ("cut.png", "empty.png", "text.jpg", "bomb.png"):
        assert reasons.pop(name).startswith("the image does not decode"), name
    assert reasons.pop("huge.png") == "has 0 MB, allowed: 0 MB"
    assert reasons.pop("folder") == "is a folder without images that can be read"
    assert reasons.pop("pipe") == "is no plain file"
    assert reasons.pop("none.jpg") == reasons.pop("loop") == "there is no such file"
    assert len(reasons) == 2 and all(reason for reason in reasons.values())


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"x")

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(DataGateError, match="its permissions forbid it"):
        read_image(tmp_path / "a.png")


def test_folders_are_opened_in_the_order_of_names_without_what_is_no_image(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "paper.eps", "in/c.webp", ".git/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "bare").mkdir()
    given = [tmp_path / "notes.txt", tmp_path, tmp_path / "bare"]
    found = [str(path.relative_to(tmp_path)) for path in image_files(given)]
    assert found == ["notes.txt", "a.png", "b.JPG", "in/c.webp", "bare"]


def test_images_near_to_a_new_one_are_the_nearest_by_cosine(pictured: Pictured, tmp_path: Path) -> None:
    new = (200, 40, 60)
    (tmp_path / "new.bmp").write_bytes(png(new, (5, 9), "BMP"))
    hits = pictured.similar_to_image(tmp_path / "new.bmp", k=4)
    units = unit(np.array(list(SHADES.values()), np.float32))
    cosines = units @ unit(np.array([new], np.float32))[0]
    best = np.argsort(-cosines, kind="stable")[:4]
    assert [hit.score for hit in hits] == pytest.approx(cosines[best].tolist(), abs=1e-5)
    assert {hit.label for hit in hits[:3]} == {"red"} and {hit.origin for hit in hits} == {"encoded"}
    assert len(pictured.similar_to_image(png(new), k=10**9, kind="images")) == len(SHADES)
    with pytest.raises(ConfigError, match="what is near to an image is images, and the kind is 'word'"):
        pictured.similar_to_image(png(new), kind="word")
    with pytest.raises(DataGateError, match=r"none\.jpg: there is no such file"):
        pictured.similar_to_image(tmp_path / "none.jpg")
    with pytest.raises(ConfigError, match="k is 0"):
        pictured.similar_to_image(png(new), k=0)


def test_a_description_is_answered_by_the_tower_or_by_inversion(pictured: Pictured) -> None:
    tower = pictured.describe("a GREEN square", k=3)
    assert {hit.label for hit in tower.hits} == {"green"} and {hit.origin for hit in tower.hits} == {"tower"}
    assert (tower.by, tower.loss, tower.steps, tower.converged) == ("tower", None, None, None)
    inverted = pictured.describe("a green square", k=3, by="inversion")
    assert {hit.origin for hit in inverted.hits} == {"inversion"} and {hit.label for hit in inverted.hits} == {"green"}
    assert (inverted.loss, inverted.steps, inverted.converged) == (2.5, 37, True)
    assert pictured.describe("blue " * 20, by="inversion").converged is False
    assert len(pictured.describe("red", k=10**6).hits) == len(SHADES)
    with pytest.raises(ConfigError, match="by 'towr': did you mean tower"):
        pictured.describe("red", by="towr")


def test_what_of_a_description_counts_is_told(pictured: Pictured) -> None:
    read = pictured.read("a redd square, zebra zebra")
    assert read.known == ("a", "square") and read.unknown == {"redd": ["red"], "zebra": []} and read.cut == 0
    assert pictured.read("red " * (LONGEST + 3)).cut == 3
    many = pictured.read("red " + " ".join(f"unheard{n}" for n in range(10_000)))
    assert len(many.unknown) == 10_000, "each once, and only the first are compared with all words"
    assert pictured.describe("red " + " ".join(f"unheard{n}" for n in range(10_000)), k=1).hits[0].label == "red"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the description '' has no word: say what the image shows"),
        (" \n ", "has no word"),
        ("sqare", "knows no word of 'sqare': did you mean square?"),
        ("\ud800 \u202e東京", "and nothing is spelt like them"),
    ],
)
@pytest.mark.parametrize("by", ["tower", "inversion"])
def test_a_description_without_a_known_word_is_refused(pictured: Pictured, text: str, said: str, by: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        pictured.describe(text, by=by)


def test_other_families_are_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "read_encoder", lambda *_: pytest.fail("loaded"))
    live = open_live(linked.MODEL, root=linked.published(tmp_path / "films", linked.ring()).root)
    with pytest.raises(ConfigError, match=r"is of the family pairs, which captions no image: families that can: captioner$"):
        Pictured(live)
    squares = open_live(MODEL, root=captioned.published(tmp_path / "squares").root)
    with pytest.raises(ConfigError, match=r"is of the family captioner, which folds no item in: families that can: pairs$"):
        squares.able("folded")


def test_the_encoder_is_loaded_when_it_is_needed_and_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    monkeypatch.setattr(live_module, "read_encoder", lambda folder, _: loads.append(folder) or Played())
    live = open_live(MODEL, root=layout.root)
    assert live.similar("boy", kind="words") and not loads, "words need no encoder"
    Pictured(live).describe("red")
    list(Pictured(live).caption([png(COLOURS["red"])]))
    assert len(loads) == 1


def test_words_are_found_in_any_letter_case_and_kinds_in_the_plural(live: Live) -> None:
    assert live.similar("Boy", kind="words", k=3) == live.similar("boy", k=3) == live.similar("ＢＯＹ ", 3)
    assert live.spelt("BOYS") == "boys" and live.spelt("Boyz") is None and live.spelt("Red 1") is None
    assert live.kinds_of("Boy") == ["word"] and np.array_equal(live.vector("MAN"), live.vector("man"))
    with pytest.raises(ConfigError, match="no kind 'wrds': did you mean word"):
        live.similar("boy", kind="wrds")
    with pytest.raises(ConfigError, match="knows no 'Boyz': did you mean boy, boys"):
        live.similar("Boyz")


@pytest.mark.parametrize("by", ["add", "mul"])
def test_an_analogy_of_words_is_that_of_the_slow_loops(live: Live, by: str) -> None:
    vector = {word: live.vector(word, "word").astype(float) for word in WORDS}

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    a, b, c = "boy", "boys", "man"
    expected = {}
    for word in set(WORDS) - {a, b, c}:
        if by == "mul":
            like = {other: (cosine(vector[word], vector[other]) + 1) / 2 for other in (a, b, c)}
            expected[word] = like[b] * like[c] / (like[a] + 0.001)
        else:
            lengths = {other: vector[other] / np.linalg.norm(vector[other]) for other in (a, b, c)}
            expected[word] = cosine(vector[word], lengths[b] + lengths[c] - lengths[a])
    hits = live.most_similar(["Boys", c], [a], k=50, kind="words", by=by)
    assert {hit.id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    with pytest.raises(ConfigError, match="an analogy goes by 'ad': did you mean add"):
        live.most_similar([b, c], [a], by="ad")


def test_corrected_words_do_not_reach_other_kinds(tmp_path: Path) -> None:
    layout = project.make_stages(tmp_path)
    project.release(layout)
    live = open_live("words-pairs", root=layout.root)
    assert live.similar("KING", k=2) == live.similar("king", k=2)
    with pytest.raises(ConfigError, match="knows no 'KING'"):
        live.similar("KING", kind="book")
