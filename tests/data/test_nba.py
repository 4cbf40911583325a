"""NBA's files, and corpora filmed like them."""

import math
import shutil

import nba_files
import numpy as np
import pytest
import torch

from videomdm.conventions import DataError
from videomdm.data import nba, sources
from videomdm.data.tracks import CONFIDENT, Statistics, from_picture, to_picture
from videomdm.skeletons.definitions import NBA16


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return nba_files.write(tmp_path_factory.mktemp("data"))


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


def clip(root, name="clip004"):
    return root / "nba" / "motions" / f"{name}.npy"


class TestFiles:
    def test_every_second_frame_is_read(self, tree):
        tracks = nba.load(tree, "train", 196)
        file = np.load(clip(tree))
        i, n = tracks.names.index("clip004"), (len(file) + 1) // 2
        assert tracks.lengths[i] == n and tracks.fps == 30
        torch.testing.assert_close(to_picture(tracks.seen.keypoints[i, :n]), torch.from_numpy(file[::2, :, :2]))
        torch.testing.assert_close(tracks.seen.confidence[i, :n], torch.from_numpy(file[::2, :, 2]))

    def test_keypoints_of_little_confidence_do_not_count(self, tree):
        tracks = nba.load(tree, "train", 196)
        inside = tracks.seen.valid
        hidden = tracks.confidence[inside] < CONFIDENT
        assert 0.01 < hidden.float().mean() < 0.1
        assert torch.equal(tracks.counted.confidence[inside], (~hidden).float())

    def test_splits_are_by_sorted_names(self, tree):
        names = [f"clip{i:03}" for i in range(20)]
        assert nba.load(tree, "test", 196).names == names[:2]
        assert nba.load(tree, "val", 196).names == names[2:4]
        assert nba.load(tree, "train", 196).names == names[4:]

    def test_lists_take_the_place_of_that(self, copy):
        for split, own in {"test": "clip007\nclip001\n", "val": "clip002", "train": "clip000 clip003"}.items():
            (copy / "nba" / f"{split}.txt").write_text(own)
        assert nba.load(copy, "test", 196).names == ["clip007", "clip001"]
        (copy / "nba" / "test.txt").write_text("clip999")
        with pytest.raises(DataError, match=r"test\.txt: 1 names are not in motions, the first 'clip999'"):
            nba.load(copy, "test", 196)
        (copy / "nba" / "test.txt").unlink()
        with pytest.raises(DataError, match=r"test\.txt: no such list"):
            nba.load(copy, "test", 196)

    def test_the_folder_itself_may_be_given(self, tree):
        assert nba.load(tree / "nba", "test", 196).names == ["clip000", "clip001"]

    def test_statistics_are_the_files(self, tree):
        tracks = nba.load(tree, "train", 196)
        mean, std = (torch.from_numpy(np.load(tree / "nba" / f"{name}.npy")) for name in ("Mean", "Std"))
        i, inside = 3, tracks.seen.valid[3]
        expected = (to_picture(tracks.seen.keypoints[i][inside]) - mean) / std
        torch.testing.assert_close(tracks.normalised()[i][inside], expected)

    def test_long_clips_are_cut(self, tree):
        whole, cut = nba.load(tree, "train", 196), nba.load(tree, "train", 24)
        pieces = [i for i, name in enumerate(cut.names) if name.startswith("clip004@")]
        assert len(pieces) == 2 and cut.lengths.max() <= 24
        start = int(cut.names[pieces[1]].partition("@")[2])
        expected = whole.seen.keypoints[whole.names.index("clip004"), start : start + cut.lengths[pieces[1]]]
        torch.testing.assert_close(cut.seen.keypoints[pieces[1], : len(expected)], expected)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda x: np.concatenate([x, x[:, :1]], 1),
                r"clip004\.npy: 17 joints, shape .*expected \(frames, 16, 3\)",
            ),
            (lambda x: x[..., :2], r"clip004\.npy: shape .*x, y, confidence"),
            (lambda x: x * [1, -1, 1], "necks are below ankles, expected y up"),
            (lambda x: x * [200, 200, 1], "pixels"),
            (lambda x: x + [0.5, 0, 0], "the hip is 0.5 off the origin, expected motions centred on it"),
            (lambda x: x * [1, 1, 2], r"confidences 0.*expected 0\.\.1"),
            (lambda x: np.where(np.arange(len(x))[:, None, None] == 5, np.nan, x), r"NaN or infinite at \[5, 0, 0\]"),
            (lambda x: x[:12], "12 frames, expected at least 20 at 60 a second"),
            (lambda x: (10 * x).astype(int), "int64, expected keypoints"),
        ],
    )
    def test_bad_clips_are_named(self, copy, change, message):
        np.save(clip(copy), change(np.load(clip(copy))))
        with pytest.raises(DataError, match=message):
            nba.load(copy, "train", 196)
        left = nba.load(copy, "train", 196, on_error="skip")
        assert [name for name, _ in left.skipped] == ["clip004"] and "clip004" not in left.names

    def test_a_tree_without_statistics(self, copy):
        (copy / "nba" / "Mean.npy").unlink()
        with pytest.raises(DataError, match=r"Mean\.npy: no such file, expected the mean \(16, 2\)"):
            nba.load(copy, "train", 196)
        np.save(copy / "nba" / "Mean.npy", np.zeros((17, 2)))
        with pytest.raises(DataError, match=r"Mean\.npy: shape \(17, 2\), expected \(16, 2\)"):
            nba.load(copy, "train", 196)

    def test_a_tree_without_motions(self, tmp_path):
        with pytest.raises(DataError, match="no folder motions, expected NBA's official layout"):
            nba.load(tmp_path, "train", 196)
        (tmp_path / "motions").mkdir()
        with pytest.raises(DataError, match="no clips"):
            nba.names(tmp_path, "train")
        with pytest.raises(DataError, match="split is 'all'"):
            nba.names(tmp_path, "all")

    def test_there_is_no_motion_in_3d(self, tree):
        with pytest.raises(DataError, match="pictures alone"):
            sources.load("nba", tree, "train", 196)
        with pytest.raises(DataError, match="needs data_root"):
            sources.tracks("nba", None, "train", 196)
        with pytest.raises(DataError, match="'bandai', expected one of nba, nba-like"):
            sources.tracks("bandai", tree, "train", 196)


class TestStatistics:
    def test_there_and_back(self):
        points = torch.randn(3, 5, 16, 2)
        statistics = Statistics(torch.randn(16, 2), torch.rand(16, 2) + 0.1)
        torch.testing.assert_close(statistics.denormalise(statistics.normalise(points)), points)
        torch.testing.assert_close(from_picture(to_picture(points)), points)

    def test_up_is_up(self):
        above = torch.tensor([[0.0, -0.1]])  # v points down
        assert Statistics(torch.zeros(1, 2), torch.ones(1, 2)).normalise(above)[0, 1] > 0

    def test_a_joint_that_never_moves(self):
        assert Statistics(torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [2.0, 3.0]])).std.tolist() == [[1, 1], [2, 3]]

    def test_bad_ones(self):
        with pytest.raises(DataError, match="expected finite ones"):
            Statistics(torch.zeros(2, 2), -torch.ones(2, 2))
        with pytest.raises(DataError, match=r"expected \(joints, 2\)"):
            Statistics(torch.zeros(4), torch.ones(4))


@pytest.fixture(scope="module")
def bodies():
    return nba.bodies(sources.load("procedural", None, "test", 60, 400))


@pytest.fixture(scope="module")
def footage(bodies):
    return nba.film(bodies, seed=1)


class TestNBALike:
    def test_bodies_are_centred_and_of_one_size(self, bodies):
        assert bodies.skeleton == NBA16 and bodies.joints[:, :, 0].abs().max() == 0
        chain = [NBA16.index(j) for j in ("left_ankle", "left_knee", "left_hip")]
        inside = bodies.joints.abs().amax((2, 3)) > 0
        leg = bodies.joints[:, :, chain].diff(dim=2).norm(dim=-1).sum(-1)
        torso = bodies.joints[:, :, NBA16.index("neck")].norm(dim=-1)
        size = ((leg + torso) * inside).sum(1) / inside.sum(1)
        assert (size - nba.SIZE).abs().max() < 0.05 * nba.SIZE  # the other leg may differ

    def test_standing_people_are_where_nbas_are(self, bodies, footage):
        points = to_picture(footage.keypoints[footage.valid])
        assert points[:, NBA16.index("neck"), 1].mean() == pytest.approx(1.21, abs=0.1)
        assert points[:, NBA16.index("left_ankle"), 1].median() == pytest.approx(-1.62, abs=0.2)

    def test_cameras_are_all_around_near_the_elevation(self, footage):
        assert footage.camera.elevation.mean() == pytest.approx(nba.ELEVATION, abs=math.radians(1))
        assert 0.5 * nba.SPREAD < footage.camera.elevation.std() < 2 * nba.SPREAD
        center = footage.camera.center
        torch.testing.assert_close(center.norm(dim=-1), torch.full((len(footage),), nba.DISTANCE))
        quarter = torch.atan2(center[:, 0], center[:, 2]).div(math.pi / 2).floor()
        assert all((quarter == q).float().mean() > 0.1 for q in (-2, -1, 0, 1))

    def test_errors_are_a_detectors(self, bodies, footage):
        true = to_picture(footage.camera.project(bodies.joints)[0])
        error = (to_picture(footage.keypoints) - true)[footage.valid].norm(dim=-1)
        confidence = footage.confidence[footage.valid]
        sure, hidden = error[confidence >= 0.6], error[confidence < CONFIDENT]
        assert 0.03 < sure.median() < 0.09 and hidden.median() > 3 * sure.median()
        assert not ((confidence >= CONFIDENT) & (confidence < 0.6)).any()
        assert 0.02 < len(hidden) / len(confidence[:, 1:].flatten()) < 0.06

    def test_hidden_are_limbs_and_mostly_far_ones(self, bodies, footage):
        behind = footage.camera.project(bodies.joints)[1] > nba.DISTANCE
        hidden = (footage.confidence < CONFIDENT) & footage.valid[..., None]
        by_joint = hidden.sum((0, 1))
        assert {NBA16.joints[j] for j in by_joint.nonzero()[:, 0]} == {
            f"{s}_{j}" for s in ("left", "right") for j in ("knee", "ankle", "elbow", "wrist")
        }
        limbs = by_joint > 0
        far, near = (hidden[..., limbs][where[..., limbs] & footage.valid[..., None]].float().mean()
                     for where in (behind, ~behind))  # fmt: skip
        assert far > 1.3 * near

    def test_the_hip_is_the_origin(self, footage):
        assert footage.keypoints[:, :, 0].abs().max() == 0

    def test_training_sees_pictures_alone(self, bodies, footage):
        tracks = nba.tracks(bodies, footage)
        assert torch.equal(tracks.seen.camera.rotation, nba.camera(len(bodies)).rotation), "no true azimuth"
        assert set(tracks.captions) == {("",)}
        bodies = nba.bodies(sources.load("procedural", None, "test", 60, 400))
        bodies.joints.fill_(torch.nan)
        again = nba.tracks(bodies, footage)
        assert torch.equal(again.seen.keypoints, tracks.seen.keypoints)

    def test_all_splits_are_read_by_the_training_splits_statistics(self):
        train, test = (sources.tracks("nba-like", None, split, 44, 120) for split in ("train", "test"))
        assert torch.equal(train.statistics.mean, test.statistics.mean)
        counts = train.counted.confidence[..., None]
        mean = (train.normalised() * counts).sum((0, 1)) / counts.sum((0, 1))
        assert mean.abs().max() < 1e-4
        assert not set(train.names) & set(test.names)

    def test_selected_clips_are_cut_to_the_longest(self, bodies, footage):
        tracks = nba.tracks(bodies, footage)
        two = tracks.select([5, 2])
        assert two.names == [bodies.names[5], bodies.names[2]] and two.seen.keypoints.shape[1] == two.lengths.max()
