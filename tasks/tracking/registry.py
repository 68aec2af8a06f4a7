"""The registered model is the release: its folder, the code that answers from it, and its digest; no pickle."""

import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kindex
from kindex.core.errors import ConfigError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.layout import Layout
from kindex.core.release import MANIFEST, Manifest
from tasks.tracking.store import Store

COPY_UP_TO = 200_000_000  # bytes; a larger release is registered as a pointer to its folder, with its digest
SERVES_WITH = ("mlflow", "numpy", "pandas", "pyarrow", "faiss-cpu", "pydantic", "PyYAML")
ENCODES_WITH = ("torch", "safetensors", "pillow")  # when served, only the encoder of a captioner is asked
VERSION, DIGEST = "kindex.version", "kindex.digest"


def log_release(store: Store, layout: Layout, run: Any, manifest: Manifest) -> str:
    """Id of the logged model that is this release, made by this run; one that a kill left half made is completed."""
    home, run_id = run.info.experiment_id, run.info.run_id
    about = {VERSION: manifest.version, DIGEST: manifest.digest}
    made = store.client.search_logged_models([home], filter_string=f"source_run_id = '{run_id}'")
    same = [model for model in made if model.tags.get(DIGEST) == manifest.digest]
    model = same[0] if same else store.client.create_logged_model(home, manifest.model, run_id, about, {}, "kindex release")
    if model.status != "READY":
        work = layout.var / "mlflow" / "work"
        shutil.rmtree(work, ignore_errors=True)
        save(work, layout.releases(manifest.model) / manifest.version, manifest, model)
        store.client.log_model_artifacts(model.model_id, str(work))
        shutil.rmtree(work)
        _name_output(store, run_id, model.model_id)
        store.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def register(store: Store, run: Any, model_id: str, manifest: Manifest, tags: Mapping[str, str]) -> None:
    """A version of the registered model for this release, unless there is one, linked from its run."""
    from mlflow.exceptions import MlflowException

    number = registered(store, manifest.model, manifest.version, manifest.digest)
    if number is None:
        try:
            store.client.create_registered_model(manifest.model, description=f"Releases of {manifest.model}, by kindex.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        place = store.client.get_logged_model(model_id).artifact_location
        about = {VERSION: manifest.version, DIGEST: manifest.digest, **tags}
        made = store.client.create_model_version(
            manifest.model, place, run.info.run_id, about, description=f"Release {manifest.version}", model_id=model_id
        )
        number = str(made.version)
    link = json.dumps([{"name": manifest.model, "version": number}])
    store.client.set_logged_model_tags(model_id, {"mlflow.modelVersions": link})  # as mlflow.register_model leaves it


def registered(store: Store, model: str, version: str, digest: str | None = None) -> str | None:
    """The registry's number of a release, or None. Numbers differ from versions when releases were never delivered."""
    found = store.client.search_model_versions(f"name = '{model}' and tags.`{VERSION}` = '{version}'")
    same = [entry for entry in found if digest is None or entry.tags.get(DIGEST) == digest]
    return max((str(entry.version) for entry in same), key=int, default=None)


def point(store: Store, model: str, aliases: Mapping[str, str | None]) -> None:
    """Make each alias name its release's version, or nothing. Raises `ConfigError` when MLflow does not know a release."""
    known = store.client.search_registered_models(f"name = '{model}'")
    for alias, version in aliases.items():
        if version is None:
            if known and alias in known[0].aliases:
                store.client.delete_registered_model_alias(model, alias)
        elif number := registered(store, model, version):
            store.client.set_registered_model_alias(model, alias, number)
        else:
            raise ConfigError(
                f"MLflow has no {version} of {model} to be its {alias}: `python -m tasks.tracking rebuild` brings it"
            )


def save(folder: Path, release: Path, manifest: Manifest, model: Any) -> None:
    """Write the MLflow model: code, and the release or a pointer to it."""
    import mlflow.pyfunc
    from mlflow.models import Model

    from tasks.served_model import signature

    family = read_json(release / "lineage.json")["settings"]["model"]["family"]
    needs = (*SERVES_WITH, *(ENCODES_WITH if family == "captioner" else ()))
    size = sum(entry.bytes for entry in manifest.entries.values())
    carried = release if size <= COPY_UP_TO else _pointer(folder.with_name("pointer.json"), release, manifest)
    mlflow.pyfunc.save_model(
        path=str(folder),
        mlflow_model=Model(artifact_path=model.artifact_location, model_uuid=model.model_id, model_id=model.model_id),
        python_model=str(Path(__file__).parent.with_name("served_model.py")),
        artifacts={"release": str(carried)},
        model_config={"model": manifest.model, "version": manifest.version, "digest": manifest.digest},
        code_paths=[str(Path(kindex.__file__).parent)],
        signature=signature(family),
        input_example=_example(release, manifest),
        pip_requirements=[f"{name}=={_public(importlib.metadata.version(name))}" for name in needs],
    )
    for cache in [*folder.rglob("__pycache__")]:
        shutil.rmtree(cache)


def _public(version: str) -> str:
    """The version without its local part: no index has a `2.13.0+cpu`."""
    return version.partition("+")[0]


def _example(release: Path, manifest: Manifest) -> Any:
    """A request with two ids of the release, as MLflow shows it to people."""
    import pandas as pd
    from pyarrow import parquet

    vectors = min(name for name in manifest.files if name.startswith("vectors/"))
    first = next(parquet.ParquetFile(release / vectors).iter_batches(batch_size=2, columns=["id"]))
    return pd.DataFrame({"id": first["id"].to_pylist()}), {"k": 3}


def _pointer(path: Path, release: Path, manifest: Manifest) -> Path:
    write_atomic(path, pretty_json({"path": str(release), "manifest": MANIFEST, "digest": manifest.digest}))
    return path


def _name_output(store: Store, run_id: str, model_id: str) -> None:
    from mlflow.entities import LoggedModelOutput

    outputs = store.client.get_run(run_id).outputs
    if model_id not in [output.model_id for output in (outputs.model_outputs if outputs else [])]:
        store.client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
