"""The default objective: least squares, spectral and softmax, weighed on the known links and made from all.

What does not follow from each other is made side by side. The order of the trials, and every table, is that of one after the
other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kindex.encoders.pairs.beside import beside
from kindex.encoders.pairs.blend import Tables, compressed, together
from kindex.encoders.pairs.choosing import Choosing
from kindex.encoders.pairs.solvers import Matrices, Solvers

Made = tuple[dict[str, Any], Tables]
"""What was chosen, and the tables made with it."""


@dataclass(frozen=True)
class Blending:
    """`everything` gives all links, `softmax` learns its tables. With `many` links the softmax is left out, and nothing is
    side by side, for want of memory; nor is it on a GPU."""

    choosing: Choosing
    solvers: Solvers
    everything: Callable[[], Matrices]
    softmax: Callable[[], Tables]
    many: bool

    def weighed(self) -> Made:
        """Each part for the known links, then their weights, then those from all links that count."""
        chosen, parts = self._known()
        everything = self.everything()
        # where to start before it is known to count: nearly every blend has least squares in it
        begin = (lambda: None) if self.many else partial(self.solvers.start, everything)
        weights, start = self._beside(partial(self.choosing.blend, parts), begin)
        softmax = parts[2:]
        del parts
        return self._summed({**chosen, "blend": weights}, everything, start, softmax)

    def _known(self) -> tuple[dict[str, Any], list[Tables]]:
        """What is chosen on the known links, and the parts made for them with it."""
        known = self.choosing.known()
        solving, decomposing = self.choosing.apart(), self.choosing.apart()

        def solved() -> Made:
            settings = solving.least_squares(known)
            return settings, self.solvers.least_squares(known, settings)

        def decomposed() -> tuple[dict[str, Any], list[Tables]]:
            settings, spectrum = decomposing.spectral(known)
            parts = [self.solvers.spectral(known, settings, spectrum)]
            del spectrum
            return settings, parts if self.many else [*parts, self.softmax()]

        (least, solution), (spectral, others) = self._beside(solved, decomposed)
        self.choosing.trials.rows += [*solving.trials.rows, *decomposing.trials.rows]
        return {**least, **spectral}, [solution, *others]

    def given(self, weights: dict[str, float]) -> Made:
        """With the weights of a former fit, which has chosen all else as well."""
        known = self.choosing.known()
        chosen = {**self.choosing.least_squares(known), **self.choosing.spectral(known)[0]}
        del known
        return self._summed({**chosen, "blend": weights}, self.everything())

    def _summed(
        self, chosen: dict[str, Any], everything: Matrices, start: Tables | None = None, softmax: Sequence[Tables] = ()
    ) -> Made:
        """The weighted sum of the parts, in the order of `kindex.encoders.pairs.search.PARTS`; those that count are made from
        all links, but for a softmax that was made already."""
        made: dict[str, Callable[[], Tables]] = {
            "least squares": lambda: self.solvers.least_squares(everything, chosen, start),
            "spectral": lambda: self.solvers.spectral(everything, chosen),
            "softmax": lambda: softmax[0] if softmax else self.softmax(),
        }
        weights = {name: weight for name, weight in chosen["blend"].items() if weight}
        parts = self._beside(*(made[name] for name in weights))
        return chosen, compressed(*together(parts, list(weights.values())), self.solvers.dimensions)

    def _beside(self, *works: Callable[[], Any]) -> list[Any]:
        return [work() for work in works] if self.many or self.choosing.device != "cpu" else beside(*works)
