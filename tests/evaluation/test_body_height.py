"""How large people are in motions and in predictions, on bodies whose size the tests choose."""

import pytest
import torch

from videomdm import features
from videomdm.data import procedural
from videomdm.denoiser import MDM
from videomdm.evaluation import body_height
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior
from videomdm.skeletons import SMPL22
from videomdm.train import profile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(12, seed=2)


class Shrinking(MDM):
    """Answers with the clean motion of a body that is smaller the more noise there is: 1 % per step."""

    def __init__(self, corpus, normaliser):
        super().__init__(len(normaliser.mean), width=16, n_layers=1, n_heads=2, feedforward=16)
        self.corpus, self.normaliser = corpus, normaliser

    def forward(self, x, t, text=None, lengths=None, drop=None):
        smaller = features.encode((1 - 0.01 * int(t[0])) * self.corpus.joints[:, : x.shape[1] + 1])
        return self.normaliser.normalise(smaller)


def test_learned(corpus):
    scale = torch.linspace(0.9, 1.1, len(corpus))
    found = body_height.learned(scale[:, None, None, None] * corpus.joints, corpus)
    assert found["learned_body_height"] == pytest.approx(100, abs=1e-3)
    assert found["learned_body_height_spread"] == pytest.approx(100 * scale.std().item(), rel=1e-4)


def test_corrected(corpus):
    scale = torch.linspace(0.9, 1.1, len(corpus))[:, None, None, None]
    raised = torch.tensor([0.0, 0.05, 0.0])
    found = body_height.corrected(scale * corpus.joints + raised, corpus)
    assert list(found) == ["size", "size_height", "bones_height"]
    for motions in found.values():
        assert torch.allclose(body_height.ratio(motions, corpus), torch.tensor(100.0, dtype=torch.float64), atol=0.01)
    valid = torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]
    torch.testing.assert_close(found["size_height"][valid], corpus.joints[valid], atol=1e-4, rtol=0)
    off = (found["bones_height"] - corpus.joints)[:, :, :, 1][valid]
    assert off.abs().mean() < 0.01, "bones of true length from a root of the true mean height"
    assert (found["size"] - corpus.joints)[:, :, 0, 1][valid].mean() > 0.045


def test_predicted(corpus):
    joints = features.hold_last(corpus.joints, corpus.lengths)
    normaliser = Normaliser.fit(features.encode(joints), corpus.lengths - 1, len(SMPL22))
    config = profile("smoke")
    prior = Prior(Shrinking(corpus, normaliser), normaliser, SMPL22, corpus.fps, config)
    found = body_height.predicted(prior, corpus.joints, corpus)
    assert list(found) == [f"predicted_size_{level}" for level in body_height.LEVELS]
    for level in body_height.LEVELS:
        assert found[f"predicted_size_{level}"] == pytest.approx(100 - level / 100 * config.model.n_steps, abs=0.05)
