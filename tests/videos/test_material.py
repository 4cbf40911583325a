"""From tracks to clips with teachers and cameras; what levelling buys; other lifters' motions."""

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from videomdm import features, videos
from videomdm.cameras import Camera, reprojection_error
from videomdm.conventions import DataError
from videomdm.data import procedural, recordings
from videomdm.data.recordings import Recordings, demonstration, rendering
from videomdm.data.recordings.reading import Source
from videomdm.evaluation.lifting import lifting_errors
from videomdm.skeletons import H36M17, SMPL22, kinematics

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scenes():
    return demonstration.scenes(8)


def track(name, scene, seed=0, noise=None):
    seen = rendering.detect([scene.joints], scene.camera, demonstration.INTRINSICS, noise=noise, seed=seed, name=name)
    return recordings.track(seen, demonstration.INTRINSICS)


@pytest.fixture(scope="module")
def found(scenes):
    tracks = [track(name, scene, k, rendering.Noise()) for k, (name, scene) in enumerate(scenes.items())]
    sources = [Source(name, keypoints=Path(f"{name}.json")) for name in scenes]
    skipped = [("cut_off", "cannot be opened")]
    return Recordings(tracks, [(scene.caption,) for scene in scenes.values()], sources, skipped)


@pytest.fixture(scope="module")
def material(found):
    return videos.gather(found, 60)


@pytest.fixture(scope="module")
def behind(material, scenes):
    return demonstration.ground_truth([clip.track for clip in material.clips], scenes)


class TestObserve:
    def test_clips_cover_the_recordings_and_the_rest_is_told(self, material, found):
        for i, whole in enumerate(found.tracks):
            own = [c.track for c in material.clips if c.recording == i]
            assert all(40 <= len(c) <= 60 for c in own)
            left = sum(u.last - u.first for u in material.unused if u.recording == i)
            assert sum(map(len, own)) / 20 + left == pytest.approx(len(whole) / 20)
        assert material.observations.lengths.tolist() == [len(c.track) for c in material.clips]

    def test_table(self, material):
        *used, last = material.rows()
        assert last == {"recording": "cut_off", "used": "no", "notes": "cannot be opened"}
        assert len(used) == 8 and all(row["used"] == "yes" and row["teacher"] == "own" for row in used)
        assert sum(row["clips"] for row in used) == len(material.observations)

    def test_canonical_and_seen_where_it_was_seen(self, material):
        observed = material.observations
        assert observed.frame == "pnp" and observed.teacher[:, 0, 0, [0, 2]].abs().max() < 1e-4
        error = reprojection_error(observed.camera, observed.teacher, observed.keypoints, observed.lengths)
        flat = reprojection_error(material.before, material.unlevelled(), observed.keypoints, observed.lengths)
        assert torch.allclose(error, flat, atol=1e-5), "levelling does not move the image"
        assert error.median() < 0.012

    def test_what_levelling_buys(self, material, behind):
        """The figures in the module's docstring: degrees that up is off by, millimetres of the root's height."""
        truth, true_camera = behind
        figures = [
            (videos.up_error(camera, true_camera), videos.height_error(x, truth.joints, truth.lengths))
            for camera, x in (
                (material.before, material.unlevelled()), (material.observations.camera, material.observations.teacher)
            )
        ]  # fmt: skip
        (up_before, height_before), (up_after, height_after) = ((u.mean(), h.mean()) for u, h in figures)
        assert up_before == pytest.approx(7.8, abs=0.4) and up_after == pytest.approx(3.2, abs=0.4)
        assert height_before == pytest.approx(32, abs=2) and height_after == pytest.approx(14, abs=2)

    def test_people_of_known_height(self, found, material):
        tall = videos.gather(found, 60, height=1.9).observations
        body_height = kinematics.body_height(tall.teacher, tall.lengths)
        assert torch.allclose(body_height, torch.tensor(0.9 * 1.9), atol=1e-3)
        scale = body_height / kinematics.body_height(material.observations.teacher, tall.lengths)
        depths = [o.camera.to_camera(o.teacher)[:, 0, 0, 2] for o in (tall, material.observations)]
        assert (depths[0] / depths[1] / scale - 1).abs().median() < 0.01, "as far away as they are large"
        error = reprojection_error(tall.camera, tall.teacher, tall.keypoints, tall.lengths)
        assert error.median() < 0.012

    def test_a_height_in_centimetres(self, found):
        with pytest.raises(ValueError, match="height is 190, expected metres, 0.5 to 2.5"):
            videos.gather(found, 60, height=190)

    def test_nothing_to_use(self):
        empty = Recordings(skipped=[("a", "the camera moves")])
        with pytest.raises(DataError, match="no usable clip in 1 recordings: expected at least one\n  a: the camera"):
            videos.gather(empty, 60)


class TestUpError:
    def test_by_hand(self):
        tilt = torch.deg2rad(torch.tensor([0.0, 30.0]))
        cos, sin, one = tilt.cos(), tilt.sin(), torch.ones(2)
        turn = torch.stack([one, 0 * one, 0 * one, 0 * one, cos, -sin, 0 * one, sin, cos], -1).unflatten(-1, (3, 3))
        level = Camera(torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3))
        found = videos.up_error(Camera(turn, torch.zeros(2, 3)), level)
        assert found[0] < 0.1 and found[1] == pytest.approx(30, abs=0.01)


class TestHeightError:
    def test_by_hand(self):
        true = torch.zeros(1, 5, 22, 3)
        joints = true.clone()
        joints[0, :4, :, 1] = torch.tensor([0.1, 0.3, 0.1, 0.3])[:, None]
        joints[0, 4] = 99.0  # past the end
        assert videos.height_error(joints, true, torch.tensor([4])).tolist() == pytest.approx([100.0])


class TestOtherLifters:
    """MVLift's file holds the truth: its motion is taken, in time with the keypoints."""

    @pytest.fixture
    def recording(self, scenes, tmp_path):
        scene = scenes["walk_01"]
        one = track("walk_01", scene)
        # at 40 fps, as a file of SMPL-22 joints with z up
        between = (scene.joints[1:] + scene.joints[:-1]) / 2
        joints = torch.stack([scene.joints[:-1], between], 1).flatten(0, 1)
        z_up = joints[..., [0, 2, 1]] * torch.tensor([1.0, -1.0, 1.0])
        path = tmp_path / "walk_01.mvlift.npy"
        np.save(path, z_up.numpy())
        return Recordings([one], [(scene.caption,)], [Source("walk_01", keypoints=Path("a.json"), lifted=path)]), scene

    def test_is_the_teacher(self, recording, monkeypatch):
        found, scene = recording
        reader = videos.other_lifters.mvlift.read
        monkeypatch.setitem(videos.other_lifters.LIFTERS, "mvlift", lambda path: reader(path, fps=40.0))
        material = videos.gather(found, 60)
        assert material.rows()[0]["teacher"] == "mvlift"
        truth, true_camera = demonstration.ground_truth([c.track for c in material.clips], {"walk_01": scene})
        pose, true = (x - x[..., :1, :] for x in (material.observations.teacher, truth.joints))
        inside = torch.arange(true.shape[1]) < truth.lengths[:, None]
        turned = features.canonicalise(truth.joints, floor="median", lengths=truth.lengths)
        assert (pose - (turned - turned[..., :1, :])).norm(dim=-1)[inside].mean() < 0.05
        assert videos.up_error(material.observations.camera, true_camera).max() < 3

    def test_a_bad_file_is_noted_and_the_own_teacher_lifts(self, recording):
        found, _ = recording
        found.sources[0].lifted.write_bytes(b"no array")
        material = videos.gather(found, 60)
        row = material.rows()[0]
        assert row["teacher"] == "own" and "cannot be read as a plain .npy array" in row["notes"]

    @pytest.mark.parametrize(
        "change, reason",
        [
            (lambda x: 3.281 * x, "from ankle to head, expected 0.5 to 2.5 metres; are these feet"),
            (lambda x: x * (1, -1, 1), "knees bend backwards and toes point backwards"),
            (lambda x: x[:, SMPL22.mirrored], "left and right are exchanged"),
            (lambda x: x * (1, -1, -1), "upright in the picture but head down in 3-D"),
            (lambda x: np.random.default_rng(0).normal(size=x.shape), "limbs change their length"),
            (lambda x: x[:, ::-1], "no body"),
            (lambda x: np.where(np.arange(len(x))[:, None, None] == 9, 0, x), "at frame 9: a lost frame"),
        ],
    )
    def test_what_is_no_body_is_said_and_not_used(self, recording, change, reason):
        found, _ = recording
        path = found.sources[0].lifted
        np.save(path, change(np.load(path)).astype("f4"))
        row = videos.gather(found, 60).rows()[0]
        assert (
            row["teacher"] == "own" and reason in row["notes"] and "the package's teacher lifts instead" in row["notes"]
        )
        assert path.name in row["notes"]

    def test_another_axis_up_is_said(self, recording):
        found, _ = recording
        path = found.sources[0].lifted
        np.save(path, np.load(path)[..., [1, 2, 0]])  # y was up where z is expected
        row = videos.gather(found, 60).rows()[0]
        assert "upright in the picture but lying in 3-D; unless it was filmed from above, Y is not up" in row["notes"]

    def test_somebody_elses_motion_has_no_camera(self, recording, found):
        few, _ = recording
        pose = procedural.generate(1, seed=0).clip(0)[0]
        axis = torch.nn.functional.normalize(torch.tensor([1.0, 0.5, 0.7]), dim=0)
        turns = roma.rotvec_to_rotmat(0.6 * torch.arange(200)[:, None] * axis)
        np.save(few.sources[0].lifted, ((pose - pose[0]) @ turns.mT).numpy())  # a body that tumbles
        message = "no usable clip in 1 recordings.*\n.*expected at most 0.25"
        with pytest.warns(UserWarning), pytest.raises(DataError, match=message):
            videos.gather(few, 60)
        both = Recordings(few.tracks + found.tracks[1:2], found.captions[:2], few.sources + found.sources[1:2])
        with pytest.warns(UserWarning, match="not to be trusted"):
            material = videos.gather(both, 60)
        first, second = material.rows()
        assert (first["used"], first["clips"], second["used"]) == ("no", 0, "yes")
        left_out = [u for u in material.unused if u.recording == 0 and "its camera's error is" in u.reason]
        assert first["notes"].count("its camera's error is") == len(left_out) > 0
        assert len(material.clips) == len(material.observations) == second["clips"]

    def test_frames_that_the_lifter_did_not_see_are_in_no_clip(self, recording):
        found, scene = recording
        joints = np.load(found.sources[0].lifted)
        np.save(found.sources[0].lifted, joints[: 2 * 70])  # at MVLift's 30 fps, 93 frames of ours
        material = videos.gather(found, 60)
        assert max(c.track.start + len(c.track) / 20 for c in material.clips) <= 94 / 20
        assert "not seen" in material.rows()[0]["notes"]

    def test_poses_without_a_path_are_put_where_they_were_seen(self, scenes, found):
        scene, one = scenes["walk_01"], found.tracks[0]
        in_camera = scene.camera.to_camera(scene.part(one)) * torch.tensor(videos.CAMERA_AXES)
        pose = in_camera - in_camera[:, :1]
        clip = videos.Clip(one, 0, pose, path=False)
        world = videos.lift_clips([clip], recordings.footage([one]))[0]
        assert (world - world[:, :1] - pose).abs().max() < 1e-4
        depth = -world[:, 0, 2]
        assert (depth / -in_camera[:, 0, 2] - 1).abs().mean() < 0.25
        image = world[:, 0, :2] / depth[:, None] * torch.tensor([1.0, -1.0])
        assert (image - one.keypoints[:, 0])[one.confidence[:, 0] > 0].abs().max() < 1e-4

    def test_motionberts_poses_get_a_path_and_feet(self, scenes, tmp_path):
        scene = scenes["squat_01"]
        at = torch.arange(0, len(scene.joints) - 1, 20 / 30)
        share = (at % 1)[:, None, None]
        joints = torch.lerp(scene.joints[at.long()], scene.joints[at.long() + 1], share)
        names = {"spine": "spine2", "thorax": "neck"}
        h36m = scene.camera.to_camera(joints)[:, [SMPL22.index(names.get(j, j)) for j in H36M17.joints]]
        path = tmp_path / "squat_01.motionbert.npy"
        np.save(path, (h36m / 4).numpy())
        one = track("squat_01", scene)
        found = Recordings([one], [("squat",)], [Source("squat_01", keypoints=Path("a.json"), lifted=path)])
        material = videos.gather(found, 60)
        assert material.rows()[0]["teacher"] == "motionbert" and material.clips
        truth, true_camera = demonstration.ground_truth([c.track for c in material.clips], {"squat_01": scene})
        assert videos.up_error(material.observations.camera, true_camera).max() < 12
        errors = lifting_errors(material.observations.teacher, material.observations.camera, truth, true_camera)
        assert errors["pa_mpjpe"] < 60


class TestCut:
    def test_short_clips(self, found):
        own, left = videos.cut(found.tracks[0], 44)
        assert all(40 <= len(c) <= 44 for c in own) and own[0].layout is SMPL22

    def test_unseen_frames_are_in_no_clip(self, found):
        seen = torch.ones(len(found.tracks[0]), dtype=torch.bool)
        seen[50:80] = False
        own, left = videos.cut(found.tracks[0], 60, seen)
        start = found.tracks[0].start
        assert (start + 2.5, start + 4.0, "not seen") in [(pytest.approx(a), pytest.approx(b), w) for a, b, w in left]
        assert all(c.start + len(c) / 20 <= start + 2.5 + 1e-6 or c.start >= start + 4 - 1e-6 for c in own)
