"""What a flow run's page shows of a night: the table of stages, the night in Markdown, a link to each report."""

from flows.summary import Account, ModelAccount, as_rows, plain, standing
from kindex.core.layout import Layout
from tasks.links import address
from tasks.orchestration import Conductor


def show(conductor: Conductor, layout: Layout, name: str, account: Account) -> None:
    """All of them. A server that went away costs them, and nothing else."""
    runs = {run.target: run for model in account.models for run in model.runs}
    conductor.table(name, as_rows(list(runs.values())), f"{name} {account.night}: what ran, and why")
    conductor.page("night", markdown(layout, name, account), f"{name} {account.night}")
    for model in account.models:
        if model.report:
            key = f"report-{model.name.lower().replace('_', '-')}"
            conductor.link(key, address(layout, model.report, "file://"), model.name)


def markdown(layout: Layout, name: str, account: Account) -> str:
    """The night as a page: a row for each model, what went wrong, and where to look."""
    lines = [f"# {name} {account.night}", "", "| model | release | gate | report |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row(layout, model))} |" for model in account.models]
    lines += ["", *(f"* stopped, exit code {code}: {escaped(text)}" for code, text in account.troubles)]
    lines += [f"* notice: {escaped(text)}" for text in account.notices]
    history = address(layout, layout.nights / "index.html", "file://")
    lines += ["", f"[All nights]({history}) · `kindex status` · {account.total:.0f} s"]
    return "\n".join(lines)


def row(layout: Layout, model: ModelAccount) -> list[str]:
    """Model, release, gate and report of one model."""
    if model.published is None:
        return [escaped(model.name), f"none; {model.live or 'no release'} stays live", "", ""]
    lines = model.published.verdict.get("lines", [])
    passed = sum(bool(line["passed"]) for line in lines)
    failures = "".join(f"<br>{escaped(failure)}" for failure in model.published.failures)
    report = f"[report]({address(layout, model.report, 'file://')})" if model.report else ""
    return [escaped(model.name), escaped(standing(model.published)), f"{passed} of {len(lines)} lines{failures}", report]


def escaped(text: str) -> str:
    """Messages hold ids, and ids come from data: nothing of them may become a tag, a link or a cell."""
    shown = plain(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]|!" else character for character in shown)
