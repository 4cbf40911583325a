"""Captions: tables that spreadsheets write, names that say nothing, files of other programs, scripts that the encoder
cannot read."""

import re
import unicodedata

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
    "columns in another order": (b"Caption,File\nwalks,clip\n", ("walks",)),
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
        ("text,file\nwalks,a\n", "the first line is 'text,file', expected file,caption"),
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
        ("IMG_9732_squat", "squat"), ("VID-20240612-WA0003 waving", "waving"), ("kick2", "kick"), ("walk.v1", "walk"),
        ("turn_left", "turn left"), ("back flip", "back flip"), ("sit_to_stand", "sit to stand"), ("clip", "clip"),
        ("deep/walk_in_a_circle", "walk in a circle"), ("slow walk", "slow walk"), ("歩く", "歩く"), ("Übung", "Übung"),
        ("take_off_jacket", "take off jacket"), ("h36m_walking", "walking"), ("cam01_sitting", "sitting"),
    ],
)  # fmt: skip
def test_names_that_say_something(tmp_path, name, caption):
    assert captions.of(tmp_path, name, {}) == (caption,)


#: Names with codes beside the words: of cameras, people, takes, codecs, clocks, programs, copies.
CODED = {
    "walk": (
        "walk_1080p", "P07_walk", "walk_v2", "walk_30fps", "walk_4k60", "walk_h264_720p", "walk.1920x1080", "walk_c3",
        "2024-06-12T10-30-05_walk", "20240612_101112_walk_HDR", "20240612T101112Z walk", "walk 10.11.12 AM",
        "12 June 2024 walk", "June_12_walk", "30_sec_walk", "walk.30s", "subject3_trial2_walk", "subject_3_take_2_walk",
        "sub-01_walk_rep-2", "walk_take", "new_take_3_walk", "walk_A", "walk_b", "walk_a_cam1", "walk_x265_prores",
        "walk - Copy", "walk - Copy (2)", "Copy of walk", "Kopie_von_walk", "walk - コピー",
        "walk_edited_final_version",
        "walk_openpose", "walk_keypoints", "walk_body_25", "walk_hrnet48_coco17", "walk_yolov8x-pose2d",
        "walkDLC_resnet50_my-projectJun12shuffle1_100000", "walk [dQw4w9WgXcQ]", "walk [dQw-w_WgXcQ]",
        "yt_dQw4w9WgXcQ_walk", "01walk", "2_walk_2",
    ),
    "a person walks": ("a_person_walks_a", "S01_a_person_walks_1080p"),
    "I walk": ("I_walk_2",),
    "take off jacket": ("S01_take_off_jacket_take_2", "01_take_off_jacket"),
    "trim a hedge": ("trim_a_hedge_trim",),
    "march in place": ("march_in_place_01",),
    "group hug": ("group_hug_group_2",),
    "Back Squat slow motion": ("Back Squat [slow-motion]",),
    "person's walk": ("person's walk_2", "P01 'person's walk'"),
    "Übung Größe": ("S01_Übung_Größe_v2", unicodedata.normalize("NFD", "Übung Größe_x264")),
    "मनुष्य चलता है": ("S01_मनुष्य चलता है_2",), "เดิน": ("เดิน_1080p",), "يمشي": ("يمشي٣", "P07_يمشي"),
    "歩く": ("歩く2", "01歩く", "歩く_v2"), "跳": ("跳2",), "一个人走路": ("一个人走路_4k60",),
    "приседание": ("П07_приседание", "приседание2"), "я иду": ("я иду",), "résumé à pied": ("résumé à pied",),
    "": ("R2D2", "take", "trial 3", "subject 3", "v2", "1080p", "X", "A", "1️⃣", "🚶‍♂️", "body_25", "copy", "subject",
        "test recording left"),
}  # fmt: skip


@pytest.mark.parametrize("name, caption", [(name, caption) for caption, names in CODED.items() for name in names])
def test_codes_are_no_words(name, caption):
    assert captions.of_name(name) == caption


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
        "one#two#3#4",
    ]
    (tmp_path / "clip.txt").write_text("\n".join(lines))
    assert captions.of(tmp_path, "clip", {}) == ("he waves.", "he bows.", "turns # and bows#0.0", "one#two#3#4")
    (tmp_path / "clip.txt").write_text("he waves.#he/PRON wave/VERB#1.5#3.0")
    with pytest.raises(
        DataError, match="clip.txt, line 1: .* speaks of a part of the motion, expected captions of the"
    ):
        captions.of(tmp_path, "clip", {})


#: What other programs leave beside a recording under its name, and what of it is said.
ALIEN = {
    "YOLO's labels": ("0 0.512 0.433 0.211 0.61\n0 0.51 0.43 0.21 0.6\n", "line 1: '0 0.512 .*without any word"),
    "labels with names": ("person 0.51 0.43 0.21 0.6\n", "line 1: 'person 0.51.* numbers, such as a label"),
    "MOT's labels": ("1,1,912,484,97,109,0,7,1\n", "line 1: '1,1,912"),
    "times": ("0.000\n0.033\n", "line 1: '0.000'"),
    "a table of numbers": ("frame,x,y\n0,0.5,0.4\n", "line 2: '0,0.5,0.4'"),
    "RTF": ("{\\rtf1\\ansi\n\\f0\\fs24 \\cf0 a person squats}", r"clip.txt: formatted text \(RTF\), beginning with '{"),
    "SRT": ("1\n00:00:00,000 --> 00:00:02,000\na person squats\n", "clip.txt: subtitles, beginning with '1'"),
    "WebVTT": ("WEBVTT\n\n00:00.000 --> 00:02.000\na person squats\n", "clip.txt: subtitles"),
    "ASS": ("[Script Info]\nTitle: x\n", "clip.txt: subtitles"),
    "lyrics": ("[00:12.00]a person squats\n", "clip.txt: subtitles"),
    "HTML": ("<html><body>404 Not Found</body></html>", "clip.txt: mark-up"),
    "XML": ("<?xml version='1.0'?>\n", "clip.txt: mark-up"),
    "a piece of HTML": ("a person&nbsp;squats", "clip.txt: mark-up"),
    "JSON": ('{"caption": "a person squats"}', "clip.txt: data"),
    "JSON in lines": ('[\n  "a person squats"\n]\n', "clip.txt: data"),
    "ffprobe": ("frame=1\nfps=30\n", "clip.txt: settings of a program"),
    "an address": ("https://example.org/squat\n", "clip.txt: an address"),
}


@pytest.mark.parametrize("kind", ALIEN)
def test_files_of_other_programs(tmp_path, kind):
    content, message = ALIEN[kind]
    (tmp_path / "clip.txt").write_text(content)
    with pytest.raises(DataError, match=f"{message}.*expected .*words that say what the person does"):
        captions.of(tmp_path, "clip", {"clip": ("a table's",)})


#: What stands where nobody wrote a caption.
NONE = (
    "N/A", "n/a", "NA", "nan", "NaN", "None", "null", "TODO", "todo: describe", "TBD", "xxx", "unknown", "[no caption]",
    "#N/A", "#REF!", "#DIV/0!", "-", "--", "...", "?", "42", "0.5", "👋", "<caption>", "lorem ipsum dolor",
)  # fmt: skip


@pytest.mark.parametrize("said", NONE)
def test_no_sentence(tmp_path, said):
    (tmp_path / "clip.txt").write_text(f"a person walks\n\n{said}\n")
    with pytest.raises(DataError, match="clip.txt.*expected .*words that say what the person does"):
        captions.of(tmp_path, "clip", {})
    (tmp_path / "captions.csv").write_text(f'file,caption\nwalk,walks\nclip,"{said}"\n')
    with pytest.raises(DataError, match=f"captions.csv, line 3: {re.escape(repr(said))} is .*, expected words that"):
        captions.read_table(tmp_path)


def test_no_sentence_in_a_line_of_humanml3d(tmp_path):
    (tmp_path / "clip.txt").write_text("nan#he/PRON wave/VERB#0.0#0.0")
    with pytest.raises(DataError, match="clip.txt, line 1: 'nan' is a placeholder"):
        captions.of(tmp_path, "clip", {})


SENTENCES = (
    "walks", "x", "3 jumps!", "1 2 3 jump", "5 6 7 8 dance the cha cha cha", "half a turn (1/2)", "walks & runs",
    "happy <3 dance", "walk -> turn", "[waves]", 'says "a = b"', "see https://example.org/squat",
    "at 10:30, walks 1.5 m",
    "todo el cuerpo gira", "none of the legs moves", "nana walks", "歩く", "一", "चलता है", "человек идёт",
)  # fmt: skip


@pytest.mark.parametrize("said", SENTENCES)
def test_sentences(tmp_path, said):
    (tmp_path / "clip.txt").write_text(f"{said}\n{said}\n")
    assert captions.of(tmp_path, "clip", {}) == (said, said)
    quoted = said.replace('"', '""')
    (tmp_path / "captions.csv").write_text(f'file,caption\nclip,"{quoted}"\n')
    assert captions.read_table(tmp_path) == {"clip": (said,)}


def test_long_captions():
    said = "a person squats " * 63
    (note,) = captions.notes(["walks", said])
    assert note.startswith("caption: 1008 characters") and note.endswith(f"{said[:80]!r}")
    assert captions.notes([said[: captions.LONG]]) == []
