"""Moving and shaking cameras and cuts are found, each under its own name; standing cameras are left alone."""

import cv2
import numpy as np
import pytest
import roma
import torch
from rendered import panned

from videomdm import cameras
from videomdm.cameras import Camera
from videomdm.data.recordings import rendering
from videomdm.data.recordings.detections import Intrinsics
from videomdm.data.recordings.static_camera import STEADY, CameraWatch
from videomdm.data.recordings.tracking import box
from videomdm.data.recordings.video import Video

pytestmark = pytest.mark.slow


def watch(images, boxes=None):
    seen = CameraWatch()
    for t, image in enumerate(images):
        seen.look(image, t / 20, [] if boxes is None else boxes[t])
    return seen


@pytest.fixture(scope="module")
def boxes(scene):
    found = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
    return [[box(k) for k in people] for people in found.people]


def spoilt(images, noise=4.0, quality=40):
    """A sensor's noise, light that flickers, and JPEG."""
    generator = np.random.default_rng(0)
    for t, image in enumerate(images):
        image = image * (1 + 0.03 * np.sin(t)) + noise * generator.standard_normal((*image.shape[:2], 1))
        packed = cv2.imencode(".jpg", image.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        yield cv2.imdecode(packed, cv2.IMREAD_COLOR)


def shaken(camera, frames, degrees=2.5, hertz=3.0):
    t = torch.arange(frames) / 20
    angles = torch.deg2rad(degrees * torch.stack([torch.sin(2 * torch.pi * f * t) for f in (hertz, 0.7 * hertz)], -1))
    rotation = roma.rotvec_to_rotmat(torch.nn.functional.pad(angles, (0, 1))) @ camera.rotation
    return Camera(rotation, -(rotation @ camera.center))


class TestEachHasItsWord:
    @pytest.mark.parametrize("textured", [True, False])
    def test_stands(self, scene, boxes, textured):
        images = rendering.frames([scene.joints], scene.camera, scene.intrinsics, textured=textured)
        assert watch(spoilt(images), boxes).verdict == "stands"

    @pytest.mark.parametrize("speed", [3.0, 20.0, 60.0])
    def test_moves(self, scene, boxes, speed):
        camera = panned(scene.camera, 40, speed)
        seen = watch(spoilt(rendering.frames([scene.joints[:40]], camera, scene.intrinsics)))
        assert seen.verdict == "moves" and "the camera moves: by" in seen.finding and not seen.cuts

    def test_moves_before_plain_walls_with_an_edge(self, scene):
        camera = panned(scene.camera, 60, 12.0)
        images = rendering.frames([scene.joints], camera, scene.intrinsics, textured=False)
        seen = rendering.detect([scene.joints], camera, scene.intrinsics).people
        assert watch(images, [[box(k) for k in people] for people in seen]).verdict == "moves"

    def test_shakes(self, scene):
        images = rendering.frames([scene.joints], shaken(scene.camera, 60), scene.intrinsics)
        seen = watch(spoilt(images))
        assert seen.verdict == "shakes" and "goes to and fro, by" in seen.finding

    @pytest.mark.parametrize("textured", [True, False])
    def test_cut(self, scene, textured):
        """To the same room, from another place."""
        second = cameras.orbit(2.0, 0.4, [0, 0.9, 0], 3.0)
        films = [
            list(rendering.frames([scene.joints], c, scene.intrinsics, textured=textured))
            for c in (scene.camera, second)
        ]
        people = [rendering.detect([scene.joints], c, scene.intrinsics).people for c in (scene.camera, second)]
        images, seen = (a[:30] + b[30:] for a, b in (films, people))
        found = watch(spoilt(images), [[box(k) for k in one] for one in seen])
        assert found.verdict == "cut" and found.cuts == [pytest.approx(1.5)]

    def test_a_light_that_is_switched_on_is_no_cut(self, scene, boxes):
        images = list(rendering.frames([scene.joints], scene.camera, scene.intrinsics))
        lit = [(0.5 * image).astype(np.uint8) if t < 30 else image for t, image in enumerate(images)]
        assert watch(lit, boxes).verdict == "stands"


def test_noise_on_a_plain_wall_is_no_cut():
    """A wall, a dark floor, a person who walks and their shadow: what is sharp is noise, an edge, and the shadow."""
    generator, images, people = np.random.default_rng(0), [], []
    for t in range(60):
        image = np.full((180, 320), 232.0) + np.linspace(0, 4, 320) + generator.normal(0, 2.5, (180, 320))
        image[145:] /= 3
        x = 60 + 3 * t
        image = np.repeat(image[..., None], 3, 2).clip(0, 255).astype(np.uint8)
        cv2.ellipse(image, (x + 30, 143), (30, 3), 0, 0, 360, (215, 215, 215), -1)
        cv2.rectangle(image, (x - 10, 47), (x + 10, 136), (60, 60, 60), -1)
        images.append(image)
        people.append([np.array([x - 14, 48, x + 14, 135])])
    for one in (images, list(spoilt(images, 0, 30))):
        found = watch(one, people)
        assert found.verdict == "unknown" and found.finding is None
        assert "lines of one direction alone" in found.note, "the floor's edge says nothing of a turn along it"


def room(frames, edge, pan=0.0, noise=2.0):
    """Wall and floor (a level edge), a door where ``edge``, filmed by a camera that pans by some pixels a frame."""
    generator = np.random.default_rng(0)
    for t in range(frames):
        image = np.full((180, 320), 200.0)
        image[120:] = 90
        if edge:
            left = round(200 - pan * t)
            image[40:120, max(left, 0) : max(left + 40, 0)] = 140
        image = image + generator.normal(0, noise, image.shape)
        yield np.repeat(image[..., None], 3, 2).clip(0, 255).astype(np.uint8)


class TestLines:
    """What turns along the only line that is seen cannot be told from what stands."""

    @pytest.mark.parametrize("pan", [0.0, 2.0])
    def test_one_line_alone(self, pan):
        found = watch(room(40, False, pan))
        assert found.verdict == "unknown" and "along which nothing tells whether it moves" in found.note

    @pytest.mark.parametrize(("pan", "verdict"), [(0.0, "stands"), (2.0, "moves")])
    def test_two_lines(self, pan, verdict):
        assert watch(room(40, True, pan)).verdict == verdict

    @pytest.mark.parametrize(("pan", "verdict"), [(0.0, "stands"), (0.2, "moves")])
    def test_two_lines_in_much_noise(self, pan, verdict):
        """No shift explains noise, so what noise changes is not held against the one that explains the rest."""
        assert watch(room(50, True, pan, noise=20.0)).verdict == verdict


class TestPeopleBeforeAPlainWall:
    """A plain wall outvotes nobody."""

    def test_who_comes_in_before_being_found_is_no_motion(self):
        images, people = list(room(60, False)), []
        for t, image in enumerate(images):
            x = 4 * t - 40
            for k in range(5):
                reach = 14 - 2 * k
                cv2.rectangle(image, (x - reach, 30 + 22 * k), (x + reach, 51 + 22 * k), (20 + 50 * (k % 2),) * 3, -1)
            people.append([np.array([max(x - 14, 0), 30, x + 14, 140])] if x > 4 else [])
        assert people[:11] == [[]] * 11
        found = watch(images, people)
        assert found.finding is None and not found.jerks and found.looks == 11, "counted from who is found first"

    def test_a_camera_that_moves_once_somebody_is_found(self):
        image = np.repeat(np.random.default_rng(0).integers(0, 256, (12, 40, 1), np.uint8), 3, 2)
        image = cv2.resize(image, (640, 180), interpolation=cv2.INTER_CUBIC)
        person = [np.array([100, 40, 140, 160])]
        people = [[]] * 30 + [person] * 30
        before, after = ([image[:, x : x + 320] for x in xs] for xs in (range(60, 0, -2), range(0, 60, 2)))
        assert watch(before + after[:1] * 30, people).verdict == "stands", "nobody is lifted while it moves"
        assert watch(before[:1] * 30 + after, people).verdict == "moves"

    def test_a_wall_that_is_hidden_in_turn_is_no_motion(self):
        """Somebody near goes to and fro: from one side the one half is seen, from the other side the other."""
        images, people = list(room(100, False)), []
        for t, image in enumerate(images):
            x = 160 - round(90 * np.cos(2 * np.pi * t / 50))
            cv2.rectangle(image, (x - 65, 65), (x + 65, 145), (60, 60, 60), -1)
            people.append([np.array([x - 70, 60, x + 70, 150])])
        found = watch(images, people)
        assert found.finding is None and not found.jerks and found.blind


def test_a_person_who_fills_the_picture_is_no_cut():
    people = [[np.array([2, 0, 318, 180])] if 10 <= t < 30 else [np.array([100, 20, 160, 170])] for t in range(40)]
    found = watch(room(40, True), people)
    assert found.finding is None and found.blind > 2


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

    def test_nothing_but_noise(self):
        generator = np.random.default_rng(0)
        noise = (np.repeat(generator.normal(120, 6, (192, 256, 1)), 3, 2) for _ in range(40))
        assert watch(image.clip(0, 255).astype(np.uint8) for image in noise).verdict == "unknown"

    def test_a_single_look(self):
        assert watch([np.full((192, 256, 3), 90, np.uint8)]).note is not None
