"""Truth in Pose2Sim's formats: tracks and calibrated cameras."""

import math

import pytest
import torch

from videomdm.conventions import DataError
from videomdm.data import pose2sim

HEADER = (
    "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\n60\t60\t2\t2\t{unit}\n"
    "Frame#\tTime\tHip\t\t\tKnee\t\t\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n"
)
CAMERA = "[cam_01]\nmatrix = [[900.0, 0, 500], [0, 900, 400], [0, 0, 1]]\nrotation = [0.0, 0.0, {turn}]\n"


@pytest.fixture
def write(tmp_path):
    def make(text, name="a.trc"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return make


class TestTrack:
    @pytest.mark.parametrize(("unit", "metres"), [("m", 1.0), ("mm", 0.001)])
    def test_points_by_name_in_metres(self, write, unit, metres):
        path = write(HEADER.format(unit=unit) + "1\t0\t1\t2\t3\t4\t5\t6\n2\t0.1\t\t\t\t7\t8\t9\n\n")
        track = pose2sim.read_trc(path)
        assert track.names == ("Hip", "Knee") and track.fps == 60 and track.points.shape == (2, 2, 3)
        torch.testing.assert_close(track.of("Knee", "Hip")[0], metres * torch.tensor([[4.0, 5, 6], [1, 2, 3]]))
        assert track.of("Hip")[1].isnan().all(), "an empty cell is no zero"
        with pytest.raises(DataError, match="no point Toe, expected some of Hip, Knee"):
            track.of("Toe")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("what\n" * 9, "begins 'what', expected PathFileType"),
            (HEADER.format(unit="inch") + "1\t0\t1\t2\t3\t4\t5\t6\n", "units 'inch', expected m or mm"),
            (HEADER.format(unit="m") + "1\t0\t1\t2\n", "line 6: 2 coordinates, expected 3 for each of 2 points"),
            (HEADER.format(unit="m") + "1\t0\t1\t2\t3\t4\t5\tx\n", "line 6: .*expected numbers"),
            (HEADER.format(unit="m"), "no frames"),
        ],
    )
    def test_bad_files(self, write, text, message):
        with pytest.raises(DataError, match=message):
            pose2sim.read_trc(write(text))


class TestCamera:
    def test_its_world_has_y_up(self, write):
        path = write(CAMERA.format(turn=math.pi / 2) + "translation = [1.0, 2.0, 3.0]\n", "Calib.toml")
        camera, matrix = pose2sim.read_camera(path, "cam_01")
        # (x, y, z) is (z, x, y) in the calibration's axes; a quarter turn about its third one: (-x, z, y)
        seen = camera.to_camera(torch.tensor([[10.0, 20.0, 30.0]]))
        torch.testing.assert_close(seen, torch.tensor([[-10.0 + 1, 30.0 + 2, 20.0 + 3]]), atol=1e-4, rtol=0)
        assert matrix[0].tolist() == [900, 0, 500]

    def test_what_is_missing_is_named(self, write):
        path = write(CAMERA.format(turn=0.0), "Calib.toml")
        with pytest.raises(DataError, match="no 'translation', expected .cam_01. with rotation, translation, matrix"):
            pose2sim.read_camera(path, "cam_01")
        with pytest.raises(DataError, match="no 'cam_02'"):
            pose2sim.read_camera(path, "cam_02")
        with pytest.raises(DataError, match="expected TOML"):
            pose2sim.read_camera(write("[[", "bad.toml"), "cam_01")
