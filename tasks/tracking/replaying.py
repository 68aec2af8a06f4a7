"""The outbox told to MLflow, and everything told anew from the releases."""

from dataclasses import dataclass

from kindex.core import mutex, outbox, release
from kindex.core.errors import KindexError, OutsideError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from tasks.tracking.deliver import deliver
from tasks.tracking.store import Store, connect, quiet, reason

SECONDS = 60.0  # that one replay may take in all, once connected; each request may take 5
ATTEMPTS = 3  # after so many refusals, a message waits for a person
REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"}
"""Error codes of MLflow that a message causes; any other says that MLflow is down, or refuses this client."""


@dataclass(frozen=True)
class Replayed:
    """How many messages were `delivered`, how many are still `waiting`, and why; `down` when MLflow is the reason."""

    delivered: int
    waiting: int
    reason: str | None = None
    down: bool = False


def replay(layout: Layout, *, insist: bool = False) -> Replayed:
    """Deliver what waits in the outbox, in order; never raises.

    Delivering twice changes nothing, so a replay may be killed anywhere. When MLflow is down or slow the rest stays. A
    message that MLflow refuses stays too, without blocking the others; after `ATTEMPTS` it is tried only when a person
    insists. MLflow is imported only when there is something to deliver.
    """
    waiting = outbox.pending(layout.outbox)
    due = [message for message in waiting if insist or message.attempts < ATTEMPTS]
    if not due:
        again = f" (refused {ATTEMPTS} times; `python -m tasks.tracking replay` tries again)"
        return Replayed(0, len(waiting), waiting[0].reason + again if waiting else None)
    delivered, why = 0, None
    try:
        with mutex.hold(layout.mutex("mlflow"), "MLflow", wait_seconds=10), quiet():
            store = connect(layout, None if insist else SECONDS)
            for message in due:
                trouble = _told(store, layout, message)
                delivered += trouble is None
                why = why or trouble
    except Exception as error:  # MLflow, or the way to it: the night's work is done, and the outbox keeps the rest
        return Replayed(delivered, len(waiting) - delivered, reason(error), down=True)
    return Replayed(delivered, len(waiting) - delivered, why)


def rebuild(layout: Layout) -> int:
    """Tell MLflow every release that there is, oldest first, and the aliases; returns how many. What it knows it keeps.

    Raises `OutsideError` when MLflow is down and `DamagedError` for a release that is not whole.
    """
    models = sorted(path.name for path in (layout.root / "releases").glob("*") if release.versions(path))
    try:
        with mutex.hold(layout.mutex("mlflow"), "MLflow", wait_seconds=10), quiet():
            store = connect(layout)
            return sum(_retell(store, layout, model) for model in models)
    except KindexError:
        raise
    except Exception as error:
        raise OutsideError(f"MLflow cannot be rebuilt: {reason(error)}") from None


def _retell(store: Store, layout: Layout, model: str) -> int:
    """Tell all releases of one model as the nights that made them did; returns how many."""
    folder = layout.releases(model)
    manifests, pointer = release.versions(folder), release.current(folder)
    for manifest in manifests:
        about, version = manifest.about, manifest.version
        night, passed = about.get("night", "unknown"), about.get("passed", False)
        catalogue = read_json(folder / version / "lineage.json")["catalogue"]
        payload = {"night": night, "model": model, "catalogue": catalogue, "version": version, "passed": passed}
        deliver(store, layout, "model", payload, f"{night}/{model}/{version}")
        outcome = {model: f"{version} {'passed' if passed else 'failed'}"}
        made = {"git": about.get("git"), "dvc_lock_sha256": about.get("dvc_lock_sha256")}
        deliver(store, layout, "night", {"night": night, "outcome": outcome, **made}, night)
    aliases = {"candidate": manifests[-1].version, "champion": pointer.version if pointer else None}
    deliver(store, layout, "aliases", {"model": model, **aliases}, model)
    return len(manifests)


def _told(store: Store, layout: Layout, message: outbox.Message) -> str | None:
    """Deliver one message: None, or why it was refused. Raises when MLflow is down."""
    try:
        deliver(store, layout, message.kind, message.payload, message.key)
    except Exception as error:
        if _is_down(error):
            raise
        outbox.failed(message, f"{message.kind} {message.key}: {reason(error)}")
        return f"{message.kind} {message.key}: {reason(error)}"
    outbox.done(message)
    return None


def _is_down(error: Exception) -> bool:
    if hasattr(error, "error_code"):  # an MlflowException
        return error.error_code not in REFUSALS
    if isinstance(error, KindexError):
        return isinstance(error, OutsideError)
    return isinstance(error, OSError) or type(error).__module__.startswith("sqlalchemy")
