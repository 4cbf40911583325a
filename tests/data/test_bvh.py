"""Reading and writing BVH files: hand-computed poses, round trips, and what is said about broken files."""

import dataclasses
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from videomdm.conventions import DataError
from videomdm.data import bvh

TEXT = """HIERARCHY
ROOT Hips
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Knee
  {
    OFFSET 0 -10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Foot {
      OFFSET 0 -5 0
      CHANNELS 1 Yrotation
      End Site
      {
        OFFSET 0 0 2
      }
    }
  }
  JOINT Spine
  {
    OFFSET 0 4 0
  }
}
MOTION
Frames:\t2
Frame Time: 0.05
0 0 0 0 0 0 0 0 0 0
7 8 9 90 0 0 0 90 0 30
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str = TEXT):
        path = tmp_path / "clip.bvh"
        path.write_text(text, encoding="utf-8")
        return path

    return write


class TestRead:
    def test_structure(self, file):
        motion = bvh.read(file())
        assert motion.names == ("Hips", "Knee", "Foot", "Spine")
        assert motion.parents == (-1, 0, 1, 0)
        assert motion.channels[2] == ("Yrotation",) and motion.channels[3] == ()
        assert motion.frame_time == 0.05
        assert motion.end_sites[2].tolist() == [0, 0, 2]
        assert motion.index(["Foot", "Hips"]) == [2, 0]

    def test_hand_computed_pose(self, file):
        joints = bvh.read(file()).joints()
        # frame 0: the root's position channels replace its OFFSET
        assert torch.allclose(joints[0], torch.tensor([[0, 0, 0], [0, -10, 0], [0, -15, 0], [0, 4, 0.0]]).double())
        # frame 1: Rz(90) takes -y to +x and y to -x; the knee's Rx(90) then sends the foot's -y to -z
        expected = torch.tensor([[7, 8, 9], [17, 8, 9], [17, 8, 4], [3, 8, 9]]).double()
        assert torch.allclose(joints[1], expected, atol=1e-12)

    def test_line_ends_and_byte_order_mark(self, tmp_path, file):
        expected = bvh.read(file()).values
        (tmp_path / "dos.bvh").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
        assert torch.equal(bvh.read(tmp_path / "dos.bvh").values, expected)

    def test_partial_position_channels_keep_the_other_offsets(self, file):
        text = TEXT.replace("CHANNELS 1 Yrotation", "CHANNELS 1 Yposition")
        motion = bvh.read(file(text))
        assert motion.translations[1, 2].tolist() == [0, 30, 0]

    @given(
        st.permutations("XYZ"),
        st.lists(st.floats(-360, 360), min_size=3, max_size=3),
        st.integers(1, 3),
    )
    @settings(max_examples=40, deadline=None)
    def test_any_euler_order(self, order, angles, count):
        order, angles = order[:count], angles[:count]
        motion = bvh.BvhMotion(
            ("a",), (-1,), torch.zeros(1, 3), (tuple(f"{axis}rotation" for axis in order),),
            torch.tensor([angles], dtype=torch.float64), 0.05,
        )  # fmt: skip
        expected = Rotation.from_euler("".join(order), angles, degrees=True).as_matrix()  # capitals: intrinsic
        assert torch.allclose(motion.rotations[0, 0], torch.tensor(expected).reshape(3, 3), atol=1e-12)


class TestWrite:
    def test_round_trip(self, file, tmp_path):
        motion = bvh.read(file())
        bvh.write(tmp_path / "again.bvh", motion)
        again = bvh.read(tmp_path / "again.bvh")
        assert again.names == motion.names and again.channels == motion.channels
        assert torch.allclose(again.values, motion.values, atol=1e-6)
        assert torch.allclose(again.joints(), motion.joints(), atol=1e-5)
        assert again.end_sites[2].tolist() == [0, 0, 2]

    def test_joints_in_any_order_are_written_depth_first(self, tmp_path):
        names = ("root", "left", "right", "left_end", "right_end")  # breadth first
        motion = bvh.BvhMotion(
            names, (-1, 0, 0, 1, 2), torch.arange(15.0).reshape(5, 3).double(), (("Zrotation",),) * 5,
            torch.arange(10.0).reshape(2, 5).double() * 10, 1 / 30,
        )  # fmt: skip
        bvh.write(tmp_path / "tree.bvh", motion)
        again = bvh.read(tmp_path / "tree.bvh")
        assert again.names == ("root", "left", "left_end", "right", "right_end")
        assert torch.allclose(again.joints()[:, again.index(names)], motion.joints(), atol=1e-4)

    def test_refuses_nan(self, file, tmp_path):
        motion = bvh.read(file())
        broken = dataclasses.replace(motion, values=motion.values * torch.nan)
        with pytest.raises(ValueError, match=r"out\.bvh.*finite"):
            bvh.write(tmp_path / "out.bvh", broken)


BROKEN = {
    "an OFFSET twice": (
        TEXT.replace("OFFSET 0 -5 0", "OFFSET 0 -5 0\n      OFFSET 0 4 0"),
        "line 12: said .* a second time",
    ),
    "CHANNELS twice": (
        TEXT.replace("CHANNELS 1 Yrotation", "CHANNELS 1 Yrotation\n      CHANNELS 1 Xrotation"),
        "line 13: said of this joint a second time, expected one OFFSET and one CHANNELS",
    ),
    "an end site's OFFSET twice": (TEXT.replace("OFFSET 0 0 2", "OFFSET 0 0 2\nOFFSET 0 0 3"), "a second time"),
    "empty file": ("", r"no HIERARCHY"),
    "no hierarchy": (TEXT.replace("HIERARCHY", "SKELETON"), r"no HIERARCHY"),
    "no motion": (TEXT.split("MOTION")[0], r"no MOTION section"),
    "cut within the hierarchy": (TEXT.replace("}\nMOTION", "MOTION"), r"last brace"),
    "no joints": ("HIERARCHY\nMOTION\nFrames: 1\nFrame Time: 1\n", r"HIERARCHY is empty"),
    "unknown word": (TEXT.replace("JOINT Spine", "BONE Spine"), r"line 19: 'BONE Spine' does not belong"),
    "joint in an end site": (TEXT.replace("OFFSET 0 0 2", "JOINT Toe"), r"line 15: 'JOINT Toe'"),
    "unknown channel": (TEXT.replace("1 Yrotation", "1 Wrotation"), r"line 12: unknown channel Wrotation"),
    "channel count": (TEXT.replace("1 Yrotation", "2 Yrotation"), r"line 12: CHANNELS 2 Yrotation"),
    "no offset": (TEXT.replace("    OFFSET 0 4 0\n", ""), r"joint Spine has no OFFSET"),
    "short offset": (TEXT.replace("OFFSET 0 4 0", "OFFSET 0 4"), r"line 21: 2 values, expected 3"),
    "NaN offset": (TEXT.replace("OFFSET 0 4 0", "OFFSET 0 nan 0"), r"line 21: OFFSET y is nan"),
    "no frame count": (TEXT.replace("Frames:\t2\n", ""), r"expected 'Frames: N' and 'Frame Time: s'"),
    "zero frames": (TEXT.replace("Frames:\t2", "Frames: 0"), r"0 frames of 0\.05 s, expected at least one"),
    "zero frame time": (TEXT.replace("Time: 0.05", "Time: 0"), r"2 frames of 0\.0 s"),
    "truncated rows": (
        TEXT.replace("7 8 9 90 0 0 0 90 0 30\n", ""),
        r"1 rows of values but Frames: 2; .*truncated",
    ),
    "truncated within a row": (TEXT.replace(" 90 0 30\n", "\n"), r"line 28: 7 values, expected 10"),
    "too many values": (TEXT.replace("90 0 30", "90 0 30 1"), r"line 28: 11 values, expected 10"),
    "too many rows": (TEXT + 2 * "0 0 0 0 0 0 0 0 0 0\n", r"4 rows of values but Frames: 2; write the true number"),
    "NaN": (
        TEXT.replace("7 8 9 90", "7 8 9 nan"),
        r"line 28: Hips Zrotation is nan, expected a finite number",
    ),
    "infinite": (TEXT.replace("90 0 30", "90 0 inf"), r"line 28: Foot Yrotation is inf"),
    "text": (TEXT.replace("7 8 9 90", "7 8 9 ninety"), r"line 28: .*'ninety'"),
}


class TestOneRowMore:
    """Rokoko's exports announce N frames and hold N + 1."""

    def test_the_announced_ones_are_read(self, tmp_path):
        path = tmp_path / "take.bvh"
        path.write_text(TEXT + "0 0 0 0 0 0 0 0 0 0\n")
        with pytest.warns(UserWarning, match="take.bvh: Frames: 2 and one row more, which is not read"):
            more = bvh.read(path)
        path.write_text(TEXT)
        assert len(more) == 2 and torch.equal(more.values, bvh.read(path).values)

    def test_a_row_more_that_is_damaged_does_no_harm(self, tmp_path):
        (tmp_path / "take.bvh").write_text(TEXT + "0 0 0\n")
        with pytest.warns(UserWarning, match="one row more"):
            assert len(bvh.read(tmp_path / "take.bvh")) == 2


class TestSpellings:
    @pytest.mark.parametrize(
        "old, new", [("Frames:\t2", "Frames:2"), ("Frames:\t2", "FRAMES : 2"), ("Frame Time:", "Frame  Time :")]
    )
    def test_of_the_header(self, tmp_path, old, new):
        assert old in TEXT
        (tmp_path / "x.bvh").write_text(TEXT.replace(old, new))
        assert len(bvh.read(tmp_path / "x.bvh")) == 2

    @pytest.mark.parametrize("time", ["30", "33.3333", "120"])
    def test_a_rate_or_milliseconds_as_frame_time(self, tmp_path, time):
        (tmp_path / "x.bvh").write_text(re.sub(r"Frame Time:.*", f"Frame Time: {time}", TEXT))
        with pytest.raises(DataError, match=f"Frame Time is {float(time)}, expected seconds per frame"):
            bvh.read(tmp_path / "x.bvh")

    def test_decimal_commas(self, tmp_path):
        (tmp_path / "x.bvh").write_text(TEXT.replace("90 0 30", "90,5 0 30"))
        with pytest.raises(DataError, match="line 28: .*write decimals with a point"):
            bvh.read(tmp_path / "x.bvh")

    def test_two_joints_of_one_name(self, tmp_path):
        (tmp_path / "x.bvh").write_text(TEXT.replace("JOINT Foot", "JOINT Knee"))
        motion = bvh.read(tmp_path / "x.bvh")
        with pytest.raises(DataError, match="more than one joint is called Knee"):
            motion.index(["Hips", "Knee"])


class TestBadInput:
    @pytest.mark.parametrize("kind", BROKEN)
    def test_broken_file(self, file, kind):
        text, message = BROKEN[kind]
        path = file(text)
        with pytest.raises(DataError, match=message) as caught:
            bvh.read(path)
        assert str(path) in str(caught.value)

    def test_missing_file(self, tmp_path):
        with pytest.raises(DataError, match=r"none\.bvh: cannot be read .*expected a BVH file"):
            bvh.read(tmp_path / "none.bvh")

    def test_binary_file(self, tmp_path):
        (tmp_path / "x.bvh").write_bytes(bytes(range(256)))
        with pytest.raises(DataError, match="zero bytes in it, expected a BVH file"):
            bvh.read(tmp_path / "x.bvh")

    def test_unknown_joint_names_the_known_ones(self, file):
        path = file()
        with pytest.raises(DataError, match=re.escape(f"{path}: no joint Toe, Hand; it has Hips, Knee, Foot, Spine")):
            bvh.read(path).index(["Hips", "Toe", "Hand"])

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"values": torch.zeros(2, 9)}, r"values \(2, 9\), expected \(frames, 10\)"),
            ({"parents": (1, -1, 1, 0)}, "before its parent"),
            ({"offsets": torch.zeros(3, 3)}, "expected those of the 4 names"),
        ],
    )
    def test_inconsistent_motion(self, file, change, message):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(bvh.read(file()), **change)
