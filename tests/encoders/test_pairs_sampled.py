"""Classification, regression and BPR: a batch is the slow one, a negative is no known link, a resumed fit ends the same."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from kindex.core.blocks import build
from kindex.core.watch import Silent
from kindex.encoders import pairs
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.sampled import Sampled
from kindex.encoders.pairs.unlinked import Unlinked
from kindex.encoders.parts.dropout import dropout_mask
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.loop import copied, held, learn
from tests.encoders.planted import link_recall_beside_popularity, planted_links

OBJECTIVES = ("classification", "regression", "bpr")


def grouped_links(n_left: int = 40, n_right: int = 25) -> tuple[Links, np.ndarray]:
    """Links inside five groups, and which of all pairs are linked."""
    inside = np.arange(n_left)[:, None] % 5 == np.arange(n_right)[None] % 5
    linked_LR = np.random.default_rng(1).random(inside.shape) < np.where(inside, 0.7, 0.08)
    return Links.of(*np.nonzero(linked_LR), n_left, n_right), linked_LR


def learner(known: Links, validate: Any = None, **settings: Any) -> Sampled:
    config = Config(**{"dimensions": 6, "batch": 16, "popularity_power": 0.5, **settings})
    rng = np.random.default_rng(2)
    start = [torch.from_numpy(rng.normal(0, 0.5, (rows, config.dimensions))) for rows in (known.n_left, known.n_right)]
    return Sampled(known, (start[0], start[1]), config, validate or (lambda left_LD, right_RD: None))


def slow_loss(tables: dict[str, Tensor], left_B: Any, right_BK: Any, config: Config, decay: float) -> tuple[Tensor, Tensor]:
    """The loss and the pull to zero, pair by pair, as the formulas are written; torch differentiates them."""
    total = pull = torch.zeros((), dtype=torch.float64)
    scale, bias = tables["head"][:, 0]
    for left, rights in zip(left_B.tolist(), right_BK.tolist()):
        scores = []
        for right in rights:
            x, y = tables["left"][left], tables["right"][right]
            product = torch.dot(x, y) / (x.norm() * y.norm()) if config.normalise else torch.dot(x, y)
            scores.append(scale * product + bias)
            pull = pull + decay / len(rights) * 0.5 * (x.square().sum() + y.square().sum())
        for negative in scores[1:]:
            if config.objective == "bpr":
                total = total - torch.log(torch.sigmoid(scores[0] - negative))
            elif config.objective == "regression":
                total = total + (negative + 1) ** 2
            else:
                total = total - torch.log(1 - torch.sigmoid(negative))
        if config.objective != "bpr":
            total = total + (
                (scores[0] - 1) ** 2 if config.objective == "regression" else -torch.log(torch.sigmoid(scores[0]))
            )
    return total, pull


def slow_step(tables: dict[str, Tensor], moments: dict[str, Any], steps: int, rate: float, optimiser: str) -> None:
    """Row by row; a row without a gradient rests."""
    for name, table in tables.items():
        assert table.grad is not None
        for row in range(len(table)):
            gradient = table.grad[row].tolist()
            if not any(gradient):
                continue
            mean, square = moments.setdefault((name, row), ([0.0] * len(gradient), [0.0] * len(gradient)))
            for d, number in enumerate(gradient):
                if optimiser == "adam":
                    mean[d] = 0.9 * mean[d] + 0.1 * number
                    square[d] = 0.999 * square[d] + 0.001 * number**2
                    corrected = rate * math.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
                    table.data[row, d] -= corrected * mean[d] / (math.sqrt(square[d]) + 1e-8)
                else:
                    square[d] += sum(other**2 for other in gradient) / len(gradient)
                    table.data[row, d] -= rate * number / (math.sqrt(square[d]) + 1e-8)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("optimiser", ["adagrad", "adam"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_steps_are_the_slow_ones(objective: str, optimiser: str, normalise: bool) -> None:
    known, _ = grouped_links()
    ours = learner(known, objective=objective, optimiser=optimiser, normalise=normalise, negatives=3, dropout=0.0)
    tables = {name: table.clone().requires_grad_() for name, table in ours.tables.items()}
    learnt = [normalise and objective != "regression", objective != "bpr"]
    moments: dict[str, Any] = {}
    decay = 0.5 / math.sqrt(len(known) / known.n_left)
    rng = np.random.default_rng(3)
    for steps in (1, 2, 3):
        left_B = ours.left_P[np.sort(rng.permutation(len(known))[:16])]
        right_BK = rng.integers(0, known.n_right, (16, 4))
        loss, pull = slow_loss(tables, left_B, right_BK, ours.config, decay)
        for table in tables.values():
            table.grad = None
        (loss + pull).backward()
        assert tables["head"].grad is not None
        tables["head"].grad *= torch.tensor(learnt)[:, None]
        slow_step(tables, moments, steps, 0.1, optimiser)
        assert ours._step(left_B, right_BK, 0.1, rng) == pytest.approx(loss.item(), rel=1e-9)
        for name, table in tables.items():
            np.testing.assert_allclose(ours.tables[name].numpy(), table.detach().numpy(), atol=1e-9)
    assert (ours.tables["head"][:, 0] != torch.tensor([1.0, 0.0])).tolist() == learnt


def test_a_hidden_number_of_a_left_vector_is_not_learnt() -> None:
    known, _ = grouped_links()
    ours = learner(known, objective="bpr", dropout=0.25, weight_decay=0.0)
    left_B, before_LD = np.arange(8), ours.left_LD.clone()
    ours._step(left_B, np.random.default_rng(4).integers(0, known.n_right, (8, 3)), 0.1, np.random.default_rng(7))
    hidden_BD = dropout_mask((8, 6), 0.25, np.random.default_rng(7)) == 0
    assert ((ours.left_LD == before_LD)[:8].numpy() == hidden_BD).all() and hidden_BD.any()


@pytest.mark.parametrize("power", [0.0, 0.75])
def test_negatives_are_never_known_and_drawn_by_popularity_among_the_others(power: float) -> None:
    known, linked_LR = grouped_links(8, 25)
    unlinked, rng = Unlinked(known, power), np.random.default_rng(0)
    left_B = np.repeat(np.arange(8), 5000)
    drawn_BN = unlinked.draw(left_B, 3, rng)
    assert not linked_LR[left_B[:, None], drawn_BN].any()
    for left in range(8):
        wanted_R = np.maximum(linked_LR.sum(0), 1.0) ** power * ~linked_LR[left]
        times_R = np.bincount(drawn_BN[left_B == left].ravel(), minlength=25)
        np.testing.assert_allclose(times_R / times_R.sum(), wanted_R / wanted_R.sum(), atol=0.012)


def test_where_nearly_all_are_known_the_others_are_found_at_once() -> None:
    rng = np.random.default_rng(0)
    linked_LR = rng.random((300, 2000)) < 0.9995
    linked_LR[:100] = True
    linked_LR[np.arange(100), rng.integers(0, 2000, 100)] = False  # one negative each
    linked_LR[100:120] = True  # none
    known = Links.of(*np.nonzero(linked_LR), 300, 2000)
    unlinked = Unlinked(known, 0.75)
    np.testing.assert_array_equal(unlinked.free_L == 0, linked_LR.all(1))
    left_B = np.flatnonzero(unlinked.free_L)
    drawn_BN = unlinked.draw(left_B, 4, rng)
    assert not linked_LR[left_B[:, None], drawn_BN].any()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_is_linked_to_everything_is_left_as_it_was(objective: str) -> None:
    linked_LR = np.ones((3, 4), bool)
    linked_LR[1, 2:] = False
    ours = learner(Links.of(*np.nonzero(linked_LR), 3, 4), objective=objective)
    before = ours.left_LD.clone()
    assert ours.epoch(1.0, np.random.default_rng(0))["loss"] > 0
    assert (ours.left_LD != before).any(1).tolist() == [False, True, False]
    whole = learner(Links.of(*np.nonzero(np.ones((3, 4))), 3, 4), objective=objective)
    assert whole.epoch(1.0, np.random.default_rng(0))["loss"] == 0


PLANTED = {"dimensions": 8, "epochs": 12, "batch": 64, "learning_rate": 0.3, "popularity_power": 0.0}


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "classification"},
        {"objective": "regression"},
        {"objective": "bpr", "optimiser": "adam", "learning_rate": 0.03},
        {"objective": "classification", "normalise": True, "start": "random", "learning_rate": 0.1},
    ],
)
def test_it_learns_the_planted_groups(settings: dict[str, Any]) -> None:
    case = planted_links()
    config = Config(**(PLANTED | settings))
    watch = Silent()
    encoder = pairs.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=watch)
    figure, _, wanted = link_recall_beside_popularity(encoder, case.split)
    assert figure > wanted
    assert watch.history[-1]["loss"] < watch.history[0]["loss"]


def test_with_normalise_scores_are_cosines() -> None:
    known, linked_LR = grouped_links()
    ours = learner(known, objective="classification", normalise=True, learning_rate=0.3)
    rng = np.random.default_rng(0)
    for _ in range(10):
        ours.epoch(1.0, rng)
    for table in (ours.left_LD, ours.right_RD):
        np.testing.assert_allclose(table.norm(dim=1).numpy(), 1, rtol=1e-9)
    scale, bias = ours.model()["head"][:, 0].tolist()
    assert scale > 1
    likely_LR = 1 / (1 + np.exp(-(scale * (ours.left_LD @ ours.right_RD.T).numpy() + bias)))
    assert likely_LR[linked_LR].mean() > likely_LR[~linked_LR].mean() + 0.4


class Kept(Silent):
    """Keeps every checkpoint; hands out the one after epoch `resumed`."""

    def __init__(self, kept: list[Any], resumed: int = 0) -> None:
        super().__init__()
        self.kept, self.resumed = kept, resumed

    def save(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        self.kept.append(({name: array.copy() for name, array in arrays.items()}, state))

    def resume(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        return self.kept[self.resumed - 1] if self.resumed else None


@pytest.mark.parametrize("optimiser", ["adagrad", "adam"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resumed_it_ends_with_the_same_bytes(objective: str, optimiser: str) -> None:
    known, _ = grouped_links()

    def run(watch: Silent) -> dict[str, bytes]:
        one = learner(known, objective=objective, optimiser=optimiser, normalise=True)
        learn(one, epochs=4, patience=4, rng=np.random.Generator(np.random.PCG64(5)), watch=watch)
        return {name: array.tobytes() for name, array in copied(held(one)).items()}

    kept: list[Any] = []
    undisturbed = run(Kept(kept))
    assert run(Kept(list(kept), 2)) == undisturbed
    without_moments = [
        ({name: array * (1 - name.endswith(("VD", "V", "_1"))) for name, array in kept[1][0].items()}, kept[1][1])
    ]
    assert run(Kept(without_moments, 1)) != undisturbed


def test_what_draws_mean_for_each_objective() -> None:
    drawn = {objective: Config(objective=objective).draws for objective in ("softmax", *OBJECTIVES)}
    assert drawn == {"softmax": 2048, "classification": 2, "regression": 2, "bpr": 2}
    assert Config(objective="bpr", negatives=5).draws == 5
    with pytest.raises(ValueError, match="negatives is 0, allowed: null, or 1 or more"):
        Config(negatives=0)


def test_the_first_book_recommender_is_a_block_of_settings() -> None:
    page = (Path(__file__).parents[2] / "docs" / "families" / "pairs-objectives.md").read_text()
    block = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])["models"]["books-first"]
    assert block.pop("family") == "pairs"
    del block["catalogue"]
    case = planted_links()
    config = build(Config, block | {"epochs": 60, "learning_rate": 0.02}, "models.books-first")
    encoder = pairs.fit(case.split.train, config, rng=np.random.Generator(np.random.PCG64(7)), watch=Silent())
    figure, baseline, _ = link_recall_beside_popularity(encoder, case.split)
    assert figure > baseline + 0.2
