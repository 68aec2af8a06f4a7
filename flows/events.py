"""What of a night somebody should hear of: one event for each model, and one for what belongs to no model."""

from flows.night import Night
from tasks.alerts import Event
from tasks.links import address


def events(night: Night) -> list[Event]:
    """Failed, held or fine, for each model of this run and for the night; skipped for nights before it that nobody ran."""
    found = [event for model in night.models if (event := of_model(night, model))]
    told = {run.why for run in night.record.failed} | {event.reason for event in found}
    rest = [text for _, text in night.record.troubles if text not in told]
    if rest:
        found.append(Event("failed", "night", "\n".join(rest)))
    elif not night.options.models:
        found.append(Event("fine", "night"))
    if night.left_out:
        found.append(Event("skipped", "night", night.left_out))
    return found


def of_model(night: Night, model: str) -> Event | None:
    """What became of one model; None for a candidate that an earlier night held, and told."""
    result = night.record.published.get(model)
    if result is None:
        broken = next((run for run in night.record.failed if run.target == night.broken(model)), None)
        why = broken.why if broken else "\n".join(text for _, text in night.record.troubles)
        return Event(
            "failed", model, why or "it was not published", look=f"kindex status; python -m flows.nightly --only {model}"
        )
    if result.outcome == "held":
        page = night.layout.releases(model) / result.version / "notes" / "report.html"
        look = f"kindex diff {model} {result.live} {result.version}" if result.live else f"kindex releases {model}"
        why = "\n".join([*result.failures, *([result.trouble] if result.trouble else [])])
        return Event("held", model, f"{result.version} is held back. {why}", address(night.layout, page), look)
    return Event("fine", model) if result.live == result.version else None
