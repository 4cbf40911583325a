"""What a prior makes of clean motions."""

import math

import pytest
import torch

from videomdm import features, train
from videomdm.data import procedural
from videomdm.evaluation import keeping
from videomdm.features.normaliser import Normaliser
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import SMPL22


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(4, seed=2, min_frames=40, max_frames=44)


@pytest.fixture(scope="module")
def prior_with(corpus):
    """A prior whose network says nothing: without a skip its motion is the mean pose, with one its input, smoothed."""
    joints = features.hold_last(features.canonicalise(corpus.joints, lengths=corpus.lengths), corpus.lengths)
    normaliser = Normaliser.fit(features.encode(joints), corpus.lengths - 1, 22)

    def make(skip):
        config = train.profile("smoke", n_steps=50, skip=skip)
        model = build_denoiser(config, 263, 512).eval()
        torch.nn.init.zeros_(model.predict.weight)
        torch.nn.init.zeros_(model.predict.bias)
        return Prior(model, normaliser, SMPL22, 20.0, config)

    return make


@pytest.fixture(scope="module")
def canonical(corpus):
    return features.canonicalise(corpus.joints, lengths=corpus.lengths)


def test_a_skip_keeps_what_the_network_does_not_know(prior_with, canonical, corpus):
    """The probe tells the two apart: the mean pose costs the same at every noise, a smoothed input hardly anything."""
    without, smoothed = (keeping.errors(prior_with(s), canonical, corpus.lengths, (0, 24)) for s in (0.0, 1.0))
    assert without[0]["mpjpe"] > 100 and without[0]["mpjpe"] == pytest.approx(without[24]["mpjpe"], rel=0.01)
    assert smoothed[0]["mpjpe"] < 0.25 * without[0]["mpjpe"] and smoothed[0]["pa_mpjpe"] < 0.5 * without[0]["pa_mpjpe"]
    assert smoothed[0]["mpjpe"] < smoothed[24]["mpjpe"], "noise that is let through costs more where there is more"


def test_one_noise_for_all_steps_and_padding_counts_nowhere(prior_with, canonical, corpus):
    prior, padded = prior_with(1.0), canonical.clone()
    shorter = corpus.lengths - 4
    padded[torch.arange(padded.shape[1]) >= shorter[:, None]] = 7.0
    found = keeping.errors(prior, padded, shorter, (4,))
    assert all(math.isfinite(value) and value < 200 for value in found[4].values())
    again = keeping.errors(prior, canonical, shorter, (4, 8))
    assert found[4] == pytest.approx(again[4], rel=1e-3)
