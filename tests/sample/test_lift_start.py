"""Lifting that starts from a motion."""

from dataclasses import replace

import pytest
import torch

from videomdm import cameras, features, sample, train
from videomdm.cameras import Footage
from videomdm.data import procedural
from videomdm.features.normaliser import Normaliser
from videomdm.sample import Lifting
from videomdm.sample.prior import Prior, build_denoiser
from videomdm.skeletons import SMPL22

FRAMES, STEPS = 40, 20


@pytest.fixture(scope="module")
def corpus():
    clips = procedural.generate(2, seed=1, min_frames=FRAMES, max_frames=FRAMES)
    return replace(clips, joints=features.canonicalise(clips.joints))


@pytest.fixture(scope="module")
def seen(corpus):
    camera = cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(0))
    return Footage.of(camera.project(corpus.joints)[0], camera)


@pytest.fixture(scope="module")
def prior(corpus):
    """A denoiser that says what it is given, smoothed: an untrained network behind a skip adds nothing."""
    config = train.profile("smoke", n_steps=STEPS, t_star=0, skip=0.5)
    normaliser = Normaliser.fit(features.encode(corpus.joints), corpus.lengths - 1, 22)
    model = build_denoiser(config, 263, 512).eval()
    torch.nn.init.zeros_(model.predict.weight)
    torch.nn.init.zeros_(model.predict.bias)
    return Prior(model, normaliser, SMPL22, 20.0, config)


def lift(prior, seen, corpus, first, **how):
    start = None if first is None else corpus.joints
    return sample.lift_footage(prior, seen, Lifting(first=first), start=start, **how)


def error(joints, corpus):
    return float((joints - corpus.joints).norm(dim=-1).mean())


class TestStart:
    @pytest.mark.parametrize("method", ["ddpm", "ddim"])
    def test_the_motion_is_kept_the_better_the_later_lifting_starts(self, prior, seen, corpus, method):
        errors = [error(lift(prior, seen, corpus, first, method=method), corpus) for first in (0, 5, 15, None)]
        assert errors[0] < 0.03 and errors[0] < errors[1] < errors[2] < errors[3]

    def test_noise_alone_does_not_depend_on_a_motion(self, prior, seen, corpus):
        other = sample.lift(prior, seen.keypoints, seen.camera, method="ddpm")
        assert torch.equal(lift(prior, seen, corpus, None, method="ddpm"), other)

    def test_one_clip_alone(self, prior, seen, corpus):
        one = sample.lift(prior, seen.keypoints[0], seen.camera[0], start=corpus.joints[0], first=0)
        torch.testing.assert_close(
            one, lift(prior, seen.select(slice(1)), replace(corpus, joints=corpus.joints[:1]), 0)[0]
        )

    def test_a_walk_takes_its_own_steps(self, prior, seen, corpus):
        walking = replace(prior, config=prior.config.but(t_star=6, n_buckets=3, method="videomdm"))
        visited = []

        def model(x, t, *rest):
            visited.append(int(t[0]))
            return prior.model(x, t, *rest)

        lift(replace(walking, model=model), seen, corpus, 7, method="walk")
        assert visited == [t for t in walking.config.multistep.steps if t <= 7] and len(visited) < 8

    def test_what_cannot_be(self, prior, seen, corpus):
        with pytest.raises(ValueError, match="step 3 from no motion, expected both or none"):
            sample.lift_footage(prior, seen, Lifting(first=3))
        with pytest.raises(ValueError, match="step None from a motion"):
            sample.lift_footage(prior, seen, Lifting(), start=corpus.joints)
        with pytest.raises(ValueError, match="step 20, expected 0 to 19"):
            lift(prior, seen, corpus, 20)
        with pytest.raises(ValueError, match="start from has shape"):
            sample.lift_footage(prior, seen, Lifting(first=3), start=corpus.joints[:1])
        walking = replace(prior, config=prior.config.but(t_star=6, n_buckets=3, method="videomdm"))
        with pytest.raises(ValueError, match=f"step 0, expected {walking.config.multistep.steps[-1]} at least"):
            lift(walking, seen, corpus, 0, method="walk")
