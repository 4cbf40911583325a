"""Typed values from outside: settings, options of commands and parameters of pages are read here, by their types.

What is given is text from a command line, or the Python value that papermill or JSON has made of one.  It is what the
type says, or it is refused with its name, what was given and what was expected: ``false`` is no true text, ``1,75`` no
number, and ``2024_06`` no 202406.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import re
import types
import typing
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from videomdm.conventions import DataError

LARGEST_SEED = 2**63 - 1
TRUE, FALSE, NONE = ("true", "yes", "on", "1"), ("false", "no", "off", "0"), ("none", "null")
#: Underscores part thousands only, as in 400_000: 2024_06 is a name and no number.
_NUMBER = re.compile(r"[+-]?(\d{1,3}(_\d{3})+|\d+|(?=\.\d))(\.\d*)?(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")


def parse(name: str, given: object, kind: Any) -> Any:
    """The value of type ``kind`` that was given under a name.

    Args:
        name: for messages.
        given: text, or a Python value.
        kind: ``str``, ``int``, ``float`` (finite), ``bool``, ``Path`` (a ``~`` at its beginning is the home folder),
            ``Literal[...]`` of texts, ``list[X]`` and ``tuple[X, ...]`` (as JSON), a dataclass (as JSON; what is not
            named has its default), or ``X | None``.

    Raises:
        DataError: something else was given.
        TypeError: a ``kind`` that is none of these.
    """
    inner = optional(kind)
    if inner is not None:
        text = given.strip().lower() if isinstance(given, str) else given
        if text == "":  # such as a shell's variable that is not set
            _refuse(name, given, expectation(kind))
        return None if text is None or text in NONE else parse(name, given, inner)
    if dataclasses.is_dataclass(kind):
        return _record(name, given, kind)
    if typing.get_origin(kind) in (list, tuple):
        return _several(name, given, kind)
    if typing.get_origin(kind) is typing.Literal:
        return given if given in typing.get_args(kind) else _refuse(name, given, expectation(kind))
    if kind not in _READERS:
        raise TypeError(f"{name}: no way to read values of type {kind}")
    return _READERS[kind](name, given)


def optional(kind: Any) -> Any:
    """``X`` of ``X | None``; None for any other type."""
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return None
    inner = [k for k in typing.get_args(kind) if k is not type(None)]
    return inner[0] if len(inner) == 1 else None


def expectation(kind: Any) -> str:
    """What a value of a type looks like, in words."""
    inner = optional(kind)
    if inner is not None:
        return f"{expectation(inner)}, or none"
    if dataclasses.is_dataclass(kind):
        return f"JSON with some of {', '.join(f.name for f in dataclasses.fields(kind))}"
    if typing.get_origin(kind) in (list, tuple):
        return f"JSON such as [{', '.join([json.dumps(_EXAMPLES[typing.get_args(kind)[0]])] * 2)}]"
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(typing.get_args(kind))}"
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    example = f" such as {_EXAMPLES[kind]}" if kind in (int, float) else ""
    return words[kind] + example


def argument(kind: Any) -> Callable[[str], Any]:
    """``type=`` of an ``argparse`` argument whose value is read by :func:`parse`."""

    def convert(text: str) -> Any:
        try:
            return parse("", text, kind)
        except DataError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def seed(text: str) -> int:
    """``type=`` of an ``argparse`` argument that is the seed of random numbers, for NumPy's and torch's alike."""
    value = argument(int)(text)
    if not 0 <= value <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{value}, expected a whole number from 0 to {LARGEST_SEED}")
    return value


def _text(name: str, given: object) -> str:
    return given if isinstance(given, str) else _refuse(name, given, expectation(str))


def _path(name: str, given: object) -> Path:
    if not isinstance(given, str | Path) or not str(given).strip():
        _refuse(name, given, expectation(Path))
    return Path(os.path.expanduser(given))  # Path's own fails where there is no such home


def _whole(name: str, given: object) -> int:
    number = _decimal(given)
    if number is None or number != number.to_integral_value():
        _refuse(name, given, expectation(int))
    return int(number)


def _number(name: str, given: object) -> float:
    if isinstance(given, str) and _WITH_COMMA.fullmatch(given.strip()):
        _refuse(name, given, f"a number with a point, such as {given.strip().replace(',', '.')}")
    number = _decimal(given)
    if number is None or not math.isfinite(float(number)):
        _refuse(name, given, expectation(float))
    return float(number)


def _decimal(given: object) -> Decimal | None:
    """The number that was given, exactly; None where it is none."""
    if isinstance(given, str) and _NUMBER.fullmatch(given.strip()):
        return Decimal(given.strip().replace("_", ""))
    if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
        return Decimal(given)
    return None


def _truth(name: str, given: object) -> bool:
    if isinstance(given, bool):
        return given
    text = str(given).strip().lower() if isinstance(given, str | int) else ""
    return text in TRUE if text in TRUE + FALSE else _refuse(name, given, expectation(bool))


_READERS = {str: _text, int: _whole, float: _number, bool: _truth, Path: _path}
_EXAMPLES = {str: "a", int: 8, float: 1.75, bool: True, Path: "a"}


def _record(name: str, given: object, kind: Any) -> Any:
    if isinstance(given, kind):
        return given
    values, hints = _json(name, given, kind), typing.get_type_hints(kind)
    if not isinstance(values, dict):
        _refuse(name, given, expectation(kind))
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(fields)):
        _refuse(f"{name}.{unknown[0]}", values[unknown[0]], f"no such field, but some of {', '.join(fields)}")
    needed = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [n for n in needed if n not in values]:
        _refuse(name, given, f"a value for {', '.join(missing)}")
    return kind(**{key: parse(f"{name}.{key}", value, hints[key]) for key, value in values.items()})


def _several(name: str, given: object, kind: Any) -> Sequence[Any]:
    values = _json(name, given, kind)
    if not isinstance(values, list | tuple):
        _refuse(name, given, expectation(kind))
    inner = typing.get_args(kind)[0]
    return typing.get_origin(kind)(parse(f"{name}[{i}]", value, inner) for i, value in enumerate(values))


def _json(name: str, given: object, kind: Any) -> object:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except json.JSONDecodeError:
        _refuse(name, given, expectation(kind))


def _refuse(name: str, given: object, expected: str) -> NoReturn:
    raise DataError(f"{name} is {given!r}, expected {expected}".removeprefix(" is "))
