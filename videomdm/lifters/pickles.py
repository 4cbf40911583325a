"""Arrays out of pickles that others wrote, without running anything that a pickle asks for.

A pickle is a little program that may call whatever it can import.  Here every name that it asks for is looked up in an
allow-list (``pickle.Unpickler.find_class``) that imports nothing: dictionaries, and stand-ins for numpy's and
joblib's arrays, which make plain data.  Not numpy's own constructors, as a type that is made up badly crashes them.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from videomdm.conventions import DataError

_KINDS = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f2", "f4", "f8", "b1"}


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
        with path.open("rb", buffering=0) as file:  # not read ahead: joblib's arrays lie between instructions
            return _plain(_Unpickler(file, path.stat().st_size).load())
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


class _Constructor:
    """What a pickle gets for a name: it can be called, and nothing else."""

    def __init__(self, make: Callable) -> None:
        self.make = make

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("it sets up a constructor")


class _Dtype:
    """Stands for ``numpy.dtype``: a kind and a byte order."""

    def __init__(self, kind: str, *_: Any) -> None:
        if kind not in _KINDS:
            raise _Refused(f"an array of type {str(kind)[:40]!r}")
        self.dtype = np.dtype(kind)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for a numpy array that is being put together."""

    value: np.ndarray | None = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _shaped(np.frombuffer(data, _dtype(dtype)), shape, "F" if fortran else "C")


class _JoblibArray(_Array):
    """Stands for joblib's header of an array whose bytes follow in the file; readers have one with their file each."""

    file: BinaryIO
    size: int

    def __setstate__(self, header: dict) -> None:
        dtype, shape = _dtype(header["dtype"]), header["shape"]
        if header.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])  # padding: its length, then so many bytes
        length = math.prod(shape) * dtype.itemsize
        if not 0 <= length <= self.size - self.file.tell():
            raise _Refused(f"an array of {length} bytes in a file of {self.size}")
        self.value = _shaped(np.frombuffer(self.file.read(length), dtype), shape, header["order"])


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


def _empty(*_: Any) -> dict:
    return {}


def _encoded(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise _Refused(f"bytes in {encoding!r}")
    return text.encode("latin1")


_NAMES: dict[tuple[str, str], Callable] = {
    ("collections", "defaultdict"): _empty,
    ("collections", "OrderedDict"): _empty,
    ("builtins", "dict"): _empty,
    ("__builtin__", "dict"): _empty,
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
    _NAMES[f"{_core}.multiarray", "_reconstruct"] = _Array
    _NAMES[f"{_core}.multiarray", "scalar"] = _scalar
    _NAMES[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file)
        self.joblib_array = type("_JoblibArray", (_JoblibArray,), {"file": file, "size": size})

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return self.joblib_array  # a class, as objects of it are made without calling it
        if (module, name) not in _NAMES:
            raise _Refused(f"it asks for {module[:40]}.{name[:40]}")
        return _Constructor(_NAMES[module, name])

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("it asks for something outside the file")


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
