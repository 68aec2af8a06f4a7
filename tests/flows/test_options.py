import pytest

from flows import nightly, retrain
from flows.options import Options, parse


def test_the_night_is_the_calendars_unless_said():
    assert parse("nightly", "", []) == Options()
    assert parse("nightly", "", ["--date", "2026-03-29"]) == Options("2026-03-29", dated=True)


def test_options_of_the_two_flows():
    night = parse("nightly", "", ["--only", "a", "b", "--force", "--root", "/p", "--date", "2026-11-21"])
    assert night == Options("2026-11-21", "/p", ("a", "b"), force=True, again=True, dated=True)
    assert parse("nightly", "", ["--missed", "each", "--full"]) == Options(missed="each", full=True)
    assert parse("retrain", "", ["a"]) == Options(models=("a",), force=True)


@pytest.mark.parametrize("arguments", [["--date", "29.3.2026"], ["--date", "2026-02-30"], ["--onyl", "a"], ["a"]])
def test_a_wrong_option_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        nightly.main(arguments)
    assert caught.value.code == 2


def test_a_wrong_date_is_named(capsys):
    with pytest.raises(SystemExit):
        nightly.main(["--date", "tomorrow"])
    assert "'tomorrow' is not a date: write YYYY-MM-DD" in capsys.readouterr().err


@pytest.mark.parametrize("main", [nightly.main, retrain.main])
def test_help_tells_the_exit_codes(main, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    for line in (
        "another night or flow holds the project",
        "a gate held a candidate back",
        "params.yaml or an option is wrong",
    ):
        assert line in said
