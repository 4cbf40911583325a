import pytest
import roma
import torch

from videomdm import cameras, features
from videomdm.cameras.footage import Footage
from videomdm.cameras.placement import place
from videomdm.data import procedural
from videomdm.features import rays
from videomdm.features.normaliser import Normaliser
from videomdm.skeletons import kinematics


@pytest.fixture(scope="module")
def seen():
    corpus = procedural.generate(6, seed=2)
    camera = cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(1))
    wrong = corpus.joints + 0.05 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
    return corpus, camera, camera.project(corpus.joints)[0], wrong


def turned(joints, turns, skeleton):
    """Joints (B, T, J, 3) whose bones are turned by rotations (B, T or 1, J - 1, 3, 3)."""
    bones = (turns @ kinematics.bone_vectors(joints, skeleton)[..., None])[..., 0]
    placed = [joints[:, :, 0]]
    for bone, parent in enumerate(skeleton.parents[1:]):
        placed.append(placed[parent] + bones[:, :, bone])
    return torch.stack(placed, 2)


def inside(corpus):
    return torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]


class TestOntoRays:
    def test_lands_on_the_rays_and_nearer_to_the_truth(self, seen):
        corpus, camera, keypoints, wrong = seen
        onto = rays.onto_rays(wrong, Footage.of(keypoints, camera, corpus.lengths))
        error = (camera.project(onto)[0] - keypoints)[inside(corpus)].abs()
        assert error.max() < 1e-4
        before, after = ((x - corpus.joints)[inside(corpus)].norm(dim=-1).mean() for x in (wrong, onto))
        assert after < 0.75 * before  # two of three directions of the error are gone

    def test_unseen_joints_stay_and_padding_holds_the_last_pose(self, seen):
        corpus, camera, keypoints, wrong = seen
        confidence = torch.ones(keypoints.shape[:-1])
        confidence[:, :, 7] = 0
        onto = rays.onto_rays(wrong, Footage.of(keypoints, camera, corpus.lengths, confidence))
        assert torch.equal(onto[:, :, 7][inside(corpus)], wrong[:, :, 7][inside(corpus)])
        short = int(corpus.lengths.argmin())
        n = int(corpus.lengths[short])
        assert n < onto.shape[1] and torch.equal(onto[short, n:], onto[short, n - 1 : n].expand_as(onto[short, n:]))


class TestPlaced:
    def test_limbs_that_point_elsewhere_do_not_make_people_smaller(self, seen):
        """What agrees with the keypoints of a limb that is turned is shorter: the fit alone comes too near."""
        corpus, camera, keypoints, _ = seen
        footage, generator = Footage.of(keypoints, camera, corpus.lengths), torch.Generator().manual_seed(0)
        turns = roma.rotvec_to_rotmat(0.35 * torch.randn(len(corpus), 1, 21, 3, generator=generator))
        predicted = turned(corpus.joints, turns, corpus.skeleton)
        fitted = rays.onto_rays(place(predicted, footage), footage)
        found = rays.placed(predicted, footage, corpus.skeleton)
        assert (camera.project(found)[0] - keypoints)[inside(corpus)].abs().max() < 1e-4
        size, shrunk, kept = (kinematics.body_height(x, corpus.lengths) for x in (predicted, fitted, found))
        assert (shrunk / size).mean() < 0.97
        torch.testing.assert_close(kept, size, rtol=1e-4, atol=0)
        depth, near, mended = (camera.to_camera(x)[inside(corpus)][:, 0, 2] for x in (corpus.joints, fitted, found))
        assert abs((mended / depth).mean() - 1) < 0.7 * abs((near / depth).mean() - 1)

    def test_where_there_is_nothing_to_mend_nothing_moves(self, seen):
        corpus, camera, keypoints, _ = seen
        onto = rays.placed(corpus.joints, Footage.of(keypoints, camera, corpus.lengths), corpus.skeleton)
        torch.testing.assert_close(onto[inside(corpus)], corpus.joints[inside(corpus)], atol=1e-3, rtol=0)


def test_encode_gives_a_row_per_frame(seen):
    corpus, *_ = seen
    held = features.hold_last(corpus.joints, corpus.lengths)
    rows = features.encode(held, corpus.skeleton)
    normaliser = Normaliser.fit(rows, corpus.lengths - 1, len(corpus.skeleton))
    encoded = rays.encode(held, corpus.lengths, corpus.skeleton, normaliser)
    assert encoded.shape[:2] == corpus.joints.shape[:2]
    for i, n in enumerate(corpus.lengths.tolist()):
        assert torch.equal(encoded[i, : n - 1], normaliser.normalise(rows[i, : n - 1]))
        assert torch.equal(encoded[i, n - 1 :], encoded[i, n - 2 : n - 1].expand_as(encoded[i, n - 1 :]))
