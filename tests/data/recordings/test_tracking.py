"""People followed through a clip."""

import numpy as np
import pytest
import torch

from videomdm import cameras
from videomdm.conventions import DataError
from videomdm.data.recordings import jumps, rendering
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.tracking import Person, describe, follow, put_sides_right
from videomdm.skeletons import HALPE26

SIZE = Intrinsics.from_field_of_view(640, 480, 60)


def people(frames=60, count=1, size=100.0, speed=0.0):
    """Random upright bodies side by side, (count, frames, 26, 3), moving right by ``speed`` pixels per frame."""
    body = np.random.default_rng(0).uniform(0, size, (26, 2)) * (0.4, 1)
    path = np.arange(frames)[:, None, None] * (speed, 0)
    bodies = [np.broadcast_to(body + (300 * k + 50, 100), (frames, 26, 2)) + path for k in range(count)]
    return np.stack([np.concatenate([b, np.ones((frames, 26, 1))], axis=-1) for b in bodies])


def detections(frames, fps=20.0):
    return Detections(frames, np.arange(len(frames)) / fps, HALPE26, 640, 480, "clip")


class TestFollow:
    def test_one_person(self):
        found = follow(detections(list(people().swapaxes(0, 1))))
        assert len(found) == 1 and found[0].frames == list(range(60))

    def test_order_of_detections_does_not_matter(self):
        both = people(count=2)
        frames = [both[::-1, t] if t % 2 else both[:, t] for t in range(60)]
        main, other = follow(detections(frames))
        assert len(main.frames) == len(other.frames) == 60
        assert np.ptp([k[0, 0] for k in main.keypoints]) == 0

    def test_main_person_is_large_long_and_sure(self):
        large, small = people(size=200)[0], people(count=2, size=60)[1]
        assert (
            np.ptp(follow(detections([np.stack([s, b]) for s, b in zip(small, large, strict=True)]))[0].boxes[0][1::2])
            > 150
        )
        brief = [np.stack([s, b]) if t < 10 else s[None] for t, (s, b) in enumerate(zip(small, large, strict=True))]
        assert len(follow(detections(brief))[0].frames) == 60
        large[..., 2] = 0.15
        unsure = follow(detections([np.stack([s, b]) for s, b in zip(small, large, strict=True)]))[0]
        assert np.ptp(unsure.boxes[0][1::2]) < 100

    def test_gap_is_bridged_and_long_absence_is_not(self):
        frames = list(people(200, speed=1).swapaxes(0, 1))
        for t in range(20, 40):
            frames[t] = frames[t][:0]
        assert [len(p.frames) for p in follow(detections(frames))] == [180]
        for t in range(40, 80):
            frames[t] = frames[t][:0]
        assert [len(p.frames) for p in follow(detections(frames))] == [120, 20]

    def test_a_jump_across_the_image_is_another_person(self):
        left, right = people(count=2)
        frames = [left[t][None] if t < 40 else right[t][None] for t in range(60)]
        found = follow(detections(frames))
        assert [len(p.frames) for p in found] == [40, 20]
        assert "the main person ends at 1.9 s and another begins: perhaps the same one" in describe(
            found, detections(frames)
        )

    def test_guesses_are_missing(self):
        frames = people()[0]
        frames[:, 3, 2] = 0.05
        (person,) = follow(detections([f[None] for f in frames]))
        assert (np.array(person.keypoints)[:, 3] == 0).all()

    @pytest.mark.parametrize("confidence", [0.0, 0.05])
    def test_nobody(self, confidence):
        frames = people()[0]
        frames[..., 2] = confidence
        with pytest.raises(DataError, match="clip: no person in any of 60 frames"):
            follow(detections([f[None] for f in frames]))
        with pytest.raises(DataError, match="clip: no person in any of 3 frames"):
            follow(detections([np.zeros((0, 26, 3))] * 3))


class TestCrossing:
    """Two walkers meet before a camera; the one behind is hidden for a while."""

    camera = cameras.orbit(0.0, 0.14, [0, 0.9, 0], 4.5)

    def walkers(self, corpus):
        long = [corpus.clip(i)[:90] for i, n in enumerate(corpus.lengths.tolist()) if n >= 90][:2]
        path = torch.linspace(-1.6, 2.0, 90)[:, None, None] * torch.tensor([1.0, 0, 0])
        in_place = [joints - joints[:, :1] * torch.tensor([1.0, 0, 1]) for joints in long]
        return [in_place[0] + path, in_place[1] - path - torch.tensor([0, 0, 1.0])]

    @pytest.mark.parametrize("seed", range(3))
    def test_identity_is_kept_and_the_crossing_told(self, corpus, seed):
        walkers = self.walkers(corpus)
        seen = rendering.detect(walkers, self.camera, SIZE, noise=rendering.Noise(), seed=seed)
        truth = rendering.detect(walkers[:1], self.camera, SIZE)
        hidden = (walkers[0][:, 0, 0] - walkers[1][:, 0, 0]).abs() < 0.25
        assert hidden.any()
        for t in hidden.nonzero()[:, 0].tolist():
            off = [np.abs(p[:, :2] - truth.people[t][0, :, :2]).mean() for p in seen.people[t]]
            seen.people[t] = seen.people[t][[int(np.argmin(off))]] if off else seen.people[t]
        found = follow(seen)
        main = found[0]
        error = [
            np.linalg.norm(k[:, :2] - truth.people[t][0, :, :2], axis=-1)[k[:, 2] > 0]
            for t, k in zip(main.frames, main.keypoints, strict=True)
        ]
        assert np.median(error[0]) < 10 and max(np.median(e) for e in error) < 20  # pixels; the other is 300 off
        notes = describe(found, seen)
        assert sum("another person crosses" in n for n in notes) == 1 and notes[0].startswith("2 people")

    def test_a_change_of_size_tells_of_a_switch(self):
        small = people(80, size=100, speed=2)[0]
        other = people(80, size=100, speed=2)[0]
        small[40:, :, :2] = 1.5 * (small[40:, :, :2] - small[40:, :1, :2]) + small[40:, :1, :2]
        other[..., 0] += 60 - 1.5 * np.arange(80)[:, None]
        seen = detections(
            [np.stack([a, b]) if t < 60 else a[None] for t, (a, b) in enumerate(zip(small, other, strict=True))]
        )
        assert any("times as another crosses" in n and "a likely switch" in n for n in describe(follow(seen), seen))


class TestSides:
    camera = cameras.orbit(0.6, 0.14, [0, 0.9, 0], 4.5)

    def clips(self, corpus):
        kinds = ("walk", "kick", "jumping_jacks", "lunge")
        return [corpus.clip(corpus.actions.index(kind)) for kind in kinds]

    def test_nothing_is_swapped_in_clean_motions(self, corpus):
        for joints in self.clips(corpus):
            (person,) = follow(rendering.detect([joints], self.camera, SIZE))
            assert put_sides_right(person, HALPE26) == 0

    def test_nobody_jumps_in_motions_that_a_detector_sees(self, corpus):
        for k in range(0, len(corpus), 5):
            seen = rendering.detect([corpus.clip(k)], self.camera, SIZE, noise=rendering.Noise(), seed=k)
            person = follow(seen)[0]
            assert jumps.elsewhere(person, seen.times) == []
            assert jumps.drop_stays(person, seen.times) == 0

    def test_swaps_are_undone(self, corpus):
        noise = rendering.Noise(jitter=0.003, unsure=0.0, swaps=0.1, dropouts=0.0)
        legs = [HALPE26.index(f"{s}_{j}") for s in ("left", "right") for j in ("knee", "ankle")]
        before, after = [], []
        for k, joints in enumerate(self.clips(corpus)):
            truth = np.concatenate(rendering.detect([joints], self.camera, SIZE).people)[:, legs, :2]
            (person,) = follow(rendering.detect([joints], self.camera, SIZE, noise=noise, seed=k))
            before.append(np.linalg.norm(np.array(person.keypoints)[:, legs, :2] - truth, axis=-1))
            put_sides_right(person, HALPE26)
            after.append(np.linalg.norm(np.array(person.keypoints)[:, legs, :2] - truth, axis=-1))
        before, after = (np.concatenate(e).mean(1) for e in (before, after))
        assert (before > 10).sum() > 10
        assert (after > 10).sum() < 0.2 * (before > 10).sum()

    @staticmethod
    def legs(strides, exchanged):
        """A person whose ankles are ``strides`` pixels to the sides; left and right are ``exchanged`` in some."""
        person = Person()
        for t, stride in enumerate(strides):
            body = np.zeros((len(HALPE26), 3))
            body[HALPE26.index("head")] = 200, 50, 1
            for side, sign in (("left", 1), ("right", -1)):
                for joint, share, y in (("hip", 0.1, 200), ("knee", 0.6, 290), ("ankle", 1.0, 380)):
                    body[HALPE26.index(f"{side}_{joint}")] = 200 + sign * share * stride, y, 1
            person.add(t, body[list(HALPE26.mirrored)] if t in exchanged else body)
        return person

    def test_a_fast_step_is_no_swap_of_all_that_follows(self):
        """A jump turns the legs round from one frame to the next, and they stay so."""
        person = self.legs(np.where(np.arange(60) < 31, 40, -40), ())
        assert put_sides_right(person, HALPE26) == 0

    def test_legs_that_pass_each_other_while_they_are_exchanged(self):
        strides = 60 * np.sin(2 * np.pi * np.arange(40) / 28)
        person = self.legs(strides, range(10, 14))
        ankle = HALPE26.index("left_ankle")
        assert put_sides_right(person, HALPE26) == 4
        assert np.allclose([k[ankle, 0] for k in person.keypoints], 200 + strides)

    @pytest.mark.parametrize("frames", [1, 2])
    def test_a_person_seen_hardly_ever(self, frames):
        person = Person()
        for t in range(frames):
            person.add(t, people(frames)[0][t])
        assert put_sides_right(person, HALPE26) == 0
