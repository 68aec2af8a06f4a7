"""What a night tells afterwards, and to whom. None of it can change the night's result: a failure here is a notice.

`tell` belongs to the flow; `close` comes last, for every run: the journal, the page over all nights, the alerts.
"""

from typing import TYPE_CHECKING

from flows.events import events
from flows.night import Night
from kindex.core import outbox, release
from kindex.core.errors import OutsideError
from kindex.core.files import canonical_json, write_atomic
from tasks import alerts, releases

if TYPE_CHECKING:
    from tasks.tracking import Replayed


def keep(night: Night, model: str) -> None:
    """Tag the model's release, once, and leave word for the DVC remote: pushing comes last, so that no model waits for it."""
    result = night.record.published.get(model)
    if result is None:
        return
    marker, wanted = night.layout.var / "kept" / f"{model}.json", canonical_json([result.version, result.digest])
    if marker.is_file() and marker.read_bytes() == wanted:
        return
    with night.clock.of("tags and remote"), night.record.noticing(f"the tag of {model} {result.version}"):
        from tasks import remote, tags

        manifest = release.read_manifest(night.layout.releases(model), result.version)
        made_on = str(manifest.about.get("night") or night.options.night)
        name = tags.tag(night.layout, night.params, model, manifest, made_on)
        if name:
            night.conductor.say(f"tag {name}")
            remote.ask(night.layout, name)
        write_atomic(marker, wanted)


def tell(night: Night) -> None:
    """Tag what was published, leave a message about this night if it did anything, then bring MLflow what waits.

    After all models: a tag holds the dvc.lock of the whole night, or `dvc pull` of it would miss outputs.
    """
    for model in night.models:
        keep(night, model)
    if not night.record.idle:
        made = releases.provenance(night.layout, night.options.night)
        outcome = {model: night.record.line(model, night.broken(model)) for model in night.models}
        with night.record.surviving("the outbox"):
            releases.tell_night(night.layout, made, night.started, outcome)
    replay(night)


def replay(night: Night) -> None:
    """Bring the DVC remote and MLflow what waits for them, if anything does."""
    with night.record.noticing("the DVC remote"):
        _push_waiting(night)
    if not outbox.pending(night.layout.outbox):
        return
    try:
        replayed = night.conductor.step(lambda: _replayed(night), name="replay", run_name="replay@mlflow", timeout_seconds=900)
    except OutsideError as error:
        night.record.notices.append(f"MLflow: {error}")
        return
    if replayed.waiting:
        waiting = f"{replayed.waiting} messages wait in {night.layout.outbox} ({replayed.reason})"
        night.record.notices.append(f"MLflow: {waiting}")


def close(night: Night, flow: str) -> None:
    """The run into the journal, the page over all nights, the alerts. The last that a run does before its summary."""
    layout, record = night.layout, night.record
    with night.clock.of("journal"), record.noticing("the journal"):
        from tasks import journal

        journal.write(
            layout,
            night.params,
            night=night.options.night,
            flow=flow,
            started=night.started,
            exit_code=record.exit_code,
            seconds=dict(night.clock.seconds),
            total=night.clock.total,
            runs=record.runs,
            published=record.published,
            models=night.models,
            moved=night.moved,
            troubles=record.troubles,
            notices=record.notices,
        )
    with night.clock.of("journal"), record.noticing("the page over all nights"):
        from tasks import nights_page

        nights_page.render(layout)
    with night.clock.of("alerts"), record.noticing("alerts"):
        notices = alerts.raise_and_send(layout, night.conductor.server, events(night), night.options.night)
        record.notices += [f"alerts: {notice}" for notice in notices]


def waiting(tags: int, reason: str) -> str:
    """The notice of a remote that is down."""
    return f"the DVC remote: {'1 tag waits' if tags == 1 else f'{tags} tags wait'} to be pushed ({reason})"


def _push_waiting(night: Night) -> None:
    """Push what this night and earlier ones left; a remote that is down gets it from a later one."""
    if not outbox.pending(night.layout.outbox / "remote"):
        return
    from tasks import remote

    with night.clock.of("tags and remote"):
        pushed = remote.push(night.layout)
    if pushed.waiting:
        night.record.notices.append(waiting(pushed.waiting, pushed.reason))


def _replayed(night: Night) -> "Replayed":
    from tasks.tracking import replay as replay_all

    with night.clock.of("MLflow"):
        return replay_all(night.layout)
