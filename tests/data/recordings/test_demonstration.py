"""The folder that stands in for a user's own."""

import shutil

import pytest
import torch

from videomdm.data import recordings
from videomdm.data.recordings import demonstration
from videomdm.data.recordings.video import Video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return folder, demonstration.write(folder, 2)


class TestWrite:
    def test_read_as_a_users_folder(self, written):
        folder, scenes = written
        found = recordings.load(folder, on_error="skip", intrinsics=demonstration.FIELD_OF_VIEW)
        assert [t.name for t in found.tracks] == sorted(scenes) == ["walk_01", "wave_both_01"]
        assert found.captions == [(scenes[t.name].caption,) for t in found.tracks] and found.notes == []
        reasons = dict(found.skipped)
        assert "the camera moves" in reasons["panning"] and "truncated" in reasons["cut_off"]

    def test_tracks_lie_on_the_truth(self, written):
        folder, scenes = written
        found = recordings.load(folder, on_error="skip", intrinsics=demonstration.FIELD_OF_VIEW)
        clips = [found.tracks[0].cut(20, 70), found.tracks[1]]
        truth, camera = demonstration.ground_truth(clips, scenes)
        assert truth.lengths.tolist() == [50, len(clips[1])] and truth.names[0] == "walk_01@20"
        image, depth = camera.project(truth.joints)
        for i, clip in enumerate(clips):
            n = len(clip)
            error = (image[i, :n] - clip.keypoints).norm(dim=-1) * depth[i, :n]
            assert error.median() < 0.03, "metres"

    def test_a_track_read_with_another_lens_lies_on_the_truth_once_calibrated(self, written):
        folder, scenes = written
        assumed, given = (recordings.load(folder, on_error="skip", intrinsics=angle) for angle in (None, 60.0))
        for guess, right in zip(assumed.tracks, given.tracks, strict=True):
            calibrated = demonstration.calibrated(guess)
            assert (guess.keypoints - right.keypoints).abs().max() > 0.01
            torch.testing.assert_close(calibrated.keypoints, right.keypoints, atol=1e-5, rtol=0)
            assert calibrated.intrinsics == demonstration.INTRINSICS

    def test_everybody_is_inside_the_picture(self, written):
        folder, scenes = written
        for name, scene in scenes.items():
            assert scene.camera.project(scene.joints)[1].min() > 1
            video = Video(folder / f"{name}.mp4")
            assert (video.width, video.height) == demonstration.SIZE and video.promised == len(scene.joints)

    def test_what_is_there_stays(self, written):
        folder, scenes = written
        stamps = {p: p.stat().st_mtime_ns for p in folder.glob("*.mp4") if p.stem != "cut_off"}
        again = demonstration.write(folder, 2)
        assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
        assert torch.equal(again["walk_01"].joints, scenes["walk_01"].joints)

    def test_a_film_of_another_scene_is_made_anew(self, written, tmp_path):
        """As one of an earlier version's corpus, whose people moved otherwise."""
        shutil.copytree(written[0], tmp_path / "copy")
        keypoints, video = (tmp_path / "copy" / f"walk_01.{ending}" for ending in ("json", "mp4"))
        right = keypoints.read_bytes()
        keypoints.write_bytes(right.replace(b"1", b"2"))
        video.write_bytes(b"another film")
        demonstration.write(tmp_path / "copy", 2)
        assert keypoints.read_bytes() == right and video.read_bytes() == (written[0] / "walk_01.mp4").read_bytes()
        assert not list((tmp_path / "copy").glob("*.part*"))
