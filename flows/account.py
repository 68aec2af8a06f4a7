"""A night gathered for its summary and for the page of its flow run."""

import json

from flows.night import Night
from flows.summary import Account, ModelAccount
from tasks import environment, releases


def account(night: Night, unchanged: bool) -> Account:
    """The night as its summary wants it."""
    pages = environment.read_pages(night.layout)
    own = night.conductor.server.address == f"{pages.get('prefect')}/api"  # a worker is given its address
    return Account(
        night.options.night,
        [model_account(night, model) for model in night.models],
        unchanged,
        dict(night.clock.seconds),
        night.clock.total,
        tuple(night.record.troubles),
        tuple(night.record.notices),
        pages if own else {},
        night.record.exit_code,
    )


def model_account(night: Night, model: str) -> ModelAccount:
    """One model's part of it, with the evidence of its release."""
    mine = (model, night.params.models[model].catalogue)
    runs = [run for run in night.record.runs.values() if run.key in mine]
    published = night.record.published.get(model)
    if published is None:
        return ModelAccount(model, runs, None, live=releases.live_version(night.layout, model) or "")
    folder = night.layout.releases(model) / published.version
    try:
        evidence = json.loads((folder / "evidence.json").read_bytes())
    except (OSError, ValueError):
        evidence = {}
    return ModelAccount(model, runs, published, evidence, str(folder / "notes" / "report.html"))
