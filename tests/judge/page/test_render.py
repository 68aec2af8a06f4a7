"""The whole page: nothing of the data is markup, nothing comes from outside, the same bytes each time."""

import re
from html.parser import HTMLParser

import pytest

from kindex.judge.page import CONTENTS, render
from tests.judge.page.made_up import COSTS, HOSTILE, compared, evidence, release, verdict

ALLOWED_SCRIPTS = 2  # the map's data and our own


class Reader(HTMLParser):
    """What a browser would see: tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def page_of(text=None, **options):
    return render(evidence(text, **options), COSTS, verdict(text), release(text), compared=compared(text))


def test_every_section_is_there_and_its_link_leads_to_it():
    reader = Reader(page_of())
    anchors = [attrs["href"] for tag, attrs in reader.tags if tag == "a"]
    assert anchors == [f"#{name}" for name in CONTENTS]
    assert [attrs["id"] for tag, attrs in reader.tags if tag == "section"] == list(CONTENTS)


def test_the_numbers_are_on_the_page():
    text = re.sub(r"\s+", " ", " ".join(Reader(page_of()).text))
    for said in (
        "Link recall@10 0.400",
        "95 % interval 0.350 to 0.450",
        "Not passed 1 of 2 thresholds met",
        "v0007 beside v0006 of 2026-11-19 , which answered while this was made. Built as delta : 1.02% of the rows changed",
        "Link recall@10 0.420 0.400 −0.0200 −0.0200 (−0.0300 to −0.0100) worse 1,950",
        "· golden 0.100 numpy. linalg torch. optim torch",
        "120 stored queries, asked of both through their indexes: 91.2% of the former answers are given again",
        "0.0123 misses 0.01",
        "a dog runs CIDEr-D 1.25 · BLEU-4, smoothed 0.400",
        "Text tower 2nd of 1,000",
        "Inversion rank 1.5 of 1,000",
        "man is to men as woman is to … women ✓ women ✕ ladies",
    ):
        assert said in text
    assert "cd" * 6 in text and "cd" * 32 in text


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_the_data_becomes_markup(hostile):
    plain, attacked = Reader(page_of()), Reader(page_of(lambda word: hostile))
    assert {tag for tag, _ in attacked.tags} <= {tag for tag, _ in plain.tags}
    assert sum(tag == "script" for tag, _ in attacked.tags) == ALLOWED_SCRIPTS
    assert sum(tag == "style" for tag, _ in attacked.tags) == 1
    for _, attrs in attacked.tags:
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("href", "#").startswith("#") and attrs.get("src", "data:image/png").startswith("data:image/png")


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_text_of_the_data_is_shown_as_text(hostile):
    page = page_of(lambda word: hostile)
    head = hostile[:10].encode("ascii", "ignore").decode().strip("\x00\x1b\r\n")
    assert head[:1] in "".join(Reader(page).text)
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert len(page.encode()) < 150_000, "a long text is cut"


def test_a_script_in_a_name_can_be_read():
    assert HOSTILE[0] in "".join(Reader(page_of(lambda word: HOSTILE[0])).text)


def test_the_page_asks_for_nothing_from_outside():
    page = page_of()
    assert not re.search(
        r"https?:|@import|url\(|//[a-z]+\.", page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    )
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("missing", [*evidence()])
def test_whatever_is_missing_is_left_out(missing):
    partial = evidence()
    del partial[missing]
    assert "<h1>" in render(partial, {})
    assert "<h1>" in render({missing: evidence()[missing]}, {})
    assert "<h1>" in render({**evidence(), missing: None}, COSTS, None, None)


def test_a_page_without_evidence_says_so():
    text = " ".join(Reader(render({}, {})).text)
    assert "Unnamed model" in text and "no headline figure" in text and "No gate has judged" in text
    assert "<script" not in render({}, {})


def test_same_arguments_give_the_same_page():
    assert page_of() == page_of()
