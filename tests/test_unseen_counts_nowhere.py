"""A joint that nobody saw (confidence 0) changes nothing, whatever its keypoint says: every consumer, one by one."""

import pytest
import torch

from videomdm import cameras, features, losses, sample, train
from videomdm.cameras import Footage, ground, placement, pnp, refinement
from videomdm.conventions import ROOT_PATHS
from videomdm.data import procedural
from videomdm.evaluation.lifting import without_truth
from videomdm.features.normaliser import Normaliser
from videomdm.lifters import teacher
from videomdm.sample.prior import Prior
from videomdm.skeletons import SMPL22

LEFT_ARM = [SMPL22.index(f"left_{joint}") for joint in ("elbow", "wrist")]
ANKLES = [SMPL22.index(f"{side}_ankle") for side in ("left", "right")]


class Seen:
    """Two clips of which a part was not seen: an arm for a while, ankles never, a frame of everything."""

    def __init__(self):
        corpus = procedural.generate(2, min_frames=40, max_frames=40)
        self.joints, self.lengths = corpus.joints, torch.tensor([40, 33])
        self.camera = cameras.sample_orbit(self.joints, self.lengths, torch.Generator().manual_seed(0))
        self.keypoints = self.camera.project(self.joints)[0]
        self.confidence = torch.ones(2, 40, 22)
        self.confidence[:, 10:30, LEFT_ARM] = 0
        self.confidence[0, :, ANKLES] = 0
        self.confidence[1, 3] = 0
        self.confidence[1, 33:] = 0
        generator = torch.Generator().manual_seed(1)
        absurd = 50 * torch.randn(self.keypoints.shape, generator=generator)
        self.absurd = torch.where(self.confidence[..., None] > 0, self.keypoints, absurd)

    def same(self, function, tolerance=1e-5):
        """``function`` of the keypoints answers alike for true and absurd ones, and not because it reads none.

        Differences are shares of the largest value.
        """
        true, absurd, moved = (function(k) for k in (self.keypoints, self.absurd, self.keypoints * 1.05 + 0.01))
        assert (absurd - true).abs().max() <= tolerance * true.abs().max()
        assert (moved - true).abs().max() > max(1e-3, 20 * tolerance) * true.abs().max()


@pytest.fixture(scope="module")
def seen():
    return Seen()


@pytest.fixture(scope="module")
def normaliser(seen):
    return Normaliser.fit(features.encode(seen.joints), seen.lengths - 1, 22)


@pytest.mark.parametrize("loss", [losses.reprojection, losses.velocity])
def test_losses_and_their_gradients(seen, loss):
    def gradient(keypoints):
        joints = (seen.joints + 0.03).requires_grad_()
        value = loss(joints, keypoints, seen.camera, seen.lengths, seen.confidence)
        return torch.cat([value.reshape(1), torch.autograd.grad(value, joints)[0].flatten()])

    seen.same(gradient)


def footage(seen, keypoints):
    return Footage.of(keypoints, seen.camera, seen.lengths, seen.confidence)


def test_the_target_on_the_rays(seen):
    seen.same(lambda k: losses.ray_target(seen.joints + 0.03, footage(seen, k), SMPL22))


def test_the_whole_loss_with_refined_cameras(seen, normaliser):
    clean = normaliser.normalise(features.encode(features.hold_last(seen.joints, seen.lengths)))
    predicted = torch.cat([clean, clean[:, -1:]], 1) + 0.1

    def total(keypoints):
        return losses.videomdm(
            predicted, predicted, keypoints, seen.camera, seen.lengths, normaliser, SMPL22, seen.confidence,
            refined=torch.tensor([True, True]),
        )[0]  # fmt: skip

    seen.same(total)


def test_refined_cameras(seen):
    def refined(keypoints):
        found = refinement.refine(seen.joints, footage(seen, keypoints))
        return torch.cat([found.rotation, found.translation[..., None]], -1)

    seen.same(refined)


def test_places(seen):
    seen.same(lambda k: placement.place(seen.joints, footage(seen, k)))


def test_cameras_from_pnp_and_their_errors(seen):
    def found(keypoints):
        camera, report = pnp.estimate(seen.joints, keypoints, seen.confidence, seen.lengths)
        errors = torch.stack([report.error, report.whole, report.relative], -1)
        return torch.cat([camera.rotation, camera.translation[..., None], errors[..., None]], -1)

    seen.same(found)


@pytest.mark.filterwarnings("error")
def test_pnp_is_right_where_half_of_the_body_was_not_seen(seen):
    camera, report = pnp.estimate(seen.joints, seen.absurd, seen.confidence, seen.lengths)
    assert report.relative.max() < 1e-3
    torch.testing.assert_close(camera.rotation, seen.camera.rotation, atol=1e-3, rtol=0)


@pytest.mark.parametrize("root_path", ROOT_PATHS)
def test_the_teacher(seen, root_path):
    """Its networks read fillers that follow the body, and the confidence; never what stood there."""
    seen.same(lambda k: teacher.estimate(footage(seen, k), root_path=root_path, progress=False))


def test_levelling_knows_no_floor_from_legs_that_nobody_saw(seen):
    tilted = seen.joints @ torch.tensor([[1.0, 0, 0], [0, 0.985, 0.174], [0, -0.174, 0.985]])
    legs = [SMPL22.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "foot")]
    invented = tilted.clone()
    invented[:, :, legs] += torch.tensor([0.5, 0.3, -0.2])
    confidence = torch.ones(2, 40, 22)
    confidence[..., legs] = 0
    known, of_none = (ground.estimate_floor(tilted, confidence=c) for c in (torch.ones(2, 40, 22), confidence))
    of_invented = ground.estimate_floor(invented, confidence=confidence)
    assert known.tilt.min() > 2 and of_none.contacts.max() == 0
    torch.testing.assert_close(of_invented.normal, of_none.normal)
    assert of_none.tilt.max() < 0.1, "up is the camera's where nothing tells"


def test_lifting(seen, normaliser):
    config = train.profile("smoke", n_steps=6, t_star=3)
    torch.manual_seed(0)
    prior = Prior(sample.build_denoiser(config, 263, 512).eval(), normaliser, SMPL22, 20.0, config)

    def lifted(keypoints):
        return sample.lift(
            prior, keypoints, seen.camera, seen.confidence, seen.lengths, refine=True, place=True, seed=0
        )  # fmt: skip

    seen.same(lifted, tolerance=1e-4)


def test_what_is_measured_without_the_truth(seen):
    seen.same(lambda k: without_truth(seen.joints + 0.02, footage(seen, k))["reprojection"])
