"""Time of keypoint files against the film: every kind of misreading, put right or refused, never silent."""

import re
import shutil

import numpy as np
import pytest
from figure import FPS, FRAMES, alphapose, figure, film, mmpose, npz, openpose, seconds_off
from mp4_boxes import set_steps

from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings import clock
from videomdm.data.recordings.clock import Film, frame_numbers, number_times, pose_times
from videomdm.skeletons import BODY25, HALPE26

pytestmark = pytest.mark.slow

STAMPS = np.arange(FRAMES) / FPS
STANDING = ("intrinsics:", "no video:", "never seen")
OFF = 0.03  # seconds, less than a frame: what resampling and smoothing move


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return film(tmp_path_factory.mktemp("film") / "clip.mp4")


@pytest.fixture
def folder(tmp_path, video):
    shutil.copy(video, tmp_path / "clip.mp4")
    return tmp_path


def read(folder):
    """The track or None, and what is said out of the ordinary."""
    found = recordings.load(folder, on_error="skip")
    notes = [n for t in found.tracks for n in t.notes if not n.startswith(STANDING)]
    return (found.tracks or [None])[0], "; ".join([*notes, *(reason for _, reason in found.skipped)])


def every(k, frames=FRAMES):
    return range(0, frames, k)


class TestGoodFilesAreSilent:
    @pytest.mark.parametrize("first", [0, 1])
    def test_one_entry_per_frame(self, folder, first):
        for write in (
            lambda: alphapose(folder / "clip.json", figure(STAMPS), range(first, FRAMES + first)),
            lambda: mmpose(folder / "clip.json", figure(STAMPS)[:, None], range(first, FRAMES + first)),
        ):
            write()
            track, said = read(folder)
            assert said == "" and seconds_off(track) < OFF and len(track) == FRAMES

    def test_openpose(self, folder):
        openpose(folder / "clip", figure(STAMPS, BODY25))
        track, said = read(folder)
        assert said == "" and seconds_off(track) < OFF and len(track) == FRAMES

    @pytest.mark.parametrize("rate", [20, 24, 25, 30, 50, 60])
    def test_npz_at_a_rate_of_its_own(self, folder, rate):
        times = np.arange(0, 6.25, 1 / rate)
        npz(folder / "clip.npz", figure(times), fps=float(rate))
        track, said = read(folder)
        assert said == "" and seconds_off(track) < OFF and len(track) > 120

    def test_npz_with_times_at_any_spacing(self, folder):
        times = np.delete(STAMPS, slice(2, 120, 5)) + 0.001
        npz(folder / "clip.npz", figure(times), times=times)
        track, said = read(folder)
        assert said == "" and seconds_off(track) < OFF

    @pytest.mark.parametrize("rate", [10.0, 120.0, 240.0])
    def test_npz_without_a_film(self, tmp_path, rate):
        npz(tmp_path / "clip.npz", figure(np.arange(0, 4, 1 / rate)), fps=rate)
        track, said = read(tmp_path)
        assert said == "" and seconds_off(track) < OFF


class TestFramesInSteps:
    """``--frame_step``: a file or an entry for every n-th frame, under the film's numbers."""

    @pytest.mark.parametrize("step", [2, 3, 4, 5])
    @pytest.mark.parametrize("program", ["openpose", "alphapose", "mmpose"])
    def test_is_read_at_its_times(self, folder, step, program):
        points = figure(STAMPS[::step], BODY25 if program == "openpose" else HALPE26)
        if program == "openpose":
            openpose(folder / "clip", points, every(step))
        elif program == "alphapose":
            alphapose(folder / "clip.json", points, every(step))
        else:
            mmpose(folder / "clip.json", points[:, None], every(step))
        track, said = read(folder)
        assert seconds_off(track) < OFF and "frame of the film was looked at" in said
        assert float((track.confidence[:, 0] > 0).float().mean()) > 0.95 and not track.filled.any()

    def test_counted_from_one(self, folder):
        openpose(folder / "clip", figure(STAMPS[::4], BODY25), range(1, FRAMES + 1, 4))
        track, said = read(folder)
        assert seconds_off(track) < OFF and "every fourth frame" in said

    @pytest.mark.parametrize("step", [6, 10, 25])
    def test_too_far_apart(self, folder, step):
        openpose(folder / "clip", figure(STAMPS[::step], BODY25), every(step))
        track, said = read(folder)
        assert track is None and f"every {step}th frame" in said and "expected at most 0.25 s" in said

    def test_uneven_steps(self, folder):
        kept = [k for k in range(FRAMES) if k % 5 in (0, 2)]  # 20 to 8 frames a second
        openpose(folder / "clip", figure(STAMPS[kept], BODY25), kept)
        track, said = read(folder)
        assert seconds_off(track) < OFF and not track.filled.any()

    def test_files_that_were_deleted(self, folder):
        kept = [k for k in range(FRAMES) if not 40 <= k < 44]
        openpose(folder / "clip", figure(STAMPS[kept], BODY25), kept)
        track, _ = read(folder)
        assert seconds_off(track) < OFF and not track.filled.any()


class TestAnotherRate:
    """Frames were extracted at another rate and numbered anew."""

    @pytest.mark.parametrize("k", [2, 3, 4, 5])
    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("program", ["openpose", "alphapose", "mmpose"])
    def test_part_of_the_films(self, folder, k, first, program):
        points = figure(STAMPS[::k], BODY25 if program == "openpose" else HALPE26)
        numbers = range(first, first + len(points))
        if program == "openpose":
            openpose(folder / "clip", points, numbers)
        elif program == "alphapose":
            alphapose(folder / "clip.json", points, numbers)
        else:
            mmpose(folder / "clip.json", points[:, None], numbers)
        track, said = read(folder)
        assert track is None and f"{20 / k:.4g} frames a second" in said and "125 frames" in said

    @pytest.mark.parametrize("rate", [24, 25, 30, 40, 50, 60])
    def test_more_than_the_films(self, folder, rate):
        alphapose(folder / "clip.json", figure(np.arange(0, 6.25, 1 / rate)))
        track, said = read(folder)
        assert track is None and f"fit it at {rate} frames a second" in said

    @pytest.mark.parametrize("rate", [12, 15, 16, 18])
    def test_fewer_may_also_end_early(self, folder, rate):
        alphapose(folder / "clip.json", figure(np.arange(0, 6.25, 1 / rate)))
        track, said = read(folder)
        assert track is not None and "frames for a video of 125" in said and "another rate" in said

    @pytest.mark.parametrize("count", [75, 90, 100, 118])
    def test_people_who_leave_are_used(self, folder, count):
        alphapose(folder / "clip.json", figure(STAMPS[:count]))
        track, said = read(folder)
        assert seconds_off(track) < OFF and f"keypoints of {count} frames for a video of 125" in said

    @pytest.mark.parametrize("count", [42, 62, 63])  # a third and a half of the film
    def test_people_who_walk_out_of_the_picture(self, folder, count):
        speed = 50.0
        start = 310 - speed * STAMPS[count - 1]
        alphapose(folder / "clip.json", figure(STAMPS[:count], start=(start, 120), speed=speed))
        track, said = read(folder)
        assert seconds_off(track, start, speed) < OFF and f"keypoints of {count} frames for a video of 125" in said

    @pytest.mark.parametrize("first", [20, 41])
    def test_people_who_come_late(self, folder, first):
        alphapose(folder / "clip.json", figure(STAMPS[first:]), range(first, FRAMES))
        track, said = read(folder)
        assert seconds_off(track) < OFF and said == "" and track.start == pytest.approx(STAMPS[first])

    @pytest.mark.parametrize("fps", [30.0, 25.0, 60.0, 10.0])
    def test_npz_that_tells_another_rate_for_each_frame(self, folder, fps):
        npz(folder / "clip.npz", figure(STAMPS), fps=fps)
        track, said = read(folder)
        assert seconds_off(track) < OFF and "the film's time stamps are used (20 frames a second)" in said

    @pytest.mark.parametrize("k", [2, 3])
    def test_npz_of_every_kth_frame_at_the_films_rate(self, folder, k):
        npz(folder / "clip.npz", figure(STAMPS[::k]), fps=FPS)
        track, said = read(folder)
        assert track is None and f"fit it at {20 / k:.4g} frames a second" in said


class TestBeyondTheFilm:
    @pytest.mark.parametrize("extra", [1, 3, 9, 17, 40])
    @pytest.mark.parametrize("program", ["openpose", "alphapose"])
    def test_stale_frames_are_cut(self, folder, extra, program):
        other = figure(STAMPS[:extra], BODY25, start=(200, 120))
        points = np.concatenate([figure(STAMPS, BODY25), other])
        if program == "openpose":
            openpose(folder / "clip", points)
        else:
            alphapose(folder / "clip.json", np.concatenate([figure(STAMPS), figure(STAMPS[:extra], start=(200, 120))]))
        track, said = read(folder)
        assert len(track) == FRAMES and seconds_off(track) < OFF
        assert f"keypoints of {FRAMES + extra} frames for a video of 125: the {extra} past its end are cut" in said

    def test_seconds_past_the_end_are_cut(self, folder):
        times = np.arange(0, 8, 1 / 20)
        npz(folder / "clip.npz", figure(times), times=times)
        track, said = read(folder)
        assert len(track) == FRAMES and "past its end are cut" in said

    def test_frames_of_a_longer_recording(self, folder):
        alphapose(folder / "clip.json", figure(STAMPS[:80]), range(300, 380))
        track, said = read(folder)
        assert track is None and "frames numbered 300 to 379" in said and "longer recording" in said

    def test_numbers_that_go_on_from_another_recording(self, folder):
        alphapose(folder / "clip.json", figure(STAMPS), range(300, 425))
        track, said = read(folder)
        assert seconds_off(track) < OFF and "numbered from 300" in said

    def test_times_after_the_end(self, folder):
        npz(folder / "clip.npz", figure(STAMPS[:60]), times=STAMPS[:60] + 1000)
        track, said = read(folder)
        assert track is None and "the film ends at" in said

    def test_a_clock_that_began_elsewhere_for_each_frame(self, folder):
        npz(folder / "clip.npz", figure(STAMPS), times=STAMPS + 1.7e9)
        track, said = read(folder)
        assert seconds_off(track) < OFF and "the film's time stamps are used" in said


class TestNoSeconds:
    def test_milliseconds_beside_a_film(self, folder):
        times = np.arange(0, 6.25, 1 / 30)
        npz(folder / "clip.npz", figure(times), times=1000 * times)
        track, said = read(folder)
        assert seconds_off(track) < OFF and "milliseconds" in said

    @pytest.mark.parametrize(
        "time", [{"times": 1000 * STAMPS}, {"times": np.arange(125.0)}, {"fps": 0.05}, {"fps": 1 / 30}, {"fps": 1}]
    )
    def test_without_a_film_it_is_refused(self, tmp_path, time):
        npz(tmp_path / "clip.npz", figure(STAMPS), **time)
        track, said = read(tmp_path)
        assert track is None and "expected seconds" in said and "seen for" not in said and "out of sight" not in said

    @pytest.mark.parametrize("fps", [1000.0, 2000.0])
    def test_brief_because_of_its_rate(self, tmp_path, fps):
        npz(tmp_path / "clip.npz", figure(STAMPS), fps=fps)
        track, said = read(tmp_path)
        assert track is None and f"125 frames at {fps:g} a second: is that their rate?" in said

    @pytest.mark.parametrize("fps", [1.0, 500.0])
    def test_a_film_whose_header_tells_another_rate(self, tmp_path, fps):
        film(tmp_path / "clip.mp4", FRAMES, fps)
        alphapose(tmp_path / "clip.json", figure(STAMPS))
        track, said = read(tmp_path)
        assert track is None and re.search(rf"125 frames at ({fps:g}|{fps - 0.1:.4g}).* a second: is that their", said)

    def test_a_brief_film_tells_what_was_done_to_its_times(self, tmp_path):
        film(tmp_path / "clip.mp4", 100, 60.0)
        npz(tmp_path / "clip.npz", figure(STAMPS[:100]), fps=30.0)
        track, said = read(tmp_path)
        assert "seen for 1.70 s" in said and "it can be lifted" in said and "times at 30 frames a second" in said
        assert len(track) == 34


class TestVariableRate:
    """A phone's film: steps of one or two twentieths."""

    STEPS = [1 + (k % 3 == 0) for k in range(FRAMES)]
    TIMES = np.concatenate([[0], np.cumsum(STEPS[:-1])]) / FPS

    @pytest.fixture
    def uneven(self, tmp_path, video):
        (tmp_path / "clip.mp4").write_bytes(set_steps(video.read_bytes(), self.STEPS))
        return tmp_path

    def test_each_frame_has_its_own_time(self, uneven):
        alphapose(uneven / "clip.json", figure(self.TIMES, speed=10))
        assert seconds_off(read(uneven)[0], speed=10) < OFF
        (uneven / "clip.json").unlink()
        npz(uneven / "clip.npz", figure(self.TIMES, speed=10), fps=15.0)
        assert seconds_off(read(uneven)[0], speed=10) < OFF

    def test_steps_between_frames(self, uneven):
        openpose(uneven / "clip", figure(self.TIMES[::2], BODY25, speed=10), every(2))
        assert seconds_off(read(uneven)[0], speed=10) < OFF


class TestNumbers:
    @pytest.mark.parametrize(
        ("names", "numbers"),
        [
            (["walk_000000000012_keypoints.json", "walk_000000000013_keypoints.json"], [12, 13]),
            (["12.jpg", "7.jpg"], [12, 7]),
            (["frame12_1080.png", "frame13_1080.png"], [12, 13]),
            (["cam2_0001_v3.jpg", "cam2_0002_v3.jpg", "cam2_0003_v3.jpg"], [1, 2, 3]),
            (["2024-05-01_00004.jpg"], [4]),
        ],
    )
    def test_the_number_that_tells_frames_apart(self, names, numbers):
        assert frame_numbers(names, "x") == numbers

    def test_a_misread_name_is_never_a_brief_recording(self, folder):
        alphapose(folder / "clip.json", figure(STAMPS), name="clip_{:04d}_v2.jpg")
        track, said = read(folder)
        assert said == "" and seconds_off(track) < OFF

    def test_two_frames_of_one_number(self):
        with pytest.raises(
            DataError, match="'a_3.json' and 'b_3.json' both name frame 3, expected one frame per number"
        ):
            frame_numbers(["a_3.json", "a_4.json", "b_3.json"], "x")

    def test_several_people_in_a_frame(self):
        assert frame_numbers(["1.jpg", "1.jpg", "2.jpg"], "x", repeated=True) == [1, 1, 2]
        with pytest.raises(DataError, match="'a.jpg' names no frame number"):
            frame_numbers(["a.jpg"], "x")


class TestPoses:
    """Poses that other lifters wrote, one for each frame or at a rate of their own."""

    @pytest.mark.parametrize("fps", [12.5, 20, 23.976, 25, 29.97, 30, 50, 60])
    @pytest.mark.parametrize("over", [-2, -1, 0, 1, 2])
    def test_one_for_each_frame(self, fps, over):
        own = Film(np.arange(150) / fps, fps)
        times, notes = pose_times(150 + over, own, 30.0, "x")
        assert np.array_equal(times, own.stamps[: 150 + over]) and bool(notes) == (over > 0)

    @pytest.mark.parametrize("fps", [12.5, 20, 23.976, 25, 50, 60])
    def test_at_the_lifters_rate(self, fps):
        own = Film(np.arange(150) / fps, fps)
        times, notes = pose_times(round(150 / fps * 30), own, 30.0, "x")
        assert np.allclose(np.diff(times), 1 / 30) and notes == [] and abs(times[-1] - own.stamps[-1]) < 0.1

    @pytest.mark.parametrize("count", [40, 63, 100, 150, 250])
    def test_anything_else_is_refused(self, count):
        own = Film(STAMPS, FPS)
        with pytest.raises(DataError, match=rf"x: {count} poses for a film of 125 frames \(6.25 s at 20 frames"):
            pose_times(count, own, None, "x")

    def test_a_film_of_varying_rate(self):
        own = Film(TestVariableRate.TIMES, FPS)
        times, _ = pose_times(round(own.seconds * FPS), own, None, "x")  # as ffmpeg extracts it, at the nominal rate
        assert np.allclose(np.diff(times), 0.05)
        numbers = np.arange(round(own.seconds * FPS))
        times, inside, notes = number_times(numbers, own, "x")
        assert np.allclose(np.diff(times), 0.05) and inside.all() and "rate varies" in notes[0]


def test_steps_need_some_frames():
    assert clock.common_step(np.array([0, 3])) == 1
    assert clock.common_step(np.array([0, 3, 6, 12, 15])) == 3
