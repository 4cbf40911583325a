"""Recordings of which a part was not seen: what is trained on, what the table says, what is drawn and written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videomdm import export, videos
from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import Recordings, keypoint_npz
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.video import GREY, draw_keypoints
from videomdm.skeletons import COCO17, SMPL22

BODY = np.array([
    [0, -170], [6, -176], [-6, -176], [12, -172], [-12, -172], [42, -130], [-42, -130], [52, -70], [-52, -70],
    [50, -15], [-50, -15], [26, 0], [-26, 0], [28, 95], [-28, 95], [28, 190], [-28, 190],
])  # fmt: skip


def track(tmp_path, name, hidden, frames=slice(None), steps=0.0):
    """Three seconds of somebody who waves, in COCO's joints, of whom some were not seen."""
    t = np.arange(60) / 20
    keypoints = np.repeat(BODY[None].astype("f4"), 60, 0) + np.array([320, 260], "f4")
    keypoints[:, :, 0] += steps * 20 * t[:, None]
    keypoints[:, 9, 1] -= 40 * (1 + np.sin(6 * t))
    confidence = np.ones((60, 17), "f4")
    for joint in hidden:
        confidence[frames, COCO17.index(joint)] = 0
    np.savez(tmp_path / f"{name}.npz", keypoints=keypoints, confidence=confidence, layout="coco17", size=(640, 480),
             fps=20.0)  # fmt: skip
    return recordings.track(keypoint_npz.read(tmp_path / f"{name}.npz"))


SHINS = ("left_ankle", "right_ankle")
LEGS = ("left_knee", "right_knee", *SHINS)


def found(*tracks):
    sources = [Source(f"r{i}", keypoints=Path("a.npz")) for i in range(len(tracks))]
    return Recordings(list(tracks), [("waves",)] * len(tracks), sources)


@pytest.mark.parametrize("hidden", [SHINS, LEGS], ids=["shins", "legs"])
def test_legs_out_of_the_picture_do_not_train_unless_asked(tmp_path, hidden):
    cut, whole = track(tmp_path, "cut", hidden), track(tmp_path, "whole", ())
    with pytest.raises(DataError, match=r"legs are seen in 0 % of it, expected at least 50 %; keep_invented=True"):
        videos.gather(found(cut), 60)
    first, second = videos.gather(found(cut, whole), 60).rows()
    assert (first["used"], second["used"]) == ("no", "yes")
    assert "left arm 100, right arm 100, left leg 0, right leg 0" in first["seen %"]
    assert "left leg 100" in second["seen %"]

    joints = videos.gather(found(cut, whole), 60, keep_invented=True).observations.teacher
    hip, knee, ankle = (joints[:, :60, SMPL22.index(f"left_{j}")] for j in ("hip", "knee", "ankle"))
    shin = (knee - ankle).norm(dim=-1).median(1).values
    below = (hip - ankle)[..., 1].median(1).values
    assert (shin[0] / shin[1] - 1).abs() < 0.15 and (below[0] / below[1] - 1).abs() < 0.15


def test_a_hidden_arm_goes_with_the_body(tmp_path):
    walks = track(tmp_path, "walks", ("right_elbow", "right_wrist"), slice(10, 50), steps=6.0)
    true = track(tmp_path, "true", (), steps=6.0)
    arm = [SMPL22.index(f"right_{joint}") for joint in ("elbow", "wrist")]
    assert (walks.pixels - true.pixels)[:, arm].norm(dim=-1).max() < 12, "of an arm of 120"
    assert walks.unseen[10:50, arm].all() and not walks.unseen[:, SMPL22.index("left_wrist")].any()


def test_arrays_and_overlay_mark_what_was_not_seen(tmp_path):
    one = track(tmp_path, "cut", LEGS)
    keypoint_npz.save(one, tmp_path / "saved.npz")
    with np.load(tmp_path / "saved.npz") as file:
        assert np.array_equal(file["unseen"], one.unseen.numpy()) and file["unseen"][:, 4].all()
    export.to_npz(tmp_path / "m.npz", [torch.zeros(60, 22, 3)], unseen=[one.unseen])
    with np.load(tmp_path / "m.npz") as file:
        assert file["unseen"].shape == (1, 60, 22) and np.array_equal(file["unseen"][0], one.unseen.numpy())
    with pytest.raises(ValueError, match="unseen has shapes"):
        export.to_npz(tmp_path / "m.npz", [torch.zeros(60, 22, 3)], unseen=[one.unseen[:5]])

    plain = np.zeros((480, 640, 3), np.uint8)
    drawn = draw_keypoints(plain, one.pixels[0].numpy(), one.confidence[0].numpy(), one.layout)
    near = [drawn[y - 12 : y + 12, x - 12 : x + 12].reshape(-1, 3) for x, y in one.pixels[0].round().int().tolist()]
    for joint, around in enumerate(near):
        ring = (np.abs(around.astype(int) - GREY) < 10).all(1).sum() > 20
        assert ring == bool(one.unseen[0, joint]), SMPL22.joints[joint]
    assert drawn[:40, :200].any(), "the parts that were not seen are named"
