"""Which person a track is of: the one that the recording is of, or the one that is asked for."""

import numpy as np
import pytest
from figure import FRAMES, HEIGHT, WIDTH, figure, film, mmpose

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import video
from videomdm.data.recordings.detections import Detections
from videomdm.skeletons import HALPE26

pytestmark = pytest.mark.slow

TIMES = np.arange(FRAMES) / 20


def subject(start=(150, 130), scale=0.7, speed=0.0):
    return figure(TIMES, start=start, scale=scale, speed=speed)


def bystander(start=(285, 130), scale=1.0, speed=0.0, waves=False):
    return figure(TIMES, start=start, scale=scale, speed=speed, waves=waves)


def detections(*people):
    return Detections(list(np.stack(people, 1)), TIMES, HALPE26, WIDTH, HEIGHT, "clip", sized=True)


def middle(track):
    return float(track.pixels[:, 0, 0].mean())


class TestMainPerson:
    @pytest.mark.parametrize("scale", [1.0, 1.1, 1.3])
    @pytest.mark.parametrize("start", [(285, 130), (300, 150), (20, 130), (40, 110)])
    @pytest.mark.parametrize("first", [True, False])
    def test_is_not_the_nearer_one_who_stands_at_the_edge(self, scale, start, first):
        both = (subject(), bystander(start, scale))
        track = recordings.track(detections(*(both if first else both[::-1])))
        assert abs(middle(track) - 150) < 3 and track.person == 0

    @pytest.mark.parametrize("scale", [0.8, 1.0])
    def test_moves_where_another_stands_beside_it(self, scale):
        track = recordings.track(detections(subject((110, 130)), bystander((210, 130), scale)))
        assert abs(middle(track) - 110) < 3

    @pytest.mark.parametrize("share", [0.2, 0.5])
    def test_is_not_a_large_passer_by(self, share):
        passing = bystander((-20, 130), 1.2, 80.0)
        frames = [np.stack([s, p]) if t < share * FRAMES else s[None] for t, (s, p) in
                  enumerate(zip(subject(), passing, strict=True))]  # fmt: skip
        track = recordings.track(Detections(frames, TIMES, HALPE26, WIDTH, HEIGHT, "clip", sized=True))
        assert abs(middle(track) - 150) < 3

    def test_size_counts_where_all_else_is_alike(self):
        large, small = subject((100, 130), 1.0), subject((220, 130), 0.4)
        assert abs(middle(recordings.track(detections(small, large))) - 100) < 3

    def test_somebody_who_is_cut_off_counts_less(self):
        near = bystander((235, 130), 1.2, waves=True)
        near[:, [k for k, j in enumerate(HALPE26.joints) if j.endswith(("knee", "ankle", "toe", "heel", "hip"))], 2] = 0
        assert abs(middle(recordings.track(detections(subject((130, 130)), near))) - 130) < 3


class TestChosenPerson:
    PLACES = (150, 285, 40)

    def everybody(self):
        return detections(subject(), bystander(), bystander((40, 110), 0.5))

    @pytest.mark.parametrize("person", [0, 1, 2])
    def test_by_number(self, person):
        track = recordings.track(self.everybody(), person=person)
        assert abs(middle(track) - self.PLACES[person]) < 3 and track.person == person
        assert any(f"person {person} of 3 was chosen" in n for n in track.notes) == (person > 0)
        assert any("3 people; this one is seen in 125 of 125 frames" in n for n in track.notes)

    @pytest.mark.parametrize("person", [3, 17, -1])
    def test_nobody_of_this_number(self, person):
        with pytest.raises(DataError, match=f"clip: no person {person}, expected 0 to 2"):
            recordings.track(self.everybody(), person=person)

    def test_one_video(self, tmp_path):
        film(tmp_path / "clip.mp4")
        mmpose(tmp_path / "clip.json", self.everybody().people)
        for person, place in enumerate(self.PLACES):
            track, _, _ = recordings.load_one(tmp_path / "clip.mp4", person=person)
            assert abs(middle(track) - place) < 3

    def test_boxes_of_everybody_by_number(self):
        track = recordings.track(self.everybody(), person=1)
        assert track.boxes.shape == (3, len(track), 4) and np.isfinite(track.boxes).all()
        centres = (track.boxes[..., 0] + track.boxes[..., 2]).mean(1) / 2
        assert np.allclose(centres, self.PLACES, atol=4)
        part = track.cut(10, 60)
        assert np.array_equal(part.boxes, track.boxes[:, 10:60]) and part.person == 1
        assert recordings.track(detections(subject())).boxes is None

    def test_somebody_who_comes_later_has_no_box_before(self):
        frames = [np.stack([s, b]) if t >= 60 else s[None] for t, (s, b) in
                  enumerate(zip(subject(), bystander(), strict=True))]  # fmt: skip
        track = recordings.track(Detections(frames, TIMES, HALPE26, WIDTH, HEIGHT, "clip", sized=True))
        assert np.isnan(track.boxes[1, :50]).all() and np.isfinite(track.boxes[1, 60:]).all()

    def test_numbers_are_drawn(self):
        track = recordings.track(self.everybody(), person=1)
        empty = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        drawn = video.draw_track(empty, track, 30)
        for k, box in enumerate(track.boxes[:, 30].round().astype(int)):
            left, top = max(box[0], 2) + 2, max(box[1], 0)
            corner = drawn[top + 2 : top + 18, left : left + 14]
            assert corner.any(), f"no number {k}"
        assert (drawn != video.draw_track(empty, recordings.track(self.everybody()), 30)).any()
