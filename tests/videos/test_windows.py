"""A recording longer than a prior's clips: windows, blending, the whole."""

from pathlib import Path

import pytest
import torch

from videomdm import features, train, videos
from videomdm.cameras import reprojection_error
from videomdm.cameras.keypoints import bridge
from videomdm.data import procedural, recordings
from videomdm.data.recordings import demonstration, rendering
from videomdm.data.recordings.reading import Source
from videomdm.evaluation import posture
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import SMPL22, kinematics
from videomdm.videos import heights, windows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene():
    return demonstration.scenes(1)["walk_01"]


@pytest.fixture(scope="module")
def track(scene):
    seen = rendering.detect(
        [scene.joints], scene.camera, demonstration.INTRINSICS, noise=rendering.Noise(), name="walk_01"
    )
    return recordings.track(seen, demonstration.INTRINSICS)


@pytest.fixture(scope="module")
def prior(scene):
    """An untrained prior with a normaliser of real motions: it puts joints near the mean pose."""
    config = train.profile("smoke", n_steps=6, t_star=3)
    torch.manual_seed(0)
    clips = features.canonicalise(torch.stack([scene.joints[k : k + 44] for k in (0, 40)]))
    normaliser = Normaliser.fit(features.encode(clips), torch.tensor([43, 43]), 22)
    return Prior(build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)


def long_walk():
    """(T, 22, 3): somebody walks and returns, then all of it backwards in time, and again."""
    corpus = procedural.generate(60, seed=2, min_frames=150)
    walk = corpus.clip(corpus.actions.index("walk_and_return"))
    return torch.cat([walk, walk.flip(0)[1:]] * 2)


class TestWindows:
    @pytest.mark.parametrize(("frames", "longest"), [(44, 44), (45, 44), (100, 44), (1000, 60), (40, 196)])
    def test_cover_everything_and_overlap(self, frames, longest):
        starts, length = windows.windows(frames, longest)
        assert length == min(frames, longest) and starts[0] == 0 and starts[-1] + length == frames
        steps = [b - a for a, b in zip(starts, starts[1:], strict=False)]
        assert all(0 < step <= (1 - windows.OVERLAP) * length + 1 for step in steps)


class TestBlend:
    def test_parts_of_one_motion_give_it_back(self):
        motion = torch.randn(100, 22, 3)
        starts, length = windows.windows(100, 44)
        parts = torch.stack([motion[s : s + length] for s in starts])
        assert torch.allclose(windows.blend(parts, starts, 100), motion, atol=1e-6)

    def test_passes_gently_from_one_to_the_next(self):
        starts, length = windows.windows(70, 44)
        parts = torch.arange(2.0)[:, None, None, None].expand(2, length, 22, 3)
        path = windows.blend(parts, starts, 70)[:, 0, 0]
        assert path[0] == 0 and path[-1] == 1
        assert (path.diff() >= 0).all() and path.diff().max() < 0.15


class TestLift:
    def test_a_long_walk(self, prior, track, scene):
        whole = videos.lift_recording(prior, track, scene.caption)
        assert whole.joints.shape == whole.teacher.shape == (len(track), 22, 3)
        assert whole.joints[0, 0, [0, 2]].abs().max() < 1e-4, "canonical"
        assert track.filled.any()
        seen = bridge(track.confidence, track.fps) > 0
        error = (whole.camera.project(whole.joints)[0] - track.keypoints).norm(dim=-1)
        assert seen.all() and error.max() < 0.03 and error.mean() < 0.006, "near the rays, also where a frame was lost"
        assert reprojection_error(whole.teacher_camera, whole.teacher, track.keypoints) < 0.02
        assert not whole.report.bad.any() and len(whole.report.names) == len(windows.windows(len(track), 44)[0])
        truth, true_camera = demonstration.ground_truth([track], {"walk_01": scene})
        sizes = torch.cat(
            [kinematics.body_height(part[None], torch.tensor([len(part)])) for part in whole.teacher.chunk(5)]
        )
        assert sizes.max() / sizes.min() < 1.05, "one person has one size in all windows"
        assert videos.up_error(whole.teacher_camera[None], true_camera) < 6
        assert whole.teacher[-1, 0].norm() == pytest.approx(float(truth.clip(0)[-1, 0].norm()), rel=0.3), "it walks"

    @pytest.mark.parametrize("height", (None, 1.8))
    def test_one_person_one_size_one_floor(self, prior, height):
        """Half a minute of somebody walking to and fro, by a prior that makes another person of every window."""
        scene = demonstration.Scene(joints := long_walk(), demonstration.framed(joints, 0.4, 0.2), "a person walks.")
        seen = rendering.detect([joints], scene.camera, demonstration.INTRINSICS, noise=rendering.Noise(), name="long")
        track = recordings.track(seen, demonstration.INTRINSICS)
        whole = videos.lift_recording(prior, track, scene.caption, height=height)
        for motion, camera in ((whole.joints, whole.camera), (whole.teacher, whole.teacher_camera)):
            found = posture.steadiness(motion)
            assert found["size_change"] < 3
            assert found["size"] == pytest.approx(0.9 * (height or heights.HEIGHT), rel=0.03)
            up = camera.rotation[:, 1] @ scene.camera.rotation[:, 1]
            assert up > torch.tensor(5.0).deg2rad().cos(), "up is gravity's within 5 degrees"
        teacher = posture.steadiness(whole.teacher)
        assert teacher["lean"] < 8 and teacher["lean_change"] < 6

    def test_somebody_of_known_height(self, prior, track, scene):
        whole = videos.lift_recording(prior, track, scene.caption, height=1.6)
        for motion, camera in ((whole.joints, whole.camera), (whole.teacher, whole.teacher_camera)):
            body_height = kinematics.body_height(motion[None], torch.tensor([len(motion)]))
            assert float(body_height) == pytest.approx(0.9 * 1.6, rel=0.02)  # of the windows exactly, blended nearly
            assert (camera.project(motion)[0] - track.keypoints).norm(dim=-1).median() < 0.02

    def test_windows_without_a_good_camera_are_taken_for_level(self, prior, track, scene, monkeypatch):
        monkeypatch.setattr(windows.pnp, "LIMIT", 0.0)
        with pytest.warns(UserWarning, match="not to be trusted"):
            whole = videos.lift_recording(prior, track)
        assert whole.report.bad.all() and whole.joints.isfinite().all()
        seen = track.confidence.amin(-1) > 0
        assert (whole.camera.project(whole.joints)[0] - track.keypoints).norm(dim=-1)[seen].max() < 0.03


def test_clips_are_lifted_onto_their_rays_over_short_gaps(prior, track, scene):
    found = recordings.Recordings([track], [(scene.caption,)], [Source("walk_01", keypoints=Path("a.json"))])
    observed = videos.gather(found, 44).observations
    assert any((c[:n] == 0).any() for c, n in zip(observed.confidence, observed.lengths, strict=True))
    joints, camera = videos.lift_observed(prior, observed)
    assert joints[:, 0, 0, [0, 2]].abs().max() < 1e-4, "canonical"
    for i, n in enumerate(observed.lengths.tolist()):
        image = camera[i].project(joints[i, :n])[0]
        assert (image - observed.keypoints[i, :n]).abs().max() < 1e-3
    tall, _ = videos.lift_observed(prior, observed, height=1.9)
    assert torch.allclose(kinematics.body_height(tall, observed.lengths), torch.tensor(0.9 * 1.9), atol=1e-3)
