"""People found in a video, by whichever detector; killed and gone on."""

import logging
import sys
import threading
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from rendered import write_numbered

from videomdm.conventions import DataError
from videomdm.data.recordings import detection, reading, rtmpose
from videomdm.data.recordings.blazepose import BlazePose
from videomdm.data.recordings.detection import ahead, choose, detect
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.rtmpose import OnDemand
from videomdm.data.recordings.video import Video
from videomdm.skeletons import COCO17, HALPE26

pytestmark = pytest.mark.slow


class Counter:
    """A detector whose people depend on the image and on how many images it was shown; it stops where it is told."""

    layout, name = COCO17, "counter"

    def __init__(self, stop=None):
        self.stop, self.calls, self.state = stop, 0, np.zeros(0)

    def __call__(self, image):
        if self.calls == self.stop:
            raise KeyboardInterrupt
        self.calls += 1
        shown = self.state.sum() + 1
        self.state = np.array([shown])
        person = np.stack([np.full(17, image.mean()), np.arange(17) + shown, np.ones(17)], axis=-1)
        return np.repeat(person[None], int(shown) % 3, axis=0)


@pytest.fixture
def film(tmp_path):
    return write_numbered(tmp_path / "a.mp4", 30)


@pytest.fixture
def keep_all(monkeypatch):
    monkeypatch.setattr(detection, "KEEP_EVERY", 0.0)


class TestDetect:
    def test_everybody_in_every_frame(self, clip_mp4, detector):
        found, watch = detect(Video(clip_mp4), detector, HALPE26)
        assert [len(p) for p in found.people] == [1] * 60 and (found.width, found.height) == (256, 192)
        assert watch.finding is None and watch.looks == 14

    def test_single_frame(self, tmp_path, detector):
        with pytest.raises(DataError, match="a single frame, expected a video"):
            detect(Video(write_numbered(tmp_path / "a.mp4", 1)), detector, HALPE26)

    def test_a_second_video_begins_anew(self, film):
        detector = Counter()
        first, second = (detect(Video(film), detector, COCO17)[0].people for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class TestGoesOn:
    def test_where_it_was_killed(self, film, tmp_path, keep_all):
        partial = tmp_path / "cache" / "a.part.npz"
        whole, _ = detect(Video(film), Counter(), COCO17)
        with pytest.raises(KeyboardInterrupt):
            detect(Video(film), Counter(stop=20), COCO17, partial)
        again = Counter()
        resumed, watch = detect(Video(film), again, COCO17, partial)
        assert again.calls == 30 - 20
        assert np.array_equal(resumed.times, whole.times) and watch.looks == 7
        for a, b in zip(whole.people, resumed.people, strict=True):
            assert np.array_equal(a, b)

    def test_no_thread_is_left_to_the_garbage_collector(self, film):
        """It would wait for them in the middle of anything, such as the begin of another."""
        before = set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt) as kept:  # with all that the error still knows of
            detect(Video(film), Counter(stop=20), COCO17)
        assert kept.value and set(threading.enumerate()) <= before

    def test_a_damaged_file_is_begun_again(self, film, tmp_path, keep_all, caplog):
        partial = tmp_path / "a.part.npz"
        partial.write_bytes(b"PK no zip")
        detector = Counter()
        with caplog.at_level(logging.WARNING):
            detect(Video(film), detector, COCO17, partial)
        assert detector.calls == 30 and "a.part.npz is damaged" in caplog.text

    def test_of_another_layout(self, film, tmp_path, keep_all, caplog, detector):
        partial = tmp_path / "a.part.npz"
        detect(Video(film), Counter(), COCO17, partial)
        found, _ = detect(Video(film), detector, HALPE26, partial)
        assert "expected (" in caplog.text and len(found.people) == 30

    def test_through_the_cache(self, film, tmp_path, keep_all):
        source, cache = Source("a", video=film), tmp_path / "cache"
        with pytest.raises(KeyboardInterrupt):
            reading.see(source, Counter(stop=12), cache)
        assert [p.name.endswith(".part.npz") for p in cache.iterdir()] == [True]
        again, third = Counter(), Counter()
        seen = reading.see(source, again, cache)
        assert again.calls == 18 and [p.name.endswith(".part.npz") for p in cache.iterdir()] == [False]
        known = reading.see(source, third, cache)
        assert third.calls == 0
        for a, b in zip(seen.detections.people, known.detections.people, strict=True):
            assert np.array_equal(a, b)


class TestAhead:
    def test_order_and_end(self):
        assert list(ahead(k for k in range(5))) == list(range(5)) and list(ahead(k for k in ())) == []

    def test_the_next_is_made_while_this_one_is_used(self):
        made = threading.Event()

        def items():
            yield 0
            made.set()
            yield 1

        for item in ahead(items()):
            assert item == 1 or made.wait(5)

    def test_errors_pass(self):
        def items():
            yield 0
            raise DataError("broken")

        coming = ahead(items())
        assert next(coming) == 0
        with pytest.raises(DataError, match="broken"):
            next(coming)


class TestChoose:
    @pytest.fixture
    def weights(self, monkeypatch, tmp_path):
        """rtmlib, and the folder in which it looks for its networks."""
        module = ModuleType("rtmlib")
        sizes = {"det": "https://weights.example/yolox.zip", "pose": "https://weights.example/rtmpose.zip"}
        module.BodyWithFeet = SimpleNamespace(MODE={mode: sizes for mode in rtmpose.MODES})
        monkeypatch.setitem(sys.modules, "rtmlib", module)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        folder = tmp_path / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        return folder

    def test_by_name(self):
        assert isinstance(choose("rtmpose"), OnDemand) and isinstance(choose("blazepose"), BlazePose)
        with pytest.raises(ValueError, match="detector is 'openpose', expected one of auto, rtmpose, blazepose"):
            choose("openpose")

    def test_a_detector_is_itself(self, detector):
        assert choose(detector) is detector

    def test_rtmpose_where_all_of_it_is_there(self, weights):
        (weights / "yolox.onnx").touch()
        assert isinstance(choose("auto"), BlazePose)
        (weights / "rtmpose.onnx").touch()
        assert isinstance(choose("auto"), OnDemand)

    def test_blazepose_without_rtmlib(self, weights, monkeypatch):
        for name in ("yolox", "rtmpose"):
            (weights / f"{name}.onnx").touch()
        monkeypatch.setitem(sys.modules, "rtmlib", None)
        assert isinstance(choose("auto"), BlazePose)
