"""Blocks of YAML as frozen dataclasses. A key that nobody reads is an error at once, and so is one given twice."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from kindex.core.errors import ConfigError, choices
from kindex.core.files import canonical_json

_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")

T = TypeVar("T")


def read_yaml(path: Path) -> Any:
    """The file's content. Raises `ConfigError` when it is missing or not YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None


class _Loader(yaml.SafeLoader):
    """A key given twice is an error: plain YAML silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<" and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def build(cls: type[T], block: Any, where: str) -> T:
    """`block` (parsed YAML) as the dataclass `cls`. Types are strict: `true` is not 1 and `"50"` is not 50, but `1e-3`,
    which YAML 1.1 reads as text, is a float where one is wanted.

    Raises `ConfigError` that names `where`, the value, what is allowed and the file.
    """
    plain = _known(cls, block, where)
    try:
        # by way of JSON, where strict types still let a list be a tuple and a mapping be a dataclass
        return TypeAdapter(cls).validate_json(canonical_json(plain), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *(str(part) for part in first["loc"])])
        shown = first["type"] != "missing" and not isinstance(first["input"], dict)
        value = f" is {first['input']!r}" if shown else ""
        message = "it is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        message = message.replace("Input should be", "allowed:", 1)
        raise ConfigError(f"{place}{value}: {message}. Edit params.yaml") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} holds something that is not a plain setting: {error}. Quote it in params.yaml") from None


def _known(cls: Any, block: Any, where: str) -> dict[str, Any]:
    """`block` with only known keys, also in the blocks inside it, and with exponents where a float is wanted as floats."""
    if not isinstance(block, Mapping):
        raise ConfigError(f"{where} is {block!r}, allowed: a mapping of settings. Edit params.yaml")
    types = get_type_hints(cls)
    fields = [f.name for f in dataclasses.fields(cls)]
    plain = {}
    for key, value in block.items():
        if key not in fields:
            raise ConfigError(f"{where}.{key} is not a setting: {choices(str(key), fields)}. Edit params.yaml")
        inner = dataclasses.is_dataclass(types[key])
        plain[key] = _known(types[key], value, f"{where}.{key}") if inner else value
        if "float" in str(types[key]):
            plain[key] = _float(value)
    return plain


def _float(value: Any) -> Any:
    """`'1e-3'` as 0.001; anything else as it is."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value
