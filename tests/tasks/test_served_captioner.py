"""A registered captioner is asked by images, descriptions and analogies; what it cannot answer is refused by words."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kindex.ask import live as live_module
from kindex.core.release import live as live_release
from tests.ask import captioned
from tests.ask.captioned import COLOURS, MODEL, SHADES, Played, png
from tests.tasks import tracking_project

LOADS: list[Path] = []
TASKS = Path(__file__).parents[2] / "tasks"


def saved(folder: Path, release: Path, digest: str, family: str) -> Any:
    """The release as an MLflow model, loaded again."""
    import mlflow.pyfunc

    from tasks.served_model import signature

    mlflow.pyfunc.save_model(
        path=str(folder),
        python_model=str(TASKS / "served_model.py"),
        artifacts={"release": str(release)},
        model_config={"digest": digest},
        signature=signature(family),
        pip_requirements=[],
    )
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("squares")
    layout = captioned.published(root)
    manifest = live_release(layout.releases(MODEL))

    def load(folder: Path, _: Any) -> Played:
        LOADS.append(folder)
        return Played()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_module, "read_encoder", load)
        yield saved(root / "model", layout.releases(MODEL) / manifest.version, manifest.digest, "captioner")


def ask(model: Any, rows: dict[str, list[Any]], **params: Any) -> list[dict[str, Any]]:
    import pandas as pd

    answer: list[dict[str, Any]] = model.predict(pd.DataFrame(rows), params=params).to_dict("records")
    json.dumps(answer, allow_nan=False)
    return answer


def test_the_encoder_is_loaded_when_it_is_needed_and_once(model: Any) -> None:
    LOADS.clear()
    assert ask(model, {"id": ["red 1"]}, k=1) and ask(model, {"id": ["Boy"]}, kind="words", k=1) and not LOADS
    ask(model, {"text": ["red"]})
    ask(model, {"image": [png(COLOURS["red"])]}, answer="captions")
    assert len(LOADS) <= 1


def test_captions_of_images(model: Any) -> None:
    rows = {"id": ["mine", None], "image": [png(COLOURS["blue"]), png(COLOURS["red"], (9, 5), "JPEG")]}
    answer = ask(model, rows, answer="captions")
    assert [(row["id"], row["rank"], row["caption"]) for row in answer] == [
        ("mine", 1, "a blue square"),
        (None, 1, "a red square"),
    ]
    assert set(answer[0]) == {"id", "rank", "caption", "score"}
    assert [row["rank"] for row in ask(model, {"image": [png(COLOURS["red"])]}, answer="captions", count=3)] == [1, 2, 3]


def test_images_near_to_an_image_or_a_description(model: Any) -> None:
    (row,) = ask(model, {"image": [png(SHADES["green 2"])]}, k=1)
    assert row["neighbour"].startswith("green") and row["score"] == pytest.approx(1.0, abs=1e-3)
    for by in ("", "tower", "inversion"):
        found = ask(model, {"text": ["a blue square", "red"]}, k=2, by=by)
        assert [row["neighbour"].split()[0] for row in found] == ["blue", "blue", "red", "red"]
    assert len(ask(model, {"text": ["red"]}, k=10_000)) == len(SHADES)


def test_vectors_of_images_and_descriptions(model: Any) -> None:
    (image,) = ask(model, {"image": [png((0, 200, 0))]}, answer="vectors")
    (text,) = ask(model, {"text": ["red"]}, answer="vectors")
    assert image["vector"] == pytest.approx([0, 1, 0]) and len(text["vector"]) == 3
    (again,) = ask(model, {"vector": [text["vector"]]}, k=1)
    assert again["neighbour"].startswith("red")


def test_analogies_of_words(model: Any) -> None:
    for by in ("", "add", "mul"):
        (row,) = ask(model, {"plus": [["boys", "Man"]], "minus": [["boy"]]}, k=1, kind="words", by=by)
        assert row["neighbour"] == "men"


def test_json_holds_images_as_base64(model: Any) -> None:
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    encoded = base64.b64encode(png(COLOURS["white"])).decode()
    data = infer_and_parse_data({"dataframe_records": [{"image": encoded}]}, model.metadata.get_input_schema())
    answer = model.predict(data, params={"answer": "captions"}).to_dict("records")
    assert answer[0]["caption"] == "a white square"


@pytest.mark.parametrize(
    ("rows", "params", "message"),
    [
        ({"image": [b"none"]}, {"answer": "captions"}, "row 0: the image does not decode"),
        ({"image": [png(COLOURS["red"]), b""]}, {}, "row 1: the image does not decode"),
        ({"text": ["red", "zebra"]}, {}, "row 1: squares-captioner knows no word of 'zebra'"),
        ({"text": [""]}, {}, "row 0: the description '' has no word"),
        ({"text": ["red"]}, {"by": "add"}, "by is 'add', and a text goes by tower or inversion"),
        ({"text": ["red"]}, {"by": "towr"}, "by is 'towr': did you mean tower"),
        ({"text": ["red"]}, {"kind": "words"}, "an image or a text finds images, and kind is 'words'"),
        ({"text": ["red"]}, {"answer": "captions"}, "captions are of images: a row has none"),
        ({"id": ["red 1"]}, {"answer": "captions"}, "captions are of images: a row has none"),
        ({"text": ["red"], "image": [png(COLOURS["red"])]}, {}, "a row has image and text: give one of them"),
        ({"plus": [["boys", "mann"]], "minus": [["boy"]]}, {}, "row 0: .* knows no 'mann': did you mean man"),
        ({"plus": [["boys"]]}, {"answer": "vectors"}, "plus and minus have neighbours and no vector"),
        ({"image": [png(COLOURS["red"])]}, {"answer": "captions", "width": 101}, "width is 101, allowed: 1 to 100"),
        ({"image": [png(COLOURS["red"])]}, {"answer": "captions", "count": 0}, "count is 0"),
        ({"name": ["x"]}, {}, "and of a captioner image, text, plus, minus"),
    ],
)
def test_a_wrong_question_is_refused_with_status_400(
    model: Any, rows: dict[str, list[Any]], params: dict[str, Any], message: str
) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=message) as refusal:
        ask(model, rows, **params)
    assert refusal.value.get_http_status_code() == 400


def test_rows_that_have_no_answer_may_be_nulls(model: Any) -> None:
    rows = {"id": ["a", "b"], "image": [b"none", png(COLOURS["red"])]}
    bad, good = ask(model, rows, answer="captions", unknown="null")
    assert bad == {"id": "a", "rank": None, "caption": None, "score": None} and good["caption"] == "a red square"
    answer = ask(model, {"text": ["zebra", "red"]}, unknown="null", k=1)
    assert answer[0]["neighbour"] is None and answer[1]["neighbour"].startswith("red")


def test_other_families_keep_their_signature_and_refuse_by_words(tmp_path: Path) -> None:
    from mlflow.exceptions import MlflowException

    from tasks.served_model import signature

    assert [column.name for column in signature("pairs").inputs] == [column.name for column in signature().inputs]
    assert [column.name for column in signature("pairs").inputs] == ["id", "vector"]
    layout = tracking_project.make_project(tmp_path / "fruit")
    manifest = tracking_project.make_release(layout)
    folder = layout.releases(tracking_project.MODEL) / manifest.version
    fruit = saved(tmp_path / "model", folder, manifest.digest, "pairs")
    with pytest.raises(MlflowException, match="captions are of images") as refusal:
        ask(fruit, {"id": ["apple"]}, answer="captions")
    assert refusal.value.get_http_status_code() == 400
    everything = saved(tmp_path / "wide", folder, manifest.digest, "captioner")
    with pytest.raises(MlflowException, match="family pairs, which captions no image: families that can: captioner"):
        ask(everything, {"image": [png(COLOURS["red"])]}, answer="captions")
