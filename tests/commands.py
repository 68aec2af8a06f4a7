"""Commands of `kindex` in this process, for the tests of what people read."""

import sys
from collections.abc import Callable

import pytest

from kindex import cli


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """A function of a command's arguments: exit code, stdout, stderr. No command ends in a traceback."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kindex", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        assert "Traceback" not in written.err
        return int(end.value.code or 0), written.out, written.err

    return run
