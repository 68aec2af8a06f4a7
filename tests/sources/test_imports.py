"""What a module imports, against hand-made cases, importlib's own resolution and a slow walk over the whole tree."""

import ast
import hashlib
import importlib.util
import sysconfig
from pathlib import Path

import pytest

from kindex.sources.parts.imports import ModuleFile, imports, parse_file, statements

CASES = [
    ("import a", "p.m", False, {("a", "")}),
    ("import a.b.c as d, e", "p.m", False, {("a.b.c", ""), ("e", "")}),
    ("from a.b import c as d, e", "p.m", False, {("a.b", "c"), ("a.b", "e")}),
    ("from a import *", "p.m", False, {("a", "")}),
    ("from . import x", "p.q.m", False, {("p.q", "x")}),
    ("from . import x", "p.q", True, {("p.q", "x")}),
    ("from .. import x", "p.q.m", False, {("p", "x")}),
    ("from ..r.s import x", "p.q", True, {("p.r.s", "x")}),
    ("from .r import *", "p", True, {("p.r", "")}),
    ("from ... import x", "p.q", False, set()),  # climbs out
    ("from . import x", "m", False, set()),  # a top-level module has no package
    ("from __future__ import annotations", "m", False, set()),
    ("def f():\n  if 1:\n    pass\n  else:\n    import a", "m", False, {("a", "")}),
    (
        "try:\n  import a\nexcept E:\n  import b\nelse:\n  import c\nfinally:\n  import d",
        "m",
        False,
        {(n, "") for n in "abcd"},
    ),
    ("match x:\n  case 1:\n    import a\n  case _:\n    import b", "m", False, {("a", ""), ("b", "")}),
    ("class C:\n  async def f(self):\n    async with x:\n      import a", "m", False, {("a", "")}),
    ("while 0:\n  import a\nelse:\n  import b", "m", False, {("a", ""), ("b", "")}),
]


@pytest.mark.parametrize(("source", "module", "is_package", "expected"), CASES)
def test_imports_by_hand(source, module, is_package, expected):
    assert set(imports(ast.parse(source), module, is_package)) == expected


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize(("module", "is_package"), [("a.b.c", False), ("a.b.c", True), ("a.b.c.d", False), ("a.b", True)])
def test_relative_imports_resolve_as_importlib_does(module, is_package, level):
    package = module if is_package else module.rpartition(".")[0]
    expected = importlib.util.resolve_name("." * level + "x.y", package)
    assert list(imports(ast.parse(f"from {'.' * level}x.y import z"), module, is_package)) == [(expected, "z")]


def test_statements_are_all_that_a_walk_over_every_node_finds():
    folder = Path(sysconfig.get_path("stdlib"))
    for name in ("asyncio/base_events.py", "typing.py", "subprocess.py", "json/decoder.py"):
        tree = ast.parse((folder / name).read_bytes())
        slow = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
        assert {id(node) for node in statements(tree)} == {id(node) for node in slow}


def parse(folder, content: bytes, sha256: str | None = None):
    (folder / "m.py").write_bytes(content)
    return parse_file(ModuleFile("m", "d", str(folder), "m.py", sha256 or hashlib.sha256(content).hexdigest()))


def test_description_is_the_first_line_of_the_docstring(tmp_path):
    assert parse(tmp_path, b'"""\n  Says it.\n\n  More."""').description == "Says it."
    assert parse(tmp_path, b'""" """').description is None
    assert parse(tmp_path, b"x = 1").description is None


@pytest.mark.parametrize(
    "content",
    [
        b"def f(:",
        b"print 1",
        b"\x00",
        b"# -*- coding: klingon -*-",
        b"x = '\xff'",
        b"(" * 5000,
        b"x = " + b"-" * 100_000 + b"1",
    ],
)
def test_what_does_not_parse_is_told_and_never_raised(tmp_path, content):
    result = parse(tmp_path, content)
    assert result.error and not result.damage and not result.imports


def test_a_changed_or_missing_file_is_damage(tmp_path):
    assert parse(tmp_path, b"import a", sha256="0" * 64).damage
    assert parse_file(ModuleFile("n", "d", str(tmp_path), "n.py", "0" * 64)).damage


def test_the_declared_encoding_is_honoured(tmp_path):
    assert parse(tmp_path, '# coding: latin-1\n"""caf\xe9"""'.encode("latin-1")).description == "café"
