"""params.yaml: what is right is typed, what is wrong is one message with the value, the choices and the file."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from kindex.core.blocks import build
from kindex.core.errors import ConfigError
from kindex.core.params import CheckParams, IndexParams, Threshold, load, parse
from kindex.core.settings import package_folder, settings

GOOD = """
catalogues:
  books: {source: {kind: files, links: links.csv}, checks: {image_shape: [8, 8]}, split: {heldout_share: 0.2}}
models:
  books-pairs: {catalogue: books, family: pairs, dimensions: 8, threads: 2, learning_rate: 1e-3}
indexes:
  books-pairs: {kind: auto}
gates:
  books-pairs: [{metric: link_recall_at_10, at_least: 0.1}]
evaluate: {}
"""


def refused(text):
    with pytest.raises(ConfigError) as error:
        parse(yaml.safe_load(text))
    return str(error.value)


def test_what_is_right_is_typed():
    params = parse(yaml.safe_load(GOOD))
    assert params.catalogue("books").checks.image_shape == (8, 8)
    assert params.catalogue("books").split.heldout_share == 0.2
    assert params.catalogue("books").source == {"kind": "files", "links": "links.csv"}
    assert params.model("books-pairs").threads == 2
    assert params.model("books-pairs").config == {"dimensions": 8, "threads": 2, "learning_rate": "1e-3"}
    assert params.gates["books-pairs"] == (Threshold(metric="link_recall_at_10", at_least=0.1),)
    assert params.evaluate.bootstrap == 200


def test_the_projects_own_params_are_right():
    params = load(Path(__file__).parents[2] / "params.yaml")
    assert set(params.models) == set(params.gates) == set(params.indexes)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("gates:", "gatess:", "gatess is not a section: did you mean gates? Allowed: catalogues, evaluate,"),
        ("heldout_share", "heldout_shre", "catalogues.books.split.heldout_shre is not a setting: did you mean heldout_share?"),
        ("0.2", "1.5", "catalogues.books.split: heldout_share is 1.5, allowed: 0 to below 1. Edit params.yaml"),
        ("0.2", "much", "catalogues.books.split.heldout_share is 'much': allowed: a valid number"),
        ("[8, 8]", "[8, 8.5]", "catalogues.books.checks.image_shape.1 is 8.5: allowed: a valid integer"),
        ("checks: {image_shape: [8, 8]}", "checks: 5", "catalogues.books.checks is 5"),
        ("source: {kind: files, links: links.csv}, ", "", "catalogues.books.source: it is missing"),
        ("split: {heldout_share: 0.2}", "", "catalogues.books.split is missing: write `split: {}` for the defaults"),
        ("catalogue: books", "catalogue: book", "models.books-pairs.catalogue is 'book': did you mean books? Allowed: books"),
        ("family: pairs, ", "", "models.books-pairs.family is missing"),
        ("family: pairs", "family: [pairs]", "models.books-pairs.family is ['pairs'], allowed: a name"),
        (
            "  books-pairs: {kind: auto}",
            "  book-pairs: {kind: auto}",
            "indexes.book-pairs names no model: did you mean books-pairs",
        ),
        ("  books-pairs: {kind: auto}", "", "indexes.books-pairs is missing: every model has a block there"),
        (
            "[{metric: link_recall_at_10, at_least: 0.1}]",
            "{metric: x}",
            "gates.books-pairs is {'metric': 'x'}, allowed: a list",
        ),
        ("at_least: 0.1", "at_leest: 0.1", "gates.books-pairs.0.at_leest is not a setting: did you mean at_least"),
        (
            "at_least: 0.1",
            "at_least: 0.1, at_most: 1",
            "give one of at_least, at_most, beats, live_tolerance; got ['at_least'",
        ),
        ("at_least: 0.1", "at_least: true", "gates.books-pairs.0.at_least is True: allowed: a valid number"),
        ("at_least: 0.1", "at_least: .nan", "not a plain setting"),
        ("links: links.csv", "since: 2024-01-01", "is not JSON serializable. Quote it in params.yaml"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(old, new, said):
    assert old in GOOD
    assert said in refused(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("name", ["../x", "-x", "a b", "é", "a/b", "x" * 81, "a.b", "a@b"])
def test_names_that_cannot_be_folders_are_refused(name):
    assert "is not a name, allowed" in refused(GOOD.replace("  books:", f"  {name!r}:", 1))


@pytest.mark.parametrize("section", ["catalogues", "models"])
def test_a_missing_section_is_named(section):
    assert "evaluate is missing: write" in refused(GOOD.replace("evaluate: {}", ""))
    blocks = yaml.safe_load(GOOD)
    for absent in ({}, None):
        assert f"params.yaml has no {section}" in refused(yaml.safe_dump({**blocks, section: absent}))


@pytest.mark.parametrize("text", ["[]", "5", "text", ""])
def test_a_file_that_is_no_mapping_is_refused(text):
    assert "allowed: the sections catalogues" in refused(text)


def test_a_key_given_twice_broken_yaml_and_no_file(tmp_path):
    path = tmp_path / "params.yaml"
    for text, said in [
        (GOOD.replace("kind: auto", "kind: auto, kind: exact"), "kind is given twice"),
        ("a: [", "is not YAML"),
        ("a: \x00", "is not YAML"),
    ]:
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            load(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="is not YAML"):
        load(path)
    with pytest.raises(ConfigError, match="is missing"):
        load(tmp_path / "none.yaml")


@dataclass(frozen=True, kw_only=True)
class Sample:
    rate: float = 0.5
    maybe: float | None = None
    count: int = 1
    name: str = "x"
    on: bool = False


def test_types_are_strict_but_an_exponent_is_a_float():
    assert build(Sample, {"rate": "1e-3", "maybe": "2.5E+2", "name": "1e-3"}, "w") == Sample(
        rate=1e-3, maybe=250.0, name="1e-3"
    )
    assert build(Sample, {"rate": 1}, "w").rate == 1.0
    for block in ({"rate": "fast"}, {"count": True}, {"count": "5"}, {"count": 1.5}, {"on": 1}, {"name": 5}, {"rate": "0.5"}):
        with pytest.raises(ConfigError, match=f"w.{next(iter(block))} is "):
            build(Sample, block, "w")


def test_unknown_names_are_answered_with_the_known():
    params = parse(yaml.safe_load(GOOD))
    with pytest.raises(ConfigError, match="no model named 'book-pairs': did you mean books-pairs"):
        params.model("book-pairs")
    with pytest.raises(ConfigError, match=r"no catalogue named 'x': Allowed: books. Edit catalogues in params.yaml"):
        params.catalogue("x")


def test_settings_are_read_from_the_source_with_their_meaning():
    source = package_folder("core", "params.py")
    found = {one.name: one for one in settings(source, "CheckParams")}
    assert list(found) == list(CheckParams.__dataclass_fields__)
    assert found["max_quarantine_share"].default == "0.05"
    assert found["max_quarantine_share"].meaning == "of all rows of one table; above it the night stops"
    assert [one.name for one in settings(source, "IndexParams")] == list(IndexParams.__dataclass_fields__)
    assert settings(source, "NoSuchClass") == []
