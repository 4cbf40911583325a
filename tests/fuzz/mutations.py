"""Ways in which files come out wrong: bytes, the structure of JSON, arrays, lines of text, and names of files.

Each takes a path (a file, or a folder of frames) and a random generator, and changes what lies there.  What no reader
can tell from another motion (somebody who stands elsewhere, is filmed from nearer, or walks backwards) is left out.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

Mutation = Callable[[Path, np.random.Generator], None]


def mutate(path: Path, rng: np.random.Generator) -> str:
    """Spoil a file or folder in one way; returns which."""
    options = OF_FOLDERS if path.is_dir() else OF_FILES[path.suffix] + BYTES
    mutation = options[rng.integers(len(options))]
    mutation(path, rng)
    return mutation.__name__


# ---- bytes -----------------------------------------------------------------------------------------------


def flip_bits(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for at in _places(content, rng, rng.integers(1, 4)):
        content[at] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def overwrite(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    at, length = int(_places(content, rng, 1)[0]), int(rng.integers(1, 64))
    content[at : at + length] = rng.bytes(length) if rng.random() < 0.5 else bytes(length)
    path.write_bytes(content)


def truncate(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(len(content))])


def cut_out(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    first, end = sorted(rng.integers(len(content), size=2))
    path.write_bytes(content[:first] + content[end:])


def insert(path: Path, rng: np.random.Generator) -> None:
    content, at = path.read_bytes(), int(_places(path.read_bytes(), rng, 1)[0])
    path.write_bytes(content[:at] + rng.bytes(rng.integers(1, 32)) + content[at:])


def repeat(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes() * 2)


def _places(content: bytes, rng: np.random.Generator, n: int) -> np.ndarray:
    """Half of all harm is done to the first bytes, where headers are."""
    return rng.integers(min(len(content), 200) if rng.random() < 0.5 else len(content), size=n)


BYTES = [flip_bits, overwrite, truncate, cut_out, insert, repeat]

# ---- text ------------------------------------------------------------------------------------------------

TOKENS = ("", "nan", "-inf", "1e999", "1,5", "0", "-1", "99999999999", "None", "{", "}", "\x00", "é", "人", '"', "true")


def change_word(path: Path, rng: np.random.Generator) -> None:
    words = _text(path).split(" ")
    words[rng.integers(len(words))] = TOKENS[rng.integers(len(TOKENS))]
    path.write_text(" ".join(words))


def change_lines(path: Path, rng: np.random.Generator) -> None:
    lines = _text(path).split("\n")
    i, j = rng.integers(len(lines), size=2)
    way = rng.integers(3)
    if way == 0:
        del lines[i]
    elif way == 1:
        lines.insert(i, lines[j])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    path.write_text("\n".join(lines))


def encode(path: Path, rng: np.random.Generator) -> None:
    text = _text(path) + ("" if path.suffix == ".json" else " é")
    names = ("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32", "cp500")
    path.write_bytes(text.encode(names[rng.integers(len(names))], errors="replace"))


def end_lines(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(_text(path).replace("\n", ("\r", "\r\n", "\n\n")[rng.integers(3)]).encode())


def decimal_commas(path: Path, rng: np.random.Generator) -> None:
    path.write_text(_text(path).replace(".", ","))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


TEXT = [change_word, change_lines, encode, end_lines]

# ---- JSON ------------------------------------------------------------------------------------------------

VALUES = (None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**30, "x", "", [], {}, [[]], [None], 0.5, "12")


def change_node(path: Path, rng: np.random.Generator) -> None:
    _change_json(path, rng, lambda _: VALUES[rng.integers(len(VALUES))])


def scale_node(path: Path, rng: np.random.Generator) -> None:
    factor = (-1, 100, 1e-3, 0, 1e9)[rng.integers(5)]
    _change_json(path, rng, lambda value: _scaled(value, factor))


def wrap_node(path: Path, rng: np.random.Generator) -> None:
    _change_json(path, rng, lambda value: ([value], {"x": value}, str(value))[rng.integers(3)])


def drop_node(path: Path, rng: np.random.Generator) -> None:
    def drop(parent: list | dict, key: int | str) -> None:
        del parent[key]

    _at_node(path, rng, drop)


def repeat_node(path: Path, rng: np.random.Generator) -> None:
    def again(parent: list | dict, key: int | str) -> None:
        if isinstance(parent, list):
            parent.insert(key, parent[key])
        else:
            parent[f"{key}2"] = parent[key]

    _at_node(path, rng, again)


def shuffle_lists(path: Path, rng: np.random.Generator) -> None:
    """Entries in another order: each tells its frame."""
    value = json.loads(_text(path))
    entries = value if isinstance(value, list) else next((v for v in value.values() if isinstance(v, list)), [])
    rng.shuffle(entries)
    path.write_text(json.dumps(value))


def exchange_axes(path: Path, rng: np.random.Generator) -> None:
    path.write_text(json.dumps(_keypoints(json.loads(_text(path)), lambda x, y: (y, x))))


def scale_image(path: Path, rng: np.random.Generator) -> None:
    factor = (1 / 640, 0.01, 2.0, 3.0, 100.0, -1.0)[rng.integers(6)]
    path.write_text(json.dumps(_keypoints(json.loads(_text(path)), lambda x, y: (x * factor, y * factor))))


def turn_over(path: Path, rng: np.random.Generator) -> None:
    path.write_text(json.dumps(_keypoints(json.loads(_text(path)), lambda x, y: (x, 480 - y))))


def nest(path: Path, rng: np.random.Generator) -> None:
    depth = (3, 5000, 200_000)[rng.integers(3)]
    path.write_text("[" * depth + _text(path) + "]" * depth)


def _scaled(value: object, factor: float) -> object:
    if isinstance(value, list):
        return [_scaled(v, factor) for v in value]
    if isinstance(value, dict):
        return {k: _scaled(v, factor) for k, v in value.items()}
    return value * factor if isinstance(value, int | float) else value


def _keypoints(value: object, change: Callable) -> object:
    """All keypoints of a file changed: lists of pairs, and of triples in a row."""
    if isinstance(value, dict):
        return {k: _keypoints(v, change) for k, v in value.items()}
    if not isinstance(value, list) or not value:
        return value
    if isinstance(value[0], list) and len(value[0]) == 2:
        return [list(change(*pair)) for pair in value]
    if isinstance(value[0], int | float) and len(value) % 3 == 0:
        return [v for x, y, c in zip(*[iter(value)] * 3, strict=True) for v in (*change(x, y), c)]
    return [_keypoints(v, change) for v in value]


def _at_node(path: Path, rng: np.random.Generator, change: Callable[[list | dict, int | str], None]) -> None:
    value = json.loads(_text(path))
    parent, key = value, None
    for _ in range(rng.integers(1, 6)):
        inner = parent if key is None else parent[key]
        if not isinstance(inner, list | dict) or not inner:
            break
        parent, keys = inner, list(inner) if isinstance(inner, dict) else range(len(inner))
        key = keys[rng.integers(len(keys))]
    if key is not None:
        change(parent, key)
    path.write_text(json.dumps(value))


def _change_json(path: Path, rng: np.random.Generator, new: Callable[[object], object]) -> None:
    def change(parent: list | dict, key: int | str) -> None:
        parent[key] = new(parent[key])

    _at_node(path, rng, change)


JSON = [
    change_node, change_node, scale_node, wrap_node, drop_node, repeat_node, shuffle_lists, exchange_axes, scale_image,
    turn_over, nest, encode, decimal_commas,
]  # fmt: skip

# ---- arrays ----------------------------------------------------------------------------------------------


def change_array(path: Path, rng: np.random.Generator) -> None:
    """One of a file's arrays in another way."""
    arrays, write = _arrays(path)
    names = list(arrays)
    name = names[rng.integers(len(names))]
    change = ARRAYS[rng.integers(len(ARRAYS))]
    arrays[name] = change(np.asarray(arrays[name]), rng)
    write(arrays)


def rename_array(path: Path, rng: np.random.Generator) -> None:
    arrays, write = _arrays(path)
    names = list(arrays)
    name = names[rng.integers(len(names))]
    value = arrays.pop(name)
    if rng.random() < 0.5:
        arrays[f"{name}2"] = value
    write(arrays)


def wrong_header(path: Path, rng: np.random.Generator) -> None:
    """An array that says to be larger than its file."""
    arrays, write = _arrays(path)
    write(arrays)
    content = path.read_bytes()
    at = content.find(b"'shape': (")
    if at >= 0:
        at += len(b"'shape': (")
        path.write_bytes(content[:at] + b"9" * int(rng.integers(1, 9)) + content[at + 2 :])


def _arrays(path: Path) -> tuple[dict, Callable[[dict], None]]:
    if path.suffix == ".npy":
        return {"it": np.load(path)}, lambda a: np.save(path, next(iter(a.values()), np.zeros(0)), allow_pickle=True)
    if path.suffix == ".pkl":
        people = pickle.loads(path.read_bytes())
        return people[0], lambda a: path.write_bytes(pickle.dumps({0: a}, protocol=4)) and None
    with np.load(path) as file:
        arrays = dict(file)
    return arrays, lambda a: np.savez(path, **{k: np.asarray(v) for k, v in a.items()})


def _lost(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if array.dtype.kind != "f" or not array.size:
        return np.asarray(np.nan)
    array = array.copy()
    array.flat[rng.integers(array.size)] = (np.nan, np.inf, 1e30, -1e5)[rng.integers(4)]
    return array


def _typed(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    dtype = ("f2", ">f4", "f8", "i4", "c8", "U8", "S4", "O", "?", "longdouble")[rng.integers(10)]
    try:
        return array.astype(dtype)
    except (ValueError, TypeError):
        return array.astype("O")


def _shaped(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ways = (
        lambda a: a[None], lambda a: a.reshape(-1), lambda a: a[:0] if a.ndim else a.reshape(1), lambda a: a.T,
        lambda a: np.zeros((0, *a.shape)), lambda a: a[..., :1] if a.ndim else a[None, None],
        lambda a: np.concatenate([a, a]) if a.ndim else np.stack([a, a]), np.asfortranarray,
    )  # fmt: skip
    return ways[rng.integers(len(ways))](array)


def _measured(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In other units."""
    if array.dtype.kind not in "fiu":
        return array
    return array * (100.0, 1000.0, 0.01, -1.0, 0.0, 39.37)[rng.integers(6)]


def _ordered(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Joints in another order."""
    return array[:, rng.permutation(array.shape[1])] if array.ndim == 3 else array


def _turned(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Axes exchanged."""
    return array[..., ::-1] if array.ndim == 3 else array


ARRAYS = [_lost, _typed, _shaped, _measured, _ordered, _turned, lambda a, rng: np.asarray("x")]
OF_ARRAYS = [change_array, change_array, change_array, rename_array, wrong_header]

# ---- folders of frames -----------------------------------------------------------------------------------


def spoil_a_frame(path: Path, rng: np.random.Generator) -> None:
    mutate(_file(path, rng), rng)


def spoil_all_frames(path: Path, rng: np.random.Generator) -> None:
    change = (exchange_axes, scale_image, turn_over, encode)[rng.integers(4)]
    state = rng.bit_generator.state
    for file in path.iterdir():
        rng.bit_generator.state = state
        change(file, rng)


def lose_frames(path: Path, rng: np.random.Generator) -> None:
    files = sorted(path.iterdir())
    for file in files[rng.integers(len(files)) :: rng.integers(1, 4)]:
        file.unlink()


def rename_frame(path: Path, rng: np.random.Generator) -> None:
    file = _file(path, rng)
    names = ("99999999_keypoints.json", "x.json", "clip_000000000003_keypoints.json", "clip_7.JSON", "000003.json",
             "clip_999999999999_keypoints.json", "._clip_000000000001_keypoints.json")  # fmt: skip
    file.rename(path / names[rng.integers(len(names))])


def _file(path: Path, rng: np.random.Generator) -> Path:
    files = sorted(path.iterdir())
    return files[rng.integers(len(files))]


OF_FOLDERS = [spoil_a_frame, spoil_a_frame, spoil_all_frames, lose_frames, rename_frame]
OF_FILES: dict[str, list[Mutation]] = {
    ".json": JSON, ".npz": OF_ARRAYS, ".npy": OF_ARRAYS, ".pkl": OF_ARRAYS, ".bvh": [*TEXT, decimal_commas],
    ".txt": TEXT, ".csv": TEXT, ".mp4": [],
}  # fmt: skip
