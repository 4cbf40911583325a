"""Sources by name, footage, observations."""

import numpy as np
import pytest
import torch

from videomdm import cameras, features
from videomdm.cameras import Camera
from videomdm.conventions import DataError
from videomdm.data import observations, procedural, sources
from videomdm.data.corpus import check_joints, from_clips, joined
from videomdm.data.procedural.body import mean_body
from videomdm.skeletons import SMPL22, kinematics


@pytest.fixture(scope="module")
def corpus():
    return sources.canonical(procedural.generate(12, seed=1, max_frames=48))


@pytest.fixture(scope="module")
def own():
    return sources.load("procedural", None, "train", 48, 40)


@pytest.fixture(scope="module")
def uniform():
    return sources.load("procedural", None, "train", 48, 40, skeleton="uniform")


class TestLoad:
    def test_unknown_and_missing(self, tmp_path):
        with pytest.raises(
            DataError,
            match="data is 'amass', expected one of procedural, bandai, bandai-1, bandai-2, humanml3d, cmu, fit3d",
        ):
            sources.load("amass", None, "train", 60)
        with pytest.raises(DataError, match="'bandai' needs data_root"):
            sources.load("bandai", None, "train", 60)
        for source in ("bandai", "humanml3d"):
            with pytest.raises(DataError, match="nowhere"):
                sources.load(source, tmp_path / "nowhere", "train", 60)

    def test_every_clip_is_canonical_with_a_robust_floor(self, corpus):
        assert corpus.joints[:, 0, 0, [0, 2]].abs().max() < 1e-5
        feet = corpus.joints[:, :, list(SMPL22.feet), 1].amin(-1)
        for i, n in enumerate(corpus.lengths.tolist()):
            assert feet[i, :n].median().abs() < 1e-5
        rotation, _ = features.canonical_frame(corpus.joints, SMPL22, floor="median", lengths=corpus.lengths)
        torch.testing.assert_close(rotation, torch.eye(3).expand_as(rotation), atol=1e-4, rtol=0)


class TestUniformSkeleton:
    """One body for all, as after HumanML3D's first step."""

    def test_everybody_has_the_same_bones(self, uniform, own):
        expected = mean_body()[1:].norm(dim=-1)
        found, before = (kinematics.bone_vectors(c.joints, SMPL22).norm(dim=-1) for c in (uniform, own))
        torch.testing.assert_close(found, expected.expand_as(found), atol=1e-5, rtol=0)
        assert before[:, 0].std(0).max() > 0.01  # metres: they had not
        assert 1.4 < kinematics.body_height(uniform.joints, uniform.lengths)[0] < 1.6  # of an adult, ankle to head

    def test_bones_point_where_they_did(self, uniform, own):
        """But for the clip's heading, a turn about Y: hips and shoulders of other widths share it out otherwise."""
        now, before = (kinematics.bone_vectors(c.joints, SMPL22).double() for c in (uniform, own))
        now, before = now / now.norm(dim=-1, keepdim=True), before / before.norm(dim=-1, keepdim=True)
        x, z = ((now[..., k] * before[..., 0] - s * now[..., 2 - k] * before[..., 2]) for k, s in ((0, -1), (2, 1)))
        yaw = torch.atan2(-z.sum((1, 2)), x.sum((1, 2)))
        sin, cos = yaw.sin()[:, None, None], yaw.cos()[:, None, None]
        turned = torch.stack([cos * before[..., 0] + sin * before[..., 2], before[..., 1],
                              cos * before[..., 2] - sin * before[..., 0]], -1)  # fmt: skip
        torch.testing.assert_close(turned, now, atol=1e-3, rtol=0)
        assert yaw.abs().max() < 0.2

    def test_paths_are_scaled_as_legs_are(self, uniform, own):
        right = [SMPL22.index("right_knee") - 1, SMPL22.index("right_ankle") - 1]
        legs = [kinematics.bone_vectors(c.joints, SMPL22)[:, 0, right].norm(dim=-1).sum(-1) for c in (uniform, own)]
        ends = [c.joints[:, -1, 0, [0, 2]].norm(dim=-1) for c in (uniform, own)]
        torch.testing.assert_close(ends[0], ends[1] * legs[0] / legs[1], atol=1e-4, rtol=1e-4)
        assert ends[0].max() > 1.0  # metres

    def test_everything_else_is_as_it_was(self, uniform, own):
        assert (uniform.names, uniform.captions) == (own.names, own.captions)
        assert torch.equal(uniform.lengths, own.lengths)
        (first, *_) = sources.parts("procedural", None, "train", 4, 48, 40, "raise", skeleton="uniform")
        assert torch.equal(first().joints, uniform.select(range(len(first()))).joints)

    def test_people_are_filmed_with_it_from_any_source(self, cmu_folder):
        found = sources.load("procedural+cmu", cmu_folder, "train", 60, 40, skeleton="uniform")
        bones = kinematics.bone_lengths(found.joints, found.lengths)
        torch.testing.assert_close(bones, bones[:1].expand_as(bones), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("source", ["fit3d", "nba", "nba-like"])
    def test_pictures_of_people_as_they_are_have_none(self, source):
        with pytest.raises(DataError, match=f"data '{source}' with skeleton 'uniform', expected 'own'"):
            sources.load(source, None, "train", 60, skeleton="uniform")


class TestJoined:
    """Several corpora as one."""

    def test_every_clip_with_all_that_belongs_to_it(self, corpus):
        first, second = corpus.select([3, 1]), corpus.select([7])
        second.skipped.append(("bad", "too short"))
        both = joined([first, second])
        assert both.names == [*first.names, *second.names] and both.captions[2] == second.captions[0]
        assert both.actions == [*first.actions, *second.actions] and both.skipped == [("bad", "too short")]
        assert torch.equal(both.clip(2), second.clip(0)) and torch.equal(both.clip(0), first.clip(0))

    def test_a_name_twice_or_another_frame_rate(self, corpus):
        with pytest.raises(DataError, match=f"clip {corpus.names[0]} is in several corpora"):
            joined([corpus.select([0]), corpus.select([1, 0])])
        other = corpus.select([1])
        other.fps = 30.0
        with pytest.raises(DataError, match="at 30 fps, expected all to join of smpl22 at 20 fps"):
            joined([corpus.select([0]), other])

    def test_by_names_and_folders(self, corpus, monkeypatch, tmp_path):
        asked = []

        def read(root, split, on_error):
            asked.append((root, split))
            return corpus.select([0])

        monkeypatch.setitem(sources.READERS, "bandai", read)
        both = sources.load("bandai+procedural", tmp_path, "train", 48, n_clips=12)
        alone = sources.load("procedural", None, "train", 48, n_clips=12)
        assert asked == [(tmp_path, "train")]
        assert both.names == [corpus.names[0], *alone.names] and torch.equal(both.clip(1), alone.clip(0))

    @pytest.mark.parametrize(
        ("source", "root", "message"),
        [
            ("procedural+bandai", None, "expected 1 folders"),
            ("bandai+humanml3d", "a", "expected 2 folders joined by .*, of bandai and humanml3d"),
            ("procedural+fit3d", "a", "fit3d has footage of its own, expected it alone"),
        ],
    )
    def test_what_does_not_fit(self, source, root, message):
        with pytest.raises(DataError, match=message):
            sources.load(source, root, "val", 48)


class TestParts:
    def test_pieces_are_equal_and_as_few_as_fit(self):
        assert [len(piece) for piece in sources.pieces(10, 4)] == [3, 3, 4]
        assert sources.pieces(8, 4) == [range(4), range(4, 8)] and sources.pieces(1, 4) == [range(1)]

    def test_together_they_are_the_corpus(self):
        whole = sources.load("procedural", None, "train", 48, 30)
        parts = [part() for part in sources.parts("procedural", None, "train", 7, 48, 30, "raise")]
        assert [name for part in parts for name in part.names] == whole.names
        assert torch.equal(torch.cat([part.joints[:, :40] for part in parts]), whole.joints[:, :40])

    def test_a_part_is_read_when_it_is_called_for(self, tmp_path):
        for folder in ("new_joints", "texts"):
            (tmp_path / folder).mkdir()
        names = [f"{i:06d}" for i in range(5)]
        (tmp_path / "train.txt").write_text("\n".join(names))
        for i, name in enumerate(names[:4]):  # the last motion has no files
            motion = np.random.default_rng(i).normal(size=(60 + i, 22, 3)).astype("f4")
            np.save(tmp_path / "new_joints" / f"{name}.npy", motion)
            (tmp_path / "texts" / f"{name}.txt").write_text("a person walks.#walk/VERB#0.0#0.0")
        parts = sources.parts("humanml3d", tmp_path, "train", 2, 50, 0, "raise")
        assert [part().names for part in parts[:2]] == [["000000"], ["000001", "000002"]]
        assert parts[1]().lengths.max() <= 50
        with pytest.raises(DataError, match="000004"):
            parts[2]()
        skipping = sources.parts("humanml3d", tmp_path, "train", 2, 50, 0, "skip")[2]()
        assert skipping.names == ["000003"] and skipping.skipped[0][0] == "000004"


class TestCut:
    def test_pieces_are_equal_consecutive_and_long_enough(self):
        clips = [torch.arange(n).float()[:, None, None].expand(n, 22, 3) for n in (48, 100, 70, 196)]
        corpus = from_clips(clips, list("abcd"), [("x",)] * 4, [""] * 4, SMPL22).cut(48)
        assert corpus.names == ["a", "b@0", "b@48", "c", "d@0", "d@48", "d@96", "d@144"]
        assert corpus.lengths.tolist() == [48, 48, 48, 48, 48, 48, 48, 48]
        assert corpus.clip(2)[0, 0, 0] == 48

    def test_equal_pieces_lose_nothing_where_they_are_long_enough(self):
        clip = torch.zeros(96 * 2 - 2, 22, 3)
        corpus = from_clips([clip], ["a"], [("x",)], [""], SMPL22).cut(96)
        assert corpus.lengths.tolist() == [95, 95]


class TestCheckJoints:
    @pytest.mark.parametrize(
        ("joints", "message"),
        [
            (torch.zeros(50, 21, 3), "clip: 21 joints, expected 22"),
            (torch.zeros(30, 22, 3), "clip: 30 frames, expected at least 40"),
            (torch.zeros(50, 22), r"shape \(50, 22\), expected \(frames, 22, 3\)"),
            (torch.zeros(50, 22, 3, dtype=torch.int64), "expected floating point metres"),
            (torch.full((50, 22, 3), 900.0), "a coordinate of 900, expected metres"),
        ],
    )
    def test_message_says_value_and_expectation(self, joints, message):
        with pytest.raises(DataError, match=message):
            check_joints(joints, "clip", SMPL22)

    def test_nan_names_joint_and_frame(self):
        joints = torch.zeros(50, 22, 3)
        joints[7, 4, 1] = float("nan")
        with pytest.raises(DataError, match="clip: left_knee at frame 7 is"):
            check_joints(joints, "clip", SMPL22)


class TestFootage:
    def test_cameras_keep_their_distance_and_see_the_joints(self, corpus):
        footage = observations.film(corpus, seed=3)
        inside = torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]
        image, depth = footage.camera.project(corpus.joints)
        assert depth[inside].min() >= 3 - 1e-3
        torch.testing.assert_close(footage.keypoints[inside], image[inside])
        assert footage.keypoints[~inside].abs().sum() == 0 and footage.confidence[~inside].abs().sum() == 0
        assert torch.equal(footage.keypoints, observations.film(corpus, seed=3).keypoints)
        assert not torch.equal(footage.keypoints, observations.film(corpus, seed=4).keypoints)

    def test_noise_grows_as_confidence_falls_and_missing_joints_have_none(self, corpus):
        clean = observations.film(corpus, seed=3)
        noisy = observations.film(corpus, seed=3, noise=0.01, missing=0.1)
        inside = torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]
        confidence, error = noisy.confidence[inside], (noisy.keypoints - clean.keypoints)[inside].norm(dim=-1)
        missing = confidence == 0
        assert missing.float().mean() == pytest.approx(0.1, abs=0.02)
        low, high = error[~missing & (confidence < 0.6)].mean(), error[confidence > 0.9].mean()
        assert 1.3 < low / high < 2.2

    def test_smoothed_footage_is_filled_and_its_noise_halved(self, corpus):
        clean = observations.film(corpus, seed=3)
        inside = torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]
        off = [
            (observations.film(corpus, seed=3, noise=0.02, smoothed=s).keypoints - clean.keypoints)[inside].norm(dim=-1)
            for s in (False, True)
        ]
        assert 0.5 < off[1].mean() / off[0].mean() < 0.75  # sqrt(.25^2 + .5^2 + .25^2) = 0.61
        filled = observations.film(corpus, seed=3, missing=0.2, smoothed=True)
        gone = (filled.confidence == 0) & inside[..., None]
        assert 0.1 < gone[inside].float().mean() < 0.3  # still said to be missing
        assert (filled.keypoints - clean.keypoints)[gone].norm(dim=-1).mean() < 0.01
        assert not filled.keypoints[~inside].any()

    def test_files_round_trip_and_foreign_ones_are_refused(self, corpus, tmp_path):
        footage = observations.film(corpus, seed=0)
        seen = observations.observe(corpus, footage, corpus.joints + 0.01, "teacher")
        seen.save(tmp_path / "o.safetensors")
        again = observations.Observations.load(tmp_path / "o.safetensors")
        assert again.fingerprint() == seen.fingerprint()
        for name in ("keypoints", "confidence", "lengths", "teacher"):
            assert torch.equal(getattr(again, name), getattr(seen, name))
        assert torch.equal(again.camera.translation, seen.camera.translation)
        assert (again.frame, again.names, again.captions) == (seen.frame, seen.names, seen.captions)
        (tmp_path / "bad.safetensors").write_bytes(b"nothing")
        with pytest.raises(ValueError, match=r"bad\.safetensors"):
            observations.Observations.load(tmp_path / "bad.safetensors")

    def test_pnp_of_a_perfect_teacher_finds_the_true_camera(self, corpus):
        footage = observations.film(corpus, seed=5)
        seen = observations.observe(corpus, footage, corpus.joints, "pnp")
        torch.testing.assert_close(seen.camera.rotation, footage.camera.rotation, atol=5e-3, rtol=0)
        assert torch.equal(cameras.estimate_pnp(seen.teacher, seen.keypoints).rotation, seen.camera.rotation)
        with pytest.raises(ValueError, match="frame is 'world'"):
            observations.observe(corpus, footage, corpus.joints, "world")


def test_pnp_fills_what_was_not_seen_and_says_which_clip_has_no_camera(corpus):
    footage = observations.film(corpus, seed=5, missing=0.3)
    seen = observations.observe(corpus, footage, corpus.joints, "pnp")
    bare = cameras.estimate_pnp(seen.teacher, seen.keypoints)
    filled, unfilled = ((c.rotation - footage.camera.rotation).abs().max() for c in (seen.camera, bare))
    assert filled < 0.1 and filled < unfilled / 3
    flat = corpus.joints.clone()
    flat[2] = flat[2, :1, :1]  # one point
    with pytest.warns(UserWarning), pytest.raises(DataError, match=f"11 of 12 cameras found.*\n.*{corpus.names[2]}: "):
        observations.observe(corpus, observations.film(corpus, seed=5), flat, "pnp")


def test_a_camera_that_is_a_reflection_is_refused():
    with pytest.raises(ValueError, match="determinant"):
        Camera(torch.diag(torch.tensor([1.0, 1.0, -1.0])), torch.zeros(3))
