"""Names of recordings: what belongs together, what stays apart, and what files are called."""

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import keypoint_json, names, reading
from videomdm.data.recordings.video import SUFFIXES, writer

NFD = unicodedata.normalize("NFD", "übung")
NFC = unicodedata.normalize("NFC", "übung")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "x.mp4"
    out = writer(path, 64, 48, 20)
    for t in range(44):
        out.write(np.full((48, 64, 3), 100 + t % 3, np.uint8))
    out.release()
    return path


def put(folder, film, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, folder / path)


def person(n=26):
    return np.column_stack([np.linspace(10, 50, n), np.linspace(5, 45, n), np.full(n, 0.9)]).round(2)


def openpose(n=26):
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": person(n).ravel().tolist()}]}


def mmpose(n=17):
    points = person(n).tolist()
    return [{"keypoints": [p[:2] for p in points], "keypoint_scores": [p[2] for p in points], "bbox": [[0, 0, 9, 9]]}]


def frames(folder, pattern, content, count=44):
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(count):
        (folder / pattern.format(t)).write_text(json.dumps(content))


def listed(folder):
    return {s.name: (s.video and s.video.name, s.keypoints and s.keypoints.name) for s in reading.sources(folder)}


class TestWhatBelongsTogether:
    @pytest.mark.parametrize(
        "stem", ["walk.v1", "2024.06.12_squat", "a.b.c", "5 speed run", "squat (1)", "jump!", "x" * 99]
    )
    def test_dots_and_signs(self, tmp_path, film, stem):
        put(tmp_path, film, f"{stem}.mp4", "other.mp4")
        (tmp_path / f"{stem}.json").write_text("[]")
        assert listed(tmp_path) == {stem: (f"{stem}.mp4", f"{stem}.json"), "other": ("other.mp4", None)}

    @pytest.mark.parametrize("video, other", [(NFC, NFD), (NFD, NFC)])
    def test_composed_and_decomposed_letters(self, tmp_path, film, video, other):
        put(tmp_path, film, f"{video}.mp4")
        (tmp_path / f"{other}.json").write_text("[]")
        (tmp_path / f"{other}.txt").write_text("an exercise")
        assert list(listed(tmp_path)) == [NFC] and listed(tmp_path)[NFC][1]
        assert recordings.folder.captions.of(tmp_path, NFC, {}) == ("an exercise",)
        assert reading.source(tmp_path / f"{video}.mp4").keypoints is not None

    @pytest.mark.parametrize("ending", [".MP4", ".Mov", ".MTS", ".JSON", ".NPZ"])
    def test_capital_endings(self, tmp_path, film, ending):
        put(tmp_path, film, f"squat{ending if ending.lower() in SUFFIXES else '.mp4'}")
        if ending.lower() not in SUFFIXES:
            (tmp_path / f"squat{ending}").write_text("[]")
        (tmp_path / "squat.TXT").write_text("a squat")
        ((name, (video, keypoints)),) = listed(tmp_path).items()
        assert name == "squat" and video and bool(keypoints) == (ending.lower() not in SUFFIXES)
        assert recordings.folder.captions.of(tmp_path, "squat", {}) == ("a squat",)

    @pytest.mark.parametrize("ending", ["mts", "MTS", "wmv", "3gp", "flv", "m2ts", "vob", "ogv", "f4v", "WEBM", "mkv"])
    def test_films_of_camcorders_and_telephones(self, tmp_path, film, ending):
        put(tmp_path, film, f"jump.{ending}")
        assert reading.source(tmp_path / f"jump.{ending}").name == "jump"

    def test_two_of_a_kind_are_said(self, tmp_path, film):
        put(tmp_path, film, "squat.mp4", "squat.mov")
        (source,) = reading.sources(tmp_path)
        assert [p.name for p in source.others] == ["squat.mp4"]

    def test_hidden_files_are_no_recordings(self, tmp_path, film):
        put(tmp_path, film, "squat.mp4", "._squat.mp4", ".trash/walk.mp4", "__MACOSX/._walk.mp4")
        assert list(listed(tmp_path)) == ["squat"]

    @pytest.mark.parametrize("cell", ["walk.v1", "walk.v1.mp4", "walk.v1.MP4", r"deep\walk.v1.mp4", "./walk.v1.mp4"])
    def test_rows_of_the_table(self, tmp_path, film, cell):
        name = "deep/walk.v1" if "deep" in cell else "walk.v1"
        put(tmp_path, film, f"{name}.mp4")
        (tmp_path / "Captions.CSV").write_text(f"file,caption\n{cell},a walk\n")
        assert recordings.folder.captions.read_table(tmp_path) == {name: ("a walk",)}

    def test_a_table_in_decomposed_letters(self, tmp_path):
        (tmp_path / "captions.csv").write_text(f"file,caption\n{NFD}.mp4,an exercise\n")
        assert recordings.folder.captions.read_table(tmp_path) == {NFC: ("an exercise",)}


#: One file per frame: where its folder lies for cam01.mp4, what the files are called, what they hold.
NAMINGS = {
    "OpenPose": ("cam01", "cam01_{:012d}_keypoints.json", openpose(25)),
    "OpenPose beside the film": (".", "cam01_{:012d}_keypoints.json", openpose(25)),
    "Pose2Sim": ("cam01_json", "cam01_{:06d}.json", openpose()),
    "Pose2Sim's project": ("pose/cam01_json", "cam01_{:06d}.json", openpose()),
    "Pose2Sim, old": ("pose/cam01_json", "cam01.{:04d}.json", openpose(25)),
    "Sports2D": ("cam01_Sports2D/cam01_Sports2D_json", "cam01_{:06d}.json", openpose()),
    "AlphaPose": ("cam01/sep-json", "{:d}.json", openpose(17)),
    "AlphaPose, flat": ("cam01", "{:d}.json", openpose(17)),
    "MMPose": ("cam01", "{:06d}.json", mmpose()),
    "MMPose's predictions": ("predictions/cam01", "frame{:d}.json", mmpose(26)),
    "MMPose's demo": ("cam01", "results_{:04d}.json", {"meta_info": {}, "instance_info": mmpose()}),
    "hyphens": ("cam01-json", "cam01-{:05d}.json", openpose(17)),
    "capitals": ("cam01", "CAM01_{:012d}_KEYPOINTS.JSON", openpose(25)),
}


class TestFrames:
    @pytest.mark.parametrize("kind", NAMINGS)
    def test_belong_to_the_film(self, tmp_path, film, kind):
        place, pattern, content = NAMINGS[kind]
        put(tmp_path, film, "cam01.mp4", "cam02.mp4")
        frames(tmp_path / place, pattern, content)
        found = reading.sources(tmp_path)
        if kind == "AlphaPose":  # sep-json names no film: there are two, so it is said, not guessed
            assert {s.name for s in found} == {"cam01", "cam02", "cam01/sep-json"}
            return
        assert {s.name: bool(s.keypoints) for s in found} == {"cam01": True, "cam02": False}
        assert len(reading.see(found[0], None).detections.people) == 44
        assert reading.strangers(tmp_path, found) == []

    def test_of_several_films_in_one_folder(self, tmp_path, film):
        put(tmp_path, film, "cam01.mp4", "cam02.mp4")
        for stem, n in (("cam01", 17), ("cam02", 26)):
            frames(tmp_path / "pose", stem + "_{:06d}.json", openpose(n))
        found = {s.name: s for s in reading.sources(tmp_path)}
        assert set(found) == {"cam01", "cam02"}
        assert [len(reading.see(found[s], None).detections.layout) for s in ("cam01", "cam02")] == [17, 26]
        with pytest.raises(DataError, match="frames of 'cam01', 'cam02', expected those of one recording"):
            keypoint_json.read(tmp_path / "pose", 64, 48, 20)

    @pytest.mark.parametrize("content, nobody", [(openpose(), {"version": 1.3, "people": []}), (mmpose(), [])])
    def test_the_first_frames_may_be_empty(self, tmp_path, film, content, nobody):
        put(tmp_path, film, "cam01.mp4")
        frames(tmp_path / "cam01_json", "cam01_{:06d}.json", content)
        (tmp_path / "cam01_json" / "cam01_000000.json").write_text(json.dumps(nobody))
        (source,) = reading.sources(tmp_path)
        assert [len(p) for p in reading.see(source, None).detections.people[:2]] == [0, 1]

    def test_numbered_recordings_are_no_frames(self, tmp_path, film):
        put(tmp_path, film, "walk_01.mp4", "walk_02.mp4")
        for stem in ("walk_01", "walk_02"):
            rows = [{"image_id": f"{t}.jpg", "keypoints": person().ravel().tolist(), "score": 1} for t in range(44)]
            (tmp_path / f"{stem}.json").write_text(json.dumps(rows))
        assert listed(tmp_path) == {s: (f"{s}.mp4", f"{s}.json") for s in ("walk_01", "walk_02")}

    def test_a_frame_twice(self, tmp_path):
        frames(tmp_path, "a_{:06d}.json", openpose())
        frames(tmp_path, "a_{:03d}.json", openpose(), 1)
        with pytest.raises(DataError, match="'a_000.json' and 'a_000000.json' both name frame 0"):
            keypoint_json.read(tmp_path, 64, 48, 20)

    def test_one_file_elsewhere(self, tmp_path, film):
        put(tmp_path, film, "videos/cam01.mp4")
        (tmp_path / "predictions").mkdir()
        (tmp_path / "predictions" / "cam01.json").write_text("[]")
        assert listed(tmp_path) == {"videos/cam01": ("cam01.mp4", "cam01.json")}

    def test_two_films_of_that_name_are_not_guessed(self, tmp_path, film):
        put(tmp_path, film, "monday/cam01.mp4", "tuesday/cam01.mp4")
        frames(tmp_path / "pose" / "cam01_json", "cam01_{:06d}.json", openpose())
        assert set(listed(tmp_path)) == {"monday/cam01", "tuesday/cam01", "pose/cam01_json"}


class TestStrangers:
    def test_what_is_not_read_is_said(self, tmp_path, film):
        put(tmp_path, film, "squat.mp4")
        frames(tmp_path / "squat", "squat_{:06d}.json", openpose())
        for name in ("notes.docx", "deep/archive.zip", "walk.txt", "squat.txt", "captions.csv", "Thumbs.db"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("file,caption\nsquat,a squat\n")
        found = reading.sources(tmp_path)
        assert reading.strangers(tmp_path, found) == ["deep/archive.zip", "notes.docx", "walk.txt"]
        said = recordings.load(tmp_path, on_error="skip").notes
        assert said == ["not used, for they are no recording's: deep/archive.zip, notes.docx, walk.txt"]

    def test_many_are_counted(self, tmp_path, film):
        put(tmp_path, film, "squat.mp4", *(f"{i:02d}.jpg" for i in range(30)))
        (note,) = recordings.load(tmp_path, detector=broken, on_error="skip").notes
        assert note.endswith("08.jpg, 09.jpg and 20 more")


def broken(image):
    raise RuntimeError("no detector")


class TestFileNames:
    def test_no_two_are_equal(self):
        given = [
            "walk.v1",
            "walk.v2",
            "a/b",
            "a-b",
            "Squat",
            "squat",
            "squat-2",
            NFC,
            "a:b",
            "x" * 300,
            299 * "x" + "y",
        ]
        made = names.unique(given)
        assert len({n.casefold() for n in made}) == len(given)
        assert made[:3] == ["walk.v1", "walk.v2", "a-b"] and made[3] == "a-b-2"

    @pytest.mark.parametrize(
        "name",
        [
            "a/b",
            "a\\b",
            'a<b>c:"d|e?f*',
            "CON",
            "nul.v1",
            "lpt1",
            "ends.",
            "ends ",
            "..",
            ".",
            " ",
            "\x01",
            "日本" * 90,
            "é" * 300,
        ],
    )
    def test_every_file_system_takes_them(self, tmp_path, name):
        made = names.safe(name)
        (tmp_path / f"{made}.npz").write_text("")
        assert made and len(made.encode()) <= names.LONGEST and made == made.strip(". ")
        assert not set(made) & set('<>:"/\\|?*')
        assert made.partition(".")[0].lower() not in names._DEVICES and names.safe(made) == made

    def test_letters_are_kept(self):
        assert names.safe("Übung 1 (schnell).v2") == "Übung 1 (schnell).v2" and names.safe(NFD) == NFC

    def test_folders_of_films(self, tmp_path, film):
        put(tmp_path, film, "monday/squat.mp4", "tuesday/squat.mp4", "monday/squat.mov", "monday/walk.v1.mp4")
        made = [names.folder_of(p) for p in sorted(tmp_path.rglob("*.m*"))]
        assert len(set(made)) == 4 and any(n.startswith("walk.v1-") for n in made)
        again = tmp_path / "monday" / ".." / "monday" / "squat.mov"
        assert names.folder_of(again) == names.folder_of(tmp_path / "monday" / "squat.mov")


class TestFilesThatAreMade:
    def test_sub_folders_and_pairs(self):
        given = ["clip", "clip-exact", "monday/clip", "CLIP", "clip-exact-exact"]
        made = names.below(given, ["-exact"])
        assert made == ["clip", "clip-exact-2", "monday/clip", "CLIP-2", "clip-exact-exact"]
        files = [f"{name}{twin}".casefold() for name in made for twin in ("", "-exact")]
        assert len(set(files)) == len(files)

    def test_bytes_that_are_no_letters(self):
        assert names.safe("gef\udcfchrt") == "gef-hrt"

    def test_too_long(self):
        (made,) = names.below(["a" * 246])
        assert len(f"{made}-exact.bvh".encode()) < 255


class TestFoldersOfResults:
    def test_motions_and_reports_are_no_keypoints(self, tmp_path, film):
        put(tmp_path, film, "walk.mp4")
        np.savez(tmp_path / "walk.npz", joints=np.zeros((9, 22, 3)), delivered="prior")
        (tmp_path / "report.json").write_text(json.dumps({"run": "x", "recordings": [], "notes": [], "units": {}}))
        assert listed(tmp_path) == {"walk": ("walk.mp4", None)}
        assert reading.strangers(tmp_path, reading.sources(tmp_path)) == ["report.json", "walk.npz"]

    def test_files_that_are_no_archives_are_left_to_their_reader(self, tmp_path):
        (tmp_path / "empty.npz").write_bytes(b"")
        np.save(tmp_path / "array.npy", np.zeros(3))
        (tmp_path / "array.npy").rename(tmp_path / "array.npz")
        assert set(listed(tmp_path)) == {"empty", "array"}

    def test_a_recording_may_be_called_report(self, tmp_path, film):
        put(tmp_path, film, "report.mp4")
        (tmp_path / "report.json").write_text("[]")
        assert listed(tmp_path) == {"report": ("report.mp4", "report.json")}


def test_linked_folders_are_read_once(tmp_path, film):
    put(tmp_path, film, "elsewhere/jump.mp4", "here/walk.mp4", "here/own/run.mp4")
    (tmp_path / "here" / "monday").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "a").symlink_to(tmp_path / "here" / "own")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "here")
    assert sorted(listed(tmp_path / "here")) == ["monday/jump", "own/run", "walk"]


def test_the_clock_of_an_array_file_whatever_its_case(tmp_path):
    from figure import FRAMES, figure, npz

    npz(tmp_path / "clip.npz", figure(np.arange(FRAMES) / 20))
    (tmp_path / "clip.npz").rename(tmp_path / "CLIP.NPZ")
    assert len(reading.film(reading.source(tmp_path / "CLIP.NPZ"))) == FRAMES


@pytest.mark.parametrize("name", ["squat_keypoints.npz", "squat.mp4.npz", "squat-openpose.npz", "keypoints/squat.npz"])
def test_arrays_that_name_a_video_otherwise_are_told(tmp_path, film, name):
    """They tell their own size and rate, so that they are a recording by themselves."""
    put(tmp_path, film, "squat.mp4")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    np.savez(tmp_path / name, keypoints=0)
    sources = reading.sources(tmp_path)
    assert [source.video is None for source in sources].count(True) == 1
    note = f"{Path(name).name} is not used for squat: if it holds its keypoints, call it squat.npz"
    assert recordings.folder._strangers(tmp_path, {}, sources) == [note]
    if "/" not in name:
        assert recordings.folder._beside(tmp_path, reading.source(tmp_path / "squat.mp4"), {}) == [note]


@pytest.mark.parametrize(
    "name", ["squat.keypoints.json", "results_squat.json", "squat.mp4.json", "keypoints/squat.json"]
)
def test_keypoints_are_given_to_the_video_that_they_name(tmp_path, film, name):
    put(tmp_path, film, "squat.mp4")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("[]")
    (source,) = reading.sources(tmp_path)
    assert source.name == "squat" and source.keypoints == tmp_path / name
    if "/" not in name:
        assert reading.source(tmp_path / "squat.mp4") == source


def test_a_file_of_another_kind_is_there(tmp_path):
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    with pytest.raises(DataError, match=r"walk.bvh: neither a video nor keypoints \(motions in 3-D: videomdm export"):
        reading.source(tmp_path / "walk.bvh")


class TestOneOfSeveral:
    """A recording that is given alone is told what lies beside it, as a folder is."""

    def test_files_of_the_same_kind(self, tmp_path, film):
        put(tmp_path, film, "walk.mp4")
        (tmp_path / "walk.json").write_text("[]")
        np.savez(tmp_path / "walk.npz", keypoints=0)
        (tmp_path / "walk.json.gz").write_bytes(b"")
        source = reading.source(tmp_path / "walk.mp4")
        assert source.keypoints.name == "walk.json" and [path.name for path in source.others] == ["walk.npz"]
        said = recordings.folder._beside(tmp_path, source, {"Walk": ("walks",)})
        assert said == [
            "walk.npz is not used: walk is read from another file of this kind",
            "captions.csv names Walk, not walk: not its caption", "walk.json.gz is not used, for it is no recording's",
        ]  # fmt: skip
        chosen = reading.source(tmp_path / "walk.npz")
        assert chosen.keypoints.name == "walk.npz" and [path.name for path in chosen.others] == ["walk.json"]

    def test_another_lifters_file_is_no_recording(self, tmp_path, film):
        put(tmp_path, film, "walk.mp4")
        (tmp_path / "walk.wham.pkl").write_bytes(b"")
        with pytest.raises(DataError, match="walk.wham.pkl: neither a video nor keypoints .*, expected"):
            reading.source(tmp_path / "walk.wham.pkl")
        assert reading.source(tmp_path / "walk.mp4").others == ()

    def test_frames_of_several_recordings(self, tmp_path):
        for stem in ("walk", "jump"):
            frames(tmp_path / "kp", stem + "_{:012d}_keypoints.json", openpose())
        with pytest.raises(DataError, match="kp: frames of jump, walk, expected those of one recording, or the folder"):
            reading.source(tmp_path / "kp")
