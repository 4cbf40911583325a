"""Feet of people before a camera that stands rest now and then; before one that turns they never do."""

import math

import numpy as np
import pytest
import torch
from figure import figure, npz
from rendered import panned

from videomdm import cameras
from videomdm.data import procedural, recordings, sources
from videomdm.data.recordings import demonstration, footing, rendering
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.skeletons import BODY25, COCO17, HALPE26

INTRINSICS = Intrinsics.from_field_of_view(640, 360, 60)


def sliding(joints, camera, seed=0, noise=None):
    noise = rendering.Noise() if noise is None else noise
    return footing.sliding(rendering.detect([joints], camera, INTRINSICS, noise=noise, seed=seed))


def before_a_standing_camera(clips):
    """Clips that slide, each seen from a side drawn at random."""
    generator, found = np.random.default_rng(0), []
    for k, joints in enumerate(clips):
        azimuth, elevation = generator.uniform(-math.pi, math.pi), generator.uniform(0, 0.3)
        if sliding(joints, demonstration.framed(joints, azimuth, elevation), k):
            found.append(k)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("family", ["teacher", "prior"])
def test_everybody_rests(family):
    """Also those who run, skip, jump, dance and fight."""
    corpus = procedural.generate(80, seed=11, family=family, max_frames=100)
    assert not before_a_standing_camera(corpus.clip(k) for k in range(len(corpus)))


@pytest.mark.slow
def test_captured_people_rest(data_root):
    """Bandai's dash and run."""
    corpus = sources.load("bandai", data_root / "bandai", "train", 100)
    assert not before_a_standing_camera(corpus.clip(k) for k in range(0, len(corpus), len(corpus) // 150))


class TestPans:
    @pytest.mark.parametrize("action", ["punch", "walk"])
    @pytest.mark.parametrize("speed", [-8, 5])
    def test_the_floor_slides_as_the_camera_turns(self, corpus, action, speed):
        joints = corpus.clip(corpus.actions.index(action))[:40]
        camera = cameras.orbit(0.5, 0.1, joints[:, 0].mean(0), 6.0)
        assert sliding(joints, camera) == 0
        found = sliding(joints, panned(camera, 40, speed))
        assert found == pytest.approx(math.radians(abs(speed)) / (2 * math.tan(math.radians(30))), rel=0.2)

    def test_a_camera_that_travels(self, corpus):
        joints = corpus.clip(corpus.actions.index("kick"))[:40]
        camera = cameras.orbit(1.5, 0.1, joints[0, 0], 5.0)
        side = camera.rotation[0] * 0.5 * torch.arange(40)[:, None] / 20
        rotation = camera.rotation.expand(40, 3, 3)
        travels = cameras.Camera(rotation, -(rotation @ (camera.center + side)[..., None])[..., 0])
        assert sliding(joints, camera) == 0 and 0.05 < sliding(joints, travels) < 0.12


TIMES = np.arange(60) / 20


def of_figure(points, layout=HALPE26):
    return footing.sliding(Detections(list(points[:, None]), TIMES, layout, 320, 240, "clip"))


class TestWhatIsSeenOfTheFeet:
    @pytest.mark.parametrize("layout", [COCO17, HALPE26, BODY25])
    def test_every_layout(self, layout):
        """A figure that slides by 24 pixels a second."""
        assert of_figure(figure(TIMES, layout), layout) == pytest.approx(24 / 400, rel=0.05)
        assert of_figure(figure(TIMES, layout, speed=0), layout) == 0

    def test_too_little_tells_nothing(self):
        points = figure(TIMES)
        unsure, one_foot, brief = points.copy(), points.copy(), points.copy()
        feet = [HALPE26.joints.index(f"left_{j}") for j in ("ankle", "heel", "big_toe", "small_toe")]
        unsure[..., 2] = 0.2
        one_foot[:, feet, 2] = 0
        brief[8:] = 0
        assert [of_figure(p) for p in (unsure, one_foot, brief, 0 * points)] == [0, 0, 0, 0]
        assert footing.sliding(Detections([points[:1]], TIMES[:1], HALPE26, 320, 240, "clip")) == 0

    def test_keypoints_without_a_film_are_taken_with_a_note(self, tmp_path):
        npz(tmp_path / "slides.npz", figure(TIMES))
        npz(tmp_path / "stands.npz", figure(TIMES, speed=0))
        slides, stands = recordings.load(tmp_path).tracks
        assert "the feet never rest in the image" in slides.notes[-1] and "feet" not in stands.notes[-1]
