"""CMU's three bodies as SMPL's joints: small files of each kind, and the published ones."""

import dataclasses

import cmu_files
import numpy as np
import pytest
import torch

from videomdm.conventions import DataError
from videomdm.data import bvh, cmu_bodies
from videomdm.skeletons.definitions import SMPL22

UNIT = 0.0254 / 0.45


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One motion as ASF/AMC and as MotionBuilder's BVH, and Daz's figure."""
    folder = tmp_path_factory.mktemp("cmu")
    values = cmu_files.motion(90)
    cmu_files.write_asf(folder / "01.asf")
    cmu_files.write_amc(folder / "01_01.amc", values)
    cmu_files.write_motionbuilder(folder / "01_01.bvh", values)
    cmu_files.write_daz(folder / "60_01.bvh")
    return folder


def changed(source, path, **changes):
    """A BVH file with some of its parts changed."""
    bvh.write(path, dataclasses.replace(bvh.read(source), **changes))
    return path


class TestBodies:
    def test_tables_name_every_joint_and_keep_places(self):
        for rows in (cmu_bodies.ASF, cmu_bodies.MOTIONBUILDER, cmu_bodies.DAZ):
            assert sorted(rows) == sorted(SMPL22.joints)
            assert all(sum(row.values()) == pytest.approx(1) for row in rows.values())

    def test_amc_and_motionbuilder_agree(self, folder):
        amc, kind = cmu_bodies.read(folder / "01_01.amc", folder / "01.asf")
        other, other_kind = cmu_bodies.read(folder / "01_01.bvh")
        assert (kind, other_kind) == ("asf", "motionbuilder")
        assert amc.shape == other.shape == (90, 22, 3)
        assert (amc - other).norm(dim=-1).max() < 1e-6

    def test_without_the_lost_bones_they_would_not(self, folder):
        """The thorax is 2.1 units long: what hangs on it would be 12 cm too low."""
        amc, _ = cmu_bodies.read(folder / "01_01.amc", folder / "01.asf")
        motion = bvh.read(folder / "01_01.bvh")
        neck = motion.joints()[1:, motion.index(["Neck"])[0]] * UNIT
        spine3, spine2 = (amc[:, SMPL22.index(joint)] for joint in ("spine3", "spine2"))
        thorax = 2 * (spine3 - spine2)
        assert torch.allclose(neck + thorax, spine3 + 0.2 * thorax, atol=1e-6)
        assert float(thorax[0].norm()) == pytest.approx(np.hypot(2.1, 0.1) * UNIT)

    def test_every_sixth_frame(self, folder):
        for files in ((folder / "01_01.amc", folder / "01.asf"), (folder / "01_01.bvh", None)):
            every, sixth = cmu_bodies.read(*files)[0], cmu_bodies.read(*files, rate=120)[0]
            assert torch.allclose(every[::6], sixth, atol=1e-12)

    @pytest.mark.parametrize(
        ("stated", "captured", "step"),
        [
            (1 / 120, 120, 6),
            (0.0083, 120, 6),
            (1 / 120, 60, 3),  # as cgspeed's files of subjects captured at 60 say
            (0.016667, 120, 3),  # resampled: read at 120 it would play twice as fast
            (1 / 60, 60, 3),
            (1 / 240, 120, 12),
            (0.05, 120, 1),
        ],
    )
    def test_a_rate_that_is_not_cgspeeds_is_the_files_own(self, folder, tmp_path, stated, captured, step):
        path = changed(folder / "01_01.bvh", tmp_path / "a.bvh", frame_time=stated)
        every, slow = cmu_bodies.read(path)[0], cmu_bodies.read(path, rate=captured)[0]
        assert torch.allclose(every[::step], slow, atol=1e-12)

    def test_daz_in_metres_by_hand(self, folder):
        joints, kind = cmu_bodies.read(folder / "60_01.bvh")
        assert kind == "daz" and joints.shape == (60, 22, 3)
        by_hand = {
            "pelvis": (0, 1.0, 0),
            "spine1": (0, 1.1, 0),
            "spine3": (0, 1.2 + 0.45 * 0.2, 0),
            "neck": (0, 1.4, 0),
            "head": (0, 1.4 + 1.6 * 0.1, 0),
            "left_knee": (0.09, 0.55, 0),
            "right_foot": (-0.09, 0.02, 0.12),
        }
        for joint, place in by_hand.items():
            assert joints[0, SMPL22.index(joint)].tolist() == pytest.approx(place, abs=1e-9)
        wrist, shoulder = joints[0, SMPL22.index("left_wrist")], joints[0, SMPL22.index("left_shoulder")]
        lowered = np.deg2rad(80)
        assert (wrist - shoulder).tolist() == pytest.approx((0.52 * np.cos(lowered), -0.52 * np.sin(lowered), 0))

    def test_only_a_t_pose_is_left_out(self, folder, tmp_path):
        source = folder / "01_01.bvh"
        without = changed(source, tmp_path / "a.bvh", values=bvh.read(source).values[1:])
        assert torch.equal(cmu_bodies.read(without)[0], cmu_bodies.read(source)[0])


class TestBadFiles:
    def test_amc_needs_its_skeleton(self, folder):
        with pytest.raises(DataError, match=r"01_01\.amc: no skeleton \(\.asf\)"):
            cmu_bodies.read(folder / "01_01.amc")

    @pytest.mark.parametrize(("stated", "rate"), [(1 / 30, "30"), (0.008, "125"), (0.1, "10")])
    def test_a_rate_of_which_20_is_no_part(self, folder, tmp_path, stated, rate):
        path = changed(folder / "01_01.bvh", tmp_path / "a.bvh", frame_time=stated)
        with pytest.raises(
            DataError, match=rf"a\.bvh: Frame Time \S+ s is {rate} frames per second, expected a multiple"
        ):
            cmu_bodies.read(path, rate=120)

    def test_unknown_skeleton(self, folder, tmp_path):
        names = tuple(name.replace("UpLeg", "Hip") for name in bvh.read(folder / "01_01.bvh").names)
        with pytest.raises(DataError, match=r"a\.bvh: unknown skeleton \(Hips, LHipJoint, LeftHip, .* expected CMU's"):
            cmu_bodies.read(changed(folder / "01_01.bvh", tmp_path / "a.bvh", names=names))

    def test_a_thorax_that_is_there_is_not_put_back_again(self, folder, tmp_path):
        motion = bvh.read(folder / "01_01.bvh")
        offsets = motion.offsets.clone()
        offsets[motion.index(["Neck"])] = torch.tensor([0.0, 2.1, 0.1]).double()
        with pytest.raises(DataError, match="unknown skeleton"):
            cmu_bodies.read(changed(folder / "01_01.bvh", tmp_path / "a.bvh", offsets=offsets))

    def test_another_unit(self, folder, tmp_path):
        motion = bvh.read(folder / "60_01.bvh")
        with pytest.raises(DataError, match=r"a\.bvh: 0\.0\S+ m from ankle to head.*another unit"):
            cmu_bodies.read(
                changed(folder / "60_01.bvh", tmp_path / "a.bvh", offsets=motion.offsets * 0.01, values=motion.values)
            )

    def test_a_skeleton_that_lacks_bones(self, folder, tmp_path):
        text = (folder / "01.asf").read_text()
        (tmp_path / "01.asf").write_text(text.replace("lhipjoint", "lhip"))
        with pytest.raises(DataError, match=r"01\.asf: unknown skeleton \(root, lhip,"):
            cmu_bodies.read(folder / "01_01.amc", tmp_path / "01.asf")


@pytest.mark.data
class TestPublished:
    @pytest.mark.parametrize("trial", ["02_01", "02_04"])
    def test_amc_and_bvh_of_one_trial_agree_within_5_mm(self, data_root, trial):
        raw = data_root / "cmu" / "raw"
        amc, _ = cmu_bodies.read(raw / f"{trial}.amc", raw / "02.asf")
        other, kind = cmu_bodies.read(raw / f"{trial}_motionbuilder.bvh")
        assert kind == "motionbuilder" and len(amc) == len(other)
        apart = (amc - other).norm(dim=-1).max()
        print(f"{trial}: AMC and BVH at most {1000 * apart:.2f} mm apart")  # pytest -rP
        assert apart < 0.005
        below = [SMPL22.index(joint) for joint in ("left_foot", "right_foot", "spine1")]
        assert (amc - other)[:, below].norm(dim=-1).max() < 2e-5  # no guess is in these
