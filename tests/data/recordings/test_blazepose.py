"""BlazePose: what stands around its two networks, on outputs made by hand; the networks themselves; real films."""

import math
import shutil
import sys

import cv2
import numpy as np
import pytest
import torch

from videomdm.data import recordings
from videomdm.data.recordings import blazepose, keypoint_npz
from videomdm.data.recordings.blazepose import (
    WEIGHTS,
    BlazePose,
    Network,
    anchors,
    crop,
    is_same,
    people,
    refined,
    square_around,
)
from videomdm.data.recordings.detection import detect
from videomdm.data.recordings.tracking import follow
from videomdm.data.recordings.video import Video
from videomdm.skeletons import BLAZEPOSE33, HALPE26, SMPL22
from videomdm.skeletons.layouts import convert

pytestmark = pytest.mark.slow

SIZE = blazepose.CROP_SIZE
WEAK = -20.0  # a logit


def outputs(*found):
    """The person network's outputs for (anchor, score, face box's size, hips, top) in pixels of its image."""
    values, logits = np.zeros((2254, 12)), np.full(2254, WEAK)
    for anchor, score, size, hips, top in found:
        values[anchor, 2:4] = size
        values[anchor, 4:8] = np.concatenate([hips - anchors()[anchor], top - anchors()[anchor]])
        logits[anchor] = math.log(score / (1 - score))
    return values, logits


class TestPeople:
    def test_anchors(self):
        assert anchors().shape == (2254, 2)
        assert anchors()[:4].tolist() == [[4, 4], [4, 4], [12, 4], [12, 4]]
        assert anchors()[28 * 2].tolist() == [4, 12] and anchors()[28 * 28 * 2].tolist() == [8, 8]
        assert anchors()[-6:].tolist() == [[208, 208]] * 6

    def test_each_of_two(self):
        values, logits = outputs(
            (100, 0.7, 6, np.array([50.0, 60]), np.array([50.0, 20])),
            (1000, 0.9, 6, np.array([150.0, 160]), np.array([120.0, 160])),
            (500, 0.45, 6, np.array([10.0, 10]), np.array([10.0, 0])),
        )
        circles, scores = people(values, logits)
        assert np.allclose(scores, [0.9, 0.7])
        assert np.allclose(circles, [[[150, 160], [120, 160]], [[50, 60], [50, 20]]])

    def test_neighbours_are_one_person_their_mean_by_score(self):
        values, logits = outputs(
            (100, 0.8, 40, np.array([50.0, 60]), np.array([50.0, 20])),
            (102, 0.6, 40, np.array([57.0, 60]), np.array([57.0, 27])),
        )
        circles, scores = people(values, logits)
        assert np.allclose(scores, [0.8]) and np.allclose(circles, [[[53, 60], [53, 23]]])

    def test_nobody(self):
        circles, scores = people(*outputs())
        assert circles.shape == (0, 2, 2) and scores.shape == (0,) and square_around(circles).shape == (0, 4)


class TestSquare:
    @pytest.mark.parametrize(
        ("top", "degrees"), [((100, 50), 0), ((150, 100), 90), ((100, 150), 180), ((50, 100), -90), ((135, 65), 45)]
    )
    def test_around_the_circle_turned_with_the_trunk(self, top, degrees):
        [(x, y, side, angle)] = square_around(np.array([[[100.0, 100.0], top]]))
        radius = math.hypot(top[0] - 100, top[1] - 100)
        assert (x, y) == (100, 100) and side == pytest.approx(2 * 1.25 * radius)
        assert math.cos(angle - math.radians(degrees)) == pytest.approx(1)

    def test_the_trunk_stands_upright_in_it(self):
        """Red hips and a blue top of a person who lies on the side."""
        image = np.zeros((200, 300, 3), np.uint8)
        cv2.circle(image, (150, 100), 6, (0, 0, 255), -1)
        cv2.circle(image, (200, 100), 6, (255, 0, 0), -1)
        [square] = square_around(np.array([[[150.0, 100.0], [200.0, 100.0]]]))
        pixels, to_image = crop(image, square, SIZE, cv2.BORDER_CONSTANT)
        assert (
            pixels.shape == (SIZE, SIZE, 3)
            and pixels.dtype == np.float32
            and pixels.max() == pytest.approx(1, abs=0.01)
        )
        for channel, place, inside in ((0, (150, 100), (128, 128)), (2, (200, 100), (128, 128 - 128 / 1.25))):
            rows, columns = np.nonzero(pixels[..., channel] > 0.5)
            middle = np.array([columns.mean(), rows.mean()])
            assert np.allclose(middle, inside, atol=1.5), "RGB, upright, the top at 1 / 1.25 of the half side"
            assert np.allclose(blazepose.transform(middle, to_image), place, atol=1.5)

    def test_wide_and_high_images_are_searched_in_parts_too(self):
        assert blazepose.parts(100, 100).tolist() == [[50, 50, 100, 0]]
        assert blazepose.parts(160, 90).tolist() == [[80, 45, 160, 0], [45, 45, 90, 0], [115, 45, 90, 0]]
        assert blazepose.parts(90, 250)[1:, :2].tolist() == [[45, 45], [45, 125], [45, 205]]

    def test_same(self):
        square = np.array([100.0, 100.0, 50.0, 0.0])
        assert is_same(square, square + [5, -5, 0, 2])
        assert not is_same(square, square + [8, 0, 0, 0]) and not is_same(square, square * [1, 1, 1.6, 1])


class TestRefined:
    def heat(self, *cells):
        heat = np.full((64, 64, 1), WEAK)
        for row, column, value in cells:
            heat[row, column] = value
        return heat

    def test_to_the_middle_of_the_heat(self):
        heat = self.heat((20, 31, 20.0), (22, 31, 20.0), (21, 33, 0.0))
        [[x, y]] = refined(np.array([[4 * 30 + 1.0, 4 * 21 + 3.0]]), heat)
        assert x == pytest.approx(4 * (2 * 31 + 0.5 * 33) / 2.5, abs=1e-3) and y == pytest.approx(4 * 21, abs=1e-3)

    def test_heat_beyond_the_window_does_not_count(self):
        heat = self.heat((20, 20, 20.0), (20, 24, 20.0))
        assert refined(np.array([[80.0, 80.0]]), heat) == pytest.approx(np.array([[80.0, 80.0]]), abs=1e-3)

    def test_at_the_border(self):
        heat = self.heat((0, 0, 20.0), (63, 63, 20.0))
        assert refined(np.array([[6.0, 6.0]]), heat) == pytest.approx(np.zeros((1, 2)), abs=1e-3)

    @pytest.mark.parametrize(("point", "value"), [((81.5, 82.5), -0.5), ((-3.0, 80.0), 20.0), ((80.0, 300.0), 20.0)])
    def test_weak_heat_and_points_outside_stay(self, point, value):
        assert refined(np.array([point]), self.heat((20, 20, value), (20, 0, value), (63, 20, value))).tolist() == [
            list(point)
        ]


class Stage:
    """Networks that see people made of two discs: red hips, and in green the top of the circle around the person.

    Their outputs have the real ones' form, so everything between the image and the keypoints is the real thing.
    """

    def __init__(self):
        self.searched = self.looked = 0
        self.detector = BlazePose()
        self.detector.__dict__.update(_find=self.find, _look=self.look)

    @staticmethod
    def discs(pixels):
        """Pairs of hips and the nearest green disc above them."""
        found = []
        for channel in (0, 1):
            mask = (pixels[..., channel] > 0.6) & (pixels[..., 1 - channel] < 0.4)
            n, _, _, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
            found.append(middles[1:n])
        hips, tops = found
        above = [(h, tops[tops[:, 1] < h[1]]) for h in hips]
        return [(h, near[np.linalg.norm(near - h, axis=1).argmin()]) for h, near in above if len(near)]

    def find(self, image):
        self.searched += 1
        pairs = self.discs((image + 1) / 2)
        cells = [int(hips[1] // 8) * 28 + int(hips[0] // 8) for hips, _ in pairs]
        values, logits = outputs(*((2 * c, 0.9, 6, *pair) for c, pair in zip(cells, pairs, strict=True)))
        return [values[None], logits[None, :, None]]

    def look(self, image):
        self.looked += 1
        middle = SIZE / 2
        pairs = sorted(self.discs(image), key=lambda pair: np.linalg.norm(pair[0] - middle))
        points = np.zeros((39, 5))
        points[:, 3:] = 20.0
        if pairs:
            hips, top = pairs[0]
            along = np.linspace(-1, 1, 33)[:, None]
            points[:33, :2] = hips + along * (top - hips)
            points[33:35, :2] = hips, top
        return [points.reshape(1, 195), np.array([[float(bool(pairs))]]), np.full((1, 64, 64, 39), WEAK)]


def draw(*figures, size=(400, 400)):
    """An image of figures (x, y of the hips, radius)."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y, radius in figures:
        cv2.circle(image, (round(x), round(y)), 6, (0, 0, 255), -1)
        cv2.circle(image, (round(x), round(y - radius)), 6, (0, 255, 0), -1)
    return image


def hips(found):
    return found[:, 16, :2]


class TestFollowing:
    def test_the_whole_image_is_searched_now_and_then(self):
        stage = Stage()
        for k in range(31):
            found = stage.detector(draw((100 + 6 * k, 150, 60)))
            assert found.shape == (1, 33, 3) and np.allclose(hips(found), [[100 + 6 * k, 150]], atol=2)
        assert stage.searched == 2, "in the first image, and in every twentieth after it"
        assert np.allclose(found[0, 32, :2], (280, 90), atol=2) and np.allclose(found[0, 0, :2], (280, 210), atol=2)

    def test_lost_and_found_in_the_same_image(self):
        stage = Stage()
        stage.detector(draw((80, 150, 60)))
        found = stage.detector(draw((330, 150, 60)))
        assert np.allclose(hips(found), [[330, 150]], atol=2) and stage.searched == 2

    def test_nobody_then_somebody(self):
        stage = Stage()
        assert [stage.detector(draw()).shape for _ in range(3)] == [(0, 33, 3)] * 3
        assert len(stage.detector(draw((200, 150, 60)))) == 1 and stage.searched == 4 and stage.looked == 2

    def test_who_is_gone_at_the_second_look_was_never_there(self):
        stage = Stage()
        plain = stage.look

        def look(image):
            points, present, heat = plain(image)
            return [points, present * (stage.looked % 2), heat]

        stage.detector.__dict__["_look"] = look
        assert len(stage.detector(draw((200, 150, 60)))) == 0 and stage.looked == 2

    def test_the_largest_come_first_and_no_more_than_three(self):
        stage = Stage()
        found = stage.detector(draw((60, 200, 40), (160, 200, 70), (260, 200, 55), (350, 200, 48)))
        assert np.allclose(hips(found)[:, 0], [160, 260, 350], atol=2)

    def test_one_person_is_not_followed_twice(self):
        stage = Stage()
        for _ in range(25):
            assert len(stage.detector(draw((200, 150, 60)))) == 1

    def test_somebody_who_passes_does_not_take_the_square_along(self):
        stage = Stage()
        for passing in range(20, 380, 6):
            found = hips(stage.detector(draw((200, 150, 60), (passing, 200, 35))))
            assert np.allclose(found[0], (200, 150), atol=2), "the first is the one who stands"
            assert len(found) == 1 or np.allclose(found[1], (passing, 200), atol=2)
        assert len(found) == 2

    def test_a_state_is_gone_on_from(self):
        films = [draw((100 + 6 * k, 150, 60), (300, 200, 40)) for k in range(25)]
        whole = Stage()
        expected = [whole.detector(image) for image in films]
        first, second = Stage(), Stage()
        for image in films[:13]:
            first.detector(image)
        second.detector.state = first.detector.state.copy()
        for image, found in zip(films[13:], expected[13:], strict=True):
            assert np.array_equal(second.detector(image), found)

    def test_confidence(self):
        stage = Stage()
        plain = stage.look

        def look(image):
            points, present, heat = plain(image)
            points = points.reshape(39, 5)
            points[16, 3:] = math.log(0.8 / 0.2), math.log(0.5 / 0.5)
            return [points.reshape(1, 195), present, heat]

        stage.detector.__dict__["_look"] = look
        found = stage.detector(draw((200, 370, 60)))[0]
        assert found[16, 2] == pytest.approx(0.8 * 0.5), "visible and present"
        outside = found[:, 1] > 400
        assert 0 < outside.sum() < 16 and not found[outside, 2].any(), "below the image"
        assert found[~outside, 2].min() >= 0.4


class TestNetworks:
    @pytest.mark.parametrize(("name", "size", "shapes"), [
        ("person", 224, [(1, 2254, 12), (1, 2254, 1)]),
        ("landmarks", 256, [(1, 195), (1, 1), (1, 64, 64, 39)]),
    ])  # fmt: skip
    def test_opencv_and_onnxruntime_agree(self, name, size, shapes, monkeypatch):
        pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'videomdm[video]'")
        image = np.random.default_rng(0).random((size, size, 3)).astype(np.float32)
        fast = Network(WEIGHTS / f"{name}.onnx")(image)
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        plain = Network(WEIGHTS / f"{name}.onnx")(image)
        assert [x.shape for x in fast] == [x.shape for x in plain] == shapes
        for a, b in zip(fast, plain, strict=True):
            assert np.abs(a - b).max() < 1e-3 * max(np.abs(a).max(), 1)

    def test_nobody_in_noise(self):
        image = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        assert BlazePose()(image).shape == (0, 33, 3)

    def test_not_installed(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="none.onnx: no such file; the package was installed without"):
            Network(tmp_path / "none.onnx")


@pytest.fixture(scope="module")
def seen(clip_mp4):
    return detect(Video(clip_mp4), BlazePose(), BLAZEPOSE33)[0]


class TestOnRenderedFigures:
    """The networks see the renderer's figures, so all of it is tested against what is known of them."""

    def test_converted_it_is_the_motion_that_was_filmed(self, seen, scene):
        assert [len(p) for p in seen.people] == [1] * 60
        found, confidence = _converted(seen.people, BLAZEPOSE33)
        true = scene.intrinsics.to_pixels(scene.camera.project(scene.joints)[0])
        height = true[..., 1].amax(-1) - true[..., 1].amin(-1)
        apart = (found - true).norm(dim=-1) / height[:, None]
        apart[confidence < 0.3] = torch.nan
        by_joint = apart.nanmedian(0).values
        assert float(apart.nanmedian()) < 0.03 and float(by_joint[~by_joint.isnan()].max()) < 0.05
        assert float((confidence >= 0.3).float().mean()) > 0.85

    def test_left_is_left(self, seen, scene):
        """Mirrored keypoints are much farther from the truth."""
        found, _ = _converted(seen.people, BLAZEPOSE33)
        true = scene.intrinsics.to_pixels(scene.camera.project(scene.joints)[0]).double()
        own, other = ((found[:, list(order)] - true).norm(dim=-1).mean() for order in (range(22), SMPL22.mirrored))
        assert other > 2 * own

    def test_a_video_alone_becomes_a_track(self, clip_mp4, scene, tmp_path):
        shutil.copy(clip_mp4, tmp_path / "lunge.mp4")
        track, captions, _ = recordings.load_one(tmp_path / "lunge.mp4", "blazepose", scene.intrinsics)
        assert captions == ("lunge",) and "keypoints by blazepose-full" in track.notes
        true = scene.camera.project(scene.joints)[0]
        size = (true[..., 1].amax() - true[..., 1].amin()).item()
        assert len(track) == 60 and (track.keypoints - true).norm(dim=-1).median() < 0.03 * size


SHARED = [joint for joint in HALPE26.joints if joint in BLAZEPOSE33.joints]


def distances(found, expected):
    """Pixels between the first person of each frame, BlazePose's and Halpe's, where both are sure; and the height."""
    ours, theirs = ([layout.index(j) for j in SHARED] for layout in (BLAZEPOSE33, HALPE26))
    both = [k for k, (a, b) in enumerate(zip(found, expected, strict=True)) if len(a) and b[..., 2].any()]
    a = np.array([found[k][0, ours] for k in both])
    b = np.array([expected[k][0][theirs] for k in both])
    sure = (a[..., 2] > 0.3) & (b[..., 2] > 0.3)
    height = np.median([np.ptp(expected[k][0][:, 1]) for k in both])
    return np.linalg.norm(a[..., :2] - b[..., :2], axis=-1)[sure], float(height)


@pytest.fixture(scope="module")
def walk(data_root):
    folder = data_root / "real"
    if not (folder / "walk_park.mp4").exists():
        pytest.skip("needs real/walk_park.mp4 in VIDEOMDM_DATA")
    found, _ = detect(Video(folder / "walk_park.mp4"), BlazePose(), BLAZEPOSE33)
    return found, keypoint_npz.read(folder / "walk_park.npz")


@pytest.mark.data
class TestOnFilms:
    """Against what MediaPipe found on the same films, with its smoothing."""

    def test_a_man_walks_as_mediapipe_saw_him(self, walk):
        found, recorded = walk
        pixels, height = distances(found.people[:165], recorded.people[:165])
        assert np.median(pixels) < 0.01 * height and np.percentile(pixels, 90) < 0.05 * height

    def test_people_who_pass_do_not_take_his_place(self, walk):
        """He stands, gestures, turns over in the air at 5.6 s and runs off; a woman walks below from right to left."""
        found, recorded = walk
        main, *others = follow(found)
        assert len(others) == 1, "the woman is another"
        assert main.frames[0] <= 5 and main.frames[-1] >= 220 and len(main.frames) > 190
        before = [k for k, f in enumerate(main.frames) if f < 165 and recorded.people[f][0][0, 2] > 0.5]
        noses = np.array([[main.keypoints[k][0, :2], recorded.people[main.frames[k]][0][0, :2]] for k in before])
        assert len(before) > 100 and np.linalg.norm(noses[:, 0] - noses[:, 1], axis=1).max() < 100

    def test_a_man_who_is_small_in_the_picture_is_found_in_its_parts(self, walk, data_root, monkeypatch):
        found, _ = walk
        detector, hits = BlazePose(), {True: 0, False: 0}
        for k, (_, image) in enumerate(Video(data_root / "real" / "walk_park.mp4")):
            if k >= 165 or k % 12 != 1:
                continue
            hips = found.people[k][0, [23, 24], :2].mean(0)
            for whole_only in hits:
                with monkeypatch.context() as patch:
                    if whole_only:
                        patch.setattr(blazepose, "parts", lambda w, h: np.array([[w / 2, h / 2, max(w, h), 0.0]]))
                    squares = detector._search(image)
                hits[whole_only] += bool((np.linalg.norm(squares[:, :2] - hips, axis=1) < 60).any())
        assert hits[False] >= hits[True] + 5

    @pytest.mark.parametrize("camera", ["cam01", "cam03"])
    def test_a_balancing_person(self, data_root, camera):
        folder = data_root / "real" / "balance"
        if not (folder / f"{camera}.mp4").exists():
            pytest.skip("needs real/balance in VIDEOMDM_DATA")
        found, _ = detect(Video(folder / f"{camera}.mp4", closest=0), BlazePose(), BLAZEPOSE33)
        pixels, height = distances(found.people, keypoint_npz.read(folder / f"{camera}_blazepose.npz").people)
        assert len(found.people) == 100 and np.median(pixels) < 0.015 * height

        # converted to SMPL-22 by BlazePose's table and by OpenPose's, the same person stands at the same place
        other = keypoint_npz.read(folder / f"{camera}_openpose.npz")
        a, sure_a = _converted(found.people, BLAZEPOSE33)
        b, sure_b = _converted(other.people, HALPE26)
        apart = (a - b).norm(dim=-1)
        apart[(sure_a < 0.3) | (sure_b < 0.3)] = torch.nan
        by_joint = apart.nanmedian(0).values / height
        assert float(apart.nanmedian()) < 0.025 * height
        assert float(by_joint[~by_joint.isnan()].max()) < 0.045, dict(
            zip(SMPL22.joints, by_joint.tolist(), strict=True)
        )


def _converted(people, layout):
    first = torch.from_numpy(np.array([p[0] for p in people]))
    return convert(first[..., :2], first[..., 2], layout, SMPL22)
