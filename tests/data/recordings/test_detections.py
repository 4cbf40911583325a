"""Intrinsics, detections, tracks."""

import math

import numpy as np
import pytest
import torch
from keypoint_files import track

from videomdm.conventions import DataError
from videomdm.data.recordings.detections import Detections, Intrinsics, pad_tracks
from videomdm.skeletons import COCO17, SMPL22


class TestIntrinsics:
    def test_assumed_focal_length_is_the_diagonal_and_said(self):
        camera = Intrinsics.from_field_of_view(300, 400)
        assert camera.fx == camera.fy == pytest.approx(500) and (camera.cx, camera.cy) == (150, 200)
        assert camera.origin == "assumed field of view of 53.1 degrees across the diagonal"

    def test_given_field_of_view(self):
        camera = Intrinsics.from_field_of_view(300, 400, 90)
        assert camera.fx == pytest.approx(250) and "given field of view of 90.0" in camera.origin

    def test_normalise_by_hand_and_back(self):
        camera = Intrinsics(200.0, 100.0, 320.0, 240.0, 640, 480)
        pixels = torch.tensor([[420.0, 140.0], [320.0, 240.0]])
        assert camera.normalise(pixels).tolist() == [[0.5, -1.0], [0.0, 0.0]]
        assert torch.equal(camera.to_pixels(camera.normalise(pixels)), pixels)
        assert camera.normalise(pixels.numpy()).tolist() == [[0.5, -1.0], [0.0, 0.0]]

    def test_matrix_round_trip(self):
        camera = Intrinsics(200.0, 100.0, 320.0, 240.0, 640, 480)
        assert Intrinsics.from_matrix(camera.matrix, 640, 480) == camera

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_non_finite_is_refused(self, value):
        with pytest.raises(ValueError, match="fx, fy, cx, cy are .*expected finite pixels"):
            Intrinsics(value, 500.0, 320.0, 240.0, 640, 480)
        with pytest.raises(ValueError, match="expected finite pixels"):
            Intrinsics.from_matrix([[500, 0, value], [0, 500, 240], [0, 0, 1]], 640, 480)

    @pytest.mark.parametrize("degrees", [0, -3, 180, math.nan])
    def test_impossible_field_of_view(self, degrees):
        with pytest.raises(ValueError, match="field of view is"):
            Intrinsics.from_field_of_view(640, 480, degrees)

    def test_other_matrices(self):
        with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
            Intrinsics.from_matrix(np.eye(2), 640, 480)
        with pytest.raises(ValueError, match="expected more than 0"):
            Intrinsics.from_matrix(np.diag([-500, 500, 1]), 640, 480)
        with pytest.raises(ValueError, match=r"expected \[\[fx, 0, cx\]"):
            Intrinsics.from_matrix([[500, 0, 320], [0, 500, 240], [320, 240, 1]], 640, 480)


class TestDetections:
    def detections(self, people, times=(0.0, 0.1)):
        return Detections(people, np.array(times), COCO17, 640, 480, "clip")

    def test_scores_above_one_count_as_one_and_missing_points_are_zero(self):
        people = np.ones((2, 17, 3))
        people[0, :, 2], people[1, 3] = 4.2, (math.nan, math.nan, 0)
        found = self.detections([people, people[:0]]).people
        assert found[0].max() == 1 and (found[0][1, 3] == 0).all() and found[1].shape == (0, 17, 3)
        assert people[0, 0, 2] == 4.2, "the caller's array is not changed"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda p: p[0].__setitem__((0, 5, 0), math.nan), "clip, frame 0: a keypoint is not finite"),
            (lambda p: p[1].__setitem__((0, 5, 2), math.nan), "clip, frame 1: confidence is nan"),
            (lambda p: p[1].__setitem__((0, 5, 2), -1), "confidence is -1.0, expected finite and at least 0"),
            (lambda p: p[0].__setitem__((0, 5, 0), 1e6), "keypoint at 1000000, expected pixels of 640 x 480"),
        ],
    )
    def test_bad_values(self, change, message):
        people = [np.ones((1, 17, 3)), np.ones((1, 17, 3))]
        change(people)
        with pytest.raises(DataError, match=message):
            self.detections(people)

    def test_bad_shapes_and_times(self):
        people = [np.ones((1, 17, 3)), np.ones((1, 17, 3))]
        with pytest.raises(DataError, match=r"frame 0: people have shape \(17, 3\), expected \(people, 17, 3\)"):
            self.detections([p[0] for p in people])
        with pytest.raises(DataError, match="expected at least one, finite and increasing"):
            self.detections(people, (0.1, 0.1))
        with pytest.raises(DataError, match="2 frames of people and 1 times"):
            self.detections(people, (0.1,))


class TestTrack:
    def test_pixels(self):
        one = track()
        assert torch.allclose(one.pixels, one.keypoints * 800 + torch.tensor([320.0, 240.0]))

    def test_cut(self):
        part = track(10).cut(4, 7)
        assert len(part) == 3 and part.name == "a@4" and part.start == pytest.approx(0.2)
        assert torch.equal(part.keypoints, track(10).keypoints[4:7])

    def test_layout(self):
        other = track().to_layout(SMPL22)
        assert other.keypoints.shape == (6, 22, 2) and other.layout is SMPL22 and other.keypoints.dtype == torch.float32

    def test_pad(self):
        keypoints, confidence, lengths = pad_tracks([track(3), track(5)])
        assert keypoints.shape == (2, 5, 17, 2) and confidence.shape == (2, 5, 17) and lengths.tolist() == [3, 5]
        assert (confidence[0, 3:] == 0).all()
