"""The npz format of keypoints: schema, validator, round trip."""

import numpy as np
import pytest
import torch
from figure import figure

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import keypoint_npz
from videomdm.data.recordings.detections import Detections
from videomdm.skeletons import HALPE26


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return {
        "keypoints": figure(np.arange(50) / 30)[..., :2] + generator.uniform(0, 2, (50, 26, 2)),
        "confidence": generator.uniform(0.2, 1, (50, 26)),
        "layout": "halpe26", "fps": 30, "size": (640, 480),
    }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def save(arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return save


class TestRead:
    def test_pixels(self, arrays, write):
        path = write(arrays)
        assert keypoint_npz.problems(path) == []
        found = keypoint_npz.read(path)
        assert found.layout is HALPE26 and (found.width, found.height) == (640, 480) and found.intrinsics is None
        assert np.allclose(np.stack(found.people)[:, 0, :, :2], arrays["keypoints"])
        assert np.allclose(np.stack(found.people)[:, 0, :, 2], arrays["confidence"])
        assert np.allclose(found.times, np.arange(50) / 30)

    def test_times_instead_of_a_rate(self, arrays, write):
        del arrays["fps"]
        times = np.cumsum(np.full(50, 0.04))
        assert np.allclose(keypoint_npz.read(write(arrays | {"times": times})).times, times)

    def test_normalised_units_with_and_without_intrinsics(self, arrays, write):
        arrays |= {"keypoints": arrays["keypoints"] / 500 - 0.5, "units": "normalised"}
        for extra in ({}, {"intrinsics": [[700.0, 0, 300], [0, 650.0, 200], [0, 0, 1]]}):
            if not extra:
                del arrays["size"]
            else:
                arrays["size"] = (640, 480)
            found = keypoint_npz.read(write(arrays | extra))
            back = found.intrinsics.normalise(np.stack(found.people)[:, 0, :, :2])
            assert np.allclose(back, arrays["keypoints"])

    def test_unseen_joints_need_no_position(self, arrays, write):
        arrays["confidence"][3, 4], arrays["keypoints"][3, 4] = 0, np.nan
        assert keypoint_npz.problems(write(arrays)) == []
        assert (keypoint_npz.read(write(arrays)).people[3][0, 4] == 0).all()


class TestProblems:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"keypoints": None}, "no array 'keypoints'"),
            ({"layout": "smpl24"}, "layout is 'smpl24', expected one of coco17"),
            ({"keypoints": np.ones((50, 17, 2))}, r"keypoints are float64 \(50, 17, 2\), expected .*\(T, 26, 2\)"),
            ({"keypoints": np.ones((50, 26, 2), int)}, "int64"),
            ({"confidence": np.ones((50, 25))}, r"confidence is float64 \(50, 25\)"),
            ({"confidence": np.full((50, 26), 1.5)}, "confidence at frame 0 is 1.5, expected 0 to 1"),
            ({"confidence": np.zeros((50, 26))}, "every confidence is 0"),
            ({"keypoints": np.full((50, 26, 2), np.nan)}, "nose at frame 0 is not finite but has confidence"),
            ({"fps": None}, "neither 'fps' nor 'times'"),
            ({"fps": -3.0}, "fps is -3.0"),
            ({"times": np.zeros(50)}, "times are not 50 finite, increasing seconds"),
            ({"units": "metres"}, "units are 'metres'"),
            ({"size": None}, "no 'size'"),
            ({"size": (640,)}, r"size is \[640\]"),
            ({"intrinsics": np.full((3, 3), np.nan)}, "intrinsics are .*expected a finite matrix"),
        ],
    )
    def test_each(self, arrays, write, change, message):
        path = write({k: v for k, v in (arrays | change).items() if v is not None})
        with pytest.raises(DataError, match=message) as error:
            keypoint_npz.read(path)
        assert str(path) in str(error.value)

    def test_all_at_once(self, arrays, write):
        del arrays["fps"], arrays["size"]
        arrays["confidence"] = arrays["confidence"] + 1
        found = keypoint_npz.problems(write(arrays))
        assert [f.split()[0] for f in found] == ["confidence", "neither", "no"]

    def test_other_files(self, tmp_path):
        text, single, pickled = (tmp_path / n for n in ("t.npz", "s.npy", "p.npz"))
        text.write_text("no archive")
        np.save(single, np.ones(3))
        np.savez(pickled, keypoints=np.array([{"a": 1}], dtype=object))
        for path in (text, pickled):
            with pytest.raises(
                DataError, match=f"{path.name}: cannot be read as an npz file of keypoints, without pickled"
            ):
                keypoint_npz.problems(path)
        with pytest.raises(DataError, match="s.npy: cannot be read as an npz file"):
            keypoint_npz.problems(single)
        with pytest.raises(DataError, match="no such file"):
            keypoint_npz.problems(tmp_path / "none.npz")


class TestSave:
    def test_round_trip(self, tmp_path):
        times = np.arange(50) / 20
        one = recordings.track(Detections(list(figure(times)[:, None]), times, HALPE26, 320, 240, "a"))
        one.notes, one.start, one.filled[2] = ["turned upright", "é"], 1.5, True
        keypoint_npz.save(one, tmp_path / "a.npz")
        back = keypoint_npz.load(tmp_path / "a.npz")
        assert keypoint_npz.is_track(tmp_path / "a.npz")
        for name in ("keypoints", "confidence", "filled"):
            assert torch.equal(getattr(back, name), getattr(one, name))
        for name in ("layout", "fps", "intrinsics", "name", "start", "notes"):
            assert getattr(back, name) == getattr(one, name)

    def test_is_in_the_schema(self, tmp_path):
        detections = Detections(list(figure(np.arange(50) / 20)[:, None]), np.arange(50) / 20, HALPE26, 320, 240, "a")
        keypoint_npz.save(recordings.track(detections), tmp_path / "a.npz")
        assert keypoint_npz.problems(tmp_path / "a.npz") == []
        assert len(keypoint_npz.read(tmp_path / "a.npz").people) == 50

    def test_no_body(self, arrays, write):
        arrays["keypoints"] = np.random.default_rng(0).uniform(0, 480, (50, 26, 2))
        (problem,) = keypoint_npz.problems(write(arrays))
        assert "joints are in another order" in problem

    def test_other_npz_is_no_track(self, arrays, write):
        assert not keypoint_npz.is_track(write(arrays))
        with pytest.raises(DataError, match="no finished track"):
            keypoint_npz.load(write(arrays))
