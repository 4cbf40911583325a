import pytest
import torch

from videomdm.cameras.ground import up_error
from videomdm.config import profile
from videomdm.conventions import DataError
from videomdm.data.procedural.body import mean_body
from videomdm.skeletons import SMPL22, kinematics
from videomdm.storage.files import digest
from videomdm.train import observe, provenance


def inside(corpus):
    return torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]


def test_a_teacher_does_not_lift_whom_it_has_learned_from(cmu_folder, tmp_path):
    config = profile("smoke", data="humanml3d", data_root=str(cmu_folder), runs=str(tmp_path), lifter="real")
    corpus = observe.load(config, "train")
    with pytest.raises(DataError, match="lifter 'real' has learned from CMU's subjects 1, .*pass lifter='procedural'"):
        observe.observe(config, corpus, "truth")
    seen = observe.observe(config.but(lifter="procedural"), corpus, "truth")
    assert len(seen) == len(corpus)


def test_each_teacher_has_its_own_caches(tmp_path):
    config = profile("smoke", runs=str(tmp_path))
    assert provenance.seen(config) == provenance.seen(config.but(lifter="procedural"))
    assert provenance.seen(config) != provenance.seen(config.but(lifter="real"))


@pytest.mark.parametrize("size", [0, 5000])
def test_damaged_observations_are_made_anew(size, tmp_path, caplog):
    config = profile("smoke", n_clips=40, runs=str(tmp_path))
    corpus = observe.load(config, "train").select(range(2))
    whole = observe.observe(config, corpus, "truth")
    (path,) = config.cache.glob("observations-*")
    content = path.read_bytes()
    path.write_bytes(content[:size])
    assert torch.equal(observe.observe(config, corpus, "truth").keypoints, whole.keypoints)
    assert path.read_bytes() == content and f"{path} is damaged" in caplog.text


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return profile("smoke", n_clips=80, runs=str(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def corpus(config):
    return observe.load(config, "train")


@pytest.fixture(scope="module")
def true(config, corpus):
    return observe.observe(config, corpus, "truth")


@pytest.mark.slow
class TestUnlevel:
    """Neither up nor the focal length is known, as in a video."""

    def test_the_teacher_leans_by_some_degrees(self, config, corpus, true):
        """Cameras look down by up to 22.5 degrees, and count as level at first."""
        level = observe.observe(config.but(method="mdm-teacher"), corpus, "teacher")
        unlevel = observe.observe(config.but(method="mdm-teacher/unlevel"), corpus, "teacher")
        assert up_error(level.camera, true.camera).max() < 0.1
        assert 3 < up_error(unlevel.camera, true.camera).mean() < 8
        leans = [x.teacher[..., SMPL22.index("head"), [0, 2]] - x.teacher[..., 0, [0, 2]] for x in (level, unlevel)]
        assert (leans[1] - leans[0])[inside(corpus)].norm(dim=-1).mean() > 0.02  # metres: people, not only cameras

    def test_a_clip_always_leans_the_same_way(self, config, corpus, tmp_path):
        unlevel = config.but(method="mdm-teacher/unlevel")
        first, again = (observe.observe(c, corpus, "teacher") for c in (unlevel, unlevel.but(runs=str(tmp_path))))
        assert torch.equal(again.teacher, first.teacher) and torch.equal(again.keypoints, first.keypoints)

    def test_nothing_of_how_the_camera_was_held_is_read(self, config, corpus, tmp_path, monkeypatch):
        """The teacher is the same whichever way up is in the world that the camera stands in."""
        unlevel = config.but(method="mdm-teacher/unlevel")
        first = observe.observe(unlevel, corpus, "teacher")
        generator, film = torch.Generator().manual_seed(0), observe.observations.film
        turn = torch.linalg.qr(torch.randn(len(corpus), 3, 3, generator=generator))[0]
        turn = turn * torch.linalg.det(turn)[:, None, None]

        def in_another_world(*arguments):
            footage = film(*arguments)
            return footage.by(footage.camera.in_frame(turn, torch.ones(len(corpus), 3)))

        monkeypatch.setattr(observe.observations, "film", in_another_world)
        moved = observe.observe(unlevel.but(runs=str(tmp_path)), corpus, "teacher")
        torch.testing.assert_close(moved.teacher, first.teacher, atol=2e-3, rtol=0)

    def test_focal_lengths_are_off_by_a_tenth_the_same_for_a_whole_clip(self, config, corpus, true):
        unlevel = observe.observe(config.but(method="mdm-teacher/unlevel"), corpus, "teacher")
        sizes = [x.keypoints.flatten(1).norm(dim=-1) for x in (true, unlevel)]
        believed = sizes[0] / sizes[1]
        torch.testing.assert_close(unlevel.keypoints * believed[:, None, None, None], true.keypoints)
        assert 0.07 < believed.log().std() < 0.13 and believed.log().mean().abs() < 0.04

    def test_cameras_see_the_teacher_at_the_keypoints(self, config, corpus):
        errors = {}
        for frame in ("teacher", "pnp"):
            seen = observe.observe(config.but(method="videomdm-pnp/unlevel"), corpus, frame)
            error = seen.camera.project(seen.teacher)[0] - seen.keypoints
            errors[frame] = error[inside(corpus)].norm(dim=-1).median()
        size = (seen.keypoints - seen.keypoints.mean(2, keepdim=True))[inside(corpus)].norm(dim=-1).median()
        assert max(errors.values()) < 0.2 * size

    def test_a_camera_in_the_truths_frame_is_the_true_one(self, config, corpus, true):
        given = observe.observe(config.but(method="videomdm-pnp/unlevel"), corpus, "truth")
        assert torch.equal(given.camera.rotation, true.camera.rotation)
        assert torch.equal(given.camera.translation, true.camera.translation)


@pytest.mark.slow
class TestUniformSkeleton:
    """One body for all who are filmed, and for all that a teacher makes of them."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def uniform(cls, config):
        cls.config = config.but(skeleton="uniform", method="mdm-teacher")
        cls.corpus = observe.load(cls.config, "train")
        cls.observed = observe.observe(cls.config, cls.corpus, "teacher")

    def test_the_teacher_has_no_error_of_size(self, config, corpus, true):
        bones = kinematics.bone_vectors(self.observed.teacher, SMPL22)[inside(self.corpus)].norm(dim=-1)
        torch.testing.assert_close(bones, mean_body()[1:].norm(dim=-1).expand_as(bones), atol=1e-4, rtol=0)
        heights = [kinematics.body_height(x, corpus.lengths) for x in (true.teacher, corpus.joints)]
        assert (heights[0] / heights[1] - 1).abs().mean() > 0.02  # it has one where people have bodies of their own

    def test_its_bones_point_where_the_teacher_saw_them(self):
        """In camera axes, whatever the bones' lengths."""
        lifted = observe.teacher.estimate(
            observe.observations.film(self.corpus, 1), self.config.data.lifter, progress=False
        )
        camera = observe.observations.film(self.corpus, 1).camera
        before, now = camera.to_camera(lifted), self.observed.camera.to_camera(self.observed.teacher)
        unit = [x / x.norm(dim=-1, keepdim=True) for x in (kinematics.bone_vectors(j, SMPL22) for j in (before, now))]
        cosine = (unit[0] * unit[1]).sum(-1)[inside(self.corpus)]
        assert cosine.min() > 0.999
        along = before[:, 0, 0] / before[:, 0, 0].norm(dim=-1, keepdim=True)
        root = now[:, 0, 0] / now[:, 0, 0].norm(dim=-1, keepdim=True)
        torch.testing.assert_close(root, along, atol=1e-4, rtol=0)  # on its ray: scaled about the camera

    def test_it_does_not_stand_where_pictures_are_all_there_is(self, config):
        with pytest.raises(DataError, match="data 'nba-like' with skeleton 'uniform', expected 'own'"):
            observe.check(config.but(data="nba-like", method="videomdm-frame", skeleton="uniform", lifter="elepose"))


def test_caches_are_named_by_what_is_chosen_later_only_where_it_is(config):
    """Those of before there were these choices are found again."""

    def names(method, **changes):
        one = config.but(method=method, **changes)
        made = provenance.observations(one, "pnp", "estimate"), provenance.shards(one.but(shard_clips=9), None, None)
        return provenance.seen(one), *made

    assert names("mdm-teacher")[1] == digest("estimate", "pnp", 1.0, 0.0, False)
    plain, unlevel = names("mdm-teacher"), names("mdm-teacher/unlevel")
    uniform = names("mdm-teacher", skeleton="uniform")
    assert all(a != b for a, b in zip(plain, unlevel, strict=True))
    assert plain[0] == uniform[0] and plain[1] != uniform[1] and plain[2] != uniform[2]
