"""Acclaim's files: hand-made skeletons with known answers, scipy as a second opinion, every kind of damage."""

import cmu_files
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from videomdm.conventions import DataError
from videomdm.data import asf_amc

SKELETON = """# two bones
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 4
    axis 0 0 0 XYZ
    dof rx ry rz
  end
  begin
    id 2
    name shin
    direction 0 -1 0
    length 3
    axis 0 90 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
"""
MOTION = """#!OML:ASF somewhere.asf
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
thigh 0 0 0
shin 0
2
root 1 2 3 0 90 0
thigh 90 0 0
shin 90
"""


@pytest.fixture
def read(tmp_path):
    """Reads a skeleton and a motion given as text."""

    def read(skeleton=SKELETON, motion=MOTION):
        (tmp_path / "a.asf").write_text(skeleton)
        (tmp_path / "a.amc").write_text(motion)
        return asf_amc.read_motion(tmp_path / "a.amc", asf_amc.read_skeleton(tmp_path / "a.asf"))

    return read


class TestReading:
    def test_skeleton(self, read):
        skeleton = read().skeleton
        assert skeleton.names == ("root", "thigh", "shin")
        assert skeleton.parents == (-1, 0, 1)
        assert skeleton.offsets.tolist() == [[0, 0, 0], [0, -4, 0], [0, -3, 0]]
        assert skeleton.freedoms == (("rx", "ry", "rz"), ("rx", "ry", "rz"), ("rx",))
        assert skeleton.length_unit == 0.45

    def test_order_of_lines_and_line_ends_do_not_matter(self, read):
        swapped = MOTION.replace("thigh 0 0 0\nshin 0\n", "shin 0\nthigh 0 0 0\n")
        swapped = swapped.replace("thigh 90 0 0\nshin 90\n", "shin 90\nthigh 90 0 0\n").replace("\n", "\r\n")
        assert torch.equal(read(motion=swapped).joints(), read().joints())


class TestKinematics:
    def test_at_rest(self, read):
        assert read().joints()[0].tolist() == [[1, 2, 3], [1, -2, 3], [1, -5, 3]]

    def test_turned_by_hand(self, read):
        """Root by 90 degrees about y, thigh by 90 about x: (0, -4, 0) -> (0, 0, -4) -> (-4, 0, 0).  The shin turns by
        90 degrees about x of its own frame, which is -z of the root's: (0, -3, 0) -> (-3, 0, 0) -> (0, 0, 3)."""
        expected = torch.tensor([[1, 2, 3], [-3, 2, 3], [-3, 2, 6]]).double()
        assert torch.allclose(read().joints()[1], expected, atol=1e-12)

    def test_random_motion_against_scipy(self, tmp_path):
        values = cmu_files.motion(20)
        cmu_files.write_asf(tmp_path / "1.asf")
        cmu_files.write_amc(tmp_path / "1.amc", values)
        motion = asf_amc.read_motion(tmp_path / "1.amc", asf_amc.read_skeleton(tmp_path / "1.asf"))
        world = {"root": Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True)}
        ends = {"root": values["root"][:, :3]}
        for name, (parent, offset, axis, dof) in cmu_files.BONES.items():
            angles = np.zeros((20, 3))
            angles[:, ["xyz".index(d[1]) for d in dof.split()]] = values.get(name, np.zeros((20, 0)))
            own = Rotation.from_euler("xyz", axis, degrees=True)
            world[name] = world[parent] * own * Rotation.from_euler("xyz", angles, degrees=True) * own.inv()
            ends[name] = ends[parent] + world[name].apply(offset)
        joints = motion.joints().numpy()
        for i, name in enumerate(motion.skeleton.names):
            assert np.abs(joints[:, i] - ends[name]).max() < 1e-6


class TestDamage:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("  angle deg\n", "  angle rad\n", "angles are not in degrees"),
            ("  length 0.45\n", "", "no length, expected 1 finite number"),
            (":hierarchy", ":hierarchie", "no :hierarchy"),
            ("direction 0 -1 0\n    length 4", "direction 0 down 0\n    length 4", "line 16: direction 0 down 0"),
            ("    length 3\n", "    length nan\n", "bone shin: line 25: length nan, expected 1 finite number"),
            ("axis 0 90 0 XYZ", "axis 0 90 0 ZYX", "bone shin: axis 0 90 0 ZYX"),
            ("dof rx\n", "dof rx l\n", "bone shin: dof rx l"),
            ("    name shin\n", "", "line 27: a bone without name"),
            ("    thigh shin\n", "", ":hierarchy lacks bone shin"),
            ("    root thigh\n", "", "line 31: 'thigh shin', expected a bone that is attached"),
            ("    thigh shin\n", "    thigh shin foot\n", "'thigh shin foot'"),
            ("orientation 0 0 0", "orientation 0 90 0", "position and orientation .*90"),
            ("order TX TY TZ", "order TZ TY TX", "order TZ TY TX"),
        ],
    )
    def test_skeleton(self, read, old, new, message):
        assert old in SKELETON
        with pytest.raises(DataError, match=rf"a\.asf.*{message}"):
            read(skeleton=SKELETON.replace(old, new))

    def test_skeleton_cut_off(self, read):
        with pytest.raises(DataError, match=r"a\.asf: no :hierarchy"):
            read(skeleton=SKELETON[: SKELETON.index(":hierarchy")])

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (":DEGREES\n", "", "no :DEGREES"),
            ("shin 90\n", "", "line 8: frame 2 has 2 bones, the first has 3; is the file truncated"),
            ("shin 90", "shin", "line 11: 'shin', expected shin and its rx"),
            ("shin 90", "shin nan", "line 11: 'shin nan', expected finite numbers"),
            ("thigh 90 0 0", "thigh 90 up 0", "line 10: 'thigh 90 up 0', expected finite numbers"),
            ("thigh 90 0 0", "thigh 90 0", "line 10: 'thigh 90 0', expected thigh and its rx ry rz"),
            ("thigh 90 0 0", "knee 90 0 0", "line 10: 'knee 90 0 0', expected thigh"),
            ("\n2\n", "\n3\n", "line 8: frame 3, expected frame 2"),
            ("shin 0\n", "shin 0\ntoes 1\n", "missing none, unknown toes, 4 lines for 3 bones"),
            ("\n1\n", "\n", "line 4: 'root 1 2 3 0 0 0', expected the number of a frame"),
        ],
    )
    def test_motion(self, read, old, new, message):
        assert old in MOTION
        text = MOTION.replace(old, new)
        if new.endswith("toes 1\n"):
            text = text.replace("shin 90\n", "shin 90\ntoes 1\n")
        with pytest.raises(DataError, match=rf"a\.amc.*{message}"):
            read(motion=text)

    def test_no_file(self, tmp_path):
        with pytest.raises(DataError, match=r"gone\.asf: cannot be read"):
            asf_amc.read_skeleton(tmp_path / "gone.asf")
