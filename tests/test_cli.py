"""The command line, by what people see and schedulers get: text, exit codes, and no traceback."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from kindex import cli
from kindex.cli import doctor, releases
from kindex.cli.text import printable, table
from kindex.core import outbox
from kindex.core.catalogue import write_table
from kindex.core.layout import Layout
from kindex.core.pointer import promote
from kindex.core.quarantine import QUARANTINE, entry, refused_path
from kindex.core.quarantine import table as quarantine_table
from tests.ask.project import VECTORS, make_stages, release

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two releases, the second one live."""
    layout = make_stages(tmp_path_factory.mktemp("made"))
    release(layout)
    make_stages(layout.root, VECTORS[::-1].copy(), recall=0.625)
    release(layout, night="2024-05-02")
    return layout


@pytest.fixture
def layout(made, tmp_path, monkeypatch):
    shutil.copytree(made.root, tmp_path / "project")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path / "project"))
    return Layout(tmp_path / "project")


@pytest.fixture
def kindex(layout, monkeypatch, capsys):
    def run(*arguments):
        """Exit code, stdout, stderr."""
        monkeypatch.setattr(sys, "argv", ["kindex", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        assert "Traceback" not in written.err
        return end.value.code or 0, written.out, written.err

    return run


def test_help_names_every_command_with_examples(kindex):
    code, out, _ = kindex("--help")
    assert code == 0
    for command in (
        "similar",
        "analogy",
        "releases",
        "verify",
        "rollback",
        "report",
        "diff",
        "approve",
        "reject",
        "rebuild",
        "gc",
        "quarantine",
        "lock",
        "forget",
        "status",
        "plan",
        "nights",
        "pause",
        "resume",
        "settings",
        "doctor",
    ):
        assert f" {command} " in out
        assert kindex(command, "--help")[0] == 0
    assert "kindex similar modules-pairs torch.optim.adam -k 5" in out
    assert "5 locked by another run" in out


def test_similar_prints_scores_ids_and_descriptions(kindex):
    code, out, err = kindex("similar", "words-pairs", "torch.optim.adam", "-k", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["score", "id", "description"]
    rows = [line.split(maxsplit=2) for line in out.splitlines()[1:]]
    hits = json.loads(kindex("similar", "words-pairs", "torch.optim.adam", "-k", "2", "--json")[1])
    assert rows == [[f"{hit['score']:.3f}", hit["id"], hit["description"]] for hit in hits]
    assert len(hits) == 2 and hits[0]["score"] > hits[1]["score"]


def test_analogy_and_minus_are_one_question(kindex):
    asked = kindex("analogy", "words-pairs", "--plus", "king", "--plus", "woman", "--minus", "man", "--release", "v0001")
    assert asked[1].splitlines()[1].split()[1] == "queen"
    one = ("--release", "v0001", "--json", "-k", "3")
    plus = kindex("analogy", "words-pairs", "--plus", "king", "--minus", "man", *one)
    assert kindex("similar", "words-pairs", "king", "--minus", "man", *one) == plus


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["similar", "words-pairs", "Adam"], 2, "did you mean torch.optim.adam"),
        (["similar", "word-pairs", "king"], 2, "did you mean words-pairs"),
        (["similar", "words-pairs", "king", "--kind", "film"], 2, "Allowed: book, word"),
        (["similar", "words-pairs", "king", "--release", "v9"], 2, "no release 'v9'"),
        (["similar", "words-pairs", "king", "-k", "0"], 2, "-k"),
        (["similar", "words-pairs"], 2, "id"),
        (["similarr"], 2, "similar"),
        (["releases", "x"], 2, "no model named 'x': Allowed: words-pairs"),
        (["rollback", "words-pairs", "--to", "v0009"], 2, "no release 'v0009'"),
        (["quarantine", "wrds"], 2, "did you mean words"),
        (["quarantine", "words"], 2, "dvc repro validate@words"),
        (["lock"], 2, "or give --all. Catalogues: words"),
        (["--root", "/nonexistent", "releases"], 2, "no params.yaml in /nonexistent"),
    ],
)
def test_what_a_person_can_cure_is_one_message_and_an_exit_code(kindex, arguments, code, said):
    found, out, err = kindex(*arguments)
    assert (found, out) == (code, "")
    assert said in err


def test_releases_shows_what_is_live_and_how_good_it_was(kindex):
    lines = [line.split() for line in kindex("releases")[1].splitlines()]
    assert lines[0] == ["model", "version", "night", "digest", "headline", "verdict", "parent"]
    assert lines[1][:4] == ["words-pairs", "v0002", "live", "2024-05-02"]
    assert lines[1][5:] == ["link_recall_at_10", "0.625", "passed", "v0001"]
    assert lines[2][:3] == ["words-pairs", "v0001", "2024-05-01"]


def test_verify_names_the_damaged_file(kindex, layout):
    assert kindex("verify")[1].startswith("words-pairs v0002 is whole: 16 files")
    (layout.releases("words-pairs") / "v0002" / "report.json").write_bytes(b"{}")
    code, out, err = kindex("verify", "words-pairs")
    assert (code, out) == (3, "")
    assert "v0002/report.json is damaged" in err
    assert kindex("verify", "words-pairs", "--release", "v0001")[0] == 0
    (layout.releases("words-pairs") / "v0001" / "manifest.json").write_bytes(b"")
    assert "damaged" in kindex("releases")[1].splitlines()[2]


@pytest.mark.parametrize("reachable", [True, False])
def test_rollback_moves_the_pointer_and_leaves_word_for_mlflow(kindex, layout, monkeypatch, reachable):
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0 if reachable else 6)

    monkeypatch.setattr(releases.subprocess, "run", run)
    code, out, _ = kindex("rollback", "words-pairs")
    assert code == 0
    assert out.splitlines()[0] == "words-pairs: v0002 → v0001 is live"
    assert ("aliases followed" if reachable else "follow with the next night") in out
    (message,) = outbox.pending(layout.outbox)
    assert (message.kind, message.key) == ("aliases", "words-pairs")
    assert message.payload == {"model": "words-pairs", "candidate": "v0002", "champion": "v0001"}
    assert asked == [[sys.executable, "-m", "tasks.tracking", "--root", str(layout.root), "replay"]]
    assert "withdrawn" in kindex("releases")[1].splitlines()[1]
    assert kindex("rollback", "words-pairs")[0] == 2
    assert kindex("rollback", "words-pairs", "--to", "v0001")[1] == "words-pairs is at v0001 already\n"


def test_report_is_of_the_live_release_else_of_the_last_evaluation(kindex, layout):
    live = layout.releases("words-pairs") / "v0002" / "notes" / "report.html"
    assert kindex("report", "words-pairs")[1] == f"{live}\n"
    shutil.rmtree(layout.releases("words-pairs"))
    assert kindex("report", "words-pairs")[1] == f"{layout.out('evaluate', 'words-pairs') / 'report.html'}\n"
    assert kindex("releases")[1] == "nothing was released yet: `make nightly` releases\n"
    assert kindex("verify")[0] == 2


def test_an_id_of_two_kinds_says_which_was_asked_about(kindex):
    assert kindex("similar", "words-pairs", "king")[2] == "king as word; --kind book asks about the other\n"
    assert kindex("similar", "words-pairs", "king", "--kind", "book")[2] == ""
    assert kindex("similar", "words-pairs", "queen")[2] == ""


def test_quarantine_shows_a_stopped_night_before_the_last_that_passed(kindex, layout):
    for path, rule in (
        (layout.out("validate", "words") / "quarantine.parquet", "old"),
        (refused_path(layout, "words"), "new"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, quarantine_table([entry("items", 1, rule, "x", "here", {})]))
    assert "By rule: new 1" in kindex("quarantine", "words")[1]
    refused_path(layout, "words").unlink()
    assert "By rule: old 1" in kindex("quarantine", "words")[1]


def test_quarantine_filters_limits_and_writes_safe_csv(kindex, layout):
    values = ["=1+1", "\x1b[31mred\u202egnp", "plain", "a,b\nc"]
    rows = [entry("items", row, "rule-b" if row == 2 else "rule-a", value, "f.csv", {}) for row, value in enumerate(values)]
    path = layout.out("validate", "words") / "quarantine.parquet"
    path.parent.mkdir(parents=True)
    write_table(path, pa.Table.from_pylist(rows, QUARANTINE))
    out = kindex("quarantine", "words", "--limit", "3")[1]
    assert "\\x1b[31mred\\u202egnp" in out and "\x1b" not in out and "\u202e" not in out
    assert out.splitlines()[-1] == "3 of 4 rows shown. By rule: rule-a 3, rule-b 1"
    assert "plain" in kindex("quarantine", "words", "--rule", "rule-b")[1]
    assert "did you mean rule-b or rule-a" in kindex("quarantine", "words", "--rule", "rule-bb")[2]
    parsed = list(csv.reader(io.StringIO(kindex("quarantine", "words", "--csv")[1])))
    assert [row[3] for row in parsed] == ["value", "'=1+1", "\\x1b[31mred\\u202egnp", "plain", "a,b\\nc"]
    write_table(path, pa.Table.from_pylist([], QUARANTINE))
    assert kindex("quarantine", "words")[1] == "no row of words was refused\n"


def test_settings_lists_blocks_defaults_and_meanings(kindex):
    out = kindex("settings")[1]
    assert "Models: words-pairs (pairs of words)" in out
    assert "max_quarantine_share  0.05" in out
    assert "models.NAME, family pairs" in out and "models.NAME, family autoencoder" in out
    assert "of all rows of one table; above it the night stops" in out


def test_check_passes_the_projects_own_files_and_names_what_is_wrong_in_others(kindex, layout, monkeypatch):
    shutil.copy(REPOSITORY / "params.yaml", layout.params)
    shutil.copytree(REPOSITORY / "src", layout.root / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    good = (REPOSITORY / "dvc.yaml").read_text()

    def check(old, new):
        assert old in good
        (layout.root / "dvc.yaml").write_text(good.replace(old, new, 1))
        return kindex("check")

    assert check("", "")[:2] == (0, "params.yaml: 3 catalogues, 3 models. dvc.yaml: 18 stages. All well\n")
    for old, new, said in [
        ("  train:", "  trane:", "dvc.yaml has a stage trane: did you mean train"),
        ("foreach: ${models}", "foreach: ${catalogues}", "the stage train must run `foreach: ${models}`"),
        (
            "kindex.stages split ${key}",
            "kindex.stages splt ${key}",
            "split@modules runs 'python -m kindex.stages splt modules'",
        ),
        (
            'outs: ["data/split/${key}"]',
            'outs: ["data/spilt/${key}"]',
            "split@modules writes data/spilt/modules, allowed: data/split",
        ),
        (
            "src/kindex/stages/split.py",
            "src/kindex/stages/spilt.py",
            "depends on src/kindex/stages/spilt.py, which does not exist",
        ),
        ("catalogues.${key}.checks", "catalogues.${key}.cheks", "reads the parameter catalogues.modules.cheks"),
        ("${item.family}", "${item.famly}", "uses ${item.famly}, which the block of modules-pairs"),
    ]:
        code, _, err = check(old, new)
        assert code == 2 and said in err, (said, err)
    raw = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    raw["models"]["modules-pairs"]["family"] = "pears"
    layout.params.write_text(yaml.safe_dump(raw))
    assert "models.modules-pairs.family is 'pears': did you mean pairs" in check("", "")[2]


def states(layout):
    return {finding.subject: (finding.state, finding.text) for finding in doctor.examine(layout)}


def test_the_doctor_finds_each_illness_and_names_a_cure(kindex, layout, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (layout.root / ".dvc").mkdir()
    (layout.root / ".dvc" / "config").touch()
    (layout.root / "constraints.txt").write_text("# pins\nnumpy==0.0.1  # old\nnot-installed==1\n")
    (layout.root / "data" / ".work" / "train@words-pairs").mkdir(parents=True)
    (layout.releases("words-pairs") / ".new-1-x").mkdir()
    (layout.var / "mlflow").mkdir(parents=True)
    (layout.var / "mlflow" / "mlflow.db").write_bytes(b"not a database, but long enough to look at" * 10)
    outbox.put(layout.outbox, "model", {}, "k")
    found = states(layout)
    assert found["python"][0] == "ok"
    assert found["packages"][0] == "fail" and "(pinned 0.0.1)" in found["packages"][1]
    assert found["mlflow"][0] == "fail"
    assert found["prefect"] == ("ok", "no store yet: the first night makes it")
    assert found["dvc"][0] == "ok"
    assert (
        found["leftovers"][0] == "warn"
        and ".new-1-x" in found["leftovers"][1]
        and "train@words-pairs" in found["leftovers"][1]
    )
    assert found["outbox"] == ("warn", "1 messages wait for an outside system")
    assert found["lock words"] == ("warn", "the source has moved on since it was locked")
    assert found["release words-pairs"] == ("ok", "v0002 is live and whole")
    code, out, _ = kindex("doctor")
    assert code == 6
    assert "→ `make setup` installs the pinned ones" in out
    assert {entry["state"] for entry in json.loads(kindex("doctor", "--json")[1])} == {"ok", "warn", "fail"}


def test_the_doctor_survives_damage_everywhere(layout):
    (layout.releases("words-pairs") / "CURRENT").write_bytes(b"")
    layout.lock("words").write_bytes(b"{")
    found = states(layout)
    assert found["release words-pairs"][0] == found["lock words"][0] == found["dvc"][0] == "fail"
    layout.params.write_text("nonsense")
    assert states(layout)["settings"][0] == "fail"


def test_a_stage_that_runs_now_is_no_leftover(layout):
    from kindex.core import mutex

    (layout.root / "data" / ".work" / "train@words-pairs").mkdir(parents=True)
    with mutex.hold(layout.mutex("train@words-pairs"), "it"):
        assert states(layout)["leftovers"] == ("ok", "none")
    assert states(layout)["leftovers"][0] == "warn"


def test_text_from_data_cannot_move_the_cursor_or_turn_the_line():
    assert (
        printable("a\x1b[2J\x00\x7f\x9b\u202e\u2066\u200b\ud800\nb")
        == "a\\x1b[2J\\x00\\x7f\\x9b\\u202e\\u2066\\u200b\\ud800\\nb"
    )
    assert printable("Łódź 東京 עברית [red]x[/]") == "Łódź 東京 עברית [red]x[/]"
    assert printable("a\nb\x07", lines=True) == "a\nb\\x07"
    assert printable(None) == ""


def test_tables_align_by_cells_and_escape(capsys):
    table(["id", "text"], [["東京", "[bold]x"], ["a\x1b", None]])
    assert capsys.readouterr().out == "id     text\n東京   [bold]x\na\\x1b\n"


def test_the_command_line_is_light(layout):
    heavy = ["torch", "pandas", "sklearn", "great_expectations", "prefect", "dvc", "mlflow"]
    ask = f"""
import sys
sys.argv = ["kindex", "similar", "words-pairs", "king"]
from kindex.cli import main
try: main()
except SystemExit as end: assert not end.code
print(sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)
"""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=env)
    assert done.stderr.splitlines()[-1] == "[]"
    assert "\\u0141\\xf3d\\u017a" in done.stdout  # Łódź, on a terminal that cannot show it


def test_ctrl_c_is_quiet(kindex, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("kindex.ask.live.open_live", interrupted)
    assert kindex("similar", "words-pairs", "king") == (130, "", "")


def test_a_full_disk_is_a_message(kindex, layout, monkeypatch):
    monkeypatch.setattr(
        releases.pointer, "rollback", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left", "CURRENT"))
    )
    code, _, err = kindex("rollback", "words-pairs")
    assert code == 6 and "No space left" in err


def test_python_asks_the_same_question(layout):
    import kindex

    promote(layout.releases("words-pairs"), "v0001", "v0002")
    assert kindex.open("words-pairs").similar("king", k=1)[0].id == "man"
