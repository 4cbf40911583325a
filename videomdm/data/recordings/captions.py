"""What is said of the recordings in a folder, in the order in which it is looked for:

1. ``squat.txt`` beside ``squat.mp4``: one caption per line;
2. ``captions.csv`` in the folder or a sub-folder: a header ``file,caption`` and a row per caption; ``file`` is the
   recording's path from there, with or without ending, and may come several times (Excel's ``;`` and tabs are read
   too);
3. the file's name: ``jumping_jack_03`` says "jumping jack", and so does ``S01_jumping_jack_take3_1080p``, for codes
   are no words.

What is no sentence is refused in a text file and in a table: another program's file (RTF, subtitles, HTML, JSON),
numbers alone, and what people write where they have nothing to say (``N/A``, ``TODO``).  It is not left out, for the
file's name would then speak in place of the caption that somebody believes is read.

Names that cameras and telephones give (``IMG_9732``, ``VID-20240612-WA0003``) say nothing of the motion: such a
recording has the empty caption, which is no condition, and :func:`notes` says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path, PurePosixPath

from videomdm.conventions import DataError
from videomdm.data import humanml3d
from videomdm.data.recordings.names import composed, split_ending
from videomdm.data.recordings.reading import ENDINGS, visible
from videomdm.storage import tables, text
from videomdm.text import foreign

TABLE = "captions.csv"
Table = dict[str, tuple[str, ...]]
FOREIGN = 0.1  # share of a caption's letters that the text encoder may miss without a word
LONG = 1000  # characters from which on a caption is doubted: a motion is told in one sentence or a few
MANY = 4  # numbers that make no sentence where they outnumber the words, as in a label: person 0.5 0.4 0.2 0.6
_SHOWN = 80  # characters of a bad caption in a message
_SENTENCE = "words that say what the person does"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What cameras, telephones and programs put into their files' names, and copies have in theirs; never a word of a
#: caption.
_OF_DEVICES = _words(
    """
    img image vid video videos pxl mvi mov dsc dscn dscf dcim cimg pict imgp hpim sany ydxj lrv sam gopro gopr gh gx gl
    gp dji mah wa ts whatsapp telegram instagram facebook tiktok youtube yt snapchat screencast bandicam zoom cam camera
    kamera webcam phone iphone android mp mts avi mkv webm json npz csv pkl
    hevc avc prores mpeg mjpeg divx xvid aac ffmpeg handbrake fps hz kbps mbps hd fhd qhd uhd hdr sdr
    openpose alphapose mmpose rtmpose rtmo vitpose mediapipe blazepose movenet posenet hrnet detectron yolo yolov
    deeplabcut dlc resnet mobilenet efficientnet sleap freemocap theia wham motionbert mvlift elepose coco halpe
    keypoint keypoints landmarks bbox
    copy kopie copie copia cópia kopia копия コピー 副本 복사본 version untitled unnamed unbenannt aufnahme final raw
    original edited trimmed cropped compressed converted annotated
    """
)
#: What tells one file from another before a number or at the end of a name (``take 3``, ``walk A``), not in it: ``take
#: off jacket``, ``a person walks``.
_OF_TAKES = _words(
    """
    a i take trial test session scene sequence seq sample new edit trim crop output result results footage recording
    """
)
_MONTHS = _words(
    """
    jan feb mar apr jun jul aug sep oct nov dec january february april june july august september october november
    december
    """
)  # beside a number; not may and march, for people march
#: What is counted by the number behind it: ``subject 3``.
_COUNTED = _MONTHS | _words("sub subj subject participant actor ses rep set day part group")
#: What the number before it counts: ``30 sec``, ``10.11.12 AM``.
_UNITS = _MONTHS | _words("sec secs min mins am pm ms cm mm kg lb lbs deg bit")
#: What people call files that they do not describe: no caption alone, but kept beside other words.
_VAGUE = (
    _OF_TAKES
    | _COUNTED
    | _words(
        """
    movie film filmed clips file cut record capture screen slow motion signal
    left right front back side top view and the not may march
    """
    )
)
#: Codes of several words: of a video at YouTube (yt-dlp), DeepLabCut's network and project, OpenPose's layout, copies.
_CODES = re.compile(
    r"\[(?=[^]]*(?:\d|[a-z][A-Z]))[\w-]{11}\]|DLC_.*"
    r"|(?i:body_?25b?(?!\d)|^(?:copy[ _]of|kopie[ _]v[oa]n|copi[ea][ _]d[ei])[ _])"
)
_NUMBERED = re.compile(r"(\d*)(\D+)(\d*)")  # kick2, 01kick
_CODE = re.compile(r"[A-Za-z\u00c0-\u052f]{1,2}")  # Latin, Greek and Cyrillic letters with a number: P07, 1080p, v2

#: What other programs' files hold, and captions never do.
_ALIEN = tuple(
    (re.compile(pattern, re.MULTILINE | re.IGNORECASE), what)
    for pattern, what in (
        (r"^\{\\rtf", "formatted text (RTF)"),
        (r"\d[ \t]*-->[ \t]*\d|^WEBVTT|^\[Script Info\]|^\[\d+:\d\d", "subtitles"),
        (r"</?[a-z][^<>]*>|<[!?]|&(?:nbsp|amp|lt|gt|quot|#\d+);", "mark-up (HTML or the like)"),
        (r"^[ \t]*\{|^[ \t]*\[[ \t]*(?:[\"{\[]|$)", "data (JSON or the like)"),
        (r"^[ \t]*[\w.]+[ \t]*=", "settings of a program"),
        (r"^[ \t]*[a-z]+://\S+[ \t]*$", "an address"),
    )
)
#: What people and spreadsheets write where there is no caption.
_PLACEHOLDER = re.compile(
    r"n/?a|nan|none|null|nil|unknown|undefined|missing|empty|captions?|descriptions?|placeholder|x{2,}"
    r"|(?:todo|tbd|tba|fixme)(?:\s*:.*)?|no (?:caption|description)|not (?:available|applicable)|lorem ipsum.*"
    r"|ref|name|value|num|div/0",  # Excel's errors
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?[\d.:/]+(?:e[-+]?\d+)?%?", re.IGNORECASE)


def read_table(folder: Path, deep: bool = True) -> Table:
    """Captions by recording's name, of the folder's ``captions.csv`` and if ``deep`` its sub-folders'; empty without.

    A table in a sub-folder names recordings by their paths from there.

    Raises:
        DataError: not UTF-8, another header, a row without file or caption, a caption that is no sentence, a
            quote that is not closed.
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
    for line, row in tables.rows(path, ("file", "caption")).items():
        name = recording(row["file"])
        table[name] = (*table.get(name, ()), sentence(row["caption"], f"{path}, line {line}"))
    return table


def of(folder: Path, name: str, table: Table) -> tuple[str, ...]:
    """Captions of a recording, at least one.

    Raises:
        DataError: the text file beside it is not UTF-8, is empty, or holds a line that is no sentence or that speaks of
            a part of the motion.
    """
    file = _beside(folder / f"{name}.txt")
    return table.get(name) or (of_name(name),) if file is None else read_lines(file)


def read_lines(file: Path) -> tuple[str, ...]:
    """The captions in a text file, one per line, at least one.

    Raises:
        DataError: see :func:`of`.
    """
    expected = "captions, one per line"
    content = text.read(file, expected)
    if what := _alien(content):
        first = content.strip().partition("\n")[0][:_SHOWN]
        raise DataError(
            f"{file}: {what}, beginning with {first!r}, expected {expected}: {_SENTENCE}; it may be another program's, "
            "and must then lie elsewhere"
        )
    lines = ((n, " ".join(line.split())) for n, line in enumerate(content.split("\n"), 1))
    captions = tuple(_plain(line, f"{file}, line {n}") for n, line in lines if line)
    if not captions:
        raise DataError(f"{file}: empty, expected {expected}")
    return captions


def sentence(caption: str, where: str) -> str:
    """A caption as it is; raises ``DataError`` where it is no sentence."""
    if what := _alien(caption) or _wordless(caption):
        raise DataError(f"{where}: {caption[:_SHOWN]!r} is {what}, expected {_SENTENCE}")
    return caption


def _alien(content: str) -> str | None:
    """What kind of another program's text this is; None for captions."""
    return next((what for pattern, what in _ALIEN if pattern.search(content)), None)


def _wordless(caption: str) -> str | None:
    """What kind of text without a meaning this is; None for sentences."""
    if _PLACEHOLDER.fullmatch(caption.strip(" .,:;-_#*!?()[]\"'")):
        return "a placeholder"
    if not any(map(str.isalpha, caption)):
        return "no sentence, without any word"
    words = re.findall(r"[^\s,;]+", caption)
    numbers = sum(bool(_NUMBER.fullmatch(word)) for word in words)
    return "numbers, such as a label of a box" if numbers >= MANY and 2 * numbers > len(words) else None


def _plain(line: str, where: str) -> str:
    """A line's caption without what HumanML3D's files say of it: ``he walks.#he/PRON walk/VERB#0.0#0.0``."""
    words = line.split("#")[1].split() if line.count("#") == 3 else []
    if not words or not all("/" in word for word in words):
        return sentence(line, where)
    found = humanml3d.read_caption(line, where)
    if found.start is not None:
        raise DataError(f"{where}: {line[:80]!r} speaks of a part of the motion, expected captions of the whole")
    return sentence(found.text, where)


def of_name(name: str) -> str:
    """What a recording's name says of the motion; "" where it says nothing."""
    name = _CODES.sub(" ", composed(PurePosixPath(name).name))
    parts = [part for word in _split(name) for part in _parts(word) if not _says_nothing(part)]
    words = _without_counting(parts)
    telling = (w for w in words if (len(w) > 2 or not w.isascii()) and w.lower() not in _VAGUE)
    return " ".join(words) if any(telling) else ""


def _split(name: str) -> list[str]:
    """The words of a name: letters of any script with their marks (Hindi's vowels are such), digits, apostrophes."""
    letters = (c if c.isalnum() or c in "'’" or unicodedata.category(c).startswith("M") else " " for c in name)
    words = (word.strip("'’") for word in "".join(letters).split())
    return [word for word in words if any(map(str.isalnum, word))]


def _parts(word: str) -> list[str]:
    """A word without its number, and "" for the number, before or behind it; of codes and of numbers "" alone."""
    if not re.search(r"\d", word):
        return [word]
    found = _NUMBERED.fullmatch(word)
    if found is None or _CODE.fullmatch(found[2]) or not any(map(str.isalpha, found[2])):
        return [""]
    return ["" if part.isdecimal() else part for part in found.groups() if part]


def _says_nothing(word: str) -> bool:
    """Whether a word is a device's or a program's, or a single letter that is no English word."""
    return word.lower() in _OF_DEVICES or (len(word) == 1 and word.isascii() and word.lower() not in ("a", "i"))


def _without_counting(parts: list[str]) -> list[str]:
    """The words among words and numbers (""), without those that only say what a number counts."""
    kept: list[str] = []
    behind = None  # the end
    for before, word in reversed([*pairwise([None, *parts])]):
        low = word.lower()
        counting = (not behind and low in _OF_TAKES) or (behind == "" and low in _COUNTED)
        if not word:
            behind = word
        elif not counting and not (before == "" and low in _UNITS):
            kept.append(word)
            behind = word
    return kept[::-1]


def notes(captions: Iterable[str]) -> list[str]:
    """What is to be said of a recording's captions: that there is none, or that it is long or in letters unknown."""
    found = []
    for caption in captions:
        if not caption:
            found.append(f"caption: empty, for the file's name says nothing of the motion ({TABLE} or a .txt can tell)")
        elif foreign(caption) > FOREIGN:
            found.append(f"caption: the text encoder reads the letters a to z, so little or nothing of {caption!r}")
        if len(caption) > LONG:
            found.append(
                f"caption: {len(caption)} characters, where a motion is told in one sentence or a few, beginning with "
                f"{caption[:_SHOWN]!r}"
            )
    return found


def recording(file: str) -> str:
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
