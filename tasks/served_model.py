"""A release behind MLflow's own interface: `mlflow models serve`, `mlflow.pyfunc.load_model`, batch scoring.

This file is copied into the registered model, beside the package `kindex` and the release (or a pointer to its folder),
and run where the model is loaded ("models from code"): nothing is pickled. A request is a table with the column `id`, or
`vector`, and parameters; an answer is a table. For the neighbours of two ids:

    {"dataframe_records": [{"id": "torch.optim.adam"}, {"id": "json"}], "params": {"k": 5}}
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from kindex.ask.live import Live, open_folder
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import read_json

DEFAULTS: dict[str, Any] = {
    "k": 10,
    "answer": "neighbours",  # or "vectors"
    "unknown": "refuse",  # an id that the release does not know: "refuse" the request, or answer "null" for it
    "kind": "",  # of the items asked about; empty: the first kind that has the id
}
CHOICES = {"answer": ("neighbours", "vectors"), "unknown": ("refuse", "null")}
COLUMNS = {"neighbours": ("id", "rank", "neighbour", "score"), "vectors": ("id", "vector")}


def signature() -> ModelSignature:
    """One of the input columns is enough. Of the answer's columns a request gets those of its `answer`, see `COLUMNS`."""
    types = {"k": DataType.long}
    vector = ColSpec(Array(DataType.double), "vector", required=False)
    text, number = DataType.string, DataType.double
    return ModelSignature(
        inputs=Schema([ColSpec(text, "id", required=False), vector]),
        outputs=Schema(
            [
                ColSpec(text, "id", required=False),
                ColSpec(DataType.long, "rank", required=False),
                ColSpec(text, "neighbour", required=False),
                ColSpec(number, "score", required=False),
                vector,
            ]
        ),
        params=ParamSchema([ParamSpec(name, types.get(name, text), value) for name, value in DEFAULTS.items()]),
    )


class ServedRelease(PythonModel):
    """Answers from one release, which is checked by sha256 when it is loaded."""

    live: Live

    def load_context(self, context: Any) -> None:
        """Open the release. Raises `DamagedError` when it is not, to the byte, the one that was registered."""
        place = Path(context.artifacts["release"])
        folder = place if place.is_dir() else Path(read_json(place)["path"])
        self.live = open_folder(folder)
        wanted = context.model_config["digest"]
        if self.live.manifest.digest != wanted:
            raise DamagedError(f"{folder} has the digest {self.live.manifest.digest}; {wanted} was registered")

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Neighbours: rows (id, rank from 1, neighbour, score), nearest first. Vectors: rows (id, vector).

        A row with a `vector` is answered by it, and its id is only repeated. Unknown ids refuse the whole request, naming
        close spellings, so that no batch loses rows unseen; with `unknown: "null"` they get one row with nulls instead.
        Raises `MlflowException` INVALID_PARAMETER_VALUE (status 400 when served).
        """
        asked = {**DEFAULTS, **(params or {})}
        for name, allowed in CHOICES.items():
            if asked[name] not in allowed:
                raise _refusal(f"{name} is {asked[name]!r}: {choices(str(asked[name]), allowed)}")
        try:
            return _table(self._rows(_questions(model_input), asked), COLUMNS[asked["answer"]])
        except ConfigError as error:
            raise _refusal(str(error)) from None

    def _rows(self, questions: list[dict[str, Any]], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        kind = asked["kind"] or None
        spaces = [self.live.spaces[kind]] if kind in self.live.spaces else list(self.live.spaces.values())
        known = set().union(*(space.rows for space in spaces))
        unknown = {each["id"]: None for each in questions if "vector" not in each and each["id"] not in known}
        if unknown and asked["unknown"] == "refuse":
            self._refuse(list(unknown), kind)
        rows = []
        for question in questions:
            if "vector" in question or question["id"] not in unknown:
                rows += self._answer(question, asked)
            else:
                rows.append({"id": question["id"]})
        return rows

    def _refuse(self, unknown: list[str], kind: str | None) -> None:
        try:
            self.live.vector(unknown[0], kind)  # the release knows the close spellings
        except ConfigError as error:
            others = f" ({len(unknown)} ids are unknown)" if len(unknown) > 1 else ""
            raise ConfigError(f"{error}{others}") from None

    def _answer(self, question: Mapping[str, Any], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        kind: str | None = asked["kind"] or None
        name: Any = question.get("id")
        vector: Any = question.get("vector")
        if asked["answer"] == "vectors":
            return [{"id": name, "vector": self.live.vector(name, kind).tolist() if vector is None else list(vector)}]
        k = int(asked["k"])
        if vector is None:
            hits = self.live.similar(name, k, kind)
        else:
            hits = self.live.similar_to_vector(vector, k, kind)
        return [{"id": name, "rank": rank, "neighbour": hit.id, "score": hit.score} for rank, hit in enumerate(hits, 1)]


def _questions(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, without what is missing in them. Raises `ConfigError` for a row that asks nothing."""
    given = {name: table[name].tolist() for name in ("id", "vector") if name in table.columns}
    rows = [dict(zip(given, values)) for values in zip(*given.values())] if given else [{}] * max(len(table), 1)
    questions = [{name: value for name, value in row.items() if _is_given(value)} for row in rows]
    for number, question in enumerate(questions):
        if not question:
            raise ConfigError(f"row {number} has neither an id nor a vector; allowed columns: id, vector")
    return questions


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """A frame whose missing values are None, which JSON can say, and not NaN."""
    values = {name: [row.get(name) for row in rows] for name in columns}
    lacks = {name: any(value is None for value in column) for name, column in values.items()}
    return pd.DataFrame({name: pd.Series(column, dtype=object if lacks[name] else None) for name, column in values.items()})


def _refusal(message: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(message)


set_model(ServedRelease())
