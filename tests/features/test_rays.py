import pytest
import torch

from videomdm import cameras, features
from videomdm.cameras.footage import Footage
from videomdm.data import procedural
from videomdm.features import rays
from videomdm.features.normaliser import Normaliser


@pytest.fixture(scope="module")
def seen():
    corpus = procedural.generate(6, seed=2)
    camera = cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(1))
    wrong = corpus.joints + 0.05 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
    return corpus, camera, camera.project(corpus.joints)[0], wrong


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
