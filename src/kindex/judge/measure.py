"""A number of the report, as people read it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A number of the report. `beside` names the baselines' numbers, by the name that people read."""

    name: str
    title: str
    meaning: str
    better: str = "higher"  # higher, lower or none
    beside: tuple[tuple[str, str], ...] = ()
