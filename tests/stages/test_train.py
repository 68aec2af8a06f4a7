"""The stage: needs are checked, other data or settings are not resumed from, every item of the catalogue is placed."""

import hashlib
from pathlib import Path

import pytest

from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError
from kindex.core.space import read_space
from kindex.encoders import pairs
from kindex.stages import train
from tests.core.test_split import all_pairs, link_catalogue
from tests.encoders.planted import planted_images, planted_links
from tests.encoders.project import digests, project, run_train
from tests.encoders.test_contract import Dies

FAST = {"dimensions": 4, "epochs": 6, "negatives": 50, "batch": 64}


def test_a_missing_table_names_model_family_and_cure(tmp_path: Path) -> None:
    layout = project(tmp_path, planted_images().split, "pairs", {})
    message = r"models\.m\.family is 'pairs', which needs links; the catalogue planted has images and items\. .*params\.yaml"
    with pytest.raises(ConfigError, match=message):
        run_train(layout)


def test_it_places_heldout_images_too(tmp_path: Path) -> None:
    case = planted_images()
    layout = project(tmp_path, case.split, "autoencoder", {"dimensions": 3, "epochs": 1, "channels": 2})
    costs = run_train(layout)
    space = read_space(layout.out("train", "m") / "spaces" / "image.parquet")
    assert list(space.ids) == [f"p{number:03}" for number in range(240)]
    assert costs["train_images"] == case.split.train.images.num_rows
    assert costs["fit_seconds"] > 0


def test_other_settings_do_not_resume_from_a_checkpoint(tmp_path: Path) -> None:
    split = planted_links().split
    fresh = project(tmp_path / "fresh", split, "pairs", {**FAST, "seed": 8})
    run_train(fresh)
    stopped = project(tmp_path / "stopped", split, "pairs", {**FAST, "seed": 7})
    with pytest.raises(KeyboardInterrupt):
        run_train(stopped, Dies)
    changed = project(tmp_path / "stopped", split, "pairs", {**FAST, "seed": 8})
    run_train(changed)
    assert digests(changed) == digests(fresh)


def test_a_checkpoint_is_of_every_file_of_the_family_and_of_the_parts() -> None:
    encoders = Path(pairs.__file__).parents[1]
    code = train._code(pairs)
    wanted = [*encoders.glob("pairs/**/*.py"), *encoders.glob("parts/**/*.py")]
    assert code == {str(path.relative_to(encoders)): hashlib.sha256(path.read_bytes()).hexdigest() for path in wanted}
    assert {"pairs/__init__.py", "pairs/softmax.py", "parts/loop.py", "parts/__init__.py"} < set(code)
    assert not any(name.startswith("autoencoder") for name in code)


def test_a_kind_that_cannot_name_a_file_is_refused(tmp_path: Path) -> None:
    case = planted_links().split
    links = case.train.links.set_column(3, "right_kind", [["a/../b"] * case.train.links.num_rows])
    items = case.train.items.set_column(1, "kind", [["a/../b"] * case.train.items.num_rows])
    catalogue = Catalogue("planted", {"items": items, "links": links})
    layout = project(tmp_path, type(case)(catalogue, catalogue), "pairs", {**FAST, "epochs": 1})
    with pytest.raises(ConfigError, match=r"the kind of item 'a/\.\./b' is not a name"):
        run_train(layout)


def test_a_catalogue_of_few_links_trains(tmp_path: Path) -> None:
    from kindex.core.split import divide

    layout = project(tmp_path, divide(link_catalogue(all_pairs(5, 4, 0.6)), 0.2, "s"), "pairs", {"epochs": 2})
    run_train(layout)
    assert len(read_space(layout.out("train", "m") / "spaces" / "book.parquet").ids) == 5
