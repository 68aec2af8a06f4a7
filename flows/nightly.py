"""The nightly run: what is stale is made again, judged against the live release, and published if it is no worse."""

import sys
from collections.abc import Sequence

from flows import running, telling
from flows.night import MODEL_STAGES, Night
from flows.options import parse
from kindex.core.layout import CATALOGUE_STAGES

ABOUT = """\
Bring every catalogue and model of params.yaml up to date, and publish what passed its gate.

A night looks at the sources, asks DVC which stages are stale, runs those, holds each new model against its gate and
the live release, and makes it live if it is no worse. With nothing new it says so in a line and makes no release.
It may be killed at any point and run again."""


def nightly(night: Night) -> None:
    """The night's table of contents; a Prefect flow run, or the same without Prefect when that is down."""
    for catalogue in night.catalogues:
        for stage in CATALOGUE_STAGES:
            night.reproduce(stage, catalogue, force=night.options.force)
    for model in night.models:
        night.follow(model)
        for stage in MODEL_STAGES:
            night.reproduce(stage, model, force=night.options.force)
        night.publish(model)
    telling.tell(night)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    return running.by_hand("nightly", parse("nightly", ABOUT, arguments), nightly)


if __name__ == "__main__":
    sys.exit(main())
