"""Video files as people have them."""

import numpy as np
import pytest
from figure import figure, npz
from mp4_boxes import contents_first, set_steps, taken_at, turn_upright
from rendered import av_film, write_numbered

from videomdm.conventions import DataError
from videomdm.data.recordings import load_one, rendering, track, video
from videomdm.data.recordings.video import Video
from videomdm.skeletons import HALPE26

pytestmark = pytest.mark.slow


def levels(found):
    return [round((float(image.mean()) + 2) / 8) for _, image in found]


class TestFrames:
    def test_times_size_and_order(self, tmp_path):
        seen = Video(write_numbered(tmp_path / "a.mp4", 30))
        frames = list(seen)
        assert (seen.width, seen.height, seen.fps, seen.promised, seen.rotation) == (64, 48, 20, 30, 0)
        assert np.allclose([t for t, _ in frames], np.arange(30) / 20, atol=1e-3)
        assert levels(frames) == list(range(30)) and seen.notes == []

    def test_a_colon_is_no_protocol(self, tmp_path, monkeypatch):
        write_numbered(tmp_path / "a.mp4", 5).rename(tmp_path / "file:10:30.mp4")
        monkeypatch.chdir(tmp_path)
        assert levels(Video("file:10:30.mp4")) == list(range(5))

    @pytest.mark.parametrize(("fps", "used"), [(25, 1), (30, 1), (50, 2), (60, 2), (120, 3), (240, 6)])
    def test_fast_videos_are_thinned(self, tmp_path, fps, used):
        seen = Video(write_numbered(tmp_path / "a.mp4", 30, fps))
        assert levels(seen) == list(range(0, 30, used)) and seen.notes == []

    def test_variable_frame_rate_is_told_and_timed(self, tmp_path):
        path = write_numbered(tmp_path / "a.mp4", 30)
        steps = [1 + (k % 3 == 0) for k in range(30)]
        path.write_bytes(set_steps(path.read_bytes(), steps))
        seen = Video(path)
        times = [t for t, _ in seen]
        assert np.allclose(times, np.cumsum([0, *steps[:-1]]) / 20, atol=1e-3)
        assert seen.notes == ["variable frame rate (10 to 20 fps): frames are used by their time stamps"]

    @pytest.mark.parametrize(("taken", "used", "kind"), [(240, 6, "slow motion"), (3, 1, "time lapse")])
    def test_times_are_those_of_the_motion(self, tmp_path, taken, used, kind):
        """Android's slow motion: 240 frames a second that play at 30."""
        path = write_numbered(tmp_path / "a.mp4", 30, 30)
        path.write_bytes(taken_at(path.read_bytes(), taken))
        seen = Video(path)
        frames = list(seen)
        assert seen.fps == pytest.approx(taken) and levels(frames) == list(range(0, 30, used))
        assert np.allclose([t for t, _ in frames], np.arange(0, 30, used) / taken, atol=1e-3 / seen.slowed)
        assert seen.stamps()[-1] == pytest.approx(29 / taken, abs=1e-3 / seen.slowed)
        (note,) = seen.notes
        assert note.startswith(f"{kind}: taken at {taken} frames a second and played at 30")
        av = pytest.importorskip("av", reason="needs PyAV to read the metadata")
        with av.open(str(path)) as file:
            assert float(file.metadata["com.android.capture.fps"]) == taken

    @pytest.mark.parametrize("spoil", [
        lambda data: data, lambda data: taken_at(data, 30), lambda data: taken_at(data, 25),
        lambda data: taken_at(data, 240, b"com.apple.quicktime.rate"), lambda data: taken_at(data, float("nan")),
        lambda data: taken_at(data, 240)[:-3],
    ])  # fmt: skip
    def test_a_film_that_plays_as_it_was_taken(self, tmp_path, spoil):
        path = write_numbered(tmp_path / "a.mp4", 30, 30)
        path.write_bytes(spoil(path.read_bytes()))
        seen = Video(path)
        assert seen.fps == 30 and levels(seen) == list(range(30)) and seen.notes == []

    def test_portrait_by_metadata(self, tmp_path):
        path = tmp_path / "a.mp4"
        film = video.writer(path, 64, 48, 20)
        image = np.zeros((48, 64, 3), np.uint8)
        image[:, :32] = 200  # left in the file, on top when shown
        for _ in range(5):
            film.write(image)
        film.release()
        path.write_bytes(turn_upright(path.read_bytes()))
        seen = Video(path)
        frames = list(seen)
        assert (seen.width, seen.height, seen.rotation) == (48, 64, 90)
        assert all(image.shape == (64, 48, 3) for _, image in frames)
        assert frames[0][1][:28].mean() > 180 and frames[0][1][36:].mean() < 20
        assert seen.notes == ["turned upright by 90 degrees, as the file's metadata say"]

    def test_a_file_that_counts_frames_by_its_duration(self, tmp_path):
        """Matroska of a varying rate: frames are counted by the nominal rate, half of which are there, to the end."""
        av_film(tmp_path / "a.mkv", np.arange(30) / 10, rate=20)
        seen = Video(tmp_path / "a.mkv")
        assert seen.promised > 55 and len(list(seen)) == 30 and seen.notes == []

    @pytest.mark.parametrize("turned", [False, True])
    def test_pixels_that_are_not_square(self, tmp_path, turned):
        """As of DVDs and camcorders: the image is shown 4:3, and stored as 64 x 72."""
        path = tmp_path / "a.mp4"
        av_film(path, np.arange(30) / 20, size=(64, 72), aspect=(3, 2))
        if turned:
            path.write_bytes(turn_upright(path.read_bytes()))
        seen = Video(path)
        list(seen)
        across = 2 / 3 if turned else 1.5
        assert seen.pixel_aspect == pytest.approx(across)
        assert seen.notes[-1] == f"pixels are {across:.3g} times as wide as high, as the file's metadata say"

    @pytest.mark.parametrize(("size", "ratio"), [((64, 72), 1.5), ((96, 72), 1.0)])
    def test_a_circle_stays_a_circle(self, tmp_path, size, ratio):
        """Keypoints of pixels as stored, and as shown."""
        av_film(tmp_path / "clip.mp4", np.arange(60) / 20, size=(64, 72), aspect=(3, 2))
        points = figure(np.arange(60) / 20, speed=0, start=(160, 120))
        points[..., :2] *= np.array(size) / (320, 240)
        npz(tmp_path / "clip.npz", points, size=size)
        camera = load_one(tmp_path / "clip.mp4", cache=tmp_path / "cache")[0].intrinsics
        assert camera.fy / camera.fx == pytest.approx(ratio)
        assert load_one(tmp_path / "clip.mp4", cache=tmp_path / "cache")[0].intrinsics == camera
        wide = load_one(tmp_path / "clip.mp4", intrinsics=90.0)[0].intrinsics
        assert wide.fy / wide.fx == pytest.approx(ratio) and wide.fy == pytest.approx(np.hypot(96, 72) / 2)

    def test_truncated_with_contents_first(self, clip_mp4, tmp_path):
        data = contents_first(clip_mp4.read_bytes())
        whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
        whole.write_bytes(data)
        part.write_bytes(data[: int(0.6 * len(data))])
        assert len(list(Video(whole))) == 60
        seen = Video(part)
        readable = len(list(seen))
        assert 20 < readable < 55 and seen.notes == [f"truncated: {readable} of 60 frames can be read"]

    def test_truncated_with_contents_last(self, clip_mp4, tmp_path):
        path = tmp_path / "a.mp4"
        path.write_bytes(clip_mp4.read_bytes()[:-3000])
        with pytest.raises(DataError, match=r"a.mp4: cannot be opened as a video \(truncated, damaged"):
            Video(path)

    def test_no_video_at_all(self, tmp_path):
        (tmp_path / "a.mp4").write_text("no video")
        with pytest.raises(DataError, match="cannot be opened as a video"):
            Video(tmp_path / "a.mp4")
        with pytest.raises(DataError, match="no such file"):
            Video(tmp_path / "b.mp4")


class TestOverlay:
    def test_draws_the_person_where_it_is(self, scene, clip_mp4, tmp_path):
        seen = rendering.detect([scene.joints], scene.camera, scene.intrinsics)
        one = track(seen, scene.intrinsics)
        one.filled[50:] = True
        video.write_overlay(Video(clip_mp4), one, tmp_path / "o.mp4")
        plain, drawn = (np.stack([image for _, image in Video(p)]).astype(int) for p in (clip_mp4, tmp_path / "o.mp4"))
        assert plain.shape == drawn.shape
        changed = np.abs(plain - drawn).max(-1) > 60
        for t in (0, 20, 40):
            rows, columns = np.nonzero(changed[t])
            low, high = one.pixels[t].amin(0), one.pixels[t].amax(0)
            assert columns.min() > low[0] - 5 and columns.max() < high[0] + 5
            assert rows.min() > low[1] - 5 and rows.max() < high[1] + 5
            assert changed[t].sum() > 100
        assert changed[55, 10:35, 10:120].sum() > 50, "filled frames say so in words"

    def test_every_frame_of_a_late_track_is_written(self, scene, clip_mp4, tmp_path):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics).cut(10, 55)
        video.write_overlay(Video(clip_mp4), one, tmp_path / "o.mp4")
        assert len(list(Video(tmp_path / "o.mp4"))) == 45

    def test_another_video(self, scene, clip_mp4, tmp_path):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics)
        with pytest.raises(ValueError, match="64 x 48 pixels, expected the track's 256 x 192"):
            video.write_overlay(Video(write_numbered(tmp_path / "a.mp4", 3)), one, tmp_path / "o.mp4")

    def test_folder_that_is_not_there(self, scene, clip_mp4, tmp_path):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics)
        with pytest.raises(OSError, match="o.mp4: no folder .*, expected one to write the film to"):
            video.write_overlay(Video(clip_mp4), one, tmp_path / "none" / "o.mp4")


class TestSheet:
    def test_frames_side_by_side_with_their_keypoints(self, scene, clip_mp4):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics)
        found = video.sheet(Video(clip_mp4), one, 3)
        assert found.shape == (192, 3 * 256, 3) and found.dtype == np.uint8
        images = [image for _, image in Video(clip_mp4)]
        for picture, k in zip(np.split(found, 3, axis=1), (15, 30, 44), strict=True):
            changed = np.abs(picture.astype(int) - images[k]).max(-1) > 60
            rows, columns = np.nonzero(changed)
            low, high = one.pixels[k].amin(0), one.pixels[k].amax(0)
            assert changed.sum() > 100 and columns.min() > low[0] - 5 and columns.max() < high[0] + 5
            assert rows.min() > low[1] - 5 and rows.max() < high[1] + 5

    def test_a_clip_from_the_middle_to_the_end(self, scene, clip_mp4):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics).cut(18, 60)
        assert video.sheet(Video(clip_mp4), one, 5).shape == (192, 5 * 256, 3)

    def test_keypoints_of_another_size_lie_over_no_video(self, scene, clip_mp4, tmp_path):
        one = track(rendering.detect([scene.joints], scene.camera, scene.intrinsics), scene.intrinsics)
        assert video.overlay_video(one, clip_mp4).path == clip_mp4 and video.overlay_video(one, None) is None
        other = write_numbered(tmp_path / "a.mp4", 3)
        assert video.overlay_video(one, other) is None
        with pytest.raises(ValueError, match="64 x 48 pixels, expected the track's 256 x 192"):
            video.sheet(Video(other), one)


class TestDraw:
    def test_colours_tell_sides(self):
        points = np.zeros((26, 2))
        points[:, 1] = 500  # out of the picture
        for side, x in (("left", 20), ("right", 60)):
            points[HALPE26.index(f"{side}_knee")], points[HALPE26.index(f"{side}_ankle")] = (x, 10), (x, 40)
        drawn = video.draw_keypoints(np.zeros((50, 80, 3), np.uint8), points, np.ones(26), HALPE26)
        assert drawn[25, 20].tolist() == list(video.COLOURS["left"])
        assert drawn[25, 60].tolist() == list(video.COLOURS["right"])
