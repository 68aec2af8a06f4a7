"""Every error that a person can cause or cure, with the exit code that a scheduler sees."""

from collections.abc import Iterable
from difflib import get_close_matches


class KindexError(Exception):
    """Base of the errors that are printed as one message, never as a traceback."""

    exit_code = 1


class ConfigError(KindexError):
    """Something in params.yaml, a lock or a command line is wrong."""

    exit_code = 2


class DataGateError(KindexError):
    """The data cannot be used: too many rows refused, or a source that differs from its lock."""

    exit_code = 3


class MetricGateError(KindexError):
    """A candidate did not pass its gate, or training diverged."""

    exit_code = 4


class BusyError(KindexError):
    """Another run holds what this one needs, or has published first."""

    exit_code = 5


class OutsideError(KindexError):
    """An outside system (MLflow, Prefect, a DVC remote, the disk) is down or refuses."""

    exit_code = 6


class DamagedError(KindexError):
    """A file is not what its manifest or its format says; the message names the file."""

    exit_code = 3


def choices(value: str, allowed: Iterable[str], most: int = 12) -> str:
    """The end of an error message: the near spellings of `value`, then what is allowed.

    >>> choices("pears", ["pairs", "autoencoder"])
    'did you mean pairs? Allowed: autoencoder, pairs'
    """
    options = sorted(allowed)
    near = get_close_matches(value, options, n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    more = f" and {len(options) - most} more" if len(options) > most else ""
    return f"{meant}Allowed: {', '.join(options[:most]) or 'none yet'}{more}"
