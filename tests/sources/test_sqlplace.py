"""A password never stands in params.yaml, a lock or an error, however the uri is written."""

import pytest

from kindex.core.errors import ConfigError
from kindex.sources.parts import sqlplace


@pytest.mark.parametrize(
    "uri",
    ["postgresql://u:canary@h/db", "postgres://u:can${A}ary@h/db", "postgresql://h/db?user=u&password=canary",
     "postgresql://u:can@ry@h/db", "postgresql://u:a/canary@h/db", "mysql://u:canary@h/db", "host=h password=canary",
     "${A}${B}"],
)  # fmt: skip
def test_a_password_in_params_is_refused_and_not_repeated(uri):
    with pytest.raises(ValueError, match=r"uri (holds a password|must begin with sqlite:)") as error:
        sqlplace.check(uri)
    assert "canary" not in str(error.value) and "can@ry" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [("sqlite:data/shop.db", "sqlite:data/shop.db"), ("${SHOP}", "${SHOP}"),
     ("postgresql://u:${A}@h:5433/db?sslmode=require", "postgresql://u@h:5433/db"),
     ("postgresql://${U}:${A}${B}@h/db?password=${A}", "postgresql://${U}@h/db"), ("postgres://h/db", "postgres://h/db")],
)  # fmt: skip
def test_what_a_lock_shows(uri, shown):
    sqlplace.check(uri)
    assert sqlplace.shown(uri) == shown


def test_variables_come_from_the_environment_and_are_escaped(tmp_path, monkeypatch):
    monkeypatch.setenv("A", "p@ss/w:rd%")
    found = sqlplace.place("postgresql://u:${A}@h/db", tmp_path)
    assert found.uri == "postgresql://u:p%40ss%2Fw%3Ard%25@h/db?connect_timeout=10"
    assert "w:rd" not in repr(found) and found.shown == "postgresql://u@h/db"
    assert found.redacted("no p@ss/w:rd% and\n no p%40ss%2Fw%3Ard%25") == "no *** and no ***"
    monkeypatch.setenv("U", "postgresql://u:secret@h/db?connect_timeout=3")
    whole = sqlplace.place("${U}", tmp_path)
    assert whole.uri.endswith("?connect_timeout=3") and whole.redacted("secret") == "***" and whole.shown == "${U}"
    with pytest.raises(ConfigError, match=r"\$\{GONE\}, which is not set"):
        sqlplace.place("postgresql://u:${GONE}@h/db", tmp_path)
    monkeypatch.setenv("U", "canary")
    with pytest.raises(ConfigError, match="must begin with") as error:
        sqlplace.place("${U}", tmp_path)
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("uri", ["sqlite:in/a b%.db", "sqlite:///in/a b%.db"])
def test_a_file_of_sqlite_is_relative_to_the_project_and_is_not_made(tmp_path, uri):
    with pytest.raises(ConfigError, match=r"source\.uri names in/a b%\.db, which is not a file"):
        sqlplace.place(uri, tmp_path)
    assert not (tmp_path / "in").exists()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a b%.db").touch()
    assert sqlplace.place(uri, tmp_path).uri == f"file:{tmp_path}/in/a%20b%25.db?mode=ro"
