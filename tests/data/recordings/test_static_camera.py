"""Moving cameras are found, standing ones are not."""

import numpy as np
import pytest
from rendered import panned

from videomdm.data.recordings import rendering
from videomdm.data.recordings.detections import Intrinsics
from videomdm.data.recordings.static_camera import STEADY, CameraWatch
from videomdm.data.recordings.tracking import box
from videomdm.data.recordings.video import Video


def watch(images, boxes=None):
    seen = CameraWatch()
    for t, image in enumerate(images):
        seen.look(image, t / 20, [] if boxes is None else boxes[t])
    return seen


@pytest.fixture(scope="module")
def boxes(scene):
    found = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
    return [[box(k) for k in people] for people in found.people]


class TestStanding:
    def test_is_told_from_the_person_who_moves(self, clip_mp4, boxes):
        for known in (None, boxes):
            seen = watch([image for _, image in Video(clip_mp4)], known)
            assert seen.finding is None and seen.note is None and seen.drift < 0.002
            assert seen.looks == 14

    def test_a_person_fills_half_the_picture(self, scene):
        near = Intrinsics.from_field_of_view(256, 192, 48)
        found = rendering.detect([scene.joints], scene.camera, near)
        assert np.mean([np.ptp(box(people[0])[1::2]) for people in found.people]) > 0.6 * 192
        images = list(rendering.frames([scene.joints], scene.camera, near))
        assert watch(images, [[box(k) for k in p] for p in found.people]).finding is None


class TestMoving:
    def test_pan(self, panned_mp4):
        seen = watch([image for _, image in Video(panned_mp4)])
        # 4 degrees per second for 2.8 s, at 60 degrees across the diagonal
        assert seen.drift == pytest.approx(np.tan(np.radians(4 * 2.8)) / (2 * np.tan(np.radians(30))), rel=0.15)
        assert "the camera moves: by 0.4 s the image has drifted" in seen.finding and "static camera" in seen.finding

    def test_slow_pan_adds_up(self, scene):
        images = list(rendering.frames([scene.joints], panned(scene.camera, 60, 0.7), scene.intrinsics))
        seen = watch(images)
        assert STEADY < seen.drift < 2 * STEADY and "the camera moves" in seen.finding

    def test_shake_smaller_than_the_limit_is_taken(self, scene):
        image = next(rendering.frames([scene.joints], scene.camera, scene.intrinsics))
        shaken = [np.roll(image, k % 3 - 1, axis=1) for k in range(60)]
        assert watch(shaken).finding is None

    def test_cut(self, scene):
        images = [next(rendering.frames([scene.joints], scene.camera, scene.intrinsics, seed=s)) for s in (0, 1)]
        seen = watch([images[0]] * 30 + [images[1][::-1]] * 30)
        assert seen.cuts[0] == pytest.approx(1.6, abs=0.11) and "the whole picture changes at 1." in seen.finding


class TestBlind:
    def test_nothing_to_see(self):
        seen = watch([np.full((192, 256, 3), 90, np.uint8)] * 60)
        assert seen.finding is None and "cannot be seen: too little texture" in seen.note

    def test_a_single_look(self):
        assert watch([np.full((192, 256, 3), 90, np.uint8)]).note is not None
