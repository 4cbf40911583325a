"""From a folder of videos and keypoints to training clips; every kind of bad input."""

import json
import math
import shutil
import sys

import numpy as np
import pytest
import torch
from keypoint_files import alphapose, mmpose, write_images, write_npz
from mp4_boxes import contents_first, set_steps, turn_upright
from rendered import write_numbered

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import keypoint_npz, load, rendering, track
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.video import Video
from videomdm.skeletons import BODY25, HALPE26, SMPL22

pytestmark = pytest.mark.slow


@pytest.fixture
def detections(scene):
    return rendering.detect([scene.joints], scene.camera, scene.intrinsics, name="clip")


@pytest.fixture
def folder(tmp_path, clip_mp4):
    shutil.copy(clip_mp4, tmp_path / "good_lunge_01.mp4")
    return tmp_path


def distance(one, scene, frames=slice(None)):
    """Mean distance in metres (at the person's depth) of a track from the true joints."""
    truth, depth = scene.camera.project(scene.joints[frames])
    return float(((one.keypoints - truth).norm(dim=-1) * depth).mean())


class TestTrack:
    def test_true_keypoints(self, scene, detections):
        one = track(detections, scene.intrinsics)
        assert one.layout is SMPL22 and one.fps == 20 and len(one) == 60 and not one.filled.any()
        assert (one.confidence == 1).all() and one.keypoints.dtype == one.confidence.dtype == torch.float32
        assert distance(one, scene) < 0.025  # metres; what the layouts differ by, and smoothing

    def test_noisy_keypoints(self, scene):
        noisy = rendering.detect([scene.joints], scene.camera, scene.intrinsics, noise=rendering.Noise(), seed=1)
        one = track(noisy, scene.intrinsics)
        assert distance(one, scene, slice(round(20 * one.start), round(20 * one.start) + len(one))) < 0.035
        missing = [t for t, people in enumerate(noisy.people) if not len(people)]
        assert one.filled.nonzero()[:, 0].tolist() == missing != []
        assert (one.confidence[one.filled] == 0).all()

    def test_smoothing_takes_jitter_away(self, scene):
        noise = rendering.Noise(jitter=0.01, unsure=0, swaps=0, dropouts=0)
        noisy = rendering.detect([scene.joints], scene.camera, scene.intrinsics, noise=noise)
        true = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
        one, clean = track(noisy, scene.intrinsics), track(true, scene.intrinsics)
        knee = SMPL22.index("left_knee")
        left = (one.keypoints - clean.keypoints)[1:-1, knee].std() * scene.intrinsics.fx
        height = np.mean([np.ptp(p[0, :, 1]) for p in noisy.people])
        # independent errors shrink by sqrt(.25^2 + .5^2 + .25^2)
        assert float(left) == pytest.approx(0.01 * height * math.sqrt(0.375), rel=0.2)

    def test_variable_frame_rate(self, scene, detections):
        kept = [t for t in range(60) if t % 5 != 2]
        uneven = Detections([detections.people[t] for t in kept], detections.times[kept], HALPE26, 256, 192, "clip")
        one = track(uneven, scene.intrinsics)
        assert len(one) == 60 and not one.filled.any() and distance(one, scene) < 0.03

    @pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
    def test_other_rates(self, scene, fps):
        at = torch.arange(0, 59, 20 / fps)
        low, share = at.long(), (at % 1)[:, None, None]
        joints = torch.lerp(scene.joints[low], scene.joints[low + 1], share)
        faster = rendering.detect([joints], scene.camera, scene.intrinsics, times=np.arange(len(at)) / fps)
        one = track(faster, scene.intrinsics)
        assert one.fps == 20 and abs(len(one) - 59) <= 1 and distance(one, scene, slice(0, len(one))) < 0.03

    def test_assumed_intrinsics_are_said(self, detections):
        assert "intrinsics: assumed field of view of 53.1 degrees across the diagonal" in track(detections).notes
        assert "intrinsics: given field of view of 70.0 degrees across the diagonal" in track(detections, 70.0).notes

    def test_intrinsics_of_another_size(self, detections):
        with pytest.raises(DataError, match="clip: intrinsics of 640 x 480 for images of 256 x 192"):
            track(detections, Intrinsics.from_field_of_view(640, 480))

    def test_too_short(self, detections):
        detections.people[8:] = [p[:0] for p in detections.people[8:]]
        message = r"clip: the main person is seen for 0.40 s \(8 frames at 20 fps\), expected at least 0.5 s"
        with pytest.raises(DataError, match=message):
            track(detections)

    def test_mostly_out_of_sight(self, detections):
        detections.people = [p if t % 4 == 0 else p[:0] for t, p in enumerate(detections.people)]
        with pytest.raises(DataError, match="out of sight in 7[0-9] % of the frames, expected at most half"):
            track(detections)

    def test_joints_without_confidence(self, detections):
        for people in detections.people:
            people[:, [HALPE26.index(f"left_{j}") for j in ("big_toe", "heel")], 2] = 0
        one = track(detections)
        assert "never seen: left_big_toe, left_heel" in one.notes
        assert (one.confidence[:, SMPL22.index("left_foot")] == 0).all() and one.keypoints.isfinite().all()
        assert (one.confidence[:, SMPL22.index("right_foot")] == 1).all()


class TestGoodFolder:
    def test_videos(self, folder, detector):
        found = load(folder, detector)
        assert [t.name for t in found.tracks] == ["good_lunge_01"] and found.captions == [("good lunge",)]
        assert len(found.tracks[0]) == 60 and found.skipped == []

    def test_captions_beside_it(self, folder, detector):
        (folder / "good_lunge_01.txt").write_text("a person lunges\n\nsomebody steps forward\n")
        assert load(folder, detector).captions == [("a person lunges", "somebody steps forward")]
        (folder / "good_lunge_01.txt").write_text("\n")
        with pytest.raises(DataError, match="good_lunge_01.txt: empty, expected captions"):
            load(folder, detector)
        (folder / "good_lunge_01.txt").write_bytes("Übung".encode("latin-1"))
        with pytest.raises(DataError, match="good_lunge_01.txt: not UTF-8 text"):
            load(folder, detector)

    @pytest.mark.parametrize("kind", ["alphapose", "mmpose", "openpose", "npz"])
    def test_keypoints_beside_the_video_need_no_detector(self, folder, detections, kind):
        if kind == "alphapose":
            people = [(t, p) for t, found in enumerate(detections.people) for p in found]
            (folder / "good_lunge_01.json").write_text(json.dumps(alphapose(people)))
        elif kind == "mmpose":
            (folder / "good_lunge_01.json").write_text(json.dumps(mmpose(detections.people)))
        elif kind == "openpose":
            (folder / "good_lunge_01").mkdir()
            order = [HALPE26.index(joint) for joint in BODY25.joints]
            for t, found in enumerate(detections.people):
                people = [{"pose_keypoints_2d": p[order].ravel().tolist()} for p in found]
                (folder / "good_lunge_01" / f"x_{t:012d}_keypoints.json").write_text(json.dumps({"people": people}))
        else:
            write_npz(folder / "good_lunge_01.npz", detections)
        found = load(folder)
        assert [len(t) for t in found.tracks] == [60] and not any("no video" in n for n in found.tracks[0].notes)
        if kind != "openpose":  # which has no top of the head
            own = track(detections)
            assert torch.allclose(found.tracks[0].keypoints, own.keypoints, atol=1e-5)

    def test_npz_alone_and_finished_tracks(self, tmp_path, detections):
        one = track(detections)
        (tmp_path / "deep").mkdir()
        keypoint_npz.save(one, tmp_path / "deep" / "lunge.npz")
        found = load(tmp_path)
        assert torch.equal(found.tracks[0].keypoints, one.keypoints) and found.tracks[0].notes == one.notes
        write_npz(tmp_path / "b.npz", detections)
        assert "no video: whether the camera stands still is not known" in load(tmp_path).tracks[0].notes

    def test_a_table_of_captions(self, folder, detector):
        table = folder / "captions.csv"
        table.write_text('file,caption\ngood_lunge_01.mp4,"a lunge, deep"\ngood_lunge_01,a step ahead\nother,x\n')
        found = load(folder, detector)
        assert found.captions == [("a lunge, deep", "a step ahead")]
        assert "captions.csv names other, of which there is no recording" in found.summary()
        (folder / "good_lunge_01.txt").write_text("the file beside it wins\n")
        assert load(folder, detector).captions == [("the file beside it wins",)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"name;text\n", "the first line is 'name;text', expected file,caption"),
            (b"", "the first line is '', expected file,caption"),
            (b"file,caption\na.mp4,walks, then turns\n", "captions.csv, line 2: .*expected a file and a caption"),
            (b"file,caption\na.mp4,\n", "captions.csv, line 2"),
            ("file,caption\na,Übung\n".encode("latin-1"), "captions.csv: not UTF-8 text"),
        ],
    )
    def test_a_bad_table_stops_before_any_video_is_read(self, folder, detector, text, message):
        (folder / "captions.csv").write_bytes(text)
        with pytest.raises(DataError, match=message):
            load(folder, detector, on_error="skip")

    def test_two_files_of_one_name(self, folder, detector, detections, clip_mp4):
        shutil.copy(clip_mp4, folder / "good_lunge_01.mov")
        found = load(folder, detector)
        assert len(found) == 1 and found.skipped == [
            ("good_lunge_01.mp4", "good_lunge_01 is read from another file of this kind")
        ]

    def test_numbered_keypoints_follow_the_videos_time_stamps(self, folder, detections, clip_mp4):
        steps = [1 + (k % 3 == 0) for k in range(60)]
        (folder / "good_lunge_01.mp4").write_bytes(set_steps(clip_mp4.read_bytes(), steps))
        for first in (0, 1):  # programs count from either
            people = [(t + first, p) for t, found in enumerate(detections.people) for p in found]
            (folder / "good_lunge_01.json").write_text(json.dumps(alphapose(people)))
            one = load(folder).tracks[0]
            assert len(one) == sum(steps[:-1]) + 1
            assert any("variable frame rate" in note for note in one.notes)

    def test_one_video(self, folder, detector, detections):
        (folder / "good_lunge_01.txt").write_text("a person lunges\n")
        one, captions, source = recordings.load_one(folder / "good_lunge_01.mp4", detector)
        assert len(one) == 60 and captions == ("a person lunges",) and source.keypoints is None
        (folder / "deep").mkdir()
        shutil.copy(folder / "good_lunge_01.mp4", folder / "deep" / "unread.mp4")
        write_npz(folder / "good_lunge_01.npz", detections)
        (folder / "good_lunge_01.wham.npz").touch()
        _, _, source = recordings.load_one(folder / "good_lunge_01.mp4", detector)
        assert (source.keypoints.name, source.lifted.name) == ("good_lunge_01.npz", "good_lunge_01.wham.npz")
        with pytest.raises(DataError, match="none.mp4: no such video"):
            recordings.load_one(folder / "none.mp4", detector)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(DataError, match="no video .* and no keypoints"):
            load(tmp_path)
        with pytest.raises(DataError, match="none: no such folder"):
            load(tmp_path / "none")
        with pytest.raises(ValueError, match="on_error is 'ignore'"):
            load(tmp_path, on_error="ignore")


class TestBadInput:
    """Each is told by its own message while the good video beside it is used."""

    def skipped(self, folder, detector, **options):
        with pytest.raises(DataError, match='on_error="skip" leaves such recordings out'):
            load(folder, detector, **options)
        found = load(folder, detector, on_error="skip", **options)
        assert [t.name for t in found.tracks] == ["good_lunge_01"]
        ((name, reason),) = found.skipped
        assert (
            name == "bad"
            and f"not used bad: {reason}" in found.summary()
            and "1 of 2 recordings used" in found.summary()
        )
        return reason

    def noted(self, folder, detector, **options):
        found = load(folder, detector, **options)
        assert found.skipped == [] and [t.name for t in found.tracks] == ["bad", "good_lunge_01"]
        assert all(note in found.summary() for note in found.tracks[0].notes)
        return found.tracks[0]

    def test_no_person(self, folder, detector):
        write_numbered(folder / "bad.mp4", 30, 10)
        assert "bad: no person in any of 30 frames" in self.skipped(folder, detector)

    def test_two_people_crossing(self, folder, scene, clip_mp4):
        right, _, ahead = scene.camera.rotation
        path = torch.linspace(-1, 1, 60)[:, None, None] * right + 0.8 * ahead
        seen = rendering.detect([scene.joints, scene.joints + path], scene.camera, scene.intrinsics)
        alone = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
        shutil.copy(clip_mp4, folder / "bad.mp4")
        (folder / "bad.json").write_text(json.dumps(mmpose(seen.people)))
        (folder / "good_lunge_01.json").write_text(json.dumps(mmpose(alone.people)))
        one = self.noted(folder, None)
        assert any("another person crosses" in note and "mistaken for each other" in note for note in one.notes)

    def test_moving_camera(self, folder, detector, panned_mp4):
        shutil.copy(panned_mp4, folder / "bad.mp4")
        reason = self.skipped(folder, detector)
        assert "bad: the camera moves: by 0.4 s" in reason and "expected a static camera" in reason
        assert any("the camera moves" in n for n in self.noted(folder, detector, moving_camera=True).notes)

    def test_variable_frame_rate(self, folder, detector, clip_mp4):
        steps = [1 + (k % 3 == 0) for k in range(60)]
        (folder / "bad.mp4").write_bytes(set_steps(clip_mp4.read_bytes(), steps))
        one = self.noted(folder, detector)
        assert len(one) == sum(steps[:-1]) + 1
        assert "variable frame rate (10 to 20 fps): frames are used by their time stamps" in one.notes

    def test_truncated_mp4(self, folder, detector, clip_mp4):
        (folder / "bad.mp4").write_bytes(clip_mp4.read_bytes()[:-3000])
        assert "cannot be opened as a video (truncated, damaged" in self.skipped(folder, detector)
        data = contents_first(clip_mp4.read_bytes())
        (folder / "bad.mp4").write_bytes(data[: int(0.85 * len(data))])
        assert any("truncated: 4" in note or "truncated: 5" in note for note in self.noted(folder, detector).notes)

    def test_portrait_with_rotation_metadata(self, folder, detector, clip_mp4):
        # the figure lies on its side in the file; the metadata put it upright
        turned = [np.ascontiguousarray(np.rot90(image)) for _, image in Video(clip_mp4)]
        film = write_images(folder / "bad.mp4", turned)
        film.write_bytes(turn_upright(film.read_bytes()))
        one = self.noted(folder, detector)
        assert (one.intrinsics.width, one.intrinsics.height) == (256, 192)
        assert "turned upright by 90 degrees, as the file's metadata say" in one.notes
        upright = load(folder, detector).tracks[1]
        assert (one.pixels - upright.pixels).abs().median() < 2

    def test_single_frame(self, folder, detector):
        write_numbered(folder / "bad.mp4", 1)
        assert "bad.mp4: a single frame, expected a video" in self.skipped(folder, detector)

    def test_zero_confidence(self, folder, detector, detections):
        write_npz(folder / "bad.npz", detections, confidence=np.zeros((60, 26)))
        assert "every confidence is 0, expected a person to be seen" in self.skipped(folder, detector)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_non_finite_intrinsics(self, folder, detector, detections, value):
        write_npz(folder / "bad.npz", detections, intrinsics=[[value, 0, 128], [0, 300, 96], [0, 0, 1]])
        assert "expected a finite matrix (3, 3) in pixels" in self.skipped(folder, detector)
        with pytest.raises(ValueError, match="field of view is nan degrees"):
            load(folder, detector, intrinsics=math.nan, on_error="skip")

    def test_keypoints_without_their_video(self, folder, detector, detections):
        (folder / "bad.json").write_text(json.dumps(mmpose(detections.people)))
        assert "no video of this name beside it" in self.skipped(folder, detector)

    def test_all_bad(self, tmp_path, detector):
        write_numbered(tmp_path / "bad.mp4", 1)
        found = load(tmp_path, detector, on_error="skip")
        assert len(found) == 0 and found.summary().startswith("0 of 1 recordings used, 0.0 s")


class Counting:
    """A detector that counts its images, and may fail on the first of each video."""

    def __init__(self, detector, fails=False):
        self.detector, self.layout, self.calls, self.fails = detector, detector.layout, 0, fails

    def __call__(self, image):
        self.calls += 1
        if self.fails:
            raise RuntimeError("out of memory")
        return self.detector(image)


class TestCache:
    def test_nothing_is_detected_twice(self, folder, detector, tmp_path_factory):
        cache, counting = tmp_path_factory.mktemp("cache"), Counting(detector)
        first = load(folder, counting, cache=cache)
        assert counting.calls == 60
        again = load(folder, counting, cache=cache)
        assert counting.calls == 60
        assert torch.equal(first.tracks[0].keypoints, again.tracks[0].keypoints)
        assert first.summary() == again.summary()
        wider = load(folder, counting, cache=cache, intrinsics=80.0)  # needs no new look either
        assert counting.calls == 60 and wider.tracks[0].keypoints.abs().max() > again.tracks[0].keypoints.abs().max()
        assert not [p for p in cache.iterdir() if p.name.startswith(".")]

    def test_a_changed_file_is_read_anew(self, folder, detector, tmp_path_factory, scene):
        cache, counting = tmp_path_factory.mktemp("cache"), Counting(detector)
        load(folder, counting, cache=cache)
        rendering.film(folder / "good_lunge_01.mp4", [scene.joints[:50]], scene.camera, scene.intrinsics)
        assert len(load(folder, counting, cache=cache).tracks[0]) == 50 and counting.calls == 110

    def test_an_unfit_camera_and_intrinsics_are_kept(self, tmp_path, panned_mp4, detections, clip_mp4, detector):
        videos, cache = tmp_path / "videos", tmp_path / "cache"
        videos.mkdir()
        shutil.copy(panned_mp4, videos / "bad.mp4")
        shutil.copy(clip_mp4, videos / "good.mp4")
        write_npz(videos / "good.npz", detections, intrinsics=[[300.0, 0, 128], [0, 310, 96], [0, 0, 1]])
        first, again = (load(videos, detector, on_error="skip", cache=cache) for _ in range(2))
        assert len(list(cache.iterdir())) == 2
        assert first.summary() == again.summary() and "the camera moves" in again.summary()
        assert again.tracks[0].intrinsics == first.tracks[0].intrinsics and again.tracks[0].intrinsics.fy == 310


class TestDetector:
    def test_a_failing_one_costs_one_video(self, folder, detector, detections):
        write_npz(folder / "other.npz", detections)
        failing = Counting(detector, fails=True)
        found = load(folder, failing, on_error="skip")
        assert [t.name for t in found.tracks] == ["other"]
        assert found.skipped == [("good_lunge_01", "good_lunge_01.mp4: RuntimeError: out of memory")]
        with pytest.raises(RuntimeError, match="out of memory"):
            load(folder, failing)

    def test_a_missing_one_is_said_for_each_video(self, folder, detections, clip_mp4, monkeypatch):
        monkeypatch.setitem(sys.modules, "rtmlib", None)
        shutil.copy(clip_mp4, folder / "second.mp4")
        write_npz(folder / "other.npz", detections)
        found = load(folder, "rtmpose", on_error="skip")
        assert [t.name for t in found.tracks] == ["other"] and len(found.skipped) == 2
        assert all("pip install 'videomdm[video]'" in reason for _, reason in found.skipped)
        with pytest.raises(ImportError, match="needs rtmlib"):
            load(folder, "rtmpose")

    def test_an_unknown_one(self, folder):
        with pytest.raises(ValueError, match="detector is 'openpose', expected one of auto, rtmpose, blazepose"):
            load(folder, "openpose")
        with pytest.raises(ValueError, match="expected one of auto"):
            recordings.load_one(folder / "good_lunge_01.mp4", "openpose")


class TestFootage:
    def test_level_camera_sees_what_was_seen(self, detections, scene):
        one = track(detections, scene.intrinsics)
        seen = recordings.footage([one, one.cut(0, 45)])
        assert seen.lengths.tolist() == [60, 45]
        depth = torch.rand(seen.keypoints.shape[:-1]) + 2
        world = torch.cat([seen.keypoints * depth[..., None], depth[..., None]], dim=-1) * torch.tensor([1.0, -1, -1])
        assert torch.allclose(seen.camera.project(world)[0], seen.keypoints, atol=1e-5)
