"""What :func:`videomdm.sample.lift` takes for keypoints: normalised image coordinates, finite where they were seen."""

import re

import numpy as np
import pytest
import torch

from videomdm import features, sample, train
from videomdm.cameras import Camera
from videomdm.data.recordings import demonstration
from videomdm.data.recordings.detections import Intrinsics
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import SMPL22

FRAMES = 44
INTRINSICS = Intrinsics.from_field_of_view(384, 288)


@pytest.fixture(scope="module")
def scene():
    return demonstration.scenes(1)["walk_01"]


@pytest.fixture(scope="module")
def prior(scene):
    """An untrained prior with a normaliser of real motions."""
    config = train.profile("smoke", n_steps=4, t_star=2)
    torch.manual_seed(0)
    clips = features.canonicalise(torch.stack([scene.joints[k : k + FRAMES] for k in (0, 40)]))
    normaliser = Normaliser.fit(features.encode(clips), torch.tensor([FRAMES - 1, FRAMES - 1]), 22)
    return Prior(build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)


@pytest.fixture(scope="module")
def seen(scene):
    return scene.camera.project(scene.joints)[0][:FRAMES]


class TestRefused:
    @pytest.mark.parametrize(
        "change",
        [
            INTRINSICS.to_pixels,
            lambda x: x * 480 + torch.tensor([192.0, 144.0]),
            lambda x: x * 1920,
            lambda x: x * 480,  # pixels from the image's middle
            lambda x: INTRINSICS.to_pixels(x) / torch.tensor([384.0, 288.0]) + 0.1,  # shares of the image
        ],
    )
    @pytest.mark.parametrize("refine", [False, True])
    def test_no_normalised_coordinates(self, prior, scene, seen, change, refine):
        with pytest.raises(
            ValueError, match="clip 0: .*expected normalised image coordinates: pixels times the inverse"
        ):
            sample.lift(prior, change(seen), scene.camera, refine=refine)

    @pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
    def test_not_finite(self, prior, scene, seen, value):
        hole = seen.clone()
        hole[10, 5] = value
        with pytest.raises(ValueError, match="frame 10: the keypoint of joint 5 is not finite; give confidence 0"):
            sample.lift(prior, hole, scene.camera)

    def test_confidence_that_is_not_finite(self, prior, scene, seen):
        confidence = torch.ones(FRAMES, 22)
        confidence[3, 3] = torch.nan
        with pytest.raises(ValueError, match="confidence is not finite"):
            sample.lift(prior, seen, scene.camera, confidence)

    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            ({"keypoints": [[0.0, 0.0]]}, "keypoints is a list"),
            ({"keypoints": torch.zeros(FRAMES, 22, 2, dtype=torch.complex64)}, "keypoints is of torch.complex64"),
            ({"keypoints": np.zeros((FRAMES, 22, 2), dtype=object)}, "keypoints is of object"),
            ({"confidence": 1.0}, "confidence is a float"),
            ({"start": "walk", "first": 1}, "start is a str"),
        ],
    )
    def test_no_numbers(self, prior, scene, seen, given, kind):
        with pytest.raises(ValueError, match=f"^{re.escape(kind)}, expected a tensor or a NumPy array of real numbers"):
            sample.lift(prior, camera=scene.camera, **{"keypoints": seen, **given})


class TestTaken:
    @pytest.mark.parametrize(
        "made",
        [
            torch.Tensor.double,
            lambda x: x.numpy(),
            lambda x: x.numpy().astype(np.float64),
            lambda x: x.numpy()[::-1].copy()[::-1],
        ],
    )
    def test_numbers_of_any_precision(self, prior, scene, seen, made):
        confidence, start = torch.ones(FRAMES, 22), scene.joints[:FRAMES]
        expected = sample.lift(prior, seen, scene.camera, confidence, start=start, first=2)
        camera = Camera(scene.camera.rotation.double(), scene.camera.translation.double())
        lifted = sample.lift(prior, made(seen), camera, made(confidence), start=made(start), first=2)
        assert lifted.dtype == torch.float32 and torch.equal(lifted, expected)

    def test_half_precision(self, prior, scene, seen):
        lifted = sample.lift(prior, seen.half(), scene.camera)
        assert (lifted - sample.lift(prior, seen, scene.camera)).norm(dim=-1).mean() < 0.02

    def test_confidence_of_a_detector_that_only_says_whether(self, prior, scene, seen):
        seen_at_all = torch.ones(FRAMES, 22, dtype=torch.bool)
        assert torch.equal(sample.lift(prior, seen, scene.camera, seen_at_all), sample.lift(prior, seen, scene.camera))

    def test_a_hole_that_was_not_seen(self, prior, scene, seen):
        hole, confidence = seen.clone(), torch.ones(FRAMES, 22)
        hole[10, 5], confidence[10, 5] = torch.nan, 0
        assert sample.lift(prior, hole, scene.camera, confidence).isfinite().all()
        zero = seen.clone()
        zero[10, 5] = 0
        assert torch.equal(
            sample.lift(prior, hole, scene.camera, confidence), sample.lift(prior, zero, scene.camera, confidence)
        )

    def test_anything_past_a_clips_length(self, prior, scene, seen):
        padded = torch.stack([seen, seen])
        padded[1, 30:] = torch.nan
        camera = scene.camera[None][[0, 0]]
        lifted = sample.lift(prior, padded, camera, lengths=torch.tensor([FRAMES, 30]))
        assert lifted.isfinite().all()

    def test_a_joint_that_was_never_seen(self, prior, scene, seen):
        hole, confidence = seen.clone(), torch.ones(FRAMES, 22)
        hole[:, 10], confidence[:, 10] = torch.nan, 0
        assert sample.lift(prior, hole, scene.camera, confidence, refine=True, place=True).isfinite().all()
