"""What one Python file says of itself: the absolute names it imports and the first line of its docstring.

It imports the standard library only: worker processes load it and nothing heavier.
"""

import ast
import hashlib
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path


@dataclass(frozen=True)
class ModuleFile:
    """One importable .py file. `path` is relative to the folder `root` that it was found in."""

    module: str
    distribution: str
    root: str
    path: str
    sha256: str

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")


@dataclass(frozen=True)
class Parsed:
    """`imports` holds (base, name) pairs, each once, sorted; see `imports`. `damage` is set when the file has changed."""

    imports: tuple[tuple[str, str], ...] = ()
    description: str | None = None
    error: str | None = None
    damage: bool = False


def parse_file(file: ModuleFile) -> Parsed:
    """Read, check against the file's sha256 and parse. It never raises for what the file holds."""
    try:
        source = (Path(file.root) / file.path).read_bytes()
    except OSError as error:
        return Parsed(damage=True, error=error.strerror)
    if hashlib.sha256(source).hexdigest() != file.sha256:
        return Parsed(damage=True, error="its sha256 is not the one recorded")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in other people's code is no news
            tree = ast.parse(source, file.path)
        return Parsed(tuple(sorted(set(imports(tree, file.module, file.is_package)))), first_line(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Parsed(error=f"{type(error).__name__}: {error}")


def imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[str, str]]:
    """(base, name) for each import statement of `tree`, made absolute (Python language reference, 7.11).

    `import a.b` and `from a.b import *` give ("a.b", ""), `from a.b import c` gives ("a.b", "c"). `from __future__`
    is a directive to the compiler, not an import; a relative import that climbs out of its package imports nothing.
    """
    parts = module.split(".") if is_package else module.split(".")[:-1]
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            if node.level > len(parts):
                continue
            package = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield from ((base, "" if alias.name == "*" else alias.name) for alias in node.names)


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement at any depth. Imports are statements, so expressions, most of a tree, need no visit."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                waiting.extend(inner)


def first_line(tree: ast.Module) -> str | None:
    """The first line of the module's docstring, or None."""
    text = ast.get_docstring(tree, clean=True)
    line = text.strip().partition("\n")[0].strip() if text else ""
    return line or None


def die_with_parent() -> None:
    """For a pool's worker: leave when the parent is killed, which closes no queue that a worker waits on."""
    parent = parent_process()
    if parent is not None:  # it is None outside a pool
        threading.Thread(target=_leave_after, args=(parent,), daemon=True).start()


def _leave_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
