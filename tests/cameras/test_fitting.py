"""A motion held against its recording."""

import pytest
import torch

from videomdm import cameras
from videomdm.cameras import Footage, fitting
from videomdm.data import procedural
from videomdm.evaluation import pose
from videomdm.skeletons import SMPL22, kinematics


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(4, seed=5, max_frames=44)


@pytest.fixture(scope="module")
def seen(corpus):
    camera = cameras.sample_orbit(corpus.joints, corpus.lengths, torch.Generator().manual_seed(0))
    return Footage.of(camera.project(corpus.joints)[0], camera, corpus.lengths)


@pytest.fixture(scope="module")
def guess(corpus, seen):
    """The truth with the errors of a lifter: each joint at a wrong depth, all of it slightly off its ray."""
    generator = torch.Generator().manual_seed(1)
    deviation = torch.tensor([0.02, 0.02, 0.10])
    constant, frame = (
        torch.randn(4, n, 22, 3, generator=generator) * deviation * share
        for n, share in ((1, 0.3), (corpus.joints.shape[1], 0.7))
    )
    return seen.camera.to_world(seen.camera.to_camera(corpus.joints) + constant + frame)


@pytest.fixture(scope="module")
def fitted(guess, seen):
    return fitting.fit(guess, seen)


def jitter(joints, lengths):
    return float(pose.jitter(joints, 20.0, lengths))


class TestFit:
    def test_is_nearer_to_the_truth(self, corpus, guess, fitted):
        before, after = (
            pose.mpjpe(pose.align_root(x, corpus.joints), corpus.joints, corpus.lengths) for x in (guess, fitted)
        )
        assert after < 0.95 * before

    def test_nearer_to_the_rays_with_bones_of_one_length_and_smooth(self, corpus, seen, guess, fitted):
        def spread(joints):
            sizes = kinematics.bone_vectors(joints, SMPL22).norm(dim=-1)[seen.valid]
            return float(sizes.std(0).mean())

        off = [cameras.reprojection_error(seen.camera, x, seen.keypoints, seen.lengths).mean() for x in (guess, fitted)]
        assert off[1] < 0.9 * off[0]
        assert spread(fitted) < 0.5 * spread(guess)
        assert jitter(fitted, seen.lengths) < 0.5 * jitter(guess, seen.lengths)

    def test_what_agrees_with_its_recording_stays(self, corpus, seen):
        still = fitting.fit(corpus.joints, seen, weights=fitting.Weights(bend=0.0))
        moved = (still - corpus.joints).norm(dim=-1)[seen.valid]
        assert moved.mean() < 0.01, "metres; bones of the corpus are constant, left as long as right"

    def test_padding_and_what_was_not_seen_pull_nothing(self, corpus, seen, guess, fitted):
        lengths = seen.lengths.clone()
        lengths[0] -= 9
        keypoints, confidence = seen.keypoints.clone(), torch.ones_like(seen.confidence)
        keypoints[0, lengths[0] :] = 1e3
        keypoints[:, :, 20], confidence[:, :, 20] = 50.0, 0
        found = fitting.fit(guess, Footage(keypoints, confidence, seen.camera, lengths))
        assert torch.equal(found[0, lengths[0] :], guess[0, lengths[0] :])
        assert (found - fitted).norm(dim=-1)[1:].amax() < 0.5, "metres: no joint runs after what nobody saw"

    def test_what_was_not_seen_may_be_nan(self, seen, guess):
        lost = seen.confidence.clone()
        lost[:, 5:9, 3] = 0
        keypoints = seen.keypoints.masked_fill(lost[..., None] == 0, torch.nan)
        given, holes = (
            fitting.fit(guess, Footage(k, lost, seen.camera, seen.lengths)) for k in (seen.keypoints, keypoints)
        )
        assert torch.equal(given, holes)

    def test_clips_do_not_know_of_each_other(self, seen, guess, fitted):
        alone = fitting.fit(guess[:1], seen.select(slice(1)))
        assert (alone - fitted[:1]).norm(dim=-1)[seen.valid[:1]].mean() < 0.005

    def test_at_another_frame_rate_a_bend_costs_the_same(self, seen, guess):
        """Half as many frames a second bend 16 times as much."""
        plain = fitting.fit(guess, seen, weights=fitting.Weights(bend=16.0))
        torch.testing.assert_close(fitting.fit(guess, seen, weights=fitting.Weights(bend=1.0), fps=40.0), plain)


class TestLongRecordings:
    """Clips one after the other, to and fro, as one recording."""

    @pytest.fixture
    def long(self, guess, seen):
        def joined(x, frames=8 * 40):
            whole = torch.cat([x[0, :40], x[0, :40].flip(0)])
            return whole.repeat(-(-frames // len(whole)), *[1] * (whole.ndim - 1))[None, :frames]

        frames = Footage(joined(seen.keypoints), joined(seen.confidence), seen.camera[:1], torch.tensor([8 * 40]))
        return joined(guess), frames

    def test_take_no_more_steps_than_short_ones(self, guess, seen, long, monkeypatch):
        """So time grows as the number of frames does."""
        steps, vectors = [0, 0], kinematics.bone_vectors
        for k, given in enumerate(((guess[:1], seen.select(slice(1))), long)):

            def counted(*arguments, k=k):
                steps[k] += 1
                return vectors(*arguments)

            monkeypatch.setattr(kinematics, "bone_vectors", counted)
            fitting.fit(*given)
        assert 0 < steps[1] < 1.25 * steps[0]

    def test_come_out_as_their_beginning_alone(self, long):
        joints, frames = long
        half = 160  # to and fro twice, so that bones have the same medians
        part = Footage(frames.keypoints[:, :half], frames.confidence[:, :half], frames.camera, torch.tensor([half]))
        whole, alone = fitting.fit(joints, frames), fitting.fit(joints[:, :half], part)
        assert (whole[:, :120] - alone[:, :120]).norm(dim=-1).amax() < 0.002, "metres; two seconds from where it is cut"


def test_bones_are_alike_on_both_sides(corpus):
    lengths = fitting.bone_lengths(corpus.joints, corpus.lengths)
    left, right = (SMPL22.index(f"{side}_wrist") - 1 for side in ("left", "right"))
    assert lengths.shape == (4, 21) and torch.equal(lengths[:, left], lengths[:, right])
