"""Run the nights of a range of logical dates, oldest first; those that are done are left out."""

import sys
from collections.abc import Sequence

from flows import running
from flows.nightly import nightly
from flows.opening import done
from flows.options import Options, add_only, day, parser_of
from flows.record import worst
from kindex.core import layout as layouts
from kindex.core import params as settings
from kindex.core.errors import ConfigError, KindexError
from tasks import calendar

ABOUT = """\
Run the nightly flow for each logical date from --from to --to, oldest first.

A date that is done for all its models is left out. Sources are read as they are now: a date before the last night that ran is
refused, unless --force says to run the dates all the same. The first date that breaks ends the backfill; one whose candidate
is held, or whose data is refused, does not."""


def backfill(options: Options, first: str, last: str) -> list[Options]:
    """The nights to run, oldest first. Raises `ConfigError` for a range that is none, or not over yet."""
    layout = layouts.find(options.root)
    params = settings.load(layout.params)
    for model in options.models:
        params.model(model)
    if first > last:
        raise ConfigError(f"--from is {first}, which lies after --to {last}")
    tonight = calendar.tonight(layout)
    if last > tonight:
        raise ConfigError(f"--to is {last}, allowed: up to tonight's date, {tonight}")
    models = list(options.models or params.models)
    wanted = [night for night in calendar.between(first, last) if options.again or not done(layout, night, models)]
    return [Options(**{**vars(options), "night": night, "dated": True}) for night in wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the worst exit code of the nights."""
    parser = parser_of("backfill", ABOUT)
    add_only(parser)
    parser.add_argument("--from", dest="first", type=day, required=True, metavar="YYYY-MM-DD", help="the first logical date")
    parser.add_argument("--to", dest="last", type=day, required=True, metavar="YYYY-MM-DD", help="the last one, included")
    parser.add_argument("--force", action="store_true", help="also dates that are done, past or paused; no stage is forced")
    given = parser.parse_args(arguments)
    asked = Options(root=given.root, models=tuple(given.only), again=given.force)
    try:
        nights = backfill(asked, given.first, given.last)
    except KindexError as error:
        print(f"backfill: {error}", file=sys.stderr)
        return error.exit_code
    all_dates = len(calendar.between(given.first, given.last))
    print(f"backfill: {len(nights)} of {all_dates} nights to run", flush=True)
    codes: list[int] = []
    for place, one in enumerate(nights, 1):
        codes.append(running.command("backfill", one, nightly, first=not codes))
        if codes[-1] not in running.GOES_ON:
            print(f"backfill: stopped at {one.night}; {len(nights) - place} nights are left", file=sys.stderr)
            break
    return worst(codes)


if __name__ == "__main__":
    sys.exit(main())
