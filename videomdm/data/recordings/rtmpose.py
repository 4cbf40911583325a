"""RTMPose, the paper's detector: 26 keypoints with feet of everybody in an image (appendix C.3), through rtmlib.

rtmlib is the extra ``video``.  It fetches two networks on first use, a person detector (YOLOX) and the pose
network.  Where that is impossible, download both by hand and name their files; the error says which and where.
rtmlib asks for opencv-contrib-python beside opencv-python, and the two overwrite each other's files:
``pip install onnxruntime`` and ``pip install --no-deps rtmlib`` keep the one that is there.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from videomdm.skeletons.definitions import HALPE26

MODES = ("performance", "balanced", "lightweight")


class RTMPose:
    """Call it with a BGR image (H, W, 3) for people (P, 26, 3): x and y in pixels, confidence in 0..1.

    Args:
        mode: ``"performance"``, the paper's; ``"balanced"`` and ``"lightweight"`` are faster.
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        detector, pose: the networks' onnx files, where they were downloaded by hand.

    Raises:
        ImportError: rtmlib is not installed.
        OSError: the weights cannot be fetched; the message says how to get them by hand.
        ValueError: an unknown mode.
    """

    layout = HALPE26

    def __init__(
        self,
        mode: str = MODES[0],
        device: str = "cpu",
        detector: str | Path | None = None,
        pose: str | Path | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}, expected one of {', '.join(MODES)}")
        try:
            from rtmlib import BodyWithFeet
        except ImportError as error:
            raise ImportError(
                "finding people in videos needs rtmlib and onnxruntime: pip install 'videomdm[video]'; keypoints of "
                f"OpenPose, AlphaPose, MMPose or in npz files are read without ({error})"
            ) from None
        files = {"detector": detector, "pose": pose}
        for name, file in files.items():
            if file is not None and not Path(file).is_file():
                raise FileNotFoundError(f"{name} is {file}: no such file, expected an onnx network")
        sizes = BodyWithFeet.MODE[mode]
        try:
            model = BodyWithFeet(
                det=None if detector is None else str(detector), det_input_size=sizes["det_input_size"],
                pose=None if pose is None else str(pose), pose_input_size=sizes["pose_input_size"],
                mode=mode, to_openpose=False, backend="onnxruntime", device=device,
            )  # fmt: skip
        except (OSError, RuntimeError) as error:
            raise OSError(_by_hand(mode, sizes, error)) from error
        self.name = f"rtmpose-{mode}"
        # One by one: asked for nobody's pose, rtmlib takes the whole image for a person.
        self._find, self._pose = model.det_model, model.pose_model

    def __call__(self, image: np.ndarray) -> np.ndarray:
        boxes = self._boxes(image)
        if not len(boxes):
            return np.zeros((0, len(self.layout), 3))
        keypoints, scores = self._pose(image, bboxes=boxes)
        return np.concatenate([keypoints, np.clip(scores, 0, 1)[..., None]], axis=-1)

    def _boxes(self, image: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(self._find(image)).reshape(-1, 4)
        except UnboundLocalError:  # how several of its releases say that there is nobody
            return np.zeros((0, 4))


class OnDemand:
    """The paper's :class:`RTMPose`, made when the first image is shown to it.

    So it is not missed where all keypoints are there already, and where it cannot be had every video that asks for it
    hears why, without another try to fetch the weights.
    """

    layout = HALPE26
    name = f"rtmpose-{MODES[0]}"

    def __init__(self) -> None:
        self._model: RTMPose | None = None
        self._error: Exception | None = None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        if self._error is not None:
            raise self._error
        if self._model is None:
            try:
                self._model = RTMPose(MODES[0])
            except (ImportError, OSError) as error:
                self._error = error
                raise
        return self._model(image)


def weights_folder() -> Path:
    """Where rtmlib looks for its networks before it downloads them."""
    cache = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "rtmlib"
    return Path(cache).expanduser() / "hub" / "checkpoints"


def is_there() -> bool:
    """Whether rtmlib is installed and the paper's networks are where it looks for them: nothing to download."""
    try:
        from rtmlib import BodyWithFeet
    except ImportError:
        return False
    sizes = BodyWithFeet.MODE[MODES[0]]
    return all((weights_folder() / Path(sizes[part]).with_suffix(".onnx").name).is_file() for part in ("det", "pose"))


def _by_hand(mode: str, sizes: dict, error: Exception) -> str:
    return (
        f"RTMPose's weights could not be loaded ({error}).  Download by hand\n  {sizes['det']}\n  {sizes['pose']}\n"
        f"(unzip a .zip to its .onnx) and put them into {weights_folder()}, or name the files: "
        f"RTMPose(mode={mode!r}, detector=..., pose=...)"
    )
