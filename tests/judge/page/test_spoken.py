"""Evidence of a captioner as rows."""

import pytest

from kindex.judge.page import spoken
from kindex.judge.page.account import picture
from kindex.judge.page.text import cleaned
from tests.judge.page.made_up import evidence, png

JPEG = "data:image/jpeg;base64,/9j/4AAQ"


def test_captions_stand_from_best_to_worst_with_what_people_said() -> None:
    groups = spoken.captions(evidence())
    assert [group["title"] for group in groups] == ["Best", "In the middle", "Worst"]
    one = groups[0]["rows"][0]
    assert one["caption"] == "a dog runs" and one["scores"] == "CIDEr-D 1.25 · BLEU-4, smoothed 0.400"
    assert one["others"] == [("Greedily", "a dog"), ("Of the nearest train image", "a cat sits")]


def test_a_caption_of_no_words_says_so_and_what_is_missing_is_left_out() -> None:
    (group,) = spoken.captions({"captions": [{"place": "best", "id": "a", "caption": "", "greedy": None, "cider": None}]})
    assert group["rows"][0] == {
        "id": "a",
        "image": None,
        "caption": "(nothing)",
        "others": [],
        "references": [],
        "scores": "",
    }
    assert spoken.captions({}) == spoken.searches({}) == [] and spoken.words_of({}) is None


@pytest.mark.parametrize(
    ("rank", "of", "said"),
    [
        (1, 1000, "1st of 1,000"),
        (2.0, 9, "2nd of 9"),
        (13, None, "13th"),
        (1023.0, 2000, "1,023rd of 2,000"),
        (1.5, 9, "rank 1.5 of 9"),
    ],
)
def test_a_rank_is_said_as_people_say_it(rank, of, said) -> None:
    (query,) = spoken.searches({"search": [{"caption": "x", "of": of, "ways": {"text": {"rank": rank, "hits": []}}}]})
    assert query["ways"] == [{"title": "Text tower", "rank": said, "hits": []}]


def test_the_tower_stands_before_inversion_and_the_right_hit_is_marked() -> None:
    (query,) = spoken.searches(evidence())
    assert [way["title"] for way in query["ways"]] == ["Text tower", "Inversion"]
    assert [hit["right"] for way in query["ways"] for hit in way["hits"]] == [False, True]


def test_an_answer_is_right_when_it_is_the_word() -> None:
    words = spoken.words_of(evidence())
    assert [answer["right"] for answer in words["analogies"][0]["answers"]] == [True, False]
    assert words["similar"][0]["hits"] == [{"word": "dogs", "score": "0.81"}, {"word": "cat", "score": "−0.10"}]


def test_photographs_may_be_jpeg_and_nothing_else_may() -> None:
    assert picture(JPEG) == {"uri": JPEG, "pixels": False} and picture(png(1))["pixels"]
    kept = cleaned([{"image": uri} for uri in (JPEG, "data:image/svg+xml;base64,AAAA", "https://x/y.jpg", f"{JPEG}'><b>")])
    assert [one["image"] for one in kept] == [JPEG, None, None, None]


def test_words_of_the_map_fill_it_and_frequent_ones_are_large_and_on_top() -> None:
    given = [
        {"word": "dog", "at": [0.0, 4.0], "count": 100},
        {"word": "cat", "at": [2.0, -4.0], "count": 1},
        {"word": "lost", "at": [float("nan"), 1.0], "count": 5},
    ]
    words = spoken.words_of({"words": {"map": given}})
    assert [one["word"] for one in words["map"]] == ["cat", "dog"]
    cat, dog = words["map"]
    assert (dog["x"], dog["y"]) == (spoken.MARGIN, spoken.MAP[1] - spoken.MARGIN)
    assert (cat["x"], cat["y"]) == (spoken.MAP[0] - spoken.MARGIN, spoken.MARGIN)
    assert dog["size"] == 22 and cat["size"] < dog["size"]
