"""The settings and their meaning, read from the source text, so that listing them imports neither torch nor anything."""

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """One field of a settings dataclass. `default` is "" when it must be given; `meaning` is the comment behind it."""

    name: str
    type: str
    default: str
    meaning: str


def settings(source: Path, cls: str = "Config") -> list[Setting]:
    """The fields of the dataclass `cls` in the Python file `source`, in order; none when it has no such class."""
    text = source.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == cls:
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
            return [_setting(field, lines) for field in fields]
    return []


def _setting(field: ast.AnnAssign, lines: list[str]) -> Setting:
    default = ast.unparse(field.value) if field.value else ""
    if default.startswith("field(default_factory="):
        default = "see there"
    end = field.end_col_offset or 0
    behind = lines[(field.end_lineno or field.lineno) - 1].encode()[end:].decode().strip()
    meaning = behind.removeprefix("#").strip() if behind.startswith("#") else ""
    return Setting(ast.unparse(field.target), ast.unparse(field.annotation), default, meaning)


def package_folder(*parts: str) -> Path:
    """A folder of the installed kindex package."""
    return Path(__file__).resolve().parents[1].joinpath(*parts)
