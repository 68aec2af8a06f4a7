"""The report page: one HTML file that opens offline and says whether a model is good, and what it was made from.

Its text comes from data. Three walls stand before the reader: `text.cleaned` shows what cannot be seen and cuts what is
too long, Jinja escapes everything that is not our own markup, and the page's Content-Security-Policy lets only our own
script run, by its hash.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from kindex.judge.page import account, against, points, quality, spoken
from kindex.judge.page.text import breakable, cleaned, number, visible

SCRIPTS = ("data", "camera", "paint", "pictures", "pick", "card", "legend", "search", "main")
"""Files of `assets/` in the order in which they become one script."""

CONTENTS = {
    "gate": "Gate",
    "against": "Against live",
    "measures": "Measures",
    "curve": "Recall curve",
    "captions": "Captions",
    "search": "Search by description",
    "words": "Words",
    "map": "Map",
    "hubs": "Hubs",
    "neighbours": "Neighbours",
    "training": "Training",
    "index": "Index",
    "costs": "Cost",
    "quarantine": "Quarantine",
    "lineage": "Lineage",
}
"""Sections and their titles, in order. One without evidence is left out, but for the gate's."""


def render(
    evidence: Mapping[str, Any],
    costs: Mapping[str, Mapping[str, Any]],
    verdict: Mapping[str, Any] | None = None,
    release: Mapping[str, Any] | None = None,
    data_docs: str | None = None,
    compared: Mapping[str, Any] | None = None,
) -> str:
    """The page as text; equal arguments give equal text, and whatever is missing is left out of it.

    `evidence` is what evaluation found (`evidence.json`), `costs` the cost of each stage by name, `verdict` the gate's,
    `release` its version, digest, parent and night, `data_docs` where the page of the validation lies, seen from this one,
    `compared` what `kindex.judge.comparison` shows of it beside the live release.
    """
    evidence, costs, verdict, release = (cleaned(part or {}) for part in (evidence, costs, verdict, release))
    beside = against.against(cleaned(compared or {}))
    hubs = quality.hubs(evidence)
    sections = {
        "gate": quality.gate(verdict),
        "against": beside,
        "measures": quality.measures(evidence),
        "curve": quality.recall_curve(evidence),
        "captions": spoken.captions(evidence),
        "search": spoken.searches(evidence),
        "words": spoken.words_of(evidence),
        "map": points.columns(evidence.get("map") or {}),
        "hubs": hubs["rows"],
        "neighbours": account.neighbours(evidence),
        "training": quality.training(evidence),
        "index": account.index_table(evidence, costs),
        "costs": account.cost_table(costs),
        "quarantine": account.quarantine(evidence),
        "lineage": account.lineage(evidence, release),
    }
    style, script = _assets()
    return _template().render(
        **sections,
        contents=[(name, title) for name, title in CONTENTS.items() if sections[name] or name == "gate"],
        head=account.head(evidence, release),
        headline=quality.headline(evidence),
        corrected=hubs,
        carried=quality.carried(evidence),
        since=quality.since(evidence),
        unknown=evidence.get("golden_unknown") or [],
        report=[(name, number(value)) for name, value in (evidence.get("report") or {}).items()],
        data_docs=data_docs,
        live=True,
        map_json=points.script_json(sections["map"]),
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}",
    )


def render_diff(
    model: str, compared: Mapping[str, Any], verdict: Mapping[str, Any] | None, sides: Sequence[Mapping[str, Any]]
) -> str:
    """Two releases side by side as a page of its own, under the same three walls; `verdict` is what the gate of today says of
    the second against the first, `sides` names and values of each."""
    compared, verdict, sides = (cleaned(part or {}) for part in (compared, verdict, list(sides)))
    style, _ = _assets()
    return _template("diff.html").render(
        model=visible(model),
        against=against.against(compared),
        gate=quality.gate(verdict),
        sides=[account.flat(side) for side in sides],
        live=False,
        style=Markup(style),
        policy=f"default-src 'none'; style-src {_source(style)}",
    )


@cache
def _template(name: str = "page.html") -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = breakable
    return environment.get_template(name)


@cache
def _assets() -> tuple[str, str]:
    """The style sheet, and the script as one module."""
    folder = files(__name__) / "assets"
    script = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return (folder / "page.css").read_text(encoding="utf-8"), script


def _source(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style: by the hash of its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
