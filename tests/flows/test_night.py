"""What a failure stops, and which exit code a night ends with; without DVC, Prefect or MLflow."""

import json

import pytest

from flows.night import Night
from flows.opening import check, opened
from flows.options import Options
from flows.running import account
from kindex.core import params as settings
from kindex.core.errors import BusyError, ConfigError, DataGateError, OutsideError
from kindex.core.layout import Layout
from tasks import fencing
from tasks.clock import Clock
from tasks.environment import Server, pages_file
from tasks.orchestration import Conductor
from tasks.releases import Published
from tasks.stages import StageFailedError, StageRun
from tests.projects import LINKED, PARAMS, PICTURED


@pytest.fixture
def layout(tmp_path) -> Layout:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Layout(tmp_path)


class Scripted:
    """A pipeline whose stages do as they are told: an exception, or a run."""

    def __init__(self, **failing: Exception) -> None:
        self.failing = failing
        self.called: list[str] = []

    def reproduce(self, stage, key, say, *, force=False):
        self.called.append(f"{stage}@{key}")
        if error := self.failing.get(f"{stage}_{key.replace('-', '_')}"):
            raise error
        return StageRun(stage, key, "ran", "first time", 1.0)


def night(layout: Layout, *models: str, **failing: Exception) -> tuple[Night, Scripted]:
    clock = Clock()
    options = Options("2026-11-21", None, models)
    made = Night(options, layout, settings.load(layout.params), clock, Conductor(clock, Server("down")), "2026-11-21T02:00:00")
    made.pipeline = pipeline = Scripted(**failing)
    return made, pipeline


def run_all(made: Night) -> None:
    for target in made.targets():
        made.reproduce(*target.split("@"))


def test_a_catalogue_that_fails_stops_its_model_and_nothing_else(layout):
    made, pipeline = night(layout, validate_shop=StageFailedError("validate@shop: too many rows", 3))
    run_all(made)
    assert [target for target in pipeline.called if "shop" in target] == ["ingest@shop", "validate@shop"]
    assert f"evaluate@{PICTURED}" in pipeline.called
    assert {run.outcome for run in made.record.runs.values() if run.key == LINKED} == {"skipped"}
    assert made.broken(LINKED) == "validate@shop"
    assert made.broken(PICTURED) == ""
    assert made.record.line(LINKED, made.broken(LINKED)) == "validate@shop failed; the live release stays"
    assert made.record.exit_code == 3
    made.publish(LINKED)
    assert made.record.published == {}


def test_a_fault_of_ours_is_kept_for_the_end_too(layout, capsys):
    made, pipeline = night(layout, train_shop_pairs=ZeroDivisionError("oops"))
    run_all(made)
    assert f"evaluate@{PICTURED}" in pipeline.called
    assert made.record.exit_code == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("codes", "worst"), [([], 0), ([4], 4), ([4, 3], 3), ([3, 6], 6), ([6, 5], 5), ([5, 2], 2), ([2, 1, 4], 1)]
)
def test_the_worst_exit_code_wins(layout, codes, worst):
    made, _ = night(layout)
    made.record.troubles = [(code, "") for code in codes]
    assert made.record.exit_code == worst


@pytest.mark.parametrize(("outcome", "code"), [("held", 4), ("live", 0), ("unchanged", 0)])
def test_a_held_candidate_is_exit_4(layout, outcome, code):
    made, _ = night(layout)
    made.record.published[LINKED] = Published(LINKED, outcome, "v0002", "ab" * 32, "v0001", "v0001", True)
    assert made.record.exit_code == code


@pytest.mark.parametrize(("outcome", "idle"), [("unchanged", True), ("live", False), ("held", False)])
def test_a_release_that_a_killed_night_left_to_make_is_told_though_no_stage_ran(layout, outcome, idle):
    made, _ = night(layout)
    made.record.runs["train@a"] = StageRun("train", "a", "up to date", "")
    made.record.published[LINKED] = Published(LINKED, outcome, "v0002", "ab" * 32, "v0001", "v0001", True)
    assert made.record.idle == idle


@pytest.mark.parametrize(("prefect", "shown"), [("http://127.0.0.1:4200", True), ("http://127.0.0.1:4299", False)])
def test_a_worker_names_the_pages_that_it_works_beside(layout, prefect, shown):
    made, _ = night(layout)
    made.conductor.server = Server("given", "http://127.0.0.1:4200/api")  # what a worker hands to its flow runs
    addresses = {"prefect": prefect, "mlflow": "http://127.0.0.1:5000"}
    layout.var.mkdir()
    pages_file(layout).write_text(json.dumps(addresses))
    assert account(made, False).pages == (addresses if shown else {})


def test_a_model_is_published_before_the_next_one_begins(layout):
    made, pipeline = night(layout)
    run_all(made)
    catalogues = [f"{stage}@{name}" for name in ("shop", "stamps") for stage in ("ingest", "validate", "split")]
    models = [f"{stage}@{name}" for name in (LINKED, PICTURED) for stage in ("train", "index", "evaluate")]
    assert pipeline.called == catalogues + models, "a model that hangs holds no model before it"


def test_the_parent_is_locked_before_training_and_a_fault_there_is_a_notice(layout, monkeypatch):
    asked = []

    def follow(layout, params, model, pipeline, night, *, full=False):
        asked.append((model, night, full))
        if model == PICTURED:
            raise DataGateError("the parent is damaged")
        return True

    monkeypatch.setattr("tasks.parents.follow", follow)
    made, _ = night(layout, validate_shop=StageFailedError("validate@shop: too many rows", 3))
    made.reproduce("validate", "shop")
    for model in (LINKED, PICTURED):
        made.follow(model)
    assert asked == [(PICTURED, "2026-11-21", False)], "a model that is stopped moves no lock"
    assert made.record.notices == [f"the parent of {PICTURED}: the parent is damaged"]
    assert made.record.exit_code == 3


@pytest.mark.parametrize("asked", ["force", "full"])
def test_a_night_that_shall_do_more_than_is_stale_does_not_ask_what_is(layout, asked):
    made, _ = night(layout)
    made.options = Options("2026-11-21", **{asked: True})
    assert made.nothing_new() is False


def test_a_run_that_is_late_neither_writes_nor_publishes(layout):
    made, pipeline = night(layout)
    made.fence = fencing.take(layout, "2026-11-21", [LINKED], "2026-11-21T02:00:00+00:00")
    made.reproduce("ingest", "shop")
    fencing.take(layout, "2026-11-22", [LINKED], "2026-11-22T02:00:00+00:00")  # where the mutex failed
    made.reproduce("validate", "shop")
    assert pipeline.called == ["ingest@shop"]
    assert made.record.exit_code == 5
    assert "another began after it" in made.record.failed[0].why
    made.publish(PICTURED)
    assert made.record.published == {}
    assert [code for code, _ in made.record.troubles] == [5, 5]


def test_only_some_models_take_only_their_catalogues(layout):
    made, _ = night(layout, PICTURED)
    assert made.targets() == [
        "ingest@stamps",
        "validate@stamps",
        "split@stamps",
        f"train@{PICTURED}",
        f"index@{PICTURED}",
        f"evaluate@{PICTURED}",
    ]


@pytest.mark.parametrize(
    ("error", "code", "ran"),
    [
        (OutsideError("the share is not mounted"), 6, True),
        (ConfigError("no file in.csv"), 2, False),
        (DataGateError("cut"), 3, False),
    ],
)
def test_a_source_that_is_down_goes_on_with_its_old_data_and_a_wrong_one_stops(layout, monkeypatch, error, code, ran):
    def move(layout, params, names, missing_only):
        if names == ["shop"]:
            raise error
        return []

    monkeypatch.setattr("tasks.locks.move", move)
    made, pipeline = night(layout)
    made.move_locks()
    assert made.record.exit_code == code
    assert not made.stopped, "stamps can go on"
    made.reproduce("ingest", "shop")
    made.reproduce("ingest", "stamps")
    assert pipeline.called == (["ingest@shop", "ingest@stamps"] if ran else ["ingest@stamps"])
    assert [text for _, text in made.record.troubles] == [str(error)], "told once"
    assert night(layout)[0].stopped is False


def test_a_night_whose_every_source_is_wrong_is_stopped(layout, monkeypatch):
    def move(layout, params, names, missing_only):
        raise ConfigError(f"{names[0]} is nowhere")

    monkeypatch.setattr("tasks.locks.move", move)
    made, _ = night(layout)
    made.move_locks()
    assert made.stopped


def test_a_source_that_is_down_does_not_stop_the_others(layout, monkeypatch):
    made, _ = night(layout)
    seen: list[str] = []

    def move(layout, params, names, *, missing_only):
        seen.extend(names)
        if names == ["shop"]:
            raise DataGateError("links.csv is not there")
        return names

    monkeypatch.setattr("tasks.locks.move", move)
    made.move_locks()
    assert seen == ["shop", "stamps"]
    assert made.moved == ["stamps"]
    assert made.record.troubles == [(3, "links.csv is not there")]


def test_one_flow_at_a_time(layout, monkeypatch):
    options = Options("2026-11-21", str(layout.root))
    with opened(options, Clock()), pytest.raises(BusyError, match="held by process"), opened(options, Clock()):
        pass


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("family: pairs", "family: pears", r"models\.shop-pairs\.family is 'pears': did you mean pairs\?.*Edit params\.yaml"),
        ("epochs: 3", "epohcs: 3", r"models\.shop-pairs\.epohcs is not a setting: did you mean epochs\?"),
        ("epochs: 3", "epochs: 0", r"models\.shop-pairs.*epochs is 0, allowed: 1 or more"),
        ("catalogue: stamps, family", "catalogue: shop, family", r"'autoencoder', which needs images; the catalogue shop has"),
        ("kind: auto, sample", "kind: 'HNWS32', sample", r"indexes\.shop-pairs\.kind is 'HNWS32', which faiss cannot make"),
        ("metric: index_recall", "metric: index_recal", r"gates\.shop-pairs\.0\.metric is 'index_recal_at_10': did you mean"),
        ("kind: files, links", "kind: fiels, links", r"catalogues\.shop\.source\.kind is 'fiels': did you mean files\?"),
    ],
)
def test_a_slip_in_params_is_found_before_anything_runs(layout, old, new, message):
    layout.params.write_text(PARAMS.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        check(layout, settings.load(layout.params))
    assert not (layout.var / "params.checked").exists()


def test_an_unknown_model_is_named_with_its_near_spellings(layout):
    with (
        pytest.raises(ConfigError, match=r"no model named 'shop-pears': did you mean shop-pairs\?"),
        opened(Options("2026-11-21", str(layout.root), ("shop-pears",)), Clock()),
    ):
        pass
