"""What is said of the recordings in a folder, in the order in which it is looked for:

1. ``squat.txt`` beside ``squat.mp4``: one caption per line;
2. ``captions.csv`` in the folder or a sub-folder: a header ``file,caption`` and a row per caption; ``file`` is the
   recording's path from there, with or without ending, and may come several times (Excel's ``;`` and tabs are read
   too);
3. the file's name: ``jumping_jack_03`` says "jumping jack".

Names that cameras and telephones give (``IMG_9732``, ``VID-20240612-WA0003``) say nothing of the motion: such a
recording has the empty caption, which is no condition, and :func:`notes` says so.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from videomdm.conventions import DataError
from videomdm.data import humanml3d
from videomdm.data.recordings.names import composed, split_ending
from videomdm.data.recordings.reading import ENDINGS, visible
from videomdm.storage import text
from videomdm.text import foreign

TABLE = "captions.csv"
Table = dict[str, tuple[str, ...]]
FOREIGN = 0.1  # share of a caption's letters that the text encoder may miss without a word


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What cameras, telephones and programs put into their files' names; never a word of a caption.
_OF_DEVICES = _words(
    """
    img image vid video videos pxl mvi mov dsc dscn dscf dcim cimg sam gopro gopr gh gx gl gp dji mah wa ts whatsapp
    telegram instagram facebook tiktok youtube snapchat screencast bandicam zoom cam camera kamera webcam phone iphone
    android mp mts avi mkv webm hevc fps hd uhd
    """
)
#: What people call files that they do not describe: no caption alone, but kept beside other words.
_VAGUE = _words(
    """
    movie film filmed footage clips file untitled unnamed unbenannt new copy kopie final edit edited cut trim trimmed
    crop cropped compressed converted output result test sample take session trial scene sequence seq raw original
    left right front back side top view screen recording record capture slow motion signal and the not
    jan feb mar apr may jun jul aug sep oct nov dec january february march april june july august september october
    november december
    """
)


def read_table(folder: Path, deep: bool = True) -> Table:
    """Captions by recording's name, of the folder's ``captions.csv`` and if ``deep`` its sub-folders'; empty without.

    A table in a sub-folder names recordings by their paths from there.

    Raises:
        DataError: not UTF-8, another header, a row without file or caption, a quote that is not closed.
    """
    table: Table = {}
    files = visible(folder) if deep else sorted(folder.iterdir())
    for path in (p for p in files if p.name.lower() == TABLE and p.is_file()):
        above = path.parent.relative_to(folder)
        for name, captions in _read_one(path).items():
            name = composed((above / name).as_posix())
            table[name] = (*table.get(name, ()), *captions)
    return table


def _read_one(path: Path) -> Table:
    table: Table = {}
    content = text.read(path, "a table with the columns file,caption")
    content = re.sub(r"\Asep=.\n", "", content)  # Excel's own first line
    first = content.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if header != ["file", "caption"]:
            raise DataError(f"{path}: the first line is {first!r}, expected file,caption")
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]  # a line break in a cell is a space
            if not any(cells):
                continue
            if len(cells) != 2 or not all(cells):
                raise DataError(
                    f"{path}, line {reader.line_num}: {row}, expected a file and a caption (in quotes if it has commas)"
                )
            name = _name(cells[0])
            table[name] = (*table.get(name, ()), cells[1])
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}, expected a file and a caption, quotes in pairs"
        ) from None
    return table


def of(folder: Path, name: str, table: Table) -> tuple[str, ...]:
    """Captions of a recording, at least one; raises ``DataError`` for a bad text file beside it."""
    file = _beside(folder / f"{name}.txt")
    if file is not None:
        lines = tuple(" ".join(line.split()) for line in text.read(file, "captions, one per line").split("\n"))
        lines = tuple(_plain(line, f"{file}, line {n}") for n, line in enumerate(lines, 1) if line)
        if not lines:
            raise DataError(f"{file}: empty, expected captions, one per line")
        return lines
    return table.get(name) or (of_name(name),)


def _plain(line: str, where: str) -> str:
    """A caption without what HumanML3D's files say of it: ``he walks.#he/PRON walk/VERB#0.0#0.0``."""
    words = line.split("#")[1].split() if line.count("#") == 3 else []
    if not words or not all("/" in word for word in words):
        return line
    found = humanml3d.read_caption(line, where)
    if found.start is not None:
        raise DataError(f"{where}: {line[:80]!r} speaks of a part of the motion, expected captions of the whole")
    return found.text


def of_name(name: str) -> str:
    """What a recording's name says of the motion; "" where it says nothing."""
    words = [part.strip("0123456789") for part in re.split(r"[\W_]+", PurePosixPath(name).name)]
    words = [w for w in words if w and not re.search(r"\d", w) and w.lower() not in _OF_DEVICES]  # h36m is a code
    telling = (w for w in words if (len(w) > 2 or not w.isascii()) and w.lower() not in _VAGUE)
    return " ".join(words) if any(telling) else ""


def notes(captions: Iterable[str]) -> list[str]:
    """What is to be said of a recording's captions: that there is none, or that the text encoder cannot read it."""
    found = []
    for caption in captions:
        if not caption:
            found.append(f"caption: empty, for the file's name says nothing of the motion ({TABLE} or a .txt can tell)")
        elif foreign(caption) > FOREIGN:
            found.append(f"caption: the text encoder reads the letters a to z, so little or nothing of {caption!r}")
    return found


def _name(file: str) -> str:
    """The recording that a table's cell speaks of: its path without the ending of a video or of keypoints."""
    name = PurePosixPath(file.replace("\\", "/")).as_posix()
    return composed(split_ending(name, ENDINGS)[0])


def _beside(path: Path) -> Path | None:
    """The file of this name, its ending in any case and its letters composed or not; None where there is none."""
    if path.is_file():
        return path
    if not path.parent.is_dir():
        return None
    wanted = composed(path.stem)
    same = (p for p in path.parent.iterdir() if p.suffix.lower() == path.suffix and composed(p.stem) == wanted)
    return next((p for p in same if p.is_file()), None)
