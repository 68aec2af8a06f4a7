"""`kindex caption`, `describe` and `similar --image`, by what people see: text, files, exit codes, and no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kindex.ask import live as live_module
from kindex.core.layout import Layout
from tests.ask import captioned, linked
from tests.ask.captioned import COLOURS, MODEL, Played, png
from tests.commands import runner


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return captioned.published(tmp_path_factory.mktemp("squares"))


@pytest.fixture
def kindex(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command in `tmp_path`, which has three images, one of them broken: exit code, stdout, stderr."""
    monkeypatch.setenv("KINDEX_ROOT", str(layout.root))
    monkeypatch.setattr(live_module, "read_encoder", lambda *_: Played())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name, content in {"red.png": png(COLOURS["red"]), "photos/b.jpg": png(COLOURS["blue"]), "broken.png": b"x"}.items():
        (tmp_path / name).write_bytes(content)

    return runner(monkeypatch, capsys)


def test_help_has_the_commands_and_examples(kindex: Any) -> None:
    out = kindex("--help")[1]
    assert " caption " in out and " describe " in out
    for command in ("caption", "describe", "similar", "analogy", "export", "fold-in"):
        assert kindex(command, "--help")[0] == 0
    shown = " ".join(out.split())
    assert "kindex describe scenes-captions" in shown and "kindex analogy scenes-captions circle circles star" in shown


def test_a_caption_is_a_line_for_each_file(kindex: Any) -> None:
    assert kindex("caption", MODEL, "red.png") == (0, "red.png  a red square\n", "")
    code, out, err = kindex("caption", MODEL, "photos", "red.png")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["photos/b.jpg  a blue square", "red.png       a red square"]
    scored = kindex("caption", MODEL, "red.png", "-n", "2")[1].splitlines()
    assert scored[0] == "red.png    0.000  a red square"
    assert [line.split()[0] for line in scored] == ["red.png"] * 2 and float(scored[1].split()[1]) < 0


def test_broken_files_are_named_and_the_exit_code_says_whether_one_worked(kindex: Any) -> None:
    code, out, err = kindex("caption", MODEL, "broken.png", "red.png", "none.jpg")
    assert (code, out.split()) == (0, ["red.png", "a", "red", "square"])
    lines = err.splitlines()
    assert lines[0].startswith("broken.png is left out: the image does not decode")
    assert lines[1:] == ["none.jpg is left out: there is no such file", "2 of 3 files left out"]
    code, out, err = kindex("caption", MODEL, "broken.png", "none.jpg")
    assert (code, out) == (3, "") and err.endswith("kindex: none of 2 files is an image that can be used\n")
    code, out, err = kindex("caption", MODEL, "broken.png", "red.png", "--json")
    told = json.loads(out)
    assert code == 0 and [one["file"] for one in told] == ["broken.png", "red.png"]
    assert told[0]["captions"] == [] and "does not decode" in told[0]["refused"]
    assert told[1]["captions"][0]["text"] == "a red square" and told[1]["refused"] is None


def test_a_file_name_cannot_move_the_cursor(kindex: Any, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\u202e.png").write_bytes(png(COLOURS["red"]))
    out = kindex("caption", MODEL, "a\x1b[2J\u202e.png")[1]
    assert out == "a\\x1b[2J\\u202e.png  a red square\n"


def test_the_settings_of_the_search_are_those_given(kindex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played()
    monkeypatch.setattr(live_module, "read_encoder", lambda *_: played)
    kindex("caption", MODEL, "red.png", "--greedy")
    kindex("caption", MODEL, "red.png", "--width", "9", "--length-penalty", "1.5")
    assert [(each["width"], each["length_penalty"]) for each in played.asked] == [(1, None), (9, 1.5)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["caption", MODEL], 2, "images"),
        (["caption", MODEL, "red.png", "--width", "0"], 2, "--width"),
        (["caption", MODEL, "red.png", "--length-penalty", "nan"], 2, "length_penalty is nan"),
        (["caption", MODEL, "red.png", "--greedy", "-n", "2"], 2, "--greedy finds one caption"),
        (["caption", MODEL, "red.png", "--show", "x.gif"], 2, "ends in .png, .html"),
        (["caption", "square-captioner", "red.png"], 2, "did you mean squares-captioner"),
        (["describe", MODEL, ""], 2, "has no word"),
        (["describe", MODEL, "sqare"], 2, "did you mean square"),
        (["describe", MODEL, "red", "--by", "towr"], 2, "--by is 'towr': did you mean tower"),
        (["describe", MODEL, "red", "-k", "0"], 2, "-k"),
        (["similar", MODEL, "--image", "broken.png"], 3, "broken.png: the image does not decode"),
        (["similar", MODEL, "--image", "none.png"], 3, "none.png: there is no such file"),
        (["similar", MODEL, "--image", "red.png", "--space", "words"], 2, "the kind is 'words'"),
        (["similar", MODEL, "boy", "--image", "red.png"], 2, "give either"),
        (["similar", MODEL, "--image", "red.png", "--minus", "boy"], 2, "--minus goes with an id"),
        (["similar", MODEL, "--image", "red.png", "--side", "left"], 2, "--side goes with links"),
        (["similar", MODEL, "--links", "boy"], 2, "folds no item in: families that can: pairs"),
        (["analogy", MODEL, "boy", "boys"], 2, "give either three ids a b c"),
        (["analogy", MODEL, "boy", "boys", "man", "--plus", "men"], 2, "give either three ids a b c"),
        (["analogy", MODEL], 2, "at least one --plus"),
        (["analogy", MODEL, "boy", "boys", "man", "--by", "product"], 2, "--by is 'product': Allowed: add, mul"),
    ],
)
def test_what_a_person_can_cure_is_one_message(kindex: Any, arguments: list[str], code: int, said: str) -> None:
    found, out, err = kindex(*arguments)
    assert (found, out) == (code, "") and said in err


def test_a_description_finds_images_and_tells_unknown_words(kindex: Any) -> None:
    code, out, err = kindex("describe", MODEL, "a redd", "BLUE", "zebra", "-k", "2")
    assert code == 0
    assert err.splitlines() == [
        "'redd' is not a word of this model: left out; close: red",
        "'zebra' is not a word of this model: left out",
    ]
    assert out.splitlines()[0].split() == ["score", "id", "label", "description"]
    assert [line.split()[1] for line in out.splitlines()[1:]] == ["blue", "blue"]
    code, _, err = kindex("describe", MODEL, "red " * 10_000, "unheard " + " ".join(f"x{n}" for n in range(30)))
    assert code == 0 and "26 more words are not of this model" in err
    assert "the description is long: its last 9,996 known words are left out" in err


def test_both_ways_stand_side_by_side_with_how_inversion_went(kindex: Any) -> None:
    out = kindex("describe", MODEL, "a green square", "--by", "both", "-k", "3")[1].splitlines()
    assert out[0] == "inversion: settled after 37 steps, at 2.50 nats a word"
    assert out[1].split() == ["score", "tower", "description", "score", "inversion", "description"]
    assert len(out) == 5 and all(line.count("green ") >= 2 for line in out[2:])
    inverted = kindex("describe", MODEL, "green " * 20, "--by", "inversion", "-k", "1")[1].splitlines()
    assert inverted[0].startswith("inversion: not settled") and inverted[1].split()[0] == "score"
    tower, inversion = json.loads(kindex("describe", MODEL, "a green zebra", "--by", "both", "-k", "2", "--json")[1])
    assert (tower["by"], tower["loss"], tower["unknown"]) == ("tower", None, {"zebra": []})
    assert (inversion["steps"], inversion["converged"], inversion["known"]) == (37, True, ["a", "green"])
    assert [hit["origin"] for hit in tower["hits"]] == ["tower"] * 2 and len(inversion["hits"]) == 2


def test_a_new_image_and_a_word_have_neighbours(kindex: Any) -> None:
    out = kindex("similar", MODEL, "--image", "red.png", "-k", "2")[1].splitlines()
    assert [line.split()[1] for line in out[1:]] == ["red", "red"]
    hits = json.loads(kindex("similar", MODEL, "--image", "red.png", "-k", "1", "--json")[1])
    assert hits[0]["origin"] == "encoded"
    boy = kindex("similar", MODEL, "--space", "words", "boy", "-k", "3")
    assert boy[0] == 0 and boy == kindex("similar", MODEL, "Boy", "--kind", "word", "-k", "3")


def test_an_analogy_may_be_three_words(kindex: Any) -> None:
    three = kindex("analogy", MODEL, "boy", "Boys", "man", "-k", "3")
    assert three[0] == 0 and three[1].splitlines()[1].split()[1] == "men"
    assert three == kindex("analogy", MODEL, "--plus", "boys", "--plus", "man", "--minus", "boy", "-k", "3")
    product = kindex("analogy", MODEL, "boy", "boys", "man", "-k", "3", "--by", "mul")
    assert product[0] == 0 and product != three


def test_export_takes_a_space_in_the_plural(kindex: Any, tmp_path: Path) -> None:
    code, out, _ = kindex("export", MODEL, "--to", "words.txt", "--space", "words")
    assert code == 0 and "of the kind word" in out and (tmp_path / "words.txt").read_text().startswith("10 6\n")


@pytest.mark.parametrize("name", ["found.html", "found.png"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["describe", MODEL, "a red square", "--by", "both", "-k", "3"],
        ["similar", MODEL, "red 1", "-k", "3"],
        ["similar", MODEL, "--image", "red.png", "-k", "3"],
        ["caption", MODEL, "red.png", "broken.png", "photos"],
    ],
)
def test_answers_are_shown_with_their_images(kindex: Any, tmp_path: Path, arguments: list[str], name: str) -> None:
    plain = kindex(*arguments)
    code, out, err = kindex(*arguments, "--show", name)
    assert (code, out) == plain[:2] and err == f"{plain[2]}shown: {name}\n"
    if name.endswith(".html"):
        page = (tmp_path / name).read_text()
        assert page.count("<img ") >= 2 and "no image here" not in page
    else:
        with Image.open(tmp_path / name) as sheet:
            sheet.load()


def test_without_images_only_ids_are_shown_and_that_is_said(kindex: Any, tmp_path: Path) -> None:
    code, _, err = kindex("similar", MODEL, "boy", "--show", "words.html")
    assert code == 0 and "only ids are shown" in err
    assert "men" in (tmp_path / "words.html").read_text()


def test_a_model_that_captions_nothing_names_families_that_can(kindex: Any, tmp_path: Path) -> None:
    root = linked.published(tmp_path / "films", linked.ring()).root
    for command in (["caption", linked.MODEL, "red.png"], ["describe", linked.MODEL, "red"]):
        code, out, err = kindex("--root", str(root), *command)
        assert (code, out) == (2, "") and "families that can: captioner" in err


@pytest.mark.slow
def test_words_and_refusals_do_without_torch(layout: Layout, tmp_path: Path) -> None:
    root = linked.published(tmp_path / "films", linked.ring()).root
    script = """
import sys
from kindex.cli import main
sys.argv = ["kindex", *sys.argv[1:]]
try: main()
except SystemExit: print(sorted({"torch", "PIL", "pandas"} & set(sys.modules)))
"""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    for asked in ([str(layout.root), "analogy", MODEL, "boy", "boys", "man"], [str(root), "caption", linked.MODEL, "x.png"]):
        command = [sys.executable, "-c", script, "--root", *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        assert done.stdout.splitlines()[-1] == "[]", done.stderr
