"""Fit3D's official layout, made here from a built-in motion."""

import cv2
import numpy as np
import pytest
import torch
from fit3d_files import DISTORTION, PINHOLE, SAME, TO_Z_UP, camera_json, write

from videomdm import cameras
from videomdm.conventions import DataError
from videomdm.data import fit3d, procedural
from videomdm.data.fit3d import FIT3D25
from videomdm.skeletons import SMPL22


@pytest.fixture(scope="module")
def motion():
    """A clip in Fit3D's joints, Y up, and the camera that films it."""
    x = procedural.generate(1, seed=3).clip(0)
    x = x[:, [SMPL22.index(SAME.get(j, j)) for j in FIT3D25.joints]]
    return x, cameras.orbit(0.4, 0.15, (0.0, 0.9, 0.0), 4.0)


@pytest.fixture
def tree(tmp_path, motion):
    x, camera = motion
    for subject, exercise in (("s03", "squat"), ("s03", "dumbbell_biceps_curls"), ("s04", "squat")):
        folder = tmp_path / "train" / subject
        for name in ("50591643", "65906101"):
            write(folder / "camera_parameters" / name / f"{exercise}.json", camera_json(camera))
            (folder / "videos" / name).mkdir(parents=True, exist_ok=True)
            (folder / "videos" / name / f"{exercise}.mp4").write_bytes(b"")
        write(folder / "joints3d_25" / f"{exercise}.json", {"joints3d_25": (x @ TO_Z_UP.T).tolist()})
    write(tmp_path / "test" / "s02" / "camera_parameters" / "squat.json", camera_json(camera))
    return tmp_path


class TestFind:
    def test_train(self, tree):
        found = fit3d.find(tree)
        assert len(found) == 6
        assert [s.name for s in found[:2]] == ["s03_50591643_dumbbell_biceps_curls", "s03_50591643_squat"]
        assert found[0].video == tree / "train/s03/videos/50591643/dumbbell_biceps_curls.mp4"
        assert [s.subject for s in fit3d.find(tree, subjects=("s04",))] == ["s04", "s04"]

    def test_test_subjects_have_one_camera_and_no_joints(self, tree, motion):
        (sequence,) = fit3d.find(tree, "test")
        assert (sequence.subject, sequence.camera, sequence.exercise) == ("s02", "", "squat")
        assert torch.allclose(sequence.calibration()[0].rotation, motion[1].rotation, atol=1e-5)
        with pytest.raises(DataError, match="cannot be read .No such file"):
            sequence.joints()

    def test_wrong_folder(self, tree):
        with pytest.raises(DataError, match="no such folder, expected Fit3D's"):
            fit3d.find(tree / "elsewhere")
        with pytest.raises(DataError, match="no subject s99; there are s03, s04"):
            fit3d.find(tree, subjects=("s99",))
        (tree / "empty" / "s01").mkdir(parents=True)
        with pytest.raises(DataError, match="no videos"):
            fit3d.find(tree, "empty")


class TestSequence:
    def test_world_is_turned_y_up(self, tree, motion):
        x, camera = motion
        sequence = fit3d.find(tree)[0]
        own, _ = sequence.calibration()
        assert torch.allclose(sequence.joints(), x, atol=1e-5)
        assert torch.allclose(own.project(sequence.joints())[0], camera.project(x)[0], atol=1e-5)
        assert own.elevation.item() == pytest.approx(0.15, abs=1e-5)

    def test_keypoints_are_undistorted(self, tree, motion):
        x, camera = motion
        sequence = fit3d.find(tree)[0]
        _, intrinsics = sequence.calibration()
        true = camera.project(x)[0]
        pixels = intrinsics.to_pixels(true)
        assert (pixels - (true * torch.tensor(PINHOLE["f"]) + torch.tensor(PINHOLE["c"]))).abs().max() > 2
        path = tree / "keypoints" / "s03" / "50591643" / "dumbbell_biceps_curls.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, keypoints=pixels.numpy(), confidence=np.ones(pixels.shape[:2], "f4"))
        keypoints, confidence = sequence.keypoints(tree / "keypoints")
        assert torch.allclose(keypoints, true, atol=1e-5)
        assert confidence.eq(1).all()

    def test_bad_keypoints(self, tree):
        sequence = fit3d.find(tree)[0]
        with pytest.raises(DataError, match="expected an npz of the keypoints of s03_50591643_dumbbell"):
            sequence.keypoints(tree / "keypoints")
        path = tree / "keypoints" / "s03" / "50591643" / "dumbbell_biceps_curls.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, keypoints=np.zeros((4, 26, 2)))
        with pytest.raises(DataError, match="no array confidence, expected keypoints and confidence"):
            sequence.keypoints(tree / "keypoints")
        np.savez(path, keypoints=np.zeros((4, 26, 3)), confidence=np.zeros((4, 26)))
        with pytest.raises(DataError, match=r"expected \(T, J, 2\) and \(T, J\)"):
            sequence.keypoints(tree / "keypoints")
        np.savez(path, keypoints=np.full((4, 26, 2), np.nan), confidence=np.zeros((4, 26)))
        with pytest.raises(DataError, match="hold NaN or infinite numbers"):
            sequence.keypoints(tree / "keypoints")


class TestIntrinsics:
    made = fit3d.Intrinsics(*(np.array(v[0]) for v in (*PINHOLE.values(), *DISTORTION.values())))

    def test_by_hand(self):
        """x (1 + k.r + x.p) + r^2 p with p swapped, as the data set's tools have it."""
        u, v, (k1, k2, k3), (p1, p2) = 0.3, -0.2, DISTORTION["k"][0], DISTORTION["p"][0]
        r2 = u * u + v * v
        factor = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + u * p2 + v * p1
        expected = [1039 * (u * factor + r2 * p2) + 476.4, 1035 * (v * factor + r2 * p1) + 449]
        assert self.made.to_pixels(torch.tensor([u, v]).double()).tolist() == pytest.approx(expected)

    def test_radial_part_is_opencvs(self):
        made = fit3d.Intrinsics(self.made.focal, self.made.centre, self.made.radial, np.zeros(2))
        points = torch.tensor([[0.3, -0.2], [-0.1, 0.4]]).double()
        world = np.concatenate([points.numpy(), np.ones((2, 1))], 1)
        matrix = np.array([[1039.0, 0, 476.4], [0, 1035, 449.0], [0, 0, 1]])
        k1, k2, k3 = made.radial
        expected = cv2.projectPoints(world, np.zeros(3), np.zeros(3), matrix, np.array([k1, k2, 0, 0, k3]))[0][:, 0]
        assert np.allclose(made.to_pixels(points), expected)

    def test_round_trip(self):
        points = 0.5 * torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.25
        assert torch.allclose(self.made.to_normalised(self.made.to_pixels(points)), points, atol=1e-8)


class TestFiles:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d.pop("extrinsics"), "KeyError 'extrinsics'; expected extrinsics with R and T"),
            (lambda d: d["extrinsics"].update(T=[1.0, 2.0]), r"have \[9, 2, 2, 2, 3, 2\] numbers"),
            (lambda d: d["extrinsics"].update(R=(2 * np.eye(3)).tolist()), "not orthonormal"),
            (lambda d: d["intrinsics_w_distortion"].update(f=[[0.0, 1.0]]), "f more than 0"),
            (lambda d: d["intrinsics_w_distortion"].update(f=[[float("inf"), 1.0]]), "expected finite pixels"),
            (lambda d: d["extrinsics"].update(R="x"), "ValueError"),
        ],
    )
    def test_bad_cameras(self, tmp_path, motion, change, message):
        data = camera_json(motion[1])
        change(data)
        with pytest.raises(DataError, match=message):
            fit3d.read_camera(write(tmp_path / "c.json", data))

    def test_without_distortion(self, tmp_path, motion):
        data = camera_json(motion[1])
        del data["intrinsics_w_distortion"]
        _, intrinsics = fit3d.read_camera(write(tmp_path / "c.json", data))
        assert intrinsics.to_pixels(torch.tensor([0.1, 0.2])).tolist() == pytest.approx([580.3, 656.0])

    def test_bad_joints(self, tmp_path, motion):
        x, _ = motion
        with pytest.raises(DataError, match="expected joints3d_25"):
            fit3d.read_joints(write(tmp_path / "j.json", {"joints": []}))
        with pytest.raises(DataError, match="17 joints, expected 25"):
            fit3d.read_joints(write(tmp_path / "j.json", {"joints3d_25": x[:, :17].tolist()}))
        swapped = [FIT3D25.index(j.replace("left", "?").replace("right", "left").replace("?", "right"))
                   for j in FIT3D25.joints]  # fmt: skip
        with pytest.raises(DataError, match="are sides swapped"):
            data = {"joints3d_25": (x[:, swapped] @ TO_Z_UP.T).tolist()}
            fit3d.read_joints(write(tmp_path / "j.json", data))

    def test_no_json(self, tmp_path):
        (tmp_path / "j.json").write_text("{")
        with pytest.raises(DataError, match="no JSON"):
            fit3d.read_joints(tmp_path / "j.json")
        with pytest.raises(DataError, match="holds a list"):
            fit3d.read_camera(write(tmp_path / "c.json", []))


class TestCaptions:
    @pytest.mark.parametrize(
        ("exercise", "first"),
        [
            ("dumbbell_biceps_curls", "a person does the dumbbell biceps curls exercise."),
            ("warmup_12", "a person does the warm-up exercise number 12."),
            ("w_raise", "a person does the w raise exercise."),
        ],
    )
    def test_sentences(self, exercise, first):
        assert fit3d.captions(exercise)[0] == first
        assert len(set(fit3d.captions(exercise))) == 3
