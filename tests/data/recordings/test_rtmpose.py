"""RTMPose through rtmlib, which stands here as a small module with the same signatures."""

import sys
from types import ModuleType
from urllib.error import URLError

import numpy as np
import pytest

from videomdm.data.recordings.rtmpose import OnDemand, RTMPose, weights_folder
from videomdm.skeletons import HALPE26


class DetectorModel:
    boxes = np.array([[10.0, 20.0, 110.0, 220.0], [200.0, 20.0, 260.0, 180.0]])

    def __call__(self, image):
        return self.boxes


class PoseModel:
    def __call__(self, image, bboxes=[]):  # noqa: B006  (as in rtmlib)
        if len(bboxes) == 0:
            bboxes = [[0, 0, image.shape[1], image.shape[0]]]
        keypoints = [np.linspace(box[:2], box[2:], 26) for box in bboxes]
        scores = [np.linspace(0, 1.2, 26) for _ in bboxes]
        return np.array(keypoints), np.array(scores)


class BodyWithFeet:
    MODE = {
        mode: {
            "det": f"https://weights.example/{mode}-det.zip", "det_input_size": (640, 640),
            "pose": f"https://weights.example/{mode}-pose.zip", "pose_input_size": size,
        }
        for mode, size in (("performance", (288, 384)), ("balanced", (192, 256)), ("lightweight", (192, 256)))
    }  # fmt: skip
    made = []

    def __init__(
        self,
        det: str = None,
        det_input_size: tuple = (640, 640),
        pose: str = None,
        pose_input_size: tuple = (192, 256),
        mode: str = "balanced",
        to_openpose: bool = False,
        backend: str = "onnxruntime",
        device: str = "cpu",
    ):
        self.made.append((det, det_input_size, pose, pose_input_size, mode, to_openpose, backend, device))
        self.det_model, self.pose_model = DetectorModel(), PoseModel()

    def __call__(self, image):
        return self.pose_model(image, bboxes=self.det_model(image))


@pytest.fixture
def rtmlib(monkeypatch):
    module = ModuleType("rtmlib")
    module.BodyWithFeet = BodyWithFeet
    monkeypatch.setitem(sys.modules, "rtmlib", module)
    BodyWithFeet.made.clear()
    return module


IMAGE = np.zeros((240, 320, 3), np.uint8)


class TestCall:
    def test_people(self, rtmlib):
        found = RTMPose()(IMAGE)
        assert found.shape == (2, 26, 3) and RTMPose.layout is HALPE26
        assert found[0, 0].tolist() == [10, 20, 0] and found[1, -1].tolist() == [260, 180, 1]
        assert found[..., 2].max() == 1, "scores above 1 count as 1"

    def test_nobody_is_not_the_whole_image(self, rtmlib, monkeypatch):
        monkeypatch.setattr(DetectorModel, "boxes", np.zeros((0, 4)))
        assert RTMPose()(IMAGE).shape == (0, 26, 3)

    def test_nobody_in_releases_that_fail_then(self, rtmlib, monkeypatch):
        def __call__(self, image):
            if not image.any():
                return final_boxes  # noqa: F821
            final_boxes = 1  # noqa: F841

        monkeypatch.setattr(DetectorModel, "__call__", __call__)
        assert RTMPose()(IMAGE).shape == (0, 26, 3)


class TestConstruction:
    def test_the_papers_model_is_the_default(self, rtmlib):
        RTMPose()
        assert BodyWithFeet.made == [(None, (640, 640), None, (288, 384), "performance", False, "onnxruntime", "cpu")]

    def test_own_files_get_the_modes_sizes(self, rtmlib, tmp_path):
        files = [tmp_path / "det.onnx", tmp_path / "pose.onnx"]
        for file in files:
            file.touch()
        RTMPose(detector=files[0], pose=files[1], device="cuda")
        assert BodyWithFeet.made[0][:4] == (str(files[0]), (640, 640), str(files[1]), (288, 384))

    def test_files_that_are_not_there(self, rtmlib, tmp_path):
        with pytest.raises(FileNotFoundError, match="pose is .*none.onnx: no such file"):
            RTMPose(pose=tmp_path / "none.onnx")

    def test_unknown_mode(self, rtmlib):
        with pytest.raises(ValueError, match="mode is 'best', expected one of performance"):
            RTMPose("best")

    @pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("invalid hash value")])
    def test_weights_that_cannot_be_fetched(self, rtmlib, monkeypatch, error, tmp_path):
        def fail(self, *args, **kwargs):
            raise error

        monkeypatch.setattr(BodyWithFeet, "__init__", fail)
        monkeypatch.delenv("TORCH_HOME", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        with pytest.raises(OSError, match="weights could not be loaded") as raised:
            RTMPose("balanced")
        for part in ("balanced-det.zip", "balanced-pose.zip", str(tmp_path / "rtmlib" / "hub" / "checkpoints")):
            assert part in str(raised.value)

    def test_without_rtmlib(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "rtmlib", None)
        with pytest.raises(ImportError, match=r"pip install 'videomdm\[video\]'"):
            RTMPose()

    def test_weights_folder_follows_the_environment(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        assert weights_folder() == tmp_path / "hub" / "checkpoints"


class TestOnDemand:
    def test_made_when_it_is_first_asked(self, rtmlib):
        detector = OnDemand()
        assert BodyWithFeet.made == [] and detector.layout is HALPE26
        assert detector(IMAGE).shape == (2, 26, 3) and len(detector(IMAGE)) == 2
        assert len(BodyWithFeet.made) == 1 and detector.name == RTMPose().name == "rtmpose-performance"

    def test_weights_are_asked_for_once(self, rtmlib, monkeypatch):
        tries = []

        def fail(self, *args, **kwargs):
            tries.append(1)
            raise URLError("no route")

        monkeypatch.setattr(BodyWithFeet, "__init__", fail)
        detector = OnDemand()
        for _ in range(2):
            with pytest.raises(OSError, match="weights could not be loaded .*no route"):
                detector(IMAGE)
        assert tries == [1]
