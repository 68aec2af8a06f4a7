"""The promises of docs/reliability.md, each as one function that tries it `count` times and says what it saw.

`make reliability` runs them in their long form and writes the page. The small form of each runs with the tests:
`tests/reliability/test_small.py` calls the same functions with small counts. A promise is a module `p07_poisoned_rows.py` with

    NUMBER, PROMISE, WANTED     its number, what is promised, and the figure to show, in words
    LONG, SMALL                 how often it is tried in either form
    SLOW                        the small form's mark: False, True (more than a second or two), "long" (whole nights)
    tried(scratch: Path, count: int, say) -> Seen
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

Say = Callable[[str], None]


@dataclass
class Seen:
    """What was seen: `tries` of something, the failures by name, and what else is worth a line on the page."""

    tries: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Nothing tried is nothing shown."""
        return self.tries > 0 and not self.failures

    def expect(self, holds: bool, what: str) -> None:
        """One try, a failure called `what` unless it `holds`."""
        self.tries += 1
        if not holds:
            self.failures.append(what)


def promises() -> list[ModuleType]:
    """The modules, by number."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    names = sorted(name for name in found if name[0] == "p" and name[1:3].isdigit())
    return [importlib.import_module(f"{__name__}.{name}") for name in names]
