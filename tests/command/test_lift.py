"""Recordings lifted by the command: what it writes, and what it says of those that it cannot use."""

import json
import shutil

import numpy as np
import pytest
import torch

from videomdm import features, sample, videos
from videomdm.cameras import Camera
from videomdm.command import MISTAKE, main
from videomdm.conventions import DataError
from videomdm.data import bvh, recordings
from videomdm.data.recordings import keypoint_npz
from videomdm.skeletons import SMPL22, kinematics
from videomdm.videos.windows import Mixing

pytestmark = pytest.mark.slow

HEIGHT, FIELD_OF_VIEW = 1.75, 60.0


@pytest.fixture(scope="module")
def lifted(run, demo, tmp_path_factory):
    """Arguments, folder, what was printed: the demonstration's folder, lifted once."""
    out = tmp_path_factory.mktemp("lifted") / "new" / "folder"
    arguments = ["lift", str(demo[0]), "--height", str(HEIGHT), "--field-of-view", str(FIELD_OF_VIEW)]
    assert main([*arguments, "--run", str(run), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def arrays(lifted):
    with np.load(lifted / "walk_01.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def track(demo):
    return recordings.load_one(demo[0] / "walk_01.mp4", intrinsics=FIELD_OF_VIEW)[0]


@pytest.fixture(scope="module")
def report(lifted):
    return json.loads((lifted / "report.json").read_text())


class TestFolder:
    def test_files(self, lifted):
        assert sorted(path.name for path in lifted.iterdir()) == [
            "report.json", "walk_01-exact.bvh", "walk_01.bvh", "walk_01.npz",
        ]  # fmt: skip

    def test_arrays(self, arrays, track):
        n = len(track)
        for way in ("", "prior_", "teacher_"):
            assert arrays[f"{way}rotation"].shape == (3, 3) and arrays[f"{way}translation"].shape == (3,)
        assert all(arrays[name].shape == (n, 22, 3) for name in ("joints", "prior", "teacher"))
        assert arrays["times"].shape == (n,) and arrays["unseen"].shape == (n, 22) and arrays["fps"] == 20
        assert arrays["unseen"].dtype == bool and np.array_equal(arrays["unseen"], track.unseen.numpy())
        assert np.allclose(np.diff(arrays["times"]), 1 / arrays["fps"]) and arrays["times"][0] == track.start
        assert tuple(arrays["joint_names"]) == SMPL22.joints

    def test_one_of_the_two_is_delivered(self, arrays):
        way = str(arrays["delivered"])
        assert way in ("prior", "teacher")
        for name in ("joints", "rotation", "translation"):
            other = way if name == "joints" else f"{way}_{name}"
            assert np.array_equal(arrays[name], arrays[other])
        assert not np.array_equal(arrays["prior"], arrays["teacher"])

    @pytest.mark.parametrize(("way", "limit"), [("prior", 0.01), ("teacher", 0.1)])
    def test_each_is_seen_by_its_own_camera(self, arrays, track, way, limit):
        """Where the keypoints are: of image coordinates in which the person is about 0.4 high."""
        camera = Camera(*(torch.from_numpy(arrays[f"{way}_{name}"]) for name in ("rotation", "translation")))
        seen = torch.from_numpy(~arrays["unseen"])
        error = (camera.project(torch.from_numpy(arrays[way]))[0] - track.keypoints).norm(dim=-1)
        assert error[seen].mean() < limit

    @pytest.mark.parametrize("way", ["prior", "teacher"])
    def test_canonical_and_of_the_height_that_was_given(self, arrays, way):
        joints = torch.from_numpy(arrays[way])
        assert joints[0, 0, [0, 2]].abs().max() < 1e-4
        assert torch.allclose(features.canonicalise(joints[None], floor="median")[0], joints, atol=1e-3)
        assert float(kinematics.body_height(joints[None], torch.tensor([len(joints)]))) == pytest.approx(
            0.9 * HEIGHT, rel=0.03
        )

    def test_animation(self, lifted, arrays, report):
        off = report["recordings"][0]["off_the_motion"]
        for name, limit in (("walk_01-exact.bvh", 1e-3), ("walk_01.bvh", 0.3)):
            motion = bvh.read(lifted / name)
            found = motion.joints()[:, motion.index(SMPL22.joints)] / 100
            error = (found - torch.from_numpy(arrays["joints"])).norm(dim=-1)
            assert error.max() < limit and off[name]["max_mm"] == pytest.approx(1000 * float(error.max()), abs=0.1)

    def test_report(self, report, run, arrays):
        used, *left_out = report["recordings"]
        assert report["run"] == str(run) and [row["name"] for row in left_out] == ["cut_off", "panning"]
        assert not any(row["used"] for row in left_out)
        assert "cannot be opened" in left_out[0]["reason"] and "the camera moves" in left_out[1]["reason"]
        assert used["used"] and used["name"] == "walk_01" and used["frames"] == len(arrays["times"])
        assert used["prior_share"] == Mixing().share
        assert used["delivered"] == arrays["delivered"] and used["teacher"] == "own" and used["cut"] == []
        assert used["caption"] == arrays["caption"] and len(used["caption"].split()) > 2
        assert any("given field of view of 60.0 degrees" in note for note in used["notes"])
        assert 0 < used["camera_error"] < 0.25 and used["unseen"] == pytest.approx(arrays["unseen"].mean())
        assert used["cameras"][0]["from"] == used["from"] == 0 and used["cameras"][-1]["to"] == used["to"]
        assert all(camera["trusted"] for camera in used["cameras"])
        assert set(report["seconds"]) == {"reading", "lifting", "writing"} and min(report["seconds"].values()) > 0
        measured = [used["measures"][way] for way in ("prior", "teacher")]
        assert measured[0]["reprojection"] < measured[1]["reprojection"] < 20, "fitted to the recording"
        assert measured[0]["bones"] < measured[1]["bones"] < 20


class TestOne:
    """A recording alone has to be good."""

    @pytest.fixture
    def lift(self, run, tmp_path, capsys):
        def run_it(*arguments):
            status = main(["lift", *map(str, arguments), "--run", str(run), "--out", str(tmp_path / "out")])
            report = tmp_path / "out" / "report.json"
            rows = json.loads(report.read_text())["recordings"] if report.exists() else []
            return status, rows, capsys.readouterr()

        return run_it

    def test_by_its_video_or_its_keypoints(self, lift, demo, tmp_path):
        given = ["--height", HEIGHT, "--field-of-view", FIELD_OF_VIEW, "--caption", "a person walks"]
        joints = []
        for name in ("walk_01.mp4", "walk_01.json"):
            status, (row,), said = lift(demo[0] / name, *given)
            assert status == 0 and row["caption"] == "a person walks"
            assert said.out.splitlines() == [*row["files"], str(tmp_path / "out" / "report.json")]
            joints.append(np.load(tmp_path / "out" / "walk_01.npz")["joints"])
        assert np.array_equal(*joints)

    def test_by_a_keypoint_file_alone(self, lift, track, tmp_path):
        """Names with dots stay apart, and what another tool cut away is not guessed."""
        keypoint_npz.save(track, tmp_path / "2024.06.12_walk.npz")
        status, (row,), _ = lift(tmp_path / "2024.06.12_walk.npz")
        assert status == 0 and row["name"] == "2024.06.12_walk" and row["frames"] == len(track)
        assert (tmp_path / "out" / "2024.06.12_walk.npz").exists() and (
            tmp_path / "out" / "2024.06.12_walk.bvh"
        ).exists()

    def test_a_moving_camera(self, lift, demo):
        status, rows, said = lift(demo[0] / "panning.mp4")
        assert status == MISTAKE and not rows and "panning: the camera moves" in said.err
        status, (row,), _ = lift(demo[0] / "panning.mp4", "--moving-camera")
        assert status == 0 and any("the camera moves" in note for note in row["notes"])

    def test_another_lifters_bad_file_is_noted(self, lift, demo, tmp_path):
        for path in demo[0].glob("walk_01.*"):
            shutil.copy(path, tmp_path)
        (tmp_path / "walk_01.mvlift.npy").write_bytes(b"no array")
        status, (row,), _ = lift(tmp_path / "walk_01.mp4")
        assert status == 0 and row["teacher"] == "own"
        assert any(note.endswith("; the package's teacher lifts instead") for note in row["notes"])

    def test_sub_folders_stay_apart(self, lift, demo, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / "in" / folder).mkdir(parents=True)
            for path in demo[0].glob("walk_01.*"):
                shutil.copy(path, tmp_path / "in" / folder)
        status, rows, _ = lift(tmp_path / "in")
        assert status == 0 and [row["name"] for row in rows] == ["a/walk_01", "b/walk_01"]
        assert all((tmp_path / "out" / f"{row['name']}.npz").exists() for row in rows)

    def test_a_folder_of_which_nothing_can_be_used(self, lift, demo, tmp_path):
        (tmp_path / "in").mkdir()
        shutil.copy(demo[0] / "cut_off.mp4", tmp_path / "in")
        status, rows, said = lift(tmp_path / "in")
        assert status == MISTAKE and [row["used"] for row in rows] == [False]
        assert "nothing could be lifted" in said.err and "Traceback" not in said.err

    def test_an_empty_folder(self, lift, tmp_path):
        (tmp_path / "in").mkdir()
        status, rows, said = lift(tmp_path / "in")
        assert status == MISTAKE and "no video" in said.err and not rows


class TestLiftTrack:
    def test_what_is_cut_at_both_ends_is_told(self, run, demo, track):
        source = recordings.load_one(demo[0] / "walk_01.mp4")[2]
        part = track.cut(20, 70)
        found = videos.lift_track(sample.load(run), part, source, "a person walks")
        (first, start, _), (end, last, why) = found.unused
        assert (first, start, end) == (0, 1.0, 3.5) and why == "this person is not seen"
        assert last == pytest.approx(len(track) / 20, abs=0.06)

    def test_another_frame_rate_is_refused(self, run, demo, track):
        source = recordings.load_one(demo[0] / "walk_01.mp4")[2]
        part = track.cut(0, 50)
        part.fps = 30.0
        with pytest.raises(DataError, match="keypoints at 30 frames a second, expected the prior's 20"):
            videos.lift_track(sample.load(run), part, source, "a person walks")


class TestOtherFiles:
    """Results beside recordings: nothing is replaced, nothing is taken for what it is not."""

    @pytest.fixture
    def keypoints(self, track, tmp_path):
        keypoint_npz.save(track, tmp_path / "walk.npz")
        return tmp_path / "walk.npz"

    def test_no_result_is_written_over_what_it_is_made_of(self, run, keypoints, capsys):
        content = keypoints.read_bytes()
        for given in (keypoints, keypoints.parent):
            assert main(["lift", str(given), "--run", str(run), "--out", str(keypoints.parent)]) == MISTAKE
            said = capsys.readouterr().err
            assert f"{keypoints}: a result would be written over it, expected another folder" in said
        assert keypoints.read_bytes() == content and list(keypoints.parent.iterdir()) == [keypoints]

    def test_results_in_the_folder_of_recordings_are_none(self, run, keypoints, capsys):
        arguments = ["lift", str(keypoints.parent), "--run", str(run), "--out", str(keypoints.parent / "lifted")]
        for _ in range(2):
            assert main(arguments) == 0
            rows = json.loads((keypoints.parent / "lifted" / "report.json").read_text())["recordings"]
            assert [row["name"] for row in rows] == ["walk"]

    def test_names_of_any_bytes(self, run, keypoints, monkeypatch):
        keypoints.rename(keypoints.with_name("gef\udcfchrt.npz"))
        out = keypoints.parent / "lifted"
        with (keypoints.parent / "said").open("w", encoding="cp1252") as terminal:
            monkeypatch.setattr("sys.stdout", terminal)
            assert main(["lift", str(keypoints.parent), "--run", str(run), "--out", str(out)]) == 0
        assert sorted(path.name for path in out.iterdir()) == [
            "gef-hrt-exact.bvh", "gef-hrt.bvh", "gef-hrt.npz", "report.json"
        ]  # fmt: skip
        (row,) = json.loads((out / "report.json").read_text())["recordings"]
        assert row["name"] == "gef\udcfchrt"

    def test_a_caption_that_is_given_stands_for_all(self, run, keypoints):
        keypoints.rename(keypoints.with_name("IMG_1234.npz"))
        out = keypoints.parent / "lifted"
        given = ["--run", str(run), "--out", str(out), "--caption", "a person walks"]
        assert main(["lift", str(keypoints.parent), *given]) == 0
        (row,) = json.loads((out / "report.json").read_text())["recordings"]
        assert row["caption"] == "a person walks" and not any(note.startswith("caption") for note in row["notes"])

    @pytest.mark.parametrize("seed", ["-1", str(2**63), "99999999999999999999"])
    def test_seeds(self, keypoints, seed, capsys):
        for command in (["lift", str(keypoints)], ["generate", "a person walks"]):
            with pytest.raises(SystemExit, match="2"):
                main([*command, "--out", str(keypoints.parent / "x.npz"), "--seed", seed])
            assert f"--seed: {seed}, expected a whole number from 0 to" in capsys.readouterr().err
