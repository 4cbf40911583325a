"""Arrays out of pickles that others wrote, without running anything that a pickle asks for.

A pickle is a little program.  This reader knows only the few instructions that dictionaries, lists, numbers,
strings and numpy arrays need (as ``pickle`` and as ``joblib.dump`` without compression write them), and every
name that such a program may call is one of the constructors below, which make plain data.  Anything else is
refused, and nothing is imported.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from videomdm.conventions import DataError

_KINDS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f2", "f4", "f8", "b1"}
_INSTRUCTIONS = (
    "PROTO", "FRAME", "MARK", "STOP", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
    "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "APPEND", "APPENDS",
    "SETITEM", "SETITEMS", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GLOBAL",
    "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD",
)  # fmt: skip


def load(path: str | Path) -> Any:
    """What a pickle of plain data and arrays holds.

    Args:
        path: a file that ``pickle.dump`` or ``joblib.dump`` wrote, not compressed.

    Returns:
        Dictionaries, lists, tuples, numbers, strings and numpy arrays.

    Raises:
        DataError: not such a file; one that asks for anything else is refused, nothing of it is run.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _plain(_Reader(file, path.stat().st_size).load())
    except FileNotFoundError:
        raise DataError(f"{path}: no such file, expected a pickle of arrays") from None
    except _Refused as error:
        raise DataError(f"{path}: refused, nothing of it was run: {error}; expected a pickle of plain numbers "
                        "and arrays") from None  # fmt: skip
    except Exception as error:  # a damaged program fails in many ways
        raise DataError(f"{path}: not a readable pickle of arrays ({type(error).__name__}: {error}); compressed "
                        "files are not read") from None  # fmt: skip


class _Refused(Exception):
    pass


class _Dtype:
    """Stands for ``numpy.dtype``: a kind and a byte order."""

    def __init__(self, kind: str, *_: Any) -> None:
        if kind not in _KINDS:
            raise _Refused(f"an array of type {str(kind)[:40]!r}")
        self.dtype = np.dtype(kind)

    def build(self, state: tuple) -> _Dtype:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])
        return self


class _Array:
    """Stands for a numpy array that is being put together, or for joblib's header of one."""

    def __init__(self, *_: Any) -> None:
        self.value: np.ndarray | None = None

    def build(self, state: tuple) -> _Array:
        _, shape, dtype, fortran, data = state
        self.value = _shaped(np.frombuffer(data, _dtype(dtype)), shape, "F" if fortran else "C")
        return self

    def read(self, header: dict, file: BinaryIO, size: int) -> _Array:
        """The array whose bytes follow joblib's header in the file."""
        dtype, shape = _dtype(header["dtype"]), header["shape"]
        if header.get("numpy_array_alignment_bytes") is not None:
            file.read(file.read(1)[0])  # padding: its length, then so many bytes
        length = math.prod(shape) * dtype.itemsize
        if not 0 <= length <= size - file.tell():
            raise _Refused(f"an array of {length} bytes in a file of {size}")
        self.value = _shaped(np.frombuffer(file.read(length), dtype), shape, header["order"])
        return self


def _scalar(dtype: _Dtype, data: bytes) -> float:
    return np.frombuffer(data, _dtype(dtype), 1)[0].item()


def _dtype(value: Any) -> np.dtype:
    if not isinstance(value, _Dtype):
        raise _Refused("an array without a type")
    return value.dtype


def _shaped(data: np.ndarray, shape: tuple, order: str) -> np.ndarray:
    if order not in ("C", "F"):
        raise _Refused(f"an array in order {order!r}")
    return data.reshape(shape, order=order).astype(data.dtype.newbyteorder("="))


def _from_buffer(data: bytes, dtype: _Dtype, shape: tuple, order: str) -> _Array:
    """How protocol 5 writes an array."""
    array = _Array()
    array.value = _shaped(np.frombuffer(data, _dtype(dtype)), shape, order)
    return array


def _empty(*arguments: Any) -> dict:
    return {}


def _encoded(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise _Refused(f"bytes in {encoding!r}")
    return text.encode("latin1")


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "defaultdict"): _empty,
    ("collections", "OrderedDict"): _empty,
    ("builtins", "dict"): _empty,
    ("__builtin__", "dict"): _empty,
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Array,
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = _Array
    _NAMES[f"{_core}.multiarray", "scalar"] = _scalar
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Reader(pickle._Unpickler):  # the one in Python: its instructions are a table
    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file)
        self.file, self.size = file, size

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise _Refused(f"it asks for {str(module)[:40]}.{str(name)[:40]}")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("it asks for something outside the file")

    def get_build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, _Array) and isinstance(state, dict):
            made.read(state, self.file, self.size)
        elif isinstance(made, _Dtype | _Array) and isinstance(state, tuple):
            made.build(state)
        else:
            raise _Refused(f"it sets up a {type(made).__name__}")

    def refuse(self) -> None:
        raise _Refused("it has an instruction that plain data do not need")

    dispatch = dict.fromkeys(range(256), refuse)
    for _name in _INSTRUCTIONS:
        _code = getattr(pickle, _name)[0]
        dispatch[_code] = pickle._Unpickler.dispatch[_code]
    dispatch[pickle.BUILD[0]] = get_build


def _plain(value: Any) -> Any:
    """The data with arrays in the place of what stood for them."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(v) for v in value)
    if isinstance(value, _Array):
        return value.value
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise _Refused(f"it holds a {type(value).__name__}")
