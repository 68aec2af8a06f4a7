"""Words of captions in many scripts, and vocabularies against a plain count."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindex.core.errors import DamagedError, DataGateError
from kindex.encoders.captioner.tokens import END, MARKS, PAD, START, UNKNOWN, Vocabulary, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n ...!? — « » 🐕 $%&_", []),
        ("A dog runs on the grass .", ["a", "dog", "runs", "on", "the", "grass"]),
        ("Dogs,cats;(birds)/fish", ["dogs", "cats", "birds", "fish"]),
        ("two\nlines\tand\u2028more\x85here\x1fend", ["two", "lines", "and", "more", "here", "end"]),
        # apostrophes and quotes
        ("don't don’t don´t donʼt don＇t don`t", ["don't"] * 6),
        ("the dog's ball, the dog 's ball", ["the", "dog", "'s", "ball", "the", "dog", "'s", "ball"]),
        ("the boys' toys, it's o'clock", ["the", "boys", "toys", "it", "'s", "o'clock"]),
        ("'quoted' \"quoted\" “quoted” 'sweet' 's' rock 'n' roll", ["quoted"] * 3 + ["sweet", "s", "rock", "n", "roll"]),
        ("L'EAU d’ici п’ять", ["l'eau", "d'ici", "п'ять"]),
        # hyphens
        ("T-shirt t‑shirts 't-shirt' X-ray's", ["t-shirt", "t-shirts", "t-shirt", "x-ray", "'s"]),
        ("black-and-white three-year-old -t- a--b", ["black", "and", "white", "three", "year", "old", "t", "a", "b"]),
        ("3-year-old 10-K tee-shirt", ["3", "year", "old", "10", "k", "tee", "shirt"]),
        # digits
        ("3.5 1,000 2nd №5 m² ½ Ⅻ ①", ["3", "5", "1", "000", "2nd", "5", "m2", "1", "2", "xii", "1"]),
        # case and forms
        ("STRASSE Straße ΟΔΟΣ İstanbul ISTANBUL", ["strasse", "straße", "οδος", "istanbul", "istanbul"]),
        ("ﬁsh ｆｉｓｈ cafe\u0301 café", ["fish", "fish", "café", "café"]),
        # invisible
        ("do\u200bg do\u00adg do\u200dg \ufeffdog do\x00g dog\ufe0f d\u034fog \u3164", ["dog"] * 7),
        ("dog\ud800cat\ue000bird", ["dog", "cat", "bird"]),
        ("\u0301 \u0301\u0301dog", ["dog"]),
        # scripts
        ("हिन्दी में कुत्ता", ["हिन्दी", "में", "कुत्ता"]),
        ("كَلْب يجري ٣", ["كَلْب", "يجري", "٣"]),
        ("개가 달린다", ["개가", "달린다"]),
        ("狗在跑。ABC犬", ["狗", "在", "跑", "abc", "犬"]),
        ("ｶﾞラスの犬", ["ガ", "ラ", "ス", "の", "犬"]),
        ("หมาวิ่ง", ["ห", "ม", "า", "วิ่", "ง"]),
    ],
)
def test_a_text_is_cut_into_words(text, words):
    assert tokens(text) == words


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.text("abs'’- -tİſΣ\u0301\u0307\u034f\u200d́ก\u0e31犬5")))
def test_words_are_found_again_in_their_own_text_and_nothing_raises(text):
    words = tokens(text)
    assert tokens(" ".join(words)) == words
    assert all(word and not any(character.isspace() for character in word) for word in words)
    assert not set(words) & set(MARKS)


def test_every_character_by_itself_gives_words_that_are_found_again():
    for start in range(0, 0x110000, 64):
        text = " ".join(chr(code) for code in range(start, start + 64))
        words = tokens(text)
        assert tokens(" ".join(words)) == words


CAPTIONS = ["A dog runs.", "a dog sits", "The Dog, a cat", "zebra zebra", ""]


def test_a_vocabulary_holds_the_marks_then_words_by_falling_count_then_by_word():
    vocabulary = Vocabulary.of(CAPTIONS, 1, 100)
    counted = Counter(word for caption in CAPTIONS for word in tokens(caption))
    expected = sorted(counted, key=lambda word: (-counted[word], word))
    assert vocabulary.words == (*MARKS, *expected)
    assert vocabulary.words[4:] == ("a", "dog", "zebra", "cat", "runs", "sits", "the")
    assert vocabulary.counts == (0, 0, 5, 0, 3, 3, 2, 1, 1, 1, 1)
    assert len(vocabulary) == 11


def test_rare_words_and_those_beyond_the_limit_are_unknown_and_counted_so():
    rare = Vocabulary.of(CAPTIONS, 2, 100)
    assert rare.words[4:] == ("a", "dog", "zebra") and rare.counts[UNKNOWN] == 4
    limited = Vocabulary.of(CAPTIONS, 1, 2)
    assert limited.words[4:] == ("a", "dog") and limited.counts[UNKNOWN] == 6
    assert rare.encode(tokens("The dog, a ZEBRA!")) == [UNKNOWN, 5, 4, 6]
    assert rare.encode(["<end>", "<pad>"]) == [UNKNOWN, UNKNOWN]


def test_decoding_stops_at_end_and_leaves_out_pad_and_start():
    vocabulary = Vocabulary.of(CAPTIONS, 1, 100)
    assert vocabulary.decode([START, 4, 5, END, 6, PAD]) == "a dog"
    assert vocabulary.decode([4, UNKNOWN, PAD]) == "a <unknown>"
    assert vocabulary.decode([]) == vocabulary.decode([END]) == ""
    for wrong in (11, -1):
        with pytest.raises(IndexError):
            vocabulary.decode([wrong])


def test_encoding_and_decoding_give_back_known_words():
    vocabulary = Vocabulary.of(CAPTIONS, 1, 100)
    for caption in CAPTIONS:
        assert vocabulary.decode(vocabulary.encode(tokens(caption))) == " ".join(tokens(caption))


def test_the_order_of_captions_changes_nothing():
    assert Vocabulary.of(CAPTIONS, 1, 5) == Vocabulary.of(CAPTIONS[::-1], 1, 5)


@pytest.mark.parametrize(
    ("captions", "message"), [([], "no word at all"), (["...", ""], "no word at all"), (CAPTIONS, "the most frequent, 'a', 3")]
)
def test_a_vocabulary_without_a_word_is_refused(captions, message):
    with pytest.raises(DataGateError, match=f"min_count = 4.*{message}.*params.yaml"):
        Vocabulary.of(captions, 4, 100)


def test_a_vocabulary_survives_json():
    vocabulary = Vocabulary.of([*CAPTIONS, "狗 straße"], 1, 100)
    assert Vocabulary.back(json.loads(json.dumps(vocabulary.about()))) == vocabulary


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"words": 3, "counts": []},
        {"words": ["a"], "counts": [1]},
        {"words": [*MARKS, "a"], "counts": [0] * 4},
        {"words": [*MARKS, "a", "a"], "counts": [0] * 6},
        {"words": [*MARKS, 7], "counts": [0] * 5},
        {"words": [*MARKS, "a"], "counts": [0, 0, 1, 0, 1.5]},
        {"words": [*MARKS, ["a"]], "counts": [0] * 5},
        [],
    ],
)
def test_a_damaged_vocabulary_is_refused(about):
    with pytest.raises(DamagedError):
        Vocabulary.back(about)
