"""What is given is taken as it is, and then nothing is set aside to choose by."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import ITEMS, LINKS, Catalogue
from kindex.encoders.pairs import choosing
from kindex.encoders.pairs.choosing import Choosing
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.observed import Observed, observe
from kindex.encoders.pairs.solvers import Solvers
from tests.encoders.pairs.small import groups

GIVEN = Config(dimensions=8, popularity=0.4, unobserved=0.1, regularisation=2.5, iterations=1)


@pytest.fixture(scope="module")
def observed() -> Observed:
    left_P, right_P = np.nonzero(groups(60, 40))
    ends = [pa.array([f"{row:03}" for row in part.tolist()]) for part in (left_P, right_P)]
    kinds = [pa.array([kind] * len(left_P)) for kind in ("left", "right")]
    table = pa.table([ends[0], kinds[0], ends[1], kinds[1], pa.array(np.ones(len(left_P), np.float32))], schema=LINKS)
    return observe(Catalogue("made", {"items": ITEMS.empty_table(), "links": table}))


def choosing_of(observed: Observed, config: Config) -> Choosing:
    return Choosing(observed, config, Solvers(config.dimensions, 7), "cpu")


def test_nothing_is_set_aside_where_all_is_given(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> np.ndarray:
        raise AssertionError("there is nothing to choose")

    monkeypatch.setattr(choosing, "set_aside", never)
    made = choosing_of(observed, GIVEN)
    assert made.spectral() == ({"left_power": 0.4, "popularity": 0.4}, None)
    assert made.least_squares() == {"unobserved": 0.1, "regularisation": 2.5, "iterations": 1}
    assert made.trials.rows == []
    with pytest.raises(AssertionError, match="nothing to choose"):
        choosing_of(observed, replace(GIVEN, unobserved=None)).least_squares()


def test_the_known_links_may_be_given_or_made_and_what_is_set_aside_is_made_once(observed: Observed) -> None:
    config = replace(GIVEN, unobserved=None, iterations=None, popularity=None)
    alone, told = choosing_of(observed, config), choosing_of(observed, config)
    known = told.known()
    assert alone.least_squares() == told.least_squares(known)
    assert alone.spectral()[0] == told.spectral(known)[0]
    assert alone.trials.rows == told.trials.rows != []
    apart = told.apart()
    assert apart.judge is told.judge
    assert apart.trials.rows == []


def test_another_pass_is_taken_only_where_it_ranks_clearly_better(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(GIVEN, iterations=None, unobserved=None)
    for gain, passes in ((1.005, 1), (1.05, 2)):
        made = choosing_of(observed, config)
        qualities = iter([0.5, 0.5 * gain] * 20)
        monkeypatch.setattr(type(made.judge), "score", lambda *_, found=qualities: next(found))
        assert made.least_squares()["iterations"] == passes
