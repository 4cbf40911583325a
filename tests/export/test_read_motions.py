"""Reading motions: one reader for all commands."""

import numpy as np
import pytest
import torch

from videomdm.conventions import DataError
from videomdm.export import files
from videomdm.skeletons import H36M17, NBA16, SMPL22

LAYOUTS = (SMPL22, H36M17, NBA16)


def joints_of(skeleton, *shape):
    return np.random.default_rng(0).normal(size=(*shape, len(skeleton), 3)).astype("f4")


@pytest.mark.parametrize("skeleton", LAYOUTS)
def test_what_is_written_is_read(tmp_path, skeleton):
    clips = [torch.from_numpy(joints_of(skeleton, frames)) for frames in (6, 4)]
    files.write(tmp_path / "m.npz", clips, ["a", ""], skeleton, 25)
    read = files.read(tmp_path / "m.npz")
    assert all(torch.equal(a, b) for a, b in zip(clips, read.clips, strict=True))
    assert (read.captions, read.skeleton, read.fps, read.batch) == (["a", ""], skeleton, 25, True)


def test_the_motion_of_one_recording(tmp_path):
    np.savez(tmp_path / "m.npz", joints=joints_of(SMPL22, 5), fps=20, caption="a person sits")
    read = files.read(tmp_path / "m.npz")
    assert [clip.shape for clip in read.clips] == [(5, 22, 3)]
    assert read.captions == ["a person sits"] and not read.batch


@pytest.mark.parametrize("skeleton", LAYOUTS)
@pytest.mark.parametrize("shape", [(5,), (2, 5)])
def test_joints_of_another_order(tmp_path, skeleton, shape):
    joints, order = joints_of(skeleton, *shape), np.random.default_rng(1).permutation(len(skeleton))
    names = np.array(skeleton.joints)[order]
    np.savez(tmp_path / "m.npz", joints=joints[..., order, :], fps=20, lengths=[5, 5], joint_names=names)
    read = files.read(tmp_path / "m.npz")
    assert read.skeleton == skeleton and np.array_equal(torch.stack(read.clips), joints.reshape(-1, *joints.shape[-3:]))


@pytest.mark.parametrize("skeleton", [SMPL22, NBA16])
def test_joints_without_names(tmp_path, skeleton):
    np.savez(tmp_path / "m.npz", joints=joints_of(skeleton, 5), fps=20)
    assert files.read(tmp_path / "m.npz").skeleton == skeleton


def test_lengths_may_be_floats_but_whole(tmp_path):
    np.savez(tmp_path / "m.npz", joints=joints_of(SMPL22, 2, 6), fps=20, lengths=[6.0, 4.0])
    assert [len(clip) for clip in files.read(tmp_path / "m.npz").clips] == [6, 4]


def test_what_is_not_read_may_be_anything(tmp_path):
    np.savez(tmp_path / "m.npz", joints=joints_of(SMPL22, 5), fps=20, about=np.array({"by": "us"}, object))
    assert len(files.read(tmp_path / "m.npz").clips) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lengths": [6, 3.5]}, "lengths are [6.  3.5], expected a number of frames, 1 to 6, for each of 2"),
        ({"lengths": [6, np.nan]}, "lengths are [ 6. nan]"),
        ({"lengths": ["6", "4"]}, "lengths are ['6' '4']"),
        ({"lengths": 6}, "lengths are 6"),
        ({"captions": "a"}, "captions have shape (), expected a text for each of 2 motions"),
        ({"caption": 3}, "captions have shape"),
        ({"joint_names": (SMPL22.joints[0], *SMPL22.joints[:-1])}, "joint_names are ('pelvis', 'pelvis', 'left_hip'"),
        ({"joint_names": "pelvis"}, "joint_names are ('pelvis',), expected those of smpl22 or h36m17 or nba16"),
        ({"joint_names": H36M17.joints}, "joints are float32 (2, 6, 22, 3), expected metres (frames, 17, 3)"),
        ({"joints": np.zeros((0, 6, 22, 3), "f4"), "lengths": []}, "no motions, expected at least one"),
        ({"fps": "20"}, "fps is 20, expected 1 to 240 frames per second"),
        ({"units": ["metres", "metres"]}, "units are"),
    ],
)
def test_bad_arrays_are_named(tmp_path, changed, message):
    np.savez(tmp_path / "m.npz", **{"joints": joints_of(SMPL22, 2, 6), "fps": 20, "lengths": [6, 4]} | changed)
    with pytest.raises(DataError) as caught:
        files.read(tmp_path / "m.npz")
    assert str(caught.value).startswith(f"{tmp_path / 'm.npz'}: ") and message in str(caught.value)


def test_other_files_are_said_what_they_have(tmp_path):
    np.savez(tmp_path / "amass.npz", poses=np.zeros((5, 156)), trans=np.zeros((5, 3)))
    with pytest.raises(DataError, match="no array joints, expected joints and fps; it has poses, trans"):
        files.read(tmp_path / "amass.npz")
