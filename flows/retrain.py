"""Train given models again now, on the data as they were last locked; then judge and publish them like any night."""

import sys
from collections.abc import Sequence

from flows import running, telling
from flows.night import MODEL_STAGES, Night
from flows.options import parse
from kindex.core.layout import CATALOGUE_STAGES

ABOUT = """\
Train the given models again, evaluate, judge and publish them, whether or not anything is stale.

The sources are not looked at: the catalogues stay at the snapshot that their locks name."""


def retrain(night: Night) -> None:
    """As the nightly run, but what belongs to a model is made again in any case."""
    for catalogue in night.catalogues:
        for stage in CATALOGUE_STAGES:
            night.reproduce(stage, catalogue)
    for model in night.models:
        night.follow(model)
        for stage in MODEL_STAGES:
            night.reproduce(stage, model, force=True)
        night.publish(model)
    telling.tell(night)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    return running.by_hand("retrain", parse("retrain", ABOUT, arguments), retrain)


if __name__ == "__main__":
    sys.exit(main())
