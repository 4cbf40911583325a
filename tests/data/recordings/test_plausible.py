"""Where keypoints are, against image and body: every kind of misreading, and good recordings that look odd."""

import math
import shutil

import numpy as np
import pytest
import torch
from figure import (
    FRAMES,
    HEIGHT,
    LAYOUTS,
    WIDTH,
    alphapose,
    figure,
    film,
    mmpose,
    npz,
    openpose,
    seconds_off,
)  # fmt: skip
from mp4_boxes import turn_upright

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import camera_units, keypoint_npz, plausible
from videomdm.data.recordings.detections import Detections
from videomdm.data.recordings.video import Video
from videomdm.skeletons import BODY25, BODY25B, COCO17, H36M17, HALPE26, SMPL22

pytestmark = pytest.mark.slow

TIMES = np.arange(FRAMES) / 20
STANDING = ("intrinsics:", "no video:", "never seen")


def examine(points, layout=HALPE26, size=(WIDTH, HEIGHT)):
    """What is said of keypoints (T, J, 3) of one person, or of lists of people."""
    people = [p if p.ndim == 3 else p[None] for p in points]
    return plausible.examine(Detections(people, np.arange(len(people)) / 20, layout, *size, "clip"))


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A film whose frames are stored on their side, 240 x 320; its metadata turn them upright."""
    path = film(tmp_path_factory.mktemp("film") / "clip.mp4", size=(240, 320))
    path.write_bytes(turn_upright(path.read_bytes()))
    return path


def refused(points, *words, **how):
    with pytest.raises(DataError) as error:
        examine(points, **how)
    assert all(word in str(error.value) for word in words), str(error.value)


def scaled(points, x, y=None):
    return points * (x, x if y is None else y, 1)


def about(points, centre, turn):
    """Turned by degrees (clockwise in the image) about each frame's pelvis."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    moved = points.copy()
    own = points[:, [HALPE26.index("pelvis")], :2]
    moved[..., :2] = (points[..., :2] - own) @ np.array([[cos, sin], [-sin, cos]]) + (own if centre is None else centre)
    return moved


class TestGoodPeopleAreSilent:
    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda s: s.name)
    def test_every_layout(self, layout):
        assert examine(figure(TIMES, layout), layout).notes == []

    @pytest.mark.parametrize("scale", [0.1, 0.3, 0.6, 1.3])
    def test_far_and_near(self, scale):
        assert examine(figure(TIMES, scale=scale)).notes == []

    def test_legs_outside_with_little_confidence(self):
        points = figure(TIMES, start=(90, 190))
        below = points[..., 1] > HEIGHT
        points[..., 2] = np.where(below, 0.12, points[..., 2])
        assert examine(points).notes == []

    @pytest.mark.parametrize("turn", [30, -40, 60])
    def test_leaning(self, turn):
        assert examine(about(figure(TIMES), None, turn)).notes == []

    def test_somebody_turns_a_cartwheel(self):
        points = figure(TIMES)
        turned = np.stack([about(points[t : t + 1], None, 3 * t)[0] for t in range(FRAMES)])
        assert examine(turned).notes == []

    def test_people_in_the_background(self):
        near, far = figure(TIMES), figure(TIMES, start=(280, 60), scale=0.08, speed=5)
        assert examine(list(np.stack([near, far], 1))).notes == []


class TestOddPeopleAreUsed:
    """Noted at most."""

    @pytest.mark.parametrize("turn", [90, -90, 80, 100])
    def test_lying(self, turn):
        (note,) = examine(about(figure(TIMES, speed=0), (160, 120), turn)).notes
        assert "lie on their side in 100 % of the frames" in note

    def test_handstand(self):
        points = about(figure(TIMES, waves=False), None, 180)
        for side in ("left", "right"):
            points[:, HALPE26.index(f"{side}_elbow"), 1] = 120 + 75
            points[:, HALPE26.index(f"{side}_wrist"), 1] = 120 + 100
        (note,) = examine(points).notes
        assert "a handstand, or y points up" in note

    @pytest.mark.parametrize("start", [(4, 120), (316, 120), (160, 185), (160, 40)])
    def test_partly_outside(self, start):
        points = figure(TIMES, start=start, speed=0, scale=0.9)
        beyond = ((points[..., :2] < 0) | (points[..., :2] > (WIDTH, HEIGHT))).any(-1)
        points[..., 2] = np.where(beyond, 0.3, points[..., 2])  # detectors are unsure there
        found = examine(points)
        assert found.notes and all("outside" in note for note in found.notes)

    def test_walking_out_and_in(self):
        found = examine(figure(TIMES, start=(-15, 120), speed=50))
        assert found.notes and all("outside" in note for note in found.notes)


class TestAnotherSize:
    @pytest.mark.parametrize("k", [2, 3, 4, 6])
    def test_keypoints_of_a_larger_copy(self, k):
        refused(scaled(figure(TIMES), k), "outside the image of 320 x 240 pixels")

    @pytest.mark.parametrize("k", [1.3, 1.5])
    def test_a_little_larger_is_noted(self, k):
        assert "outside the image" in examine(scaled(figure(TIMES), k)).notes[0]

    @pytest.mark.parametrize("k", [0.1, 0.25, 0.4])
    def test_keypoints_of_a_smaller_copy(self, k):
        assert "upper left quarter" in examine(scaled(figure(TIMES, start=(150, 120), speed=10), k)).notes[0]

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            (lambda p: scaled(p, 1 / WIDTH, 1 / HEIGHT), "shares of the image"),
            (lambda p: scaled(p, 1 / WIDTH), "shares of the image"),
            (lambda p: scaled(p, 2 / WIDTH, 2 / HEIGHT) - (1, 1, 0), "from -1 to 1"),
            (lambda p: scaled(p, 2 / WIDTH) - (1, HEIGHT / WIDTH, 0), "from -1 to 1"),
            (lambda p: (p - (160, 120, 0)) * (0.01, 0.01, 1), "from -1 to 1"),  # metres
        ],
    )
    def test_no_pixels(self, change, word):
        refused(change(figure(TIMES)), word, "expected pixels of an image of 320 x 240")

    def test_percent(self):
        points = scaled(figure(TIMES), 100 / WIDTH, 100 / HEIGHT)
        refused(points, "percent", size=(1280, 720))

    def test_measured_from_the_middle(self):
        refused(figure(TIMES) - (160, 120, 0), "measured from its middle")

    def test_measured_from_the_lower_edge(self):
        refused(figure(TIMES) * (1, -1, 1) + (0, 0, 0), "y is negative")


class TestExchanged:
    def test_size_of_the_file(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES, start=(200, 120), speed=10), size=(HEIGHT, WIDTH))
        (problem,) = keypoint_npz.problems(tmp_path / "clip.npz")
        assert "none would with width and height exchanged" in problem
        found = recordings.load(tmp_path, on_error="skip")
        assert len(found) == 0 and "is the size (height, width)?" in found.skipped[0][1]

    def test_size_of_a_file_that_all_lie_within(self):
        """Exchanged or not, everybody is inside: it is asked."""
        points = figure(TIMES, start=(60, 90), speed=10, scale=0.8)
        (note,) = examine(points, size=(HEIGHT, WIDTH)).notes
        assert "is the size (height, width)?" in note
        standing = figure(TIMES, start=(60, 230), speed=10, scale=0.8)
        assert examine(standing, size=(HEIGHT, WIDTH)).notes == examine(points).notes == []

    def test_rows_and_columns(self):
        points = figure(TIMES, start=(220, 120), speed=10)[..., [1, 0, 2]]
        refused(points, "x and y exchanged")

    def test_beside_a_film_it_is_put_right(self, tmp_path):
        film(tmp_path / "clip.mp4")
        npz(tmp_path / "clip.npz", figure(TIMES), size=(HEIGHT, WIDTH))
        (track,) = recordings.load(tmp_path).tracks
        assert (track.intrinsics.width, track.intrinsics.height) == (WIDTH, HEIGHT) and seconds_off(track) < 0.03
        assert any("has width and height exchanged" in note for note in track.notes)

    @pytest.mark.parametrize("k", [0.5, 2, 3])
    def test_a_copy_of_the_film_in_another_size(self, tmp_path, k):
        film(tmp_path / "clip.mp4")
        npz(tmp_path / "clip.npz", scaled(figure(TIMES), k), size=(int(k * WIDTH), int(k * HEIGHT)))
        (track,) = recordings.load(tmp_path).tracks
        assert seconds_off(track, 90 * k, 24 * k) < 0.03 and any("copy of the video" in n for n in track.notes)

    def test_another_shape(self, tmp_path):
        film(tmp_path / "clip.mp4")
        npz(tmp_path / "clip.npz", figure(TIMES), size=(WIDTH, WIDTH))
        assert any("of another shape" in note for note in recordings.load(tmp_path).tracks[0].notes)


class TestUpsideDown:
    @pytest.mark.parametrize("layout", LAYOUTS, ids=lambda s: s.name)
    def test_y_points_up(self, layout):
        points = figure(TIMES, layout)
        refused(points * (1, -1, 1) + (0, HEIGHT, 0), "heads are below feet in 100 %", "y down", layout=layout)

    def test_a_camera_that_hangs(self):
        refused(figure(TIMES) * (-1, -1, 1) + (WIDTH, HEIGHT, 0), "not upside down")

    def test_legs_out_of_sight(self):
        points = figure(TIMES) * (1, -1, 1) + (0, HEIGHT, 0)
        points[:, [k for k, j in enumerate(HALPE26.joints) if j.endswith(("knee", "ankle", "toe", "heel"))], 2] = 0
        refused(points, "heads are below feet")


class TestStoredFrames:
    """A phone's film lies on its side in the file; keypoints may be of frames that nobody turned."""

    @pytest.mark.parametrize("kind", ["alphapose", "mmpose", "openpose", "npz"])
    def test_are_turned_with_the_video(self, tmp_path, portrait, kind):
        shutil.copy(portrait, tmp_path / "clip.mp4")
        video = Video(tmp_path / "clip.mp4")
        assert (video.width, video.height, video.rotation) == (320, 240, 90)
        upright = figure(TIMES, BODY25 if kind == "openpose" else HALPE26)
        stored = upright.copy()  # a clockwise turn by 90 degrees puts (x, y) at (319 - y, x)
        stored[..., 0], stored[..., 1] = upright[..., 1], WIDTH - 1 - upright[..., 0]
        if kind == "alphapose":
            alphapose(tmp_path / "clip.json", stored)
        elif kind == "mmpose":
            mmpose(tmp_path / "clip.json", stored[:, None])
        elif kind == "openpose":
            openpose(tmp_path / "clip", stored)
        else:
            npz(tmp_path / "clip.npz", stored, size=(240, 320))
        (track,) = recordings.load(tmp_path).tracks
        assert seconds_off(track) < 0.03 and any(
            "turned upright by 90 degrees like the video" in n for n in track.notes
        )
        head, foot = (float(track.pixels[:, SMPL22.index(j), 1].mean()) for j in ("head", "left_ankle"))
        assert head < foot - 100

    def test_with_their_camera(self, tmp_path, portrait):
        """Intrinsics of frames as stored, whose middle is 10 pixels lower than the image's."""
        shutil.copy(portrait, tmp_path / "clip.mp4")
        stored = figure(TIMES)[..., [1, 0, 2]] * (1, -1, 1) + (0, WIDTH - 1, 0)
        npz(tmp_path / "clip.npz", stored, size=(240, 320), intrinsics=[[290.0, 0, 118], [0, 300.0, 170], [0, 0, 1]])
        (track,) = recordings.load(tmp_path).tracks
        camera = track.intrinsics
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (300.0, 290.0, 149.0, 118.0)
        assert (camera.width, camera.height) == (320, 240) and seconds_off(track) < 0.03

    def test_upright_keypoints_stay(self, tmp_path, portrait):
        shutil.copy(portrait, tmp_path / "clip.mp4")
        alphapose(tmp_path / "clip.json", figure(TIMES))
        (track,) = recordings.load(tmp_path).tracks
        assert seconds_off(track) < 0.03 and not any("like the video" in n for n in track.notes)


class TestOrder:
    @pytest.mark.parametrize(
        ("true", "said"),
        [(BODY25B, BODY25), (H36M17, COCO17), (BODY25, BODY25B), (COCO17, H36M17)],
        ids=lambda s: s.name,
    )
    def test_another_layout_is_refused_where_it_is_declared(self, true, said):
        refused(figure(TIMES, true), said.name, "order", layout=said)

    @pytest.mark.parametrize("true", [BODY25B, BODY25])
    @pytest.mark.parametrize("scale", [0.3, 1.0])
    @pytest.mark.parametrize("turn", [False, True])
    def test_readers_that_count_joints_see_which(self, tmp_path, true, scale, turn):
        film(tmp_path / "clip.mp4")
        points = figure(TIMES, true, scale=scale)
        if turn:  # seen from the side
            points[..., 0] = (points[..., 0] - 90 - 24 * TIMES[:, None]) * 0.25 + 90 + 24 * TIMES[:, None]
        openpose(tmp_path / "clip", points)
        (track,) = recordings.load(tmp_path).tracks
        assert seconds_off(track) < 0.05
        assert any("body25b" in note for note in track.notes) == (true is BODY25B)
        knee, hip = (float(track.pixels[:, SMPL22.index(j), 1].mean()) for j in ("left_knee", "left_hip"))
        assert 25 * scale < knee - hip < 50 * scale

    def test_human36m_in_a_file_of_17(self, tmp_path):
        film(tmp_path / "clip.mp4")
        alphapose(tmp_path / "clip.json", figure(TIMES, H36M17))
        (track,) = recordings.load(tmp_path).tracks
        assert seconds_off(track) < 0.03 and any("h36m17" in note for note in track.notes)

    @pytest.mark.parametrize("layout", [HALPE26, BODY25, H36M17], ids=lambda s: s.name)
    @pytest.mark.parametrize("seed", range(3))
    def test_a_random_order(self, layout, seed):
        order = np.random.default_rng(seed).permutation(len(layout))
        with pytest.raises(DataError, match="order"):
            examine(figure(TIMES, layout)[:, order], layout)


class TestNotSeen:
    @pytest.mark.parametrize("place", [0.0, -1.0])
    def test_zeros_with_confidence(self, place):
        points = figure(TIMES)
        points[:, 10, :2] = place
        found = examine(points)
        assert all(p[0, 10, 2] == 0 for p in found.people) and "counted as not seen" in found.notes[0]

    def test_zeros_in_normalised_units(self, tmp_path):
        points = (figure(TIMES, speed=0)[..., :2] - (160, 120)) / 400
        points[:, 10] = 0
        confidence = np.ones(points.shape[:2], "f4")
        np.savez(
            tmp_path / "a.npz", keypoints=points, confidence=confidence, layout="halpe26", fps=20.0, units="normalised"
        )
        found = keypoint_npz.read(tmp_path / "a.npz")
        assert all(p[0, 10, 2] == 0 for p in found.people) and "counted as not seen" in found.notes[0]

    def test_all_zeros(self):
        refused(figure(TIMES) * (0, 0, 1), "every keypoint is at (0, 0)")

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_not_finite(self, tmp_path, value):
        points = figure(TIMES)
        points[10, 5, 0] = value
        with pytest.raises(DataError, match="not finite"):
            examine(points)
        npz(tmp_path / "clip.npz", points)
        assert "not finite" in recordings.load(tmp_path, on_error="skip").skipped[0][1]


class TestNormalised:
    """Keypoints that are given to :func:`videomdm.sample.lift`, and in npz files."""

    POINTS = torch.from_numpy((figure(TIMES, speed=0, start=(160, 120))[None, ..., :2] - (160, 120)) / 400)
    SEEN = torch.ones(1, FRAMES, 26)

    def test_good_ones(self):
        camera_units.check_normalised(self.POINTS, self.SEEN)
        camera_units.check_normalised(self.POINTS, self.SEEN, torch.tensor([4.0]))
        hole = self.POINTS.clone()
        hole[0, 3, 4] = torch.nan
        seen = self.SEEN.clone()
        seen[0, 3, 4] = 0
        camera_units.check_normalised(hole, seen, torch.tensor([4.0]))
        seen[0, 30:] = 0
        camera_units.check_normalised(hole, seen, torch.tensor([4.0]))

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_not_finite(self, value):
        hole = self.POINTS.clone()
        hole[0, 10, 5] = value
        with pytest.raises(ValueError, match="clip 0, frame 10: the keypoint of joint 5 is not finite"):
            camera_units.check_normalised(hole, self.SEEN)
        with pytest.raises(ValueError, match="confidence is not finite"):
            camera_units.check_normalised(self.POINTS, self.SEEN * torch.nan)

    @pytest.mark.parametrize("size", [64, 320, 1000, 1920])
    def test_pixels(self, size):
        with pytest.raises(ValueError, match="expected normalised image coordinates"):
            camera_units.check_normalised((self.POINTS + 0.5) * size, self.SEEN)

    def test_one_clip_of_many(self):
        many = torch.cat([self.POINTS] * 5)
        many[3] *= 400
        with pytest.raises(ValueError, match="clip 3: keypoints reach"):
            camera_units.check_normalised(many, self.SEEN.expand(5, -1, -1))

    def test_shares_and_one_to_minus_one_beside_a_camera(self):
        for wrong in (self.POINTS * 400 / 120, self.POINTS * 400 / 170):  # a person of 1.4 and 1 times the height
            with pytest.raises(ValueError, match="m from the camera, expected 0.1 to 6"):
                camera_units.check_normalised(wrong, self.SEEN, torch.tensor([7.0]))

    @pytest.mark.parametrize("change", [lambda p: (p + 0.5) * 400, lambda p: (p * 400 + 160) / 320])
    def test_npz_that_says_normalised(self, tmp_path, change):
        points = change(self.POINTS[0]).numpy()
        confidence = np.ones(points.shape[:2], "f4")
        np.savez(
            tmp_path / "a.npz", keypoints=points, confidence=confidence, layout="halpe26", fps=20.0, units="normalised"
        )
        found = recordings.load(tmp_path, on_error="skip")
        assert len(found) == 0 and "normalised" in found.skipped[0][1]

    @pytest.mark.parametrize("size", [{}, {"size": (WIDTH, HEIGHT)}])
    def test_shares_of_somebody_left_of_the_middle(self, tmp_path, size):
        points = figure(TIMES, start=(40.0, 120.0), speed=0.0)
        np.savez(
            tmp_path / "a.npz", keypoints=points[..., :2] / (WIDTH, HEIGHT), confidence=points[..., 2],
            layout="halpe26", fps=20.0, units="normalised", **size,
        )  # fmt: skip
        (track,) = recordings.load(tmp_path).tracks
        assert any("shares of the image (0 to 1)" in note for note in track.notes)
        assert "assumed as wide as normalised keypoints reach" in track.intrinsics.origin

    def test_nothing_is_said_of_right_ones(self, tmp_path):
        points = figure(TIMES, start=(100.0, 120.0), speed=0.0)
        np.savez(
            tmp_path / "a.npz", keypoints=(points[..., :2] - (WIDTH / 2, HEIGHT / 2)) / 400, confidence=points[..., 2],
            layout="halpe26", fps=20.0, units="normalised",
        )  # fmt: skip
        (track,) = recordings.load(tmp_path).tracks
        assert not any("shares" in note for note in track.notes)
