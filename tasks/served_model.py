"""A release behind MLflow's own interface: `mlflow models serve`, `mlflow.pyfunc.load_model`, batch scoring.

This file is copied into the registered model, beside the package `kindex` and the release (or a pointer to its folder),
and run where the model is loaded ("models from code"): nothing is pickled. A request is a table with the column `id`, or
`vector`, and parameters; an answer is a table. For the neighbours of two ids:

    {"dataframe_records": [{"id": "torch.optim.adam"}, {"id": "json"}], "params": {"k": 5}}

A captioner is also asked by `image` (encoded bytes, base64 in JSON), by `text` (a description), and by `plus` and `minus`
(lists of ids, for analogies):

    {"dataframe_records": [{"image": "/9j/4AAQ…"}], "params": {"answer": "captions"}}
    {"dataframe_records": [{"text": "a dog runs through water"}], "params": {"by": "inversion"}}
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

from kindex.ask.live import ANALOGIES, Live, open_folder
from kindex.ask.picturing import WAYS
from kindex.ask.rows import ASKED_BY, UnknownError, answers, by_id
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import read_json

DEFAULTS: dict[str, Any] = {
    "k": 10,
    "answer": "neighbours",  # or "vectors"; of a captioner also "captions"
    "unknown": "refuse",  # an id that the release does not know: "refuse" the request, or answer "null" for it
    "kind": "",  # of the items asked about; empty: the first kind that has the id
}
PICTURED_DEFAULTS: dict[str, Any] = {
    "by": "",  # a text: "tower" or "inversion"; plus and minus: "add" or "mul"; empty: the first of these
    "width": 0,  # of the beam that captions are searched with; 0: the model's
    "count": 1,  # captions of each image
}
CHOICES = {"answer": ("neighbours", "vectors", "captions"), "unknown": ("refuse", "null"), "by": ("", *WAYS, *ANALOGIES)}
COLUMNS = {
    "neighbours": ("id", "rank", "neighbour", "score"),
    "vectors": ("id", "vector"),
    "captions": ("id", "rank", "caption", "score"),
}
CAPTIONER = "captioner"
"""The family whose models are asked by images and texts, too."""


def signature(family: str = "") -> ModelSignature:
    """One of the input columns is enough. Of the answer's columns a request gets those of its `answer`, see `COLUMNS`."""
    text, number, whole = DataType.string, DataType.double, DataType.long
    types = {"k": whole, "width": whole, "count": whole}
    vector = ColSpec(Array(number), "vector", required=False)
    inputs: list[Any] = [ColSpec(text, "id", required=False), vector]
    caption: list[Any] = []
    params = DEFAULTS
    if family == CAPTIONER:
        inputs += [ColSpec(DataType.binary, "image", required=False), ColSpec(text, "text", required=False)]
        inputs += [ColSpec(Array(text), name, required=False) for name in ("plus", "minus")]
        caption, params = [ColSpec(text, "caption", required=False)], {**DEFAULTS, **PICTURED_DEFAULTS}
    return ModelSignature(
        inputs=Schema(inputs),
        outputs=Schema(
            [
                ColSpec(text, "id", required=False),
                ColSpec(whole, "rank", required=False),
                ColSpec(text, "neighbour", required=False),
                ColSpec(number, "score", required=False),
                vector,
                *caption,
            ]
        ),
        params=ParamSchema([ParamSpec(name, types.get(name, text), value) for name, value in params.items()]),
    )


class ServedRelease(PythonModel):
    """Answers from one release, which is checked by sha256 when it is loaded. An encoder is loaded when it is first needed."""

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
        """Neighbours: rows (id, rank from 1, neighbour, score), nearest first. Vectors: rows (id, vector). Captions: rows
        (id, rank, caption, score), best first.

        A row with a `vector`, an `image`, a `text`, or with `plus` or `minus` is answered by that, and its id is only
        repeated. Unknown ids refuse the whole request, naming close spellings, so that no batch loses rows unseen; with
        `unknown: "null"` they get one row with nulls instead. Images that do not decode and texts without a known word are
        the same. Raises `MlflowException` INVALID_PARAMETER_VALUE (status 400 when served).
        """
        asked = {**DEFAULTS, **PICTURED_DEFAULTS, **(params or {})}
        for name, allowed in CHOICES.items():
            if asked[name] not in allowed:
                raise _refusal(f"{name} is {asked[name]!r}: {choices(str(asked[name]), allowed)}")
        try:
            return _table(self._rows(_questions(model_input), asked), COLUMNS[asked["answer"]])
        except ConfigError as error:
            raise _refusal(str(error)) from None

    def _rows(self, questions: list[dict[str, Any]], asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        kind = asked["kind"] or None
        if kind is not None:
            self.live.ids(kind)  # it knows the kinds that there are
        asked_about = dict.fromkeys(each["id"] for each in questions if by_id(each))
        unknown = {name: None for name in asked_about if self.live.spelt(name, kind) is None}
        if unknown and asked["unknown"] == "refuse":
            self._refuse(list(unknown), kind)
        rows = []
        for number, question in enumerate(questions):
            name = question.get("id")
            try:
                known = not by_id(question) or name not in unknown
                rows += [{"id": name, **row} for row in (answers(self.live, question, asked) if known else [{}])]
            except UnknownError as error:
                if asked["unknown"] == "refuse":
                    raise ConfigError(f"row {number}: {error}") from None
                rows.append({"id": name})
        return rows

    def _refuse(self, unknown: list[str], kind: str | None) -> None:
        try:
            self.live.vector(unknown[0], kind)  # the release knows the close spellings
        except ConfigError as error:
            others = f" ({len(unknown)} ids are unknown)" if len(unknown) > 1 else ""
            raise ConfigError(f"{error}{others}") from None


def _questions(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, without what is missing in them. Raises `ConfigError` for a row that asks nothing."""
    given = {name: table[name].tolist() for name in ("id", *ASKED_BY) if name in table.columns}
    rows = [dict(zip(given, values)) for values in zip(*given.values())] if given else [{}] * max(len(table), 1)
    questions = [{name: value for name, value in row.items() if _is_given(value)} for row in rows]
    for number, question in enumerate(questions):
        if not question:
            raise ConfigError(
                f"row {number} has neither an id nor a vector; allowed columns: id, vector"
                ", and of a captioner image, text, plus, minus"
            )
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
