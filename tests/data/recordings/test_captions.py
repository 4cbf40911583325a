"""Captions: tables that spreadsheets write, names that say nothing, scripts that the encoder cannot read."""

import re

import pytest

from videomdm.conventions import DataError
from videomdm.data.recordings import captions
from videomdm.text import HashedText

TABLES = {
    "a line break in a cell": (b'file,caption\r\nclip,"a person walks\r\npicks up"\r\n', ("a person walks picks up",)),
    "another": (b'file,caption\nclip,"a person walks\npicks up a box"\n', ("a person walks picks up a box",)),
    "semicolons": (b"file;caption\r\nclip;walks, then turns\r\n", ("walks, then turns",)),
    "tabs": (b"file\tcaption\nclip\twalks, then turns\n", ("walks, then turns",)),
    "Excel's first line": (b"sep=;\r\nfile;caption\r\nclip;walks\r\n", ("walks",)),
    "capitals and spaces": (b"File , Caption\n clip , walks  fast \n", ("walks fast",)),
    "quotes in quotes": (b'file,caption\nclip,"says ""hello"" and waves"\n', ('says "hello" and waves',)),
    "empty rows": (b"file,caption\n,\n\nclip,walks\n ,\n", ("walks",)),
    "no line end": (b"file,caption\nclip,walks", ("walks",)),
    "twice": (b"file,caption\nclip,walks\nclip,strolls\n", ("walks", "strolls")),
    "a UTF-16 file": ("file\tcaption\r\nclip\tläuft\r\n".encode("utf-16"), ("läuft",)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables(tmp_path, kind):
    content, expected = TABLES[kind]
    (tmp_path / "captions.csv").write_bytes(content)
    assert captions.read_table(tmp_path) == {"clip": expected}


@pytest.mark.parametrize(
    "content, message",
    [
        ('file,caption\na,"walks\nb,runs\nc,jumps\n', "line 4: unexpected end of data, expected .* quotes in pairs"),
        ('file,caption\na,"walks" fast\n', "line 2: .*quotes in pairs"),
        ("file,caption\na,walks,fast\n", "line 2: .*expected a file and a caption"),
        ('file,caption\n"a\nb",walks\nc\n', "line 4: .*expected a file and a caption"),
        ("caption,file\nwalks,a\n", "the first line is 'caption,file', expected file,caption"),
    ],
)
def test_bad_tables(tmp_path, content, message):
    (tmp_path / "captions.csv").write_text(content)
    with pytest.raises(DataError, match=re.compile(message, re.DOTALL)):
        captions.read_table(tmp_path)


NOTHING = (
    "IMG_9732", "IMG-20240612-WA0003", "VID-20240612-WA0003", "VID_20240612_101112", "PXL_20240612_101112345.TS",
    "PXL_20240612_101112345~2", "MVI_0042", "DSC_0007", "DSCN1234", "DSCF0001", "GX010023", "GH010042", "GOPR0042",
    "GP010042",
    "DJI_0001", "DJI_20240612101112_0001_D", "WhatsApp Video 2024-06-12 at 10.11.12", "20240612_101112", "C0001",
    "P1000123",
    "MAH00123", "00012", "MOV_0042", "Screen Recording 2024-06-12 at 10.11.12", "video", "video-1", "Video (2)",
    "cam01", "camera_2", "h36m_phone", "trim.3F2A9C1B-0D4E", "untitled", "final_final_v2", "test3", "1",
    "Snapchat-1234567", "2024-06-12-101112", "output", "left", "12 June 2024", "_", "sub/IMG_0001",
    "2024-06-12 10-11-12",
)  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_names_that_say_nothing(tmp_path, name):
    assert captions.of(tmp_path, name, {}) == ("",)
    (note,) = captions.notes([""])
    assert "caption: empty, for the file's name says nothing of the motion" in note


@pytest.mark.parametrize(
    "name, caption",
    [
        ("jumping_jack_03", "jumping jack"), ("good_lunge_01", "good lunge"), ("2024.06.12_squat", "squat"),
        ("IMG_9732_squat", "squat"), ("VID-20240612-WA0003 waving", "waving"), ("kick2", "kick"), ("walk.v1", "walk v"),
        ("turn_left", "turn left"), ("back flip", "back flip"), ("sit_to_stand", "sit to stand"), ("clip", "clip"),
        ("deep/walk_in_a_circle", "walk in a circle"), ("slow walk", "slow walk"), ("歩く", "歩く"), ("Übung", "Übung"),
        ("take_off_jacket", "take off jacket"), ("h36m_walking", "walking"), ("cam01_sitting", "sitting"),
    ],
)  # fmt: skip
def test_names_that_say_something(tmp_path, name, caption):
    assert captions.of(tmp_path, name, {}) == (caption,)


@pytest.mark.parametrize(
    "caption", ["человек идёт", "一个人走路", "人が歩く", "شخص يمشي", "사람이 걷는다", "άνθρωπος", "läuft übers Böööt"]
)
def test_scripts_that_the_encoder_cannot_read(caption):
    (note,) = captions.notes([caption])
    assert "the text encoder reads the letters a to z" in note and caption in note


@pytest.mark.parametrize(
    "caption", ["a person walks", "a café, naïve dance of one", "ein Mensch geht", "3 jumps!", "42"]
)
def test_captions_that_it_reads(caption):
    assert captions.notes([caption]) == []


def test_the_encoder_says_so_too():
    with pytest.warns(UserWarning, match="'человек идёт' counts as no caption"):
        vectors = HashedText(32).encode(["a walk", "человек идёт", ""])
    assert vectors[0].any() and not vectors[1:].any()


def test_a_table_in_a_sub_folder_names_recordings_from_there(tmp_path):
    (tmp_path / "monday").mkdir()
    (tmp_path / "captions.csv").write_text("file,caption\nsquat,squats\nmonday/walk,strolls\n")
    (tmp_path / "monday" / "captions.csv").write_text("file,caption\nwalk,walks\nrun.mp4,runs\n")
    assert captions.read_table(tmp_path) == {
        "squat": ("squats",), "monday/walk": ("strolls", "walks"), "monday/run": ("runs",)
    }  # fmt: skip

    assert captions.read_table(tmp_path, deep=False) == {"squat": ("squats",), "monday/walk": ("strolls",)}


def test_lines_of_humanml3d(tmp_path):
    lines = [
        "he waves.#he/PRON wave/VERB#0.0#0.0",
        "he bows.#he/PRON bow/VERB#nan#nan",
        "turns # and bows#0.0",
        "1#2#3#4",
    ]
    (tmp_path / "clip.txt").write_text("\n".join(lines))
    assert captions.of(tmp_path, "clip", {}) == ("he waves.", "he bows.", "turns # and bows#0.0", "1#2#3#4")
    (tmp_path / "clip.txt").write_text("he waves.#he/PRON wave/VERB#1.5#3.0")
    with pytest.raises(
        DataError, match="clip.txt, line 1: .* speaks of a part of the motion, expected captions of the"
    ):
        captions.of(tmp_path, "clip", {})
