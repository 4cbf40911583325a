"""Values from command lines and papermill are what their types say, or refused."""

import argparse
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from videomdm.conventions import DataError
from videomdm.parameters import argument, expectation, parse


@dataclass(frozen=True)
class Sizes:
    width: int
    dropout: float = 0.1
    name: str | None = None


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2024_06", str, "2024_06"),
        ("false", str, "false"),
        ("", str, ""),
        ("8", int, 8),
        ("8.0", int, 8),
        (8.0, int, 8),
        ("-3", int, -3),
        ("1e3", int, 1000),
        ("400_000", int, 400_000),
        ("12345678901234567890", int, 12345678901234567890),
        ("1.75", float, 1.75),
        (" 1.75 ", float, 1.75),
        (".5", float, 0.5),
        ("1e-4", float, 1e-4),
        (2, float, 2.0),
        ("True", bool, True),
        ("false", bool, False),
        ("No", bool, False),
        ("0", bool, False),
        (1, bool, True),
        ("a/b", Path, Path("a/b")),
        (Path("a"), Path, Path("a")),
        ("ddim", Literal["ddpm", "ddim"], "ddim"),
        (None, float | None, None),
        ("None", float | None, None),
        ("null", str | None, None),
        ("1.75", float | None, 1.75),
        ('["a", "b"]', list[str], ["a", "b"]),
        ([1, "2"], tuple[int, ...], (1, 2)),
        ('{"width": 8.0, "name": null}', Sizes, Sizes(8)),
        ({"width": "8", "dropout": "0"}, Sizes, Sizes(8, 0.0)),
        (Sizes(3), Sizes | None, Sizes(3)),
    ],
)
def test_values(text, kind, value):
    found = parse("x", text, kind)
    assert found == value and type(found) is type(value)


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    found = [parse("x", given, Path) for given in ("~/a", Path("~/a"), "./~/a", "~nobody at all/a")]
    assert [str(path) for path in found] == ["/home/somebody/a", "/home/somebody/a", "~/a", "~nobody at all/a"]


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        (202406, str, "text"),
        (True, str, "text"),
        (None, str, "text"),
        ("1,75", float, "a number with a point, such as 1.75"),
        ("1,75", float | None, "a number with a point, such as 1.75"),
        ("1.234,5", float, "a number such as 1.75"),
        ("2024_06", float, "a number"),
        ("nan", float, "a number"),
        ("1e999", float, "a number"),
        (math.inf, float, "a number"),
        (True, float, "a number"),
        ("1.7 m", float, "a number"),
        ("٣", int, "a whole number"),
        ("2024_06", int, "a whole number such as 8"),
        ("8.5", int, "a whole number"),
        (math.nan, int, "a whole number"),
        ("1e9999999999", int, "a whole number"),
        (False, int, "a whole number"),
        ("", int, "a whole number"),
        ("falsch", bool, "true or false"),
        (2, bool, "true or false"),
        (1.0, bool, "true or false"),
        ("", Path, "a path"),
        ("", str | None, "text, or none"),
        (3, Path, "a path"),
        ("DDIM", Literal["ddpm", "ddim"], "one of ddpm, ddim"),
        ("a,b", list[str], 'JSON such as ["a", "a"]'),
        ('"a"', list[str], "JSON such as"),
        ("width=8", Sizes, "JSON with some of width, dropout, name"),
        ("[8]", Sizes, "JSON with some of"),
        ("{}", Sizes, "a value for width"),
    ],
)
def test_refused_with_name_value_and_what_was_expected(given, kind, expected):
    with pytest.raises(DataError, match=re.escape(f"height is {given!r}, expected {expected}")):
        parse("height", given, kind)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"width": "wide"}', "weights.width is 'wide', expected a whole number"),
        ('{"width": 8, "dropout": NaN}', "weights.dropout is nan, expected a number"),
        ('{"width": 8, "dropuot": 0}', "weights.dropuot is 0, expected no such field, but some of width"),
    ],
)
def test_fields_are_named(given, message):
    with pytest.raises(DataError, match=re.escape(message)):
        parse("weights", given, Sizes)


def test_items_are_named():
    with pytest.raises(DataError, match=re.escape("rows[1] is 'b', expected a whole number")):
        parse("rows", '[1, "b"]', list[int])


def test_a_type_that_nobody_reads():
    with pytest.raises(TypeError, match="x: no way to read values of type"):
        parse("x", "1", complex)


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text()))
def test_what_json_writes_is_read_again(value):
    kind = type(value)
    assume(kind is not float or abs(value) < 1e300)
    text = value if kind is str else json.dumps(value)
    assert parse("x", text, kind) == value


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none())
def test_nothing_else_comes_out(given):
    for kind in (int, float, bool, Path, str):
        try:
            assert isinstance(parse("x", given, kind), kind)
        except DataError as error:
            assert expectation(kind).split()[0] in str(error)


def test_an_option_says_what_it_expected(capsys):
    parser = argparse.ArgumentParser(prog="p")
    parser.add_argument("--height", type=argument(float))
    assert parser.parse_args(["--height", "1.75"]).height == 1.75
    with pytest.raises(SystemExit):
        parser.parse_args(["--height", "1,75"])
    expected = "p: error: argument --height: '1,75', expected a number with a point, such as 1.75\n"
    assert capsys.readouterr().err.endswith(expected)
