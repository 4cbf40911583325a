"""Results of other lifters, in files of their official layouts made here; and pickles that ask for more."""

import collections
import os
import pickle
import zlib

import joblib
import numpy as np
import pytest
import roma
import torch

from videomdm.conventions import DataError
from videomdm.data import procedural
from videomdm.lifters import elepose, motionbert, mvlift, pickles, results, wham
from videomdm.lifters.results import Lifted, RootPath
from videomdm.skeletons import H36M17, NBA16, SMPL22
from videomdm.skeletons.kinematics import inverse_kinematics, rest_offsets

PERSON = {"pose": 72, "trans": 3, "pose_world": 72, "trans_world": 3, "betas": 10}


def wham_person(frames=6, first=4, seed=0):
    generator = np.random.default_rng(seed)
    person = {key: 0.3 * generator.standard_normal((frames, width)).astype("f4") for key, width in PERSON.items()}
    person["verts"] = generator.standard_normal((frames, 20, 3)).astype("f4")
    person["frame_ids"] = np.arange(first, first + frames)
    return person


def wham_file(folder, people, dump=joblib.dump):
    found = collections.defaultdict(dict)
    found.update(people)
    path = folder / "wham_output.pkl"
    if dump is joblib.dump:
        dump(found, path)
    else:
        with open(path, "wb") as file:
            dump(found, file)
    return path


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class TestPickles:
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    @pytest.mark.parametrize("writer", [pickle.dump, joblib.dump])
    def test_arrays_and_plain_data(self, tmp_path, writer, protocol):
        data = {
            "c": np.arange(12, dtype="f4").reshape(3, 4), "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "empty": np.zeros((0, 3)), "big": np.arange(3, dtype=">i4"), "bool": np.array([True, False]),
            "scalar": np.float64(1.5), "list": [1, 2.5, "text", None, True, (3, -4)], 7: {"nested": -(2**40)},
        }  # fmt: skip
        path = tmp_path / "data.pkl"
        with open(path, "wb") as file:
            writer(data, file, protocol=protocol)
        read = pickles.load(path)
        for key in ("c", "f", "empty", "big", "bool"):
            assert np.array_equal(read[key], data[key])
            assert read[key].dtype == data[key].dtype.newbyteorder("=")
        assert read["scalar"] == 1.5
        assert read["list"] == data["list"]
        assert read[7] == data[7]

    @pytest.mark.parametrize("writer", [pickle.dump, joblib.dump])
    @pytest.mark.parametrize(
        "thing",
        [
            lambda touched: Evil(os.system, f"touch {touched}"),
            lambda touched: Evil(exec, f"open({str(touched)!r}, 'w')"),
            lambda touched: Evil(eval, f"open({str(touched)!r}, 'w')"),
            lambda touched: Evil(open, str(touched), "w"),
            lambda touched: Evil(np.save, str(touched), np.zeros(2)),
            lambda touched: Evil(getattr, os, "system"),
        ],
        ids=["system", "exec", "eval", "open", "numpy", "getattr"],
    )
    def test_nothing_is_run(self, tmp_path, thing, writer):
        touched, path = tmp_path / "touched.npy", tmp_path / "evil.pkl"
        with open(path, "wb") as file:
            if "getattr" in str(thing(touched).call):
                writer({"pose": Evil(getattr, "text", "upper")}, file)
            else:
                writer({"pose": thing(touched)}, file)
        with pytest.raises(DataError, match="refused, nothing of it was run: it asks for"):
            pickles.load(path)
        assert not touched.exists()

    @pytest.mark.parametrize(
        ("program", "why"),
        [
            (b"(S'touch x'\nios\nsystem\n.", "it asks for os.system"),  # INST
            (b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00xo.", "it asks for os.system"),  # OBJ
            (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x82\x01.", "unregistered extension code 1"),  # EXT1
            (b"Pid\n.", "something outside the file"),  # PERSID
            (b"\x80\x04cnumpy\ndtype\n}\x8c\x08__dict__K\x01sb.", "it sets up a constructor"),  # BUILD
            (b"\x80\x04cnumpy\ndtype\n(N}\x8c\x08__init__K\x01stb.", "it sets up a constructor"),
            (b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n(N}\x8c\x04fileK\x01stb.", "missing 1 required"),
            (b"\x80\x04cnumpy\ndtype\n\x8c\x02f4\x85R(N}\x8c\x05dtypeK\x01stb.", "it holds a _Dtype"),
            (b"\x80\x04cnumpy\ndtype\n.", "it holds a _Constructor"),
            (b"\x80\x04cnumpy\ndtype\n\x8c\x01O\x85R.", "an array of type 'O'"),
        ],
    )
    def test_hand_written_programs_are_refused(self, tmp_path, program, why):
        (tmp_path / "x.pkl").write_bytes(program)
        with pytest.raises(DataError, match=f"(refused|not a readable pickle).*({why})"):
            pickles.load(tmp_path / "x.pkl")

    def test_arrays_of_objects_are_refused(self, tmp_path):
        joblib.dump({"a": np.array([{}, None], dtype=object)}, tmp_path / "x.pkl")
        with pytest.raises(DataError, match="an array of type 'O"):
            pickles.load(tmp_path / "x.pkl")

    def test_an_array_larger_than_the_file_is_refused(self, tmp_path):
        path = tmp_path / "x.pkl"
        joblib.dump({"a": np.zeros((300, 2))}, path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(DataError, match="an array of 4800 bytes in a file of"):
            pickles.load(path)

    @pytest.mark.parametrize("content", [b"", b"hello", zlib.compress(b"x"), b"\x80\x04"])
    def test_other_files(self, tmp_path, content):
        (tmp_path / "x.pkl").write_bytes(content)
        with pytest.raises(DataError, match="x.pkl: (not a readable pickle|refused)"):
            pickles.load(tmp_path / "x.pkl")

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match="no such file"):
            pickles.load(tmp_path / "x.pkl")


class TestWham:
    def test_joints_follow_from_rotations(self):
        """Rest pose, a turn of the root, a bent knee: by hand."""
        rest = wham.rest_joints(torch.zeros(3, 10))
        pose = torch.zeros(3, 72)
        pose[1, 1] = torch.pi / 2  # the root about Y: +Z turns to +X
        pose[2, 4 * 3] = torch.pi / 2  # left knee about X: the shin, which hung, points back
        joints = wham.pose_joints(pose, torch.tensor([[0.0, 0, 0], [1, 2, 3], [0, 0, 0]]), rest)
        assert torch.allclose(joints[0], rest, atol=1e-6)
        turned = (rest - rest[0]) @ torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]).mT
        assert torch.allclose(joints[1], turned + rest[0] + torch.tensor([1.0, 2, 3]), atol=1e-5)
        shin = rest[7] - rest[4]
        assert torch.allclose(joints[2, 7] - joints[2, 4], torch.tensor([shin[0], 0.0, shin[1]]), atol=1e-5)
        others = [j for j in range(22) if j not in (7, 10)]
        assert torch.allclose(joints[2, others], rest[others], atol=1e-6)

    @pytest.mark.parametrize("dump", [joblib.dump, pickle.dump])
    def test_file_of_the_demo(self, tmp_path, dump):
        people = {0: wham_person(6), 1: wham_person(9, first=2, seed=1)}
        lifted = wham.read(wham_file(tmp_path, people, dump))
        assert (lifted.root, lifted.lifter, lifted.fps, lifted.skeleton) == (RootPath.WORLD, "wham", 30.0, SMPL22)
        assert len(lifted) == 9  # the person seen longest
        assert lifted.first_frame == 2
        assert lifted.valid.all()
        pose, trans = (torch.from_numpy(people[1][k]) for k in ("pose_world", "trans_world"))
        expected = wham.pose_joints(pose, trans, wham.rest_joints(torch.zeros(1, 10)))
        assert torch.allclose(lifted.joints, expected)

    def test_camera_axes_are_turned(self, tmp_path):
        person = wham_person()
        path = wham_file(tmp_path, {3: person})
        lifted = wham.read(path, person=3, root="camera")
        pose, trans = (torch.from_numpy(person[k]) for k in ("pose", "trans"))
        expected = wham.pose_joints(pose, trans, wham.rest_joints(torch.zeros(1, 10)))
        assert torch.allclose(lifted.joints * torch.tensor([1.0, -1, -1]), expected)
        assert lifted.root is RootPath.CAMERA

    def test_frames_that_are_missing(self, tmp_path):
        person = wham_person(4)
        person["frame_ids"] = np.array([3, 4, 8, 9])
        lifted = wham.read(wham_file(tmp_path, {0: person}))
        assert lifted.valid.tolist() == [True, True, False, False, False, True, True]
        middle = (lifted.joints[1] + lifted.joints[5]) / 2
        assert torch.allclose(lifted.joints[3], middle, atol=1e-6)

    def test_body_and_shape(self, tmp_path):
        template, directions = np.random.default_rng(0).standard_normal((2, 24, 3, 10)).astype("f4")
        np.savez(tmp_path / "smpl_joints.npz", template=template[..., 0], directions=directions)
        betas = torch.zeros(5, 10)
        betas[:3, 2] = 1.5
        rest = wham.rest_joints(betas, tmp_path / "smpl_joints.npz")
        assert np.allclose(rest, (template[..., 0] + 1.5 * directions[..., 2])[:22], atol=1e-6)
        with pytest.raises(DataError, match="expected template"):
            np.savez(tmp_path / "other.npz", template=template[..., 0])
            wham.rest_joints(betas, tmp_path / "other.npz")

    def test_converted_npz_is_the_same(self, tmp_path):
        path = wham_file(tmp_path, {0: wham_person(), 5: wham_person(8)})
        found = joblib.load(path)  # the command of the module's docstring
        arrays = {f"{p}/{k}": v for p, d in found.items() for k, v in d.items() if k != "verts"}
        np.savez(tmp_path / "wham_output.npz", **arrays)
        for person in (0, 5):
            a, b = (wham.read(p, person=person) for p in (path, tmp_path / "wham_output.npz"))
            assert torch.equal(a.joints, b.joints)

    def test_round_trip_of_a_motion(self, tmp_path):
        """SMPL rotations worked out from a built-in motion give it back, joint by joint."""
        x = procedural.generate(1, seed=6).clip(0)
        offsets = rest_offsets(x[0])
        local, _ = inverse_kinematics(x, offsets=offsets)
        turns = torch.eye(3).repeat(len(x), 24, 1, 1)
        # A joint's rotation in SMPL turns all bones that start there; a chain without branches can be written so.
        chain = [(0, 1), (1, 4), (4, 7), (7, 10)]
        turns[:, 0] = local[:, 0] @ local[:, 1]
        for parent, child in chain[1:]:
            turns[:, parent] = local[:, child]
        rest = torch.zeros(22, 3)
        for parent, child in chain:
            rest[child] = rest[parent] + offsets[child]
        made = wham.pose_joints(roma.rotmat_to_rotvec(turns).flatten(1), x[:, 0], rest)
        leg = [0, 1, 4, 7, 10]
        assert torch.allclose(made[:, leg], x[:, leg], atol=5e-3)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda p: p.pop("betas"), "lacks betas; it has pose, trans"),
            (lambda p: p.update(pose_world=p["pose_world"][:, :69]), r"pose_world has shape \(6, 69\)"),
            (lambda p: p.update(trans_world=p["trans_world"] * np.nan), "trans_world.*expected finite"),
            (lambda p: p.update(frame_ids=p["frame_ids"][::-1].copy()), "frame_ids.*expected ascending"),
            (
                lambda p: p["pose_world"].__setitem__((2, 12), -1e5),
                "pose_world turns joint 4 by 1e.05 in frame 2, .*radians",
            ),
            (lambda p: p.update(pose_world=np.degrees(p["pose_world"] + 1)), "expected rotation vectors in radians"),
            (lambda p: p.update(trans_world=p["trans_world"] * 1e5), "are these centimetres or millimetres"),
        ],
    )
    def test_bad_files(self, tmp_path, change, message):
        person = wham_person()
        change(person)
        with pytest.raises(DataError, match=message):
            wham.read(wham_file(tmp_path, {0: person}))

    @pytest.mark.parametrize(("joint", "axis", "at"), [(16, 2, 13), (1, 0, 4), (0, 1, 20)])
    def test_a_rotation_of_the_other_sign_in_one_frame(self, tmp_path, joint, axis, at):
        """One bit of a file: all bones keep their lengths."""
        t, pose = np.arange(30) / 30, np.zeros((30, 24, 3), "f4")
        pose[:, 0, 1], pose[:, 16, 2], pose[:, 17, 2] = 0.6, -1.2, 1.2
        pose[:, 1, 0], pose[:, 2, 0] = 0.3 + 0.6 * np.sin(5.6 * t), 0.3 - 0.6 * np.sin(5.6 * t)
        person = wham_person(30) | {"pose_world": pose.reshape(30, 72), "trans_world": np.zeros((30, 3), "f4")}
        wham.read(wham_file(tmp_path, {0: person}))
        pose[at, joint, axis] = -pose[at, joint, axis]
        with pytest.raises(DataError, match=f"pose_world jumps at joint {joint} in frame {at}, and back: a damaged"):
            wham.read(wham_file(tmp_path, {0: person}))

    def test_quick_hands_are_no_damage(self, tmp_path):
        """Ten frames a second of somebody who waves three times a second."""
        t, pose = np.arange(30) / 10, np.zeros((30, 24, 3), "f4")
        pose[:, 18, 1] = 1 + 0.8 * np.sin(2 * np.pi * 3 * t + 0.3)
        person = wham_person(30) | {"pose_world": pose.reshape(30, 72), "trans_world": np.zeros((30, 3), "f4")}
        assert len(wham.read(wham_file(tmp_path, {0: person})).joints) == 30

    def test_other_mistakes(self, tmp_path):
        path = wham_file(tmp_path, {0: wham_person()})
        with pytest.raises(DataError, match="no person 4, the file has 0"):
            wham.read(path, person=4)
        with pytest.raises(ValueError, match="root is 'none', expected 'world' or 'camera'"):
            wham.read(path, root="none")
        joblib.dump([1, 2], tmp_path / "list.pkl")
        with pytest.raises(DataError, match="expected a dictionary of people"):
            wham.read(tmp_path / "list.pkl")

    def test_a_malicious_result_does_not_run(self, tmp_path):
        person = wham_person()
        person["verts"] = Evil(os.system, f"touch {tmp_path / 'touched'}")
        with pytest.raises(DataError, match="refused"):
            wham.read(wham_file(tmp_path, {0: person}))
        assert not (tmp_path / "touched").exists()


class TestMvlift:
    @pytest.fixture(scope="class")
    @staticmethod
    def motion():
        return procedural.generate(3, seed=9, max_frames=60).clip(2)

    def openpose(self, motion):
        made = torch.zeros(len(motion), 18, 3)
        for i, joint in enumerate(mvlift.OPENPOSE18.joints):
            made[:, i] = motion[:, SMPL22.index(joint if joint in SMPL22.joints else "head")]
        return made

    def test_joints(self, tmp_path, motion):
        z_up = self.openpose(motion)[..., [0, 2, 1]] * torch.tensor([1.0, -1.0, 1.0])
        np.save(tmp_path / "clip.npy", z_up.numpy())
        lifted = mvlift.read(tmp_path / "clip.npy")
        assert (lifted.root, lifted.name, lifted.fps) == (RootPath.WORLD, "clip", 30.0)
        error = (lifted.joints - motion).norm(dim=-1).mean(0)
        limbs = [i for i, j in enumerate(SMPL22.joints) if j in mvlift.OPENPOSE18.joints]
        assert error[limbs].max() < 1e-5
        assert error.max() < 0.08
        assert error.mean() < 0.025

    def test_smpl_joints_are_taken_as_they_are(self, tmp_path, motion):
        np.save(tmp_path / "clip.npy", motion.double().numpy())
        assert torch.equal(mvlift.read(tmp_path / "clip.npy", up="y").joints, motion)

    def test_bad_files(self, tmp_path):
        np.save(tmp_path / "a.npy", np.zeros((5, 19, 3)))
        with pytest.raises(DataError, match=r"shape \(5, 19, 3\), expected \(frames, 18 or 17 or 22, 3\)"):
            mvlift.read(tmp_path / "a.npy")
        np.save(tmp_path / "a.npy", np.zeros((5, 18, 3)) * np.nan)
        with pytest.raises(DataError, match="frame 0 is not finite"):
            mvlift.read(tmp_path / "a.npy")
        np.save(tmp_path / "a.npy", np.array([Evil(os.system, "true")]), allow_pickle=True)
        with pytest.raises(DataError, match="cannot be read as a plain .npy array"):
            mvlift.read(tmp_path / "a.npy")
        with pytest.raises(ValueError, match="up is 'x'"):
            mvlift.read(tmp_path / "a.npy", up="x")


class TestZeros:
    """Values of exactly 0 that were lost, and those that are right."""

    def motion(self):
        t = torch.linspace(0, 2, 40)[:, None, None]
        return (torch.linspace(0.2, 1.5, 22)[None, :, None] + 0.1 * torch.sin(t) * torch.ones(1, 1, 3)).numpy()

    def read(self, folder, joints):
        np.save(folder / "a.npy", joints)
        return results.load_array(folder / "a.npy", (22,))

    def test_lost_values(self, tmp_path):
        joints = self.motion()
        joints[10:15, 4, 2] = 0
        with pytest.raises(DataError, match=r"a\.npy: z of joint 4 is exactly 0 in frames 10 to 14 and jumps there"):
            self.read(tmp_path, joints)

    def test_right_ones(self, tmp_path):
        joints = self.motion()
        joints[:, 0] = 0  # a root that is the origin
        joints[:3, 1], joints[30:, 2] = 0, 0  # at the ends nothing jumps back
        joints[10:20, 7, 1] = 0  # a foot on the floor, down and up again
        joints[9, 7, 1] = joints[20, 7, 1] = 0.04
        joints[25:27, 5] = 0  # too brief to be told from a crossing
        assert self.read(tmp_path, joints).shape == (40, 22, 3)


class TestElepose:
    @pytest.fixture(scope="class")
    @staticmethod
    def motion():
        """A walk in NBA's joints; its neck is SMPL's, nose and head its head."""
        x = procedural.generate(30, seed=9, max_frames=60)
        x = x.clip(x.actions.index(next(a for a in x.actions if a.startswith("walk"))))
        names = [j if j in SMPL22.joints else "head" for j in NBA16.joints]
        x = x[:, [SMPL22.index(j) for j in names]]
        return x - x[:, :1]

    @pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, -1), (1, 1, -1), (1, -1, 1)])
    def test_size_and_signs(self, tmp_path, motion, signs):
        np.save(tmp_path / "0001.npy", (motion * 3.7 * torch.tensor(signs) + 1).numpy())
        lifted = elepose.read(tmp_path / "0001.npy", leg=float(elepose.leg_length(motion)))
        assert (lifted.root, lifted.skeleton) == (RootPath.NONE, NBA16)
        assert torch.allclose(lifted.joints, motion, atol=1e-4)

    def test_h36m_order(self, tmp_path, motion):
        full = torch.cat([motion[:, :7], motion[:, :1] + 9, motion[:, 7:]], dim=1)
        assert H36M17.joints[7] == "spine"
        np.save(tmp_path / "0001.npy", full.numpy())
        lifted = elepose.read(tmp_path / "0001.npy")
        assert elepose.leg_length(lifted.joints).item() == pytest.approx(elepose.LEG, rel=1e-5)
        assert (lifted.joints[:, 0] == 0).all()

    def test_no_body(self, tmp_path):
        np.save(tmp_path / "a.npy", np.zeros((5, 16, 3), "f4"))
        with pytest.raises(DataError, match="legs of length 0"):
            elepose.read(tmp_path / "a.npy")


class TestMotionbert:
    """X3D.npy: Human3.6M's joints, x right, y down, z forward, in units of the image."""

    @pytest.fixture
    def true(self):
        joints = procedural.generate(1, max_frames=60).joints[0]
        names = {"spine": "spine2", "thorax": "neck", "neck": "neck"}
        return joints[:, [SMPL22.index(names.get(name, name)) for name in H36M17.joints]]

    def test_poses_are_upright_and_of_a_bodys_size(self, tmp_path, true):
        path = tmp_path / "squat.motionbert.npy"
        np.save(path, (0.3 * true * true.new_tensor([1.0, -1.0, -1.0]) + 0.1).numpy())
        found = motionbert.read(path, fps=25.0)
        assert (found.skeleton, found.root, found.lifter, found.fps) == (H36M17, RootPath.NONE, "motionbert", 25.0)
        assert elepose.leg_length(found.joints, H36M17).item() == pytest.approx(elepose.LEG, rel=1e-5)
        pose = true - true[:, :1]
        scale = elepose.LEG / elepose.leg_length(true, H36M17)
        assert torch.allclose(found.joints, scale * pose, atol=1e-4)

    def test_bad_files_are_named(self, tmp_path, true):
        path = tmp_path / "bad.motionbert.npy"
        np.save(path, true.numpy())
        with pytest.raises(DataError, match="bad.motionbert.npy: heads are below feet, expected y down"):
            motionbert.read(path)
        np.save(path, (true * true.new_tensor([-1.0, -1.0, -1.0])).numpy())
        with pytest.raises(DataError, match="bad.motionbert.npy: knees bend backwards, .* one axis is mirrored"):
            motionbert.read(path)
        np.save(path, np.zeros((5, 17, 3)))
        with pytest.raises(DataError, match="legs of length 0"):
            motionbert.read(path)
        np.save(path, np.zeros((5, 16, 3)))
        with pytest.raises(DataError, match=r"expected \(frames, 17, 3\)"):
            motionbert.read(path)


class TestLifted:
    def made(self, n=7, fps=30.0, **changes):
        joints = torch.arange(n).float()[:, None, None].expand(n, 22, 3) / 10
        values = {
            "joints": joints, "valid": torch.ones(n, dtype=torch.bool), "fps": fps, "root": RootPath.WORLD,
            "skeleton": SMPL22, "lifter": "test", "name": "x",
        }  # fmt: skip
        return Lifted(**values | changes)

    def test_resample(self):
        valid = torch.tensor([True, True, True, False, True, True, True])
        at20 = self.made(valid=valid, first_frame=9).resample(20.0)
        assert at20.joints[:, 0, 0].tolist() == pytest.approx([0, 0.15, 0.3, 0.45, 0.6])
        assert at20.valid.tolist() == [True, True, False, True, True]
        assert (at20.fps, at20.first_frame) == (20.0, 6)

    def test_same_rate_changes_nothing(self):
        lifted = self.made()
        assert torch.equal(lifted.resample(30.0).joints, lifted.joints)

    def test_checks(self):
        with pytest.raises(DataError, match="x: valid has shape"):
            self.made(valid=torch.ones(3, dtype=torch.bool))
        with pytest.raises(DataError, match="x: 0 frames per second"):
            self.made(fps=0)
        with pytest.raises(DataError, match="x: 17 joints, expected 22"):
            self.made(joints=torch.zeros(7, 17, 3))

    def test_root_is_a_string(self):
        assert RootPath.BONES == "bones"


class TestToSmpl22:
    def test_h36m(self):
        x = procedural.generate(2, seed=3).clip(1)
        made = torch.zeros(len(x), 17, 3)
        names = {"thorax": "neck", "spine": "spine2", "neck": "head"}
        for i, joint in enumerate(H36M17.joints):
            made[:, i] = x[:, SMPL22.index(names.get(joint, joint))]
        error = (results.to_smpl22(made, H36M17) - x).norm(dim=-1).mean(0)
        assert error[SMPL22.index("left_wrist")] < 1e-5
        assert error.max() < 0.1

    def test_turning_the_person_turns_the_joints(self):
        x = procedural.generate(1, seed=3).clip(0)
        nba = x[:, [SMPL22.index(j if j in SMPL22.joints else "head") for j in NBA16.joints]]
        turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
        a, b = results.to_smpl22(nba @ turn.mT, NBA16), results.to_smpl22(nba, NBA16) @ turn.mT
        assert torch.allclose(a, b, atol=1e-4)
