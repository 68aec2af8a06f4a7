"""Where a database is, and who may know it: passwords come from the environment and stay out of locks, logs and errors.

sqlite:data/shop.db                              a file, relative to the project
postgresql://kindex:${SHOP_PASSWORD}@db/shop     ${NAME} is taken from the environment when the database is opened
${SHOP_URL}                                      or all of it is
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from kindex.core.errors import ConfigError

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
POSTGRESQL = ("postgresql://", "postgres://")
SCHEMES = ("sqlite:", *POSTGRESQL)
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Place:
    """A database. `uri` is what its driver takes; `shown` may be read by anybody."""

    driver: str  # sqlite or postgresql
    uri: str
    shown: str
    secrets: tuple[str, ...] = ()

    def redacted(self, message: str) -> str:
        """`message` on one line without anything secret."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            message = message.replace(secret, "***")
        return " ".join(message.split())

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"  # a traceback that prints locals must not show the password


def check(uri: str) -> None:
    """Raises `ValueError`, which does not repeat the uri, when it names no known database or holds a password."""
    if VARIABLE.fullmatch(uri):
        return
    if not uri.startswith(SCHEMES):
        raise ValueError(f"uri must begin with {', '.join(SCHEMES)} or be one ${{NAME}} of the environment")
    if VARIABLE.sub("", _password(uri)):
        raise ValueError("uri holds a password. Write ${NAME} in its place and set NAME in the environment")


def shown(uri: str) -> str:
    """`uri` as params.yaml has it, without a password and without options."""
    if not uri.startswith(POSTGRESQL):
        return uri
    scheme, _, rest = uri.partition("://")
    user, at, where = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{where.partition('?')[0]}"


def place(uri: str, root: Path) -> Place:
    """Raises `ConfigError` naming a variable that is not set, or a file of SQLite that is not there."""
    secrets: list[str] = []
    head, at, tail = uri.rpartition("@")
    full = _expanded(head, secrets, quoted=True) + at + _expanded(tail, secrets, quoted=False)
    if VARIABLE.fullmatch(uri):
        secrets = [full] if not full.startswith("sqlite:") else []
        if not full.startswith(SCHEMES):
            raise ConfigError(f"source.uri: {uri} of the environment must begin with {', '.join(SCHEMES)}")
    if full.startswith("sqlite:"):
        return _sqlite(full, uri, root)
    if password := _password(full):
        # a password that was not escaped falls to pieces, of which libpq shows some
        secrets += [password, unquote(password), *(piece for piece in re.split("[@/?:]", password) if len(piece) > 1)]
    if "connect_timeout=" not in full:
        full += f"{'&' if '?' in full else '?'}connect_timeout={CONNECT_SECONDS}"
    return Place("postgresql", full, shown(uri), tuple(secret for secret in secrets if secret))


def _sqlite(full: str, uri: str, root: Path) -> Place:
    name = re.sub("^///", "", full.removeprefix("sqlite:"))  # SQLAlchemy's spelling: three slashes, then the path
    path = root / name
    if not path.is_file():
        raise ConfigError(f"source.uri names {name}, which is not a file. Edit params.yaml")
    return Place("sqlite", f"file:{quote(str(path.resolve()))}?mode=ro", uri)


def _expanded(text: str, secrets: list[str], quoted: bool) -> str:
    """`text` with variables replaced; what stands before the @ of a uri is escaped as a uri wants it."""

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name not in os.environ:
            raise ConfigError(f"source.uri names ${{{name}}}, which is not set in the environment")
        given = os.environ[name]
        if quoted:
            secrets.extend([given, quote(given, safe="")])
        return quote(given, safe="") if quoted else given

    return VARIABLE.sub(value, text)


def _password(uri: str) -> str:
    """What stands where a password does: behind the user's name, or in the options."""
    if not uri.startswith(POSTGRESQL):
        return ""
    rest = uri.partition("://")[2]
    user, _, where = rest.rpartition("@")
    options = re.findall(r"(?:^|[?&])(?:ssl)?password=([^&]*)", where)
    return user.partition(":")[2] + "".join(options)
