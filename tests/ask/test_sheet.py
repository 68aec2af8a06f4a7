"""Contact sheets: what they show, whatever texts and images hold, where images come from, and what is never replaced."""

import base64
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kindex.ask.live import open_folder, open_live
from kindex.ask.sheet import MOST, Section, Tile, check_sheet, images_of, write_sheet
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.layout import Layout
from tests.ask import captioned
from tests.ask.captioned import COLOURS, MODEL, SHADES, png

EVIL = "<script>alert(1)</script>\"' &amp; \u202etxt.exe \x00 \ud800 東京"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return captioned.published(tmp_path_factory.mktemp("squares"))


class Read(HTMLParser):
    """Tags, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def sections() -> list[Section]:
    large = png(COLOURS["red"], (900, 300), "JPEG")
    tiles = [
        Tile("0.912", "one.jpg", "a red square", large),
        Tile("0.5", EVIL, EVIL, png(COLOURS["blue"])),
        Tile("0.1", "word"),
    ]
    return [Section("by tower", tiles, "a note"), Section("broken", [Tile("", "x", image=b"no image")])]


def test_a_page_is_whole_in_itself_and_says_everything_as_text(tmp_path: Path) -> None:
    write_sheet(tmp_path / "s.html", f"dogs {EVIL}", sections())
    text = (tmp_path / "s.html").read_text(encoding="utf-8")
    read = Read(text)
    names = [tag for tag, _ in read.tags]
    assert "script" not in names and "link" not in names and names.count("li") == 4 and names.count("img") == 2
    sources = [attributes["src"] or "" for tag, attributes in read.tags if tag == "img"]
    assert [source.partition(";")[0] for source in sources] == ["data:image/jpeg", "data:image/png"]
    assert not re.search(r"https?:|url\(|@import|\son\w+=", text)
    policy = next(a["content"] for _, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; img-src data:")
    for said in ("dogs <script>alert(1)</script>", "0.912", "one.jpg", "a red square", "by tower", "a note", "東京"):
        assert said in read.text
    assert "\u202e" not in text and "\x00" not in text
    assert read.text.count("no image here") == 2
    thumbnail = Image.open(io.BytesIO(base64.b64decode(sources[0].partition(",")[2])))
    assert thumbnail.size == (320, 107), "proportions stay"


def test_a_picture_shows_each_image_in_its_colours(tmp_path: Path) -> None:
    write_sheet(
        tmp_path / "s.png", "dogs", [Section("", [Tile("1", name, "", png(c, (40, 40))) for name, c in COLOURS.items()])]
    )
    with Image.open(tmp_path / "s.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    for colour in COLOURS.values():
        assert (pixels == colour).all(1).sum() >= 200 * 200, "a small image is enlarged without a blur"
    write_sheet(tmp_path / "s.png", EVIL * 9, sections())
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width < 2000 and sheet.height < 2000


@pytest.mark.parametrize("name", ["s.png", "s.html"])
def test_equal_answers_give_equal_bytes(tmp_path: Path, name: str) -> None:
    written = []
    for _ in range(2):
        write_sheet(tmp_path / name, "dogs", sections())
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    write_sheet(tmp_path / name, "none", [Section("", [])])


def test_a_sheet_replaces_a_sheet_and_nothing_else(tmp_path: Path, layout: Layout) -> None:
    live = open_live(MODEL, root=layout.root)
    for name in ("dog.png", "page.html"):
        (tmp_path / name).write_bytes(png(COLOURS["red"]))
        with pytest.raises(ConfigError, match="exists and is no contact sheet of kindex"):
            write_sheet(tmp_path / name, "dogs", sections())
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "to.png").symlink_to(tmp_path / "elsewhere.png")
    for to, said in {
        "folder.png": "no contact sheet",
        "to.png": "no contact sheet",
        "found.jpg": r"ends in \.png, \.html, \.htm",
        "found": "ends in",
        "none/found.png": "is no folder",
    }.items():
        with pytest.raises(ConfigError, match=said):
            check_sheet(tmp_path / to, live)
    with pytest.raises(ConfigError, match="where kindex keeps its own"):
        check_sheet(layout.releases(MODEL) / "v0001" / "found.png", live)
    with pytest.raises(ConfigError, match="would show 501 images, allowed: 500"):
        write_sheet(tmp_path / "s.png", "many", [Section("", [Tile("", "x")] * (MOST + 1))])
    assert not (tmp_path / "elsewhere.png").exists()


def test_images_are_those_of_both_sides_of_the_split(layout: Layout, tmp_path: Path) -> None:
    live = open_live(MODEL, root=layout.root)
    assert images_of(live, [*SHADES, "unknown"]) == {name: png(colour, (32, 32)) for name, colour in SHADES.items()}
    copied = open_folder(Path(shutil.copytree(layout.releases(MODEL) / "v0001", tmp_path / "a" / "b" / "v0001")))
    assert images_of(copied, list(SHADES)) == {}, "a release alone holds no images"


def test_a_damaged_table_of_images_is_named(layout: Layout, tmp_path: Path) -> None:
    own = Layout(Path(shutil.copytree(layout.root, tmp_path / "own")))
    table = own.out("split", "squares") / "train" / "images.parquet"
    table.write_bytes(table.read_bytes()[:200])
    with pytest.raises(DamagedError, match=r"train/images\.parquet is damaged"):
        images_of(open_live(MODEL, root=own.root), list(SHADES))
