"""Names of recordings: equal where a person would call them equal, and safe as names of files.

A recording is called by its path below the folder, without ending.  Letters are composed (an ``ü`` may be one character
or two, and differs between computers), and dots are part of a name: ``walk.v1`` and ``walk.v2`` are two recordings.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

LONGEST = 120  # bytes of a name; file systems allow 255, of which endings and prefixes take some
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')  # on Windows
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def composed(name: str) -> str:
    """The name with every letter as one character (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name)


def split_ending(name: str, endings: Iterable[str]) -> tuple[str, str]:
    """A file's name and its ending, where that is one of ``endings`` (lower case) in any case; else the name and ""."""
    low = name.lower()
    ending = max((e for e in endings if low.endswith(e) and len(low) > len(e)), key=len, default="")
    return name[: len(name) - len(ending)], name[len(name) - len(ending) :]


def safe(name: str) -> str:
    """A name that every file system takes for a file, the same for the same recording.

    Slashes and what Windows forbids become "-"; what is too long ends in a digest of itself.
    """
    text = composed(name).encode(errors="replace").decode()  # "?" for bytes of a name that are no letters
    plain = _FORBIDDEN.sub("-", text).strip(". ") or "-"
    if plain.partition(".")[0].lower() in _DEVICES:
        plain = f"_{plain}"
    if len(plain.encode()) > LONGEST:
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
        plain = plain.encode()[: LONGEST - 9].decode(errors="ignore") + f"-{digest}"
    return plain


def unique(names: Iterable[str]) -> list[str]:
    """A safe file name for each of some recordings, no two equal, not even on file systems that ignore case."""
    return _different(map(safe, names))


def below(names: Iterable[str], twins: Sequence[str] = ()) -> list[str]:
    """A safe path below a folder for each of some recordings, in sub-folders like theirs, no two equal.

    Nor is one equal to another with one of ``twins`` appended, as are files that are made in pairs (``squat`` and
    ``squat-exact``).
    """
    return _different(("/".join(map(safe, name.split("/"))) for name in names), twins)


def _different(names: Iterable[str], twins: Sequence[str] = ()) -> list[str]:
    """Names with a number appended where one was there before, whatever its case."""
    taken: set[str] = set()
    chosen = []
    for name in names:
        own, n = name, 1
        while taken & {f"{own}{twin}".casefold() for twin in ("", *twins)}:
            n += 1
            own = f"{name}-{n}"
        taken |= {f"{own}{twin}".casefold() for twin in ("", *twins)}
        chosen.append(own)
    return chosen


def folder_of(video: str | Path) -> str:
    """A folder's name for what is made of one video: its name, and a digest of where it lies.

    ``monday/squat.mp4``, ``tuesday/squat.mp4`` and ``monday/squat.mov`` get three.
    """
    video = Path(video)
    digest = hashlib.sha256(str(video.resolve()).encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe(video.stem)}-{digest}"
