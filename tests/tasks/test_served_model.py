"""The registered model answers as the release does, from its own copy, checked, and without a pickle."""

import json
import os
import pickletools
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from kindex.core.layout import Layout
from tasks import tracking
from tasks.tracking import registry, store
from tests.tasks import tracking_project as project
from tests.tasks.tracking_project import IDS, MODEL

SEED = 3


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory, prepared_var: Path) -> Layout:
    """A project whose release is registered, and whose own folder of releases is gone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        layout = project.make_project(tmp_path_factory.mktemp("project"))
        shutil.copytree(prepared_var, layout.var)
        project.put_all(layout, project.make_release(layout, SEED))
        assert tracking.replay(layout) == tracking.Replayed(3, 0)
    shutil.rmtree(layout.root / "releases")
    return layout


@pytest.fixture(scope="module")
def folder(delivered: Layout) -> Path:
    """The registered model's folder."""
    (found,) = (delivered.var / "mlflow" / "artifacts").glob("*/models/*/artifacts")
    return found


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    from mlflow.pyfunc import load_model

    return load_model(str(folder))


def ask(model: Any, rows: dict[str, list[Any]], **params: Any) -> list[dict[str, Any]]:
    import pandas as pd

    answer: list[dict[str, Any]] = model.predict(pd.DataFrame(rows), params=params).to_dict("records")
    return answer


def test_neighbours_are_the_exact_ones(model: Any) -> None:
    answer = ask(model, {"id": ["pear", "apple"]}, k=3)
    for name, rows in (("pear", answer[:3]), ("apple", answer[3:])):
        right = project.neighbours(SEED, name, 3)
        assert [(row["id"], row["rank"], row["neighbour"]) for row in rows] == [
            (name, rank, other) for rank, (other, _) in enumerate(right, 1)
        ]
        assert [row["score"] for row in rows] == pytest.approx([score for _, score in right], abs=1e-6)


def test_ten_neighbours_unless_told(model: Any) -> None:
    assert len(ask(model, {"id": ["pear"]})) == len(IDS) - 1


def test_vectors_are_the_learned_ones(model: Any) -> None:
    answer = ask(model, {"id": ["plum", "apple"]}, answer="vectors")
    vectors_ND = project.vectors_ND(SEED)
    assert [row["id"] for row in answer] == ["plum", "apple"]
    assert [row["vector"] for row in answer] == [vectors_ND[IDS.index(row["id"])].tolist() for row in answer]


def test_a_vector_is_answered_by_what_lies_nearest(model: Any) -> None:
    doubled = (2 * project.vectors_ND(SEED)[IDS.index("plum")].astype(float)).tolist()
    (row,) = ask(model, {"vector": [doubled]}, k=1)
    assert (row["id"], row["neighbour"]) == (None, "plum")
    assert row["score"] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "params", "message"),
    [
        ({"id": ["apple", "pare", "x"]}, {}, "fruit-pairs knows no 'pare': did you mean pear.*2 ids are unknown"),
        ({"id": ["apple"]}, {"k": 0}, "k is 0, allowed: 1 or more"),
        ({"id": ["apple"]}, {"answer": "vector"}, "answer is 'vector': did you mean vectors"),
        ({"id": ["apple"]}, {"unknown": "drop"}, "unknown is 'drop': Allowed: null, refuse"),
        ({"id": ["apple"]}, {"kind": "friuts"}, "no kind 'friuts': did you mean fruit"),
        ({"vector": [[1.0, 2.0]]}, {}, r"the vector has the shape \(2,\), allowed: \(4,\)"),
        ({"name": ["apple"]}, {}, "neither an id nor a vector; allowed columns: id, vector"),
    ],
)
def test_a_wrong_question_is_refused_with_what_is_allowed(
    model: Any, rows: dict[str, list[Any]], params: dict[str, Any], message: str
) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=message) as refusal:
        ask(model, rows, **params)
    assert refusal.value.get_http_status_code() == 400


def test_an_unknown_id_may_be_answered_by_nulls(model: Any) -> None:
    known, unknown = ask(model, {"id": ["apple", "pare"]}, k=1, unknown="null")
    assert known["neighbour"] == project.neighbours(SEED, "apple", 1)[0][0]
    assert unknown == {"id": "pare", "rank": None, "neighbour": None, "score": None}
    json.dumps([known, unknown], allow_nan=False)


def test_the_model_says_what_it_takes_and_needs(folder: Path, model: Any) -> None:
    signature = model.metadata.signature
    assert [column.name for column in signature.inputs] == ["id", "vector"]
    assert {param.name: param.default for param in signature.params} == {
        "k": 10,
        "answer": "neighbours",
        "unknown": "refuse",
        "kind": "",
    }
    assert model.input_example["id"].tolist() == ["apple", "pear"]
    needs = (folder / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in needs] == list(registry.SERVES_WITH)
    assert all("+" not in line for line in needs), "a local version cannot be installed elsewhere"


def test_there_is_no_pickle_in_it(folder: Path) -> None:
    # whoever loads a model from code leaves Python's cache of that code beside it
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pyc"}]
    assert not [path for path in files if _is_pickle(path.read_bytes())]
    assert (folder / "code" / "kindex" / "ask" / "live.py").is_file()


def _is_pickle(content: bytes) -> bool:
    try:
        return content[:1] == b"\x80" and any(op.name == "STOP" for op, _, _ in pickletools.genops(content))
    except ValueError:
        return False


def test_a_byte_changed_in_the_registered_release_is_noticed(folder: Path, tmp_path: Path) -> None:
    from mlflow.pyfunc import load_model

    damaged = Path(shutil.copytree(folder, tmp_path / "model"))
    vectors = damaged / "artifacts" / "v0001" / "vectors" / "fruit.parquet"
    content = bytearray(vectors.read_bytes())
    content[len(content) // 2] ^= 1
    vectors.write_bytes(content)
    with pytest.raises(Exception, match=r"fruit\.parquet is damaged"):
        load_model(str(damaged))


def test_another_release_in_its_place_is_noticed(folder: Path, tmp_path: Path) -> None:
    from mlflow.pyfunc import load_model

    other = project.make_project(tmp_path / "other")
    project.make_release(other, seed=4)
    mixed = Path(shutil.copytree(folder, tmp_path / "model"))
    shutil.rmtree(mixed / "artifacts" / "v0001")
    shutil.copytree(other.releases(MODEL) / "v0001", mixed / "artifacts" / "v0001")
    with pytest.raises(Exception, match="was registered"):
        load_model(str(mixed))


def test_a_large_release_is_registered_as_a_pointer(
    tmp_path: Path, prepared_var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.pyfunc import load_model

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(registry, "COPY_UP_TO", 10)
    layout = project.make_project(tmp_path)
    shutil.copytree(prepared_var, layout.var)
    project.put_model(layout, project.make_release(layout, SEED))
    assert tracking.replay(layout) == tracking.Replayed(1, 0)
    (folder,) = (layout.var / "mlflow" / "artifacts").glob("*/models/*/artifacts")
    assert not list(folder.rglob("*.faiss"))
    answer = ask(load_model(str(folder)), {"id": ["pear"]}, k=1)
    assert answer[0]["neighbour"] == project.neighbours(SEED, "pear", 1)[0][0]


@pytest.mark.slow
def test_mlflow_serves_it(delivered: Layout, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{MODEL}@champion", "--env-manager", "local"]
    settings = {**os.environ, **store.QUIET_AND_BOUNDED, "MLFLOW_TRACKING_URI": store.address(delivered)}
    settings["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), settings.get("PATH", os.defpath)])
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port],
            env=settings,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 180
        while not _answers(f"http://127.0.0.1:{port}/ping"):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        asked = {"dataframe_records": [{"id": "pear"}], "params": {"k": 2}}
        status, answer = _post(f"http://127.0.0.1:{port}/invocations", asked)
        assert status == 200
        right = project.neighbours(SEED, "pear", 2)
        assert [row["neighbour"] for row in answer["predictions"]] == [name for name, _ in right]
        assert [row["score"] for row in answer["predictions"]] == pytest.approx([score for _, score in right], abs=1e-6)
        status, answer = _post(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": [{"id": "pare"}]})
        assert status == 400 and "did you mean pear" in answer["message"]
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
