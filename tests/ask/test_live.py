"""Questions to a release: values by hand, spellings, and refusal of anything that is not one whole release."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kindex.ask.live import open_live
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.hubs import CORRECTIONS, correct_space, write_offsets
from kindex.core.pointer import promote, rollback
from kindex.core.space import read_space
from tests.ask.project import VECTORS, WORDS, make_stages, release


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    layout = make_stages(tmp_path_factory.mktemp("published"))
    release(layout)
    return layout


@pytest.fixture
def live(published):
    return open_live("words-pairs", root=published.root)


@pytest.fixture
def own(published, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(published.root, tmp_path / "own")
    return type(published)(tmp_path / "own")


def test_similar_gives_the_cosines_in_order_and_never_the_item_itself(live):
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    for word in WORDS:
        expected = sorted(
            ((float(unit[WORDS.index(word)] @ unit[row]), other) for row, other in enumerate(WORDS)), reverse=True
        )
        expected = [(score, other) for score, other in expected if other != word]
        hits = live.similar(word, k=7)
        assert [hit.score for hit in hits] == pytest.approx([score for score, _ in expected], abs=1e-6)
        assert {hit.id for hit in hits} == set(WORDS) - {word}
    assert [hit.id for hit in live.similar("torch.optim.adam", k=2)] == ["torch.optim.sgd", "json"]
    assert live.similar("queen", k=1)[0].description == "about woman"


def test_k_above_the_catalogue_gives_all_and_below_one_is_refused(live):
    assert len(live.similar("king", k=1000)) == len(WORDS) - 1
    with pytest.raises(ConfigError, match="k is 0"):
        live.similar("king", k=0)


def test_most_similar_is_3cosadd_over_unit_vectors_without_the_inputs(live):
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    target = unit[0] - unit[2] + unit[3]
    cosines = unit @ (target / np.linalg.norm(target))
    best = max((float(cosines[row]), word) for row, word in enumerate(WORDS) if word not in ("king", "man", "woman"))
    (hit,) = live.most_similar(["king", "woman"], ["man"], k=1)
    assert hit.id == "queen" == best[1]
    assert hit.score == pytest.approx(best[0], abs=1e-6)
    assert {hit.id for hit in live.most_similar(["king", "woman"], ["man"], k=50)} == set(WORDS) - {"king", "woman", "man"}
    with pytest.raises(ConfigError, match="at least one id"):
        live.most_similar([])


def test_the_default_kind_is_the_one_that_the_catalogue_names_first(live):
    assert live.kinds == ["word", "book"]
    assert live.ids() == WORDS
    assert live.ids("book") == ("king", "dune")
    assert [hit.id for hit in live.similar("king", kind="book")] == ["dune"]
    assert live.similar("dune")[0].id == "king"  # only books have it
    assert np.array_equal(live.vector("king"), VECTORS[0])
    assert np.array_equal(live.vectors(["json", "king"]), VECTORS[[6, 0]])
    with pytest.raises(ConfigError, match="Allowed: book, word"):
        live.similar("king", kind="film")
    with pytest.raises(ConfigError, match="not of one kind"):
        live.most_similar(["queen", "dune"])


def test_similar_to_vector_scores_by_the_metric_of_the_space(live):
    assert live.similar_to_vector(np.array([0, 5, 0, 0]), k=1)[0].id == "man"
    (hit,) = live.similar_to_vector(np.array([0, 3]), k=1, kind="book")
    assert (hit.id, hit.score) == ("dune", 6.0)  # a dot product, not a cosine
    for wrong in (np.zeros(3), np.array([np.nan, 0, 0, 0])):
        with pytest.raises(ConfigError, match="allowed"):
            live.similar_to_vector(wrong)


def test_an_unknown_id_is_an_error_with_close_spellings(live):
    with pytest.raises(ConfigError, match=r"knows no 'adam': did you mean torch\.optim\.adam"):
        live.similar("adam")
    with pytest.raises(ConfigError, match="did you mean queen"):
        live.similar("qeen")
    with pytest.raises(ConfigError, match="nothing is spelt like it"):
        live.vector("zzzzzzzz")


def test_an_unknown_model_or_version_names_the_known_ones(published):
    with pytest.raises(ConfigError, match=r"did you mean words-pairs"):
        open_live("word-pairs", root=published.root)
    with pytest.raises(ConfigError, match=r"no release 'v0009'.*v0001"):
        open_live("words-pairs", root=published.root, release="v0009")


@pytest.mark.parametrize(
    "name", ["vectors/word.parquet", "index/word.faiss", "index/book.json", "items.parquet", "report.json"]
)
def test_a_flipped_bit_is_refused_by_name_before_anything_is_loaded(own, name):
    path = own.releases("words-pairs") / "v0001" / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedError, match=name.replace(".", r"\.")):
        open_live("words-pairs", root=own.root)


def test_a_mixture_of_two_releases_is_refused_by_name(own):
    folder = own.releases("words-pairs")
    make_stages(own.root, VECTORS[::-1].copy(), recall=0.6)
    release(own)
    shutil.copy(folder / "v0001" / "index" / "word.faiss", folder / "v0002" / "index" / "word.faiss")
    with pytest.raises(DamagedError, match=r"v0002/index/word\.faiss"):
        open_live("words-pairs", root=own.root)
    shutil.copy(folder / "v0001" / "manifest.json", folder / "v0002" / "manifest.json")
    with pytest.raises(DamagedError, match=r"v0002/manifest\.json"):
        open_live("words-pairs", root=own.root)


def test_an_index_of_another_space_is_refused_even_when_the_manifest_was_made_with_it(own):
    index = own.out("index", "words-pairs")
    shutil.copy(index / "book.faiss", index / "word.faiss")
    (index / "word.json").write_text((index / "book.json").read_text().replace('"book"', '"word"'))
    release(own)
    with pytest.raises(DamagedError, match=r"word\.faiss is not of .*word\.parquet"):
        open_live("words-pairs", root=own.root)


def test_an_open_reader_keeps_its_release(own):
    before = open_live("words-pairs", root=own.root)
    answers = before.similar("queen", k=3)
    make_stages(own.root, VECTORS[::-1].copy(), recall=0.6)
    release(own)
    assert before.manifest.version == "v0001"
    assert before.similar("queen", k=3) == answers
    after = open_live("words-pairs", root=own.root)
    assert after.manifest.version == "v0002"
    assert after.report == {"link_recall_at_10": 0.6}
    assert after.similar("queen", k=3) != answers


def test_rollback_gives_the_former_answers_byte_for_byte(own):
    def answers() -> bytes:
        live = open_live("words-pairs", root=own.root)
        return json.dumps([[hit.id, hit.score] for word in WORDS for hit in live.similar(word)]).encode()

    before = answers()
    make_stages(own.root, VECTORS[::-1].copy(), recall=0.6)
    release(own)
    assert answers() != before
    rollback(own.releases("words-pairs"))
    assert answers() == before


READER = """
import sys
from kindex.ask.live import open_live
print("ready", flush=True)
for _ in range(40):
    live = open_live("words-pairs", root=sys.argv[1])
    number = round(live.report["link_recall_at_10"] * 10)
    assert live.vector("queen").tolist() == [number, -number, 0, 0], live.manifest.version
    assert live.similar("torch.optim.adam", k=1)[0].id == "torch.optim.sgd"
"""


def test_readers_during_publishing_see_no_mixture(own):
    """Each release says its number in the report and in a vector; whatever is published, a reader sees both agree."""
    folder = own.releases("words-pairs")
    versions = []
    for number in range(1, 4):
        make_stages(own.root, VECTORS * np.float32(number), recall=number / 10)
        versions.append(release(own, live=False).version)
    at = promote(folder, versions[0], "v0001").version
    reader = subprocess.Popen([sys.executable, "-c", READER, str(own.root)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
    publishes = 0
    while reader.poll() is None:
        at = promote(folder, versions[(versions.index(at) + 1) % 3], at).version
        publishes += 1
    assert reader.returncode == 0
    assert publishes > 10


def corrected(root, correction, vectors_ND=VECTORS):
    """A project whose model answers by a correction, released."""
    layout = make_stages(root, vectors_ND)
    layout.params.write_text(layout.params.read_text().replace("{kind: auto}", f"{{kind: auto, neighbours: {correction}}}"))
    for path in sorted((layout.out("train", "words-pairs") / "spaces").glob("*.parquet")):
        space = read_space(path)
        offsets = correct_space(correction, space)
        write_offsets(layout.out("index", "words-pairs") / "offsets" / path.name, offsets, space)
    release(layout)
    return layout


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_corrected_neighbours_are_those_of_the_slow_loops(tmp_path, correction):
    layout = corrected(tmp_path, correction)
    live = open_live("words-pairs", root=layout.root)
    unit = VECTORS.astype(float) / np.linalg.norm(VECTORS.astype(float), axis=1, keepdims=True)
    cosine = unit @ unit.T
    count = len(WORDS)
    r = [np.mean(sorted((cosine[i, j] for j in range(count) if j != i), reverse=True)[:10]) for i in range(count)]
    soft = [np.log(np.mean([np.exp(30 * cosine[n, j]) for n in range(count) if n != j])) / 30 for j in range(count)]
    for word in WORDS:
        i = WORDS.index(word)
        if correction == "local_scaling":
            expected = {WORDS[j]: 2 * cosine[i, j] - r[i] - r[j] for j in range(count) if j != i}
        else:
            expected = {WORDS[j]: cosine[i, j] - soft[j] for j in range(count) if j != i}
        hits = live.similar(word, k=count)
        assert {hit.id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert live.similar(word, k=2) == hits[:2]
    by_vector = live.similar_to_vector(VECTORS[4] * 3, k=count)
    assert {hit.id for hit in by_vector} == set(WORDS), "a vector is no item: nothing is left out"
    (plain,) = live.most_similar(["king", "woman"], ["man"], k=1)
    assert plain.id == "queen" and plain.score > 0.5, "an analogy stays 3CosAdd"


def test_candidates_beyond_k_are_ranked_anew(tmp_path):
    """Of two answers, the one that is nearer by cosine is near to everything, and the other one wins."""
    vectors = np.array([[1, 0, 0.1 * n, 0] for n in range(6)] + [[1, 1, 0, 0], [0.2, 1, 0, 0]], np.float32)
    live = open_live("words-pairs", root=corrected(tmp_path, "local_scaling", vectors).root)
    cosines = live.spaces["word"].unit_ND @ live.spaces["word"].unit_ND[6]
    assert live.indexes["word"].search(vectors[6:7], 2)[1][0].tolist() == [6, 7] or cosines[0] < cosines[7]
    assert live.similar(WORDS[6], k=1)[0].id == WORDS[7]


def test_offsets_belong_to_the_release(tmp_path):
    layout = corrected(tmp_path, "local_scaling")
    path = layout.releases("words-pairs") / "v0001" / "offsets" / "word.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedError, match=r"offsets/word\.parquet"):
        open_live("words-pairs", root=layout.root)
    path.unlink()
    with pytest.raises(DamagedError, match=r"offsets/word\.parquet"):
        open_live("words-pairs", root=layout.root)


def test_offsets_of_other_items_are_refused_even_when_the_manifest_was_made_with_them(tmp_path):
    layout = corrected(tmp_path, "local_scaling")
    offsets = layout.out("index", "words-pairs") / "offsets"
    shutil.copy(offsets / "book.parquet", offsets / "word.parquet")
    release(layout)
    with pytest.raises(DamagedError, match=r"offsets/word\.parquet is not of the space 'word'"):
        open_live("words-pairs", root=layout.root)
    (offsets / "word.parquet").unlink()
    with pytest.raises(DamagedError, match=r"word\.parquet is missing: run `dvc repro index@words-pairs`"):
        release(layout)
