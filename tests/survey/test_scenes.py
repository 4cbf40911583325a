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
    nba = np.random.default_rng(0).normal(size=(3, 10, 16, 3)) * 0.3
    assert scenes.read(str(result(tmp_path / "a", nba))).skeleton == NBA16
    named = {"joint_names": np.array([f"x_{j}" for j in NBA16.joints]), "parents": np.array(NBA16.parents)}
    with pytest.raises(DataError, match="hips and shoulders"):
        scenes.read(str(result(tmp_path / "b", nba, **named)))
    with pytest.raises(DataError, match="5 joints without joint_names"):
        scenes.read(str(result(tmp_path / "c", nba[:, :, :5])))


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda p: p.mkdir(), "no .npz file"),
        (lambda p: result(p, np.zeros((4, 22))), "expected floats"),
        (lambda p: result(p, np.full((4, 22, 3), np.nan)), "expected finite metres"),
        (lambda p: result(p, np.full((4, 22, 3), 1000.0)), "centimetres"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), lengths=np.array([4, 5])), "lengths"),
        (lambda p: result(p, np.zeros((2, 4, 22, 3)), captions=np.array(["one"])), "1 captions of 2"),
        (lambda p: result(p, np.zeros((4, 22, 3)), fps=0.0), "frames per second"),
        (lambda p: result(p, np.zeros((0, 4, 22, 3))), "no motions"),
        (lambda p: (p.mkdir(), (p / "m.npz").write_text("text")), "cannot be read as a .npz file"),
        (lambda p: (p.mkdir(), np.savez(p / "m.npz", other=np.zeros(3))), "no array 'joints'"),
        (lambda p: (p.mkdir(), np.savez(p / "m.npz", joints=np.array([{}], object))), "without pickles"),
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


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("c.txt", "swim\n", "a, b has no motion number 1 of 'swim'"),
        ("c.txt", "walk\nwalk\n", "no motion number 2 of 'walk'"),
        ("c.txt", "\n", "no captions"),
        ("c.csv", "text\nwalk\n", "expected 'caption'"),
        ("c.csv", "caption,video\nwalk,gone.mp4\n", "gone.mp4: no such file"),
    ],
)
def test_bad_captions(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        scenes.match([named("a", ["walk"]), named("b", ["walk"])], tmp_path / name)


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
