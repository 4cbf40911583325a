"""Floors from standing feet, levelling, and what it buys on tilted and on lifted motions."""

import math

import pytest
import roma
import torch

from videomdm import cameras
from videomdm.cameras import ground
from videomdm.data import bandai, cmu_actors, observations, procedural
from videomdm.lifters import teacher
from videomdm.skeletons import COCO17, SMPL22, kinematics
from videomdm.skeletons.padding import valid_frames

pytestmark = pytest.mark.slow

UP = torch.tensor([0.0, 1.0, 0.0])


def degrees_between(a, b):
    return torch.rad2deg(torch.acos((a * b).sum(-1).clamp(-1, 1)))


def tilts(degrees, n, seed=0):
    """Rotations (n, 3, 3) by so many degrees about random horizontal axes."""
    angle = 2 * math.pi * torch.rand(n, generator=torch.Generator().manual_seed(seed))
    axis = torch.stack([angle.cos(), torch.zeros(n), angle.sin()], -1)
    return roma.rotvec_to_rotmat(axis * math.radians(degrees))


def spread_of_floor(joints, lengths):
    """Standard deviation of the height of the lowest foot while it stands, metres, mean over clips."""
    height, which = joints[..., SMPL22.feet, 1].min(-1)
    weight = ground.standing(joints).gather(-1, which[..., None])[..., 0]
    weight = weight * valid_frames(lengths, joints.shape[1])
    weight = weight / weight.sum(-1, keepdim=True)
    mean = (weight * height).sum(-1, keepdim=True)
    return (weight * (height - mean).square()).sum(-1).sqrt().mean()


@pytest.fixture(scope="module")
def corpus():
    return procedural.generate(48, seed=11)


@pytest.fixture(scope="module")
def walks():
    """Clips whose feet cover ground in two directions."""
    many = procedural.generate(200, seed=5)
    x = many.joints[:, :, 0]
    far = [i for i, n in enumerate(many.lengths.tolist()) if torch.linalg.svdvals(x[i, :n] - x[i, :n].mean(0))[1] > 4]
    assert len(far) >= 4
    return many.select(far)


@pytest.fixture(scope="module")
def short():
    return procedural.generate(32, seed=11, max_frames=64)


@pytest.fixture(scope="module")
def lifted(short):
    """Footage, motions lifted in camera axes (Y up, as if the camera were level), and the true up in these."""
    footage = observations.film(short, seed=0, noise=0.004)
    estimate = footage.camera.to_camera(teacher.estimate(footage, progress=False))
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    return footage, estimate @ flip, footage.camera.rotation[..., 1] @ flip


class TestEstimateFloor:
    def test_walking_about_gives_the_floor(self, walks):
        turn = tilts(12.0, len(walks))
        floor = ground.estimate_floor(walks.joints @ turn[:, None].mT, lengths=walks.lengths)
        assert degrees_between(floor.normal, turn[..., 1]).max() < 1.0
        assert floor.spread.max() < 0.02
        assert floor.contacts.min() > 1
        on_plane = (walks.joints[:, 0, 0] @ UP)[:, None] * turn[..., 1]  # the root's foot point is below it on y = 0
        root = (turn @ walks.joints[:, 0, 0, :, None])[..., 0]
        assert ((root - floor.point) - on_plane).norm(dim=-1).max() < 0.03

    def test_tilted_motions_are_levelled(self, corpus):
        turn = tilts(10.0, len(corpus))
        tilted = corpus.joints @ turn[:, None].mT
        floor = ground.estimate_floor(tilted, lengths=corpus.lengths)
        level, _ = ground.level(tilted, floor)
        before = spread_of_floor(tilted, corpus.lengths)
        after = spread_of_floor(level, corpus.lengths)
        assert degrees_between(floor.normal, turn[..., 1]).mean() < 4.0  # 10 before
        assert before > 0.05
        assert after < 0.01

    def test_level_motions_stay_level_when_that_is_believed(self, corpus):
        floor = ground.estimate_floor(corpus.joints, lengths=corpus.lengths, prior="given")
        assert floor.tilt.mean() < 0.3

    def test_one_bad_stance_does_not_tilt_the_floor(self, walks):
        x = walks.joints.clone()
        x[:, 5:12, list(SMPL22.feet)[:2], 1] += 0.4  # a foot that hangs in the air, as lifters have it
        floor = ground.estimate_floor(x, lengths=walks.lengths)
        assert floor.tilt.max() < 1.5

    def test_padding_does_not_count(self, corpus):
        i = int(corpus.lengths.argmin())
        alone = ground.estimate_floor(corpus.clip(i)[None])
        padded = corpus.joints[i : i + 1].clone()
        padded[:, int(corpus.lengths[i]) :] = torch.nan
        batch = ground.estimate_floor(padded, lengths=corpus.lengths[i : i + 1])
        assert torch.allclose(alone.normal, batch.normal, atol=1e-5)
        assert torch.allclose(alone.point, batch.point, atol=1e-5)

    def test_leading_dimensions(self, corpus):
        x = corpus.joints[:4, :40]
        many = ground.estimate_floor(x.reshape(2, 2, 40, 22, 3))
        assert many.normal.shape == (2, 2, 3)
        assert torch.allclose(many.normal[1, 0], ground.estimate_floor(x[2]).normal, atol=1e-5)

    def test_bad_input(self):
        x = torch.zeros(1, 5, 22, 3)
        with pytest.raises(ValueError, match="prior is 'level', expected one of balance, given"):
            ground.estimate_floor(x, prior="level")
        with pytest.raises(ValueError, match=r"expected \(..., frames, 22, 3\)"):
            ground.estimate_floor(torch.zeros(5, 21, 3))
        with pytest.raises(ValueError, match="coco17 names no feet"):
            ground.estimate_floor(torch.zeros(5, 17, 3), COCO17)
        with pytest.raises(ValueError, match="not all finite"):
            ground.estimate_floor(x + torch.nan)


class TestLevel:
    def test_camera_sees_the_same_image(self, corpus):
        x = corpus.joints[:6] @ tilts(8.0, 6)[:, None].mT
        camera = cameras.sample_orbit(x, corpus.lengths[:6], torch.Generator().manual_seed(0))
        level, moved = ground.level(x, ground.estimate_floor(x, lengths=corpus.lengths[:6]), camera)
        assert torch.allclose(moved.project(level)[0], camera.project(x)[0], atol=1e-4)
        assert level[:, 0, 0, [0, 2]].abs().max() < 1e-4

    def test_a_plane_by_hand(self):
        normal = torch.tensor([0.6, 0.8, 0.0])
        floor = ground.Floor(normal, torch.tensor([1.0, 2.0, 3.0]), torch.zeros(()), torch.ones(()))
        assert floor.tilt.item() == pytest.approx(math.degrees(math.acos(0.8)), abs=1e-3)
        above = (floor.point + 1.5 * normal).expand(2, 22, 3)
        assert torch.allclose(ground.level(above, floor)[0], torch.tensor([0.0, 1.5, 0.0]), atol=1e-6)


class TestStanding:
    def test_by_speed(self):
        x = torch.zeros(10, 22, 3)
        x[:, 7, 0] = torch.arange(10) * ground.STANDING_SPEED / 20
        weight = ground.standing(x)
        assert weight[:, 0] == pytest.approx(0.25, abs=1e-5)
        assert weight[:, 1:].eq(1).all()


class TestBalance:
    def test_lying_says_nothing(self):
        x = torch.zeros(5, 22, 3)
        x[..., 0] = torch.linspace(0, 1.6, 22)
        assert torch.equal(ground.balance(x), UP)

    def test_a_raised_leg_is_no_support(self, corpus):
        """The right leg goes out to the side; the body is put over the left foot, which alone is under it."""
        pose = corpus.joints[0, 0].clone()
        for joint in ("knee", "ankle", "foot"):
            at = SMPL22.index(f"right_{joint}")
            pose[at] = pose[SMPL22.index("right_hip")] + torch.tensor([-0.4, 0.0, 0.0]) * (1 + (joint != "knee"))
        foot = pose[[SMPL22.index(name) for name in SMPL22.left_feet]].mean(0)
        over = kinematics.centre_of_mass(pose) - foot
        turn = kinematics.rotation_between(kinematics.unit(over, UP), UP)  # the whole body leans until it is balanced
        balanced = ((pose - foot) @ turn.T).expand(20, -1, -1)
        assert degrees_between(ground.balance(balanced), UP) < 2
        both = balanced.mean(-2) - balanced[:, SMPL22.feet].mean(-2)
        assert degrees_between(kinematics.unit(both.mean(0), UP), UP) > 15  # what a mean of both feet says

    @pytest.mark.data
    @pytest.mark.parametrize("name", ["cmu", "bandai"])
    def test_real_people(self, data_root, name):
        reader = {"cmu": cmu_actors.load, "bandai": bandai.load}[name]
        people = reader(data_root / name, "val")
        off = [degrees_between(ground.balance(people.clip(i)), UP) for i in people.spaced(40).tolist()]
        assert torch.stack(off).mean() < 2.5  # 3.3 and 3.9 by the mean of joints over the mean of feet


class TestWhatItBuys:
    """Lifted motions in the axes of a camera whose pitch nobody knows, as real video has them."""

    def test_tilt_is_much_less(self, short, lifted):
        _, joints, up = lifted
        floor = ground.estimate_floor(joints, lengths=short.lengths)
        before, after = degrees_between(UP, up), degrees_between(floor.normal, up)
        assert before.mean() > 7.5
        assert after.mean() < 0.7 * before.mean()
        assert after.median() < 5.0

    def test_pnp_cameras_are_levelled_with_the_motion(self, short, lifted):
        footage, joints, _ = lifted
        observed = observations.observe(short, footage, joints, "pnp")
        floor = ground.estimate_floor(observed.teacher, lengths=short.lengths)
        _, camera = ground.level(observed.teacher, floor, observed.camera)
        true = footage.camera.rotation[..., 1]
        before, after = (degrees_between(c.rotation[..., 1], true) for c in (observed.camera, camera))
        assert after.median() < 0.8 * before.median()
