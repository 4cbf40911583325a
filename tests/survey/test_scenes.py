"""Reading results, matching them caption by caption, one frame for all."""

import warnings

import numpy as np
import pytest
import torch

from videomdm import export
from videomdm.conventions import DataError
from videomdm.data import procedural
from videomdm.skeletons import NBA16, SMPL22
from videomdm.survey import scenes


def motion(n=20, clip=0):
    return procedural.generate(clip + 1, 0).clip(clip)[:n]


def result(path, joints, name="m", **arrays):
    path.mkdir(exist_ok=True)
    np.savez(path / f"{name}.npz", joints=np.asarray(joints, np.float32), **arrays)
    return path


def test_reads_what_generate_writes(tmp_path):
    clips = [motion(20), motion(12, 1)]
    export.to_npz(tmp_path / "motions.npz", clips, captions=["a", "a"])
    read = scenes.read(f"ours={tmp_path / 'motions.npz'}")
    assert read.name == "ours" and read.skeleton == SMPL22 and read.fps == 20
    assert torch.equal(read.clips["a", 0], clips[0]) and torch.equal(read.clips["a", 1], clips[1])


def test_reads_what_lift_writes(tmp_path):
    for method in ("wham", "ours"):
        for name, more in (("squat", {"caption": "a person squats"}), ("lunge", {})):
            result(tmp_path / method, motion(), name, fps=20.0, unseen=np.zeros((20, 22), bool), **more)
    read = scenes.read(str(tmp_path / "wham"))
    assert read.name == "wham" and list(read.clips) == [("lunge", 0), ("squat", 0)]
    matched = scenes.match([read, scenes.read(str(tmp_path / "ours"))])
    assert [scene.caption for scene in matched] == ["lunge", "a person squats"]


def test_other_layouts(tmp_path):
    nba = np.random.default_rng(0).normal(size=(10, 16, 3)) * 0.3
    assert scenes.read(str(result(tmp_path / "a", nba, fps=20.0))).skeleton == NBA16
    names = {"joint_names": np.array([f"x_{j}" for j in NBA16.joints]), "parents": np.array(NBA16.parents)}
    with pytest.raises(DataError, match="m.npz: joint_names are .*expected those of smpl22 or h36m17 or nba16"):
        scenes.read(str(result(tmp_path / "b", nba, fps=20.0, **names)))
    with pytest.raises(DataError, match=r"m.npz: joints are float32 \(10, 5, 3\)"):
        scenes.read(str(result(tmp_path / "c", nba[:, :5], fps=20.0)))


def test_joints_of_another_order_are_shown_as_those_of_the_own(tmp_path):
    for name, order in (("a", list(range(22))), ("b", list(range(22))[::-1])):
        names = np.array(SMPL22.joints)[order]
        result(tmp_path / name, motion()[:, order], "walk", fps=20.0, joint_names=names, parents=SMPL22.parents)
    (scene,) = scenes.match([scenes.read(str(tmp_path / name)) for name in "ab"])
    assert torch.equal(scene.motions["a"], scene.motions["b"])


@pytest.mark.parametrize("frames, fps", [(20, 25.0), (1, 20.0)])
def test_files_that_are_not_shown(tmp_path, frames, fps):
    result(tmp_path / "a", motion(), "jump", fps=20.0)
    result(tmp_path / "a", motion(frames), "walk", fps=fps)
    with pytest.raises(DataError, match="walk.npz.* expected (one layout and speed|at least 2)"):
        scenes.read(str(tmp_path / "a"))


BATCH = {"lengths": np.array([4, 4]), "fps": 20.0}


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda p: p.mkdir(), "no .npz file"),
        (lambda p: result(p, np.zeros((4, 22)), fps=20.0), "m.npz: joints are float32"),
        (lambda p: result(p, np.full((4, 22, 3), np.nan), fps=20.0), "expected finite metres"),
        (lambda p: result(p, np.full((4, 22, 3), 1000.0), fps=20.0), "centimetres"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps=20.0, units="centimetres"), "units are 'centimetres'"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps=20.0, axes="z up"), "axes are 'z up'"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), **BATCH | {"lengths": np.array([4, 5])}), "m.npz: lengths"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), **BATCH | {"lengths": np.array([4, 3.5])}), "m.npz: lengths"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), **BATCH, captions=["one"]), "each of 2 motions"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), **BATCH, captions="one"), "m.npz: captions have shape"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps=0.0), "m.npz: fps is 0.0"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps=[20.0, 20.0, 20.0]), "m.npz: fps is"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps="twenty"), "m.npz: fps is twenty"),
        (lambda p: result(p, np.zeros((4, 22, 3))), "m.npz: no array fps"),
        (lambda p: result(p, np.zeros((0, 4, 22, 3)), fps=20.0), "no motions"),
        (lambda p: (p.mkdir(), (p / "m.npz").write_text("text")), "cannot be read as an .npz of motions"),
        (lambda p: (p.mkdir(), np.savez(p / "m.npz", other=np.zeros(3))), "no array joints"),
        (lambda p: (p.mkdir(), np.savez(p / "m.npz", joints=np.array([{}], object))), "pickled objects"),
    ],
)
def test_bad_files_are_named(tmp_path, write, message):
    write(tmp_path / "method")
    with pytest.raises(DataError, match=message) as caught:
        scenes.read(str(tmp_path / "method"))
    assert str(tmp_path) in str(caught.value)


def named(name, captions, n=20, **changes):
    clips = {(caption, 0): motion(n + k, k) for k, caption in enumerate(captions)}
    return scenes.Result(name, clips, SMPL22, changes.pop("fps", 20.0), "", {caption: caption for caption in captions})


def test_one_frame_and_length_for_all():
    a, b = named("a", ["walk", "jump"]), named("b", ["jump", "walk"], n=30)
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    b.clips = {key: a.clips.get(key) @ turn.mT + torch.tensor([3.0, 0.2, -1]) for key in a.clips}
    for scene in scenes.match([a, b]):
        first, second = scene.motions["a"], scene.motions["b"]
        assert first.shape == second.shape
        assert torch.allclose(first[0, 0, [0, 2]], torch.zeros(2), atol=1e-5)
        # Turned and moved alike, but heights stay as they are: b floats 20 cm higher.
        assert torch.allclose(second - first, torch.tensor([0.0, 0.2, 0.0]).expand_as(first), atol=1e-4)
    for scene in scenes.match([a, b], floor="lowest"):
        assert torch.allclose(scene.motions["a"], scene.motions["b"], atol=1e-4)
        assert scene.motions["a"][..., 1].min() == pytest.approx(0, abs=1e-6)


def test_shortest_length_counts():
    scene = scenes.match([named("a", ["walk"], 20), named("b", ["walk"], 14)])[0]
    assert {len(m) for m in scene.motions.values()} == {14}


def test_captions_from_files(tmp_path):
    methods = [named("a", ["walk", "jump"]), named("b", ["jump", "walk"])]
    lines = tmp_path / "captions.txt"
    lines.write_text("jump\n\nwalk\n")
    assert [scene.caption for scene in scenes.match(methods, lines)] == ["jump", "walk"]
    (tmp_path / "real.mp4").write_bytes(b"")
    table = tmp_path / "captions.csv"
    table.write_text('caption,file,video\n"a person jumps, twice",jump.mp4,real.mp4\n')
    (scene,) = scenes.match(methods, table)
    assert scene.caption == "a person jumps, twice" and scene.reference == tmp_path / "real.mp4"
    (tmp_path / "sub").mkdir()
    (tmp_path / "real.mp4").rename(tmp_path / "sub" / "real.mp4")
    table.write_text("VIDEO;Caption\nsub\\real.mp4;walk\n;jump\n")
    walk, jump = scenes.match(methods, table)
    assert walk.reference == tmp_path / "sub" / "real.mp4" and jump.reference is None


TABLES = {
    "Excel's semicolons": b"file;caption\r\njump;jumps, then lands\r\n",
    "tabs": b"file\tcaption\njump\tjumps, then lands\n",
    "Excel's first line": b"sep=;\r\nfile;caption\r\njump;jumps, then lands\r\n",
    "capitals and blanks": b'File, Caption\n jump ,"jumps,  then lands"\n',
    "UTF-16": "file\tcaption\njump\tjumps, then lands\n".encode("utf-16"),
    "a line break in a cell": b'file,caption\njump,"jumps, then\nlands"\n',
    "empty rows": b'file,caption\n,\n\njump,"jumps, then lands"\n,\n',
    "the name of a video": b'file,caption\njump.mp4,"jumps, then lands"\n',
    "a path on Windows": b'file,caption\nvideos\\jump.MP4,"jumps, then lands"\n',
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", ["c.csv", "C.CSV"])
def test_tables_of_any_spreadsheet(tmp_path, kind, name):
    (tmp_path / name).write_bytes(TABLES[kind])
    (scene,) = scenes.match([named("a", ["jump"]), named("b", ["jump"])], tmp_path / name)
    assert scene.caption == "jumps, then lands"


@pytest.mark.parametrize(
    "file, key",
    [
        ("2024.06.12_squat", "2024.06.12_squat"),
        ("2024.06.12_squat.mov", "2024.06.12_squat"),
        ("monday/walk.mp4", "monday/walk"),
        ("videos/walk.v2.mp4", "walk.v2"),
        ("12:30.mp4", "12-30"),
        ("U\u0308bung.mp4", "\u00dcbung"),
    ],
)
def test_recordings_that_tables_name(tmp_path, file, key):
    (tmp_path / "c.csv").write_text(f"file,caption\n{file},moves\n", encoding="utf-8")
    (scene,) = scenes.match([named("a", [key, "other"])], tmp_path / "c.csv")
    assert scene.caption == "moves"


def test_recordings_of_any_names(tmp_path):
    for name in ("2024.06.12_squat", "U\u0308bung"):
        result(tmp_path / "a", motion(), name, fps=20.0)
    (tmp_path / "a" / "._2024.06.12_squat.npz").write_bytes(b"what a Mac leaves on other disks")
    (tmp_path / "a" / "U\u0308bung.npz").rename(tmp_path / "a" / "U\u0308bung.NPZ")
    read = scenes.read(str(tmp_path / "a"))
    assert list(read.clips) == [("2024.06.12_squat", 0), ("\u00dcbung", 0)]
    assert scenes.read(str(tmp_path / "a" / "U\u0308bung.NPZ")).name == "U\u0308bung"


def test_captions_are_compared_without_blanks_and_line_breaks(tmp_path):
    export.to_npz(tmp_path / "a.npz", [motion()], captions=["a person\njumps  "])
    for content in ("a  person jumps\u00a0\n".encode("utf-16"), b"a person jumps"):
        (tmp_path / "c.txt").write_bytes(content)
        (scene,) = scenes.match([scenes.read(str(tmp_path / "a.npz"))], tmp_path / "c.txt")
        assert scene.caption == "a person jumps"


def test_a_caption_with_a_slash_is_no_path(tmp_path):
    (tmp_path / "c.csv").write_text("caption\nwalks/runs\n")
    with pytest.raises(DataError, match="no motion number 1 of 'walks/runs'"):
        scenes.match([named("a", ["runs"])], tmp_path / "c.csv")


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("c.txt", "swim\n", "a, b has no motion number 1 of 'swim'"),
        ("c.txt", "walk\nwalk\n", "no motion number 2 of 'walk'"),
        ("c.txt", "\n", "c.txt: empty, expected captions"),
        ("c.csv", "text\nwalk\n", "c.csv: the first line is 'text', expected caption and perhaps file,video"),
        ("c.csv", "caption,caption\nwalk,walk\n", "the first line is 'caption,caption'"),
        ("c.csv", "", "c.csv: the first line is ''"),
        ("c.csv", "caption\n\n", "c.csv: no captions"),
        ("c.csv", "caption,video\nwalk,gone.mp4\n", "c.csv, line 2: .*gone.mp4 is no file"),
        ("c.csv", "file,caption\nwalk\n", "c.csv, line 2: .*expected a file and a caption"),
        ("c.csv", "file,caption\nwalk,\n", "c.csv, line 2: .*expected a file and a caption"),
        ("c.csv", "file,caption\nwalk,walks, then stops\n", "c.csv, line 2: .*in quotes if it has commas"),
        ("c.csv", 'file,caption\nwalk,"walks\n', "c.csv, line 2: .*quotes in pairs"),
        ("c.csv", 'sep=;\nfile;caption\nwalk;"a\nb"\nwalk\n', "c.csv, line 5: .*expected a file and a caption"),
        ("c.csv", 'sep=;\nfile;caption\nwalk;"a\nb', "c.csv, line 4: .*quotes in pairs"),
        ("c.csv", "file,caption\nwalk,N/A\n", "c.csv, line 2: 'N/A' is a placeholder"),
        ("c.txt", "walk\nTODO\n", "c.txt, line 2: 'TODO' is a placeholder"),
    ],
)
def test_bad_captions(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        scenes.match([named("a", ["walk"]), named("b", ["walk"])], tmp_path / name)


@pytest.mark.parametrize("name", ["gone.txt", "gone.csv", "folder.csv"])
def test_captions_that_are_not_there(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=f"{name}: cannot be read .*, expected (captions|a table)"):
        scenes.match([named("a", ["walk"])], tmp_path / name)


def test_methods_that_do_not_go_together():
    a = named("a", ["walk"])
    with pytest.raises(DataError, match="different names"):
        scenes.match([a, named("a", ["walk"])])
    with pytest.raises(DataError, match="a begins with 'walk', b begins with 'swim'"):
        scenes.match([a, named("b", ["swim"])])
    with pytest.raises(DataError, match="at 30 fps"):
        scenes.match([a, named("b", ["walk"], fps=30.0)])


class TestWhatIsLeftOut:
    def test_sub_folders(self, tmp_path):
        for place in (tmp_path / "ours", tmp_path / "ours" / "monday"):
            result(place, motion(), "walk", fps=20.0)
        assert list(scenes.read(str(tmp_path / "ours")).clips) == [("monday/walk", 0), ("walk", 0)]

    def test_a_path_with_an_equals_sign(self, tmp_path):
        result(tmp_path / "lr=1", motion(), "walk", fps=20.0)
        assert scenes.read(str(tmp_path / "lr=1")).name == "lr=1"

    def test_motions_that_one_method_has_alone_and_lengths(self, tmp_path):
        for method, names, frames in (("a", ("walk", "jump"), 20), ("b", ("walk",), 15)):
            for name in names:
                result(tmp_path / method, motion(frames), name, fps=20.0)
        both = [scenes.read(str(tmp_path / method)) for method in "ab"]
        with pytest.warns(UserWarning) as said:
            scenes.match(both)
        assert [str(one.message) for one in said] == [
            "a: 1 of 2 motions are left out, for others lack them", "motions cut to the shortest of their captions: 1",
        ]  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scenes.match(both[1:])

    def test_tables_may_name_recordings_by_where_their_videos_lie(self, tmp_path):
        result(tmp_path / "a", motion(), "walk", fps=20.0)
        (tmp_path / "captions.csv").write_text("file,caption\nclips/walk.mp4,a person walks\n")
        (scene,) = scenes.match([scenes.read(str(tmp_path / "a"))], tmp_path / "captions.csv")
        assert scene.caption == "a person walks"

    def test_a_truth_of_other_recordings(self, tmp_path):
        for method, name in (("a", "walk"), ("truth", "other")):
            result(tmp_path / method, motion(), name, fps=20.0)
        ours, truth = (scenes.read(str(tmp_path / method)) for method in ("a", "truth"))
        with pytest.raises(DataError, match="truth: no motion of these captions or recordings, it begins with 'other'"):
            scenes.match([ours], truth=truth)
