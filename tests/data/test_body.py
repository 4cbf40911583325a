"""Is it a body?  Kinds of wrong 3-D input are named, and people in odd poses are not accused."""

import math
import re
import warnings
from functools import cache

import numpy as np
import pytest
import roma
import torch

from videomdm.conventions import DataError
from videomdm.data import bandai, body, humanml3d, procedural
from videomdm.skeletons import BLAZEPOSE33, SMPL22
from videomdm.skeletons.kinematics import bone_vectors


@cache
def clips() -> tuple[list[torch.Tensor], list[str]]:
    """Walks, turns, jumps, gestures: motions of people who go somewhere, and of some who do not."""
    corpus = procedural.generate(72, seed=3)
    rows = corpus.varied(72)[-12:]
    return [corpus.clip(i) for i in rows], [corpus.names[i] for i in rows]


def check(change, n=12, source="mine"):
    """(faults, warnings, the error or None) of a corpus whose every clip was changed."""
    motions, names = clips()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return body.check_corpus([change(x) for x in motions[:n]], names[:n], source), said, None
        except DataError as error:
            return [], said, str(error)


def axes(order, signs):
    return lambda x: x[..., order] * x.new_tensor(signs)


def jumped(x, frame, joint):
    x = x.clone()
    x[frame, joint] += x.new_tensor((0.7, 1.2, 0.0))
    return x


AXES = {
    "z up, as Blender and AMASS": axes([0, 2, 1], (1, -1, 1)),
    "z up, the other way round": axes([2, 0, 1], (1, 1, 1)),
    "z and y exchanged, which mirrors": axes([0, 2, 1], (1, 1, 1)),
    "y down, as in images": axes([0, 1, 2], (1, -1, -1)),
    "y turned round, which mirrors": axes([0, 1, 2], (1, -1, 1)),
    "x up": axes([1, 0, 2], (1, -1, 1)),
    "z down": axes([0, 2, 1], (1, 1, -1)),
    "x down": axes([1, 0, 2], (-1, 1, 1)),
}


class TestUp:
    @pytest.mark.parametrize("kind", AXES)
    def test_the_message_turns_it_back(self, kind):
        change = AXES[kind]
        _, said, error = check(change)
        found = re.search(r"expected Y up; joints\[\.\.\., (\[.*?\])\] \* (\(.*?\)) turns them", error)
        assert "mine: heads are above feet along" in error and "along +Y in 0 %" in error and not said
        order, signs = ([int(v) for v in re.findall(r"-?\d", text)] for text in found.groups())
        turned = [axes(order, signs)(change(x)) for x in clips()[0]]
        assert body.check_corpus(turned, clips()[1], "turned") == []
        assert min(float((x[:, 15] - x[:, 7])[:, 1].median()) for x in turned) > 0.5

    def test_a_few_clips_are_a_doubt(self):
        faults, said, error = check(AXES["y down, as in images"], n=3)
        assert not faults and error is None
        assert "heads are above feet along -Y in 100 % of 3 clips" in str(said[0].message)

    def test_half_of_a_corpus_may_lie(self):
        motions, names = clips()
        lying = [axes([0, 2, 1], (1, 1, -1))(x) for x in motions[:5]] + motions[5:]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert body.check_corpus(lying, names, "mine") == []

    def test_nobody_who_walks_is_a_doubt(self):
        corpus = procedural.generate(12, seed=3)  # jumps and gestures on the spot
        turn = AXES["z up, as Blender and AMASS"]
        with pytest.warns(UserWarning, match="heads are above feet along .Z in 100 % of 12 clips"):
            assert body.check_corpus([turn(corpus.clip(i)) for i in range(12)], corpus.names, "mine") == []

    @pytest.mark.parametrize("about, degrees", [("x", -90), ("x", 90), ("x", 75), ("z", 90), ("z", -80)])
    def test_a_corpus_of_people_who_lie_or_crawl_is_a_doubt(self, about, degrees):
        def lie(x):
            return turned(x - x[:, :1] + x[:1, :1], about, degrees) + (x[:, :1] - x[:1, :1])

        faults, said, error = check(lie)
        assert not faults and error is None and "people who lie or crawl, or another axis is up" in str(said[0].message)

    def test_an_empty_corpus(self):
        assert body.check_corpus([], [], "mine") == []


ORDER = torch.randperm(22, generator=torch.Generator().manual_seed(0))
MIRRORED = list(SMPL22.mirrored)
LEGS = [MIRRORED[j] if any(p in SMPL22.joints[j] for p in ("hip", "knee", "ankle", "foot")) else j for j in range(22)]
WRONG = {
    "centimetres": (lambda x: x * 100, "are these centimetres"),
    "millimetres": (lambda x: x * 1000, "are these millimetres"),
    "inches": (lambda x: x * 39.37, "are these inches"),
    "feet": (lambda x: x * 3.281, "are these feet"),
    "decimetres": (lambda x: x / 10, "expected 0.5 to 2.5 metres"),
    "units of an image": (lambda x: x / 5, "expected 0.5 to 2.5 metres"),
    "x mirrored": (lambda x: x * x.new_tensor((-1, 1, 1)), "one axis is mirrored"),
    "z mirrored": (lambda x: x * x.new_tensor((1, 1, -1)), "left-handed system"),
    "left called right": (lambda x: x[:, MIRRORED], "left and right are exchanged"),
    "legs called the other way": (lambda x: x[:, LEGS], "hips are exchanged against the shoulders"),
    "joints backwards": (lambda x: x.flip(1), "no body; expected joints in the order pelvis, left_hip"),
    "a frame of zeros": (lambda x: torch.cat((x[:10], 0 * x[:1], x[11:])), "at frame 10: a lost frame"),
    "a head that jumps": (lambda x: jumped(x, 10, 15), "a joint jumps at frame 10"),
    "an ankle that jumps first": (lambda x: jumped(x, 0, 7), "a joint jumps at frame 0"),
    "a head that jumps last": (lambda x: jumped(x, len(x) - 1, 15), "a joint jumps at frame"),
    "a frame in one place": (lambda x: torch.cat((x[:7], 0 * x[:1] + 1.5, x[8:])), "at frame 7: a lost frame"),
}


class TestClips:
    @pytest.mark.parametrize("kind", WRONG)
    def test_every_clip_is_named(self, kind):
        change, reason = WRONG[kind]
        faults, _, error = check(change)
        assert error is None and [i for i, _ in faults] == list(range(12))
        assert all(re.search(reason, text) and clips()[1][i] in text for i, text in faults)
        with pytest.raises(DataError, match=f"squat.npy: .*{reason}"):
            body.check(change(clips()[0][0]), "squat.npy")

    @pytest.mark.parametrize(
        "change", [lambda x: torch.randn_like(x), lambda x: x[:, ORDER] + 0.2 * torch.randn_like(x)]
    )
    def test_what_is_no_body_is_said(self, change):
        torch.manual_seed(0)
        faults, said, error = check(change)
        assert not faults and error is None and "12 of 12 clips are no bodies of constant bones" in str(said[0].message)
        with pytest.raises(DataError, match="x: limbs change their length by .* from frame to frame"):
            body.check(change(clips()[0][0]), "x")

    def test_another_order_of_joints(self):
        faults, said, _ = check(lambda x: x[:, ORDER])
        assert len(faults) + sum(int(re.search(r"(\d+) of 12", str(w.message))[1]) for w in said) == 12

    @pytest.mark.parametrize("seed", range(4))
    def test_the_message_mirrors_it_back(self, seed):
        motion = clips()[0][seed]
        body.check(motion * motion.new_tensor((1, 1, -1)) * motion.new_tensor((-1, 1, 1)), "x")


def turned(x, about, degrees):
    axis = torch.tensor({"x": (1.0, 0, 0), "y": (0, 1.0, 0), "z": (0, 0, 1.0)}[about])
    return (x - x[:1, :1]) @ roma.rotvec_to_rotmat(axis * math.radians(degrees)).T


ODD = {
    "on the back": lambda x: turned(x, "x", -90),
    "on the face": lambda x: turned(x, "x", 90),
    "on the side": lambda x: turned(x, "z", 90),
    "a handstand": lambda x: turned(x, "z", 180),
    "crawling": lambda x: turned(x, "x", 80),
    "leaning": lambda x: turned(x, "x", 40),
    "facing away": lambda x: turned(x, "y", 180),
    "a child": lambda x: 0.45 * x,
    "a giant": lambda x: 1.4 * x,
    "noise of a lifter": lambda x: x + 0.015 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)),
    "one frame": lambda x: x[:1],
    "two frames": lambda x: x[:2],
    "far away": lambda x: x + 50,
}


class TestNoFalseAlarms:
    @pytest.mark.parametrize("kind", ODD)
    @pytest.mark.parametrize("i", [0, 5, 9])
    def test_odd_poses_and_bodies(self, kind, i):
        body.check(ODD[kind](clips()[0][i]), kind)

    def test_a_cartwheel(self):
        x = clips()[0][2]
        angle = torch.linspace(0, 2 * math.pi, len(x))
        turn = roma.rotvec_to_rotmat(angle[:, None] * torch.tensor([0.0, 0, 1]))
        body.check((x - x[:, :1]) @ turn.mT, "cartwheel")

    @pytest.mark.parametrize("family", ["prior", "teacher"])
    def test_the_built_in_corpus(self, family):
        corpus = procedural.generate(120, seed=5, family=family)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert body.check_corpus([corpus.clip(i) for i in range(120)], corpus.names, family) == []

    @pytest.mark.slow
    @pytest.mark.data
    @pytest.mark.parametrize("name", ["bandai", "cmu"])
    def test_open_data(self, data_root, name):
        reader = {"bandai": bandai.load, "cmu": humanml3d.load}[name]
        if not (data_root / name).is_dir():
            pytest.skip(f"no {name} in VIDEOMDM_DATA")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            corpus = reader(data_root / name, on_error="skip")
        assert not [reason for _, reason in corpus.skipped if "frames" not in reason and "missing" not in reason]

    @pytest.mark.data
    def test_published_clip(self, data_root):
        for path in (data_root / "humanml3d_sample" / "new_joints").glob("*.npy"):
            body.check(torch.from_numpy(np.load(path)), path.name)


def joints_of_blazepose(x):
    """BlazePose's 33 joints (T, 33, 3) as SMPL-22's, the trunk's evenly spread."""
    at = {name: x[:, BLAZEPOSE33.index(name)] for name in BLAZEPOSE33.joints}
    middle = {part: (at[f"left_{part}"] + at[f"right_{part}"]) / 2 for part in ("hip", "shoulder", "ear")}
    at |= {name: torch.lerp(middle["hip"], middle["shoulder"], share) for name, share in
           (("pelvis", 0), ("spine1", 0.25), ("spine2", 0.5), ("spine3", 0.7), ("neck", 1))}  # fmt: skip
    at["head"] = middle["ear"]
    for side in ("left", "right"):
        at[f"{side}_collar"] = torch.lerp(at["spine3"], at[f"{side}_shoulder"], 0.5)
        at[f"{side}_foot"] = at[f"{side}_foot_index"]
    return torch.stack([at[name] for name in SMPL22.joints], 1).float()


class TestJumps:
    """Damaged stretches are found, and what people and detectors do is none."""

    @pytest.mark.parametrize("first, end", [(0, 3), (10, 20), (27, 30)])
    def test_a_joint_that_is_elsewhere_for_some_frames(self, first, end):
        x = clips()[0][0].clone()
        x[first:end, 7] += x.new_tensor((0, 0.3, 0))  # the left ankle
        at = first or end - 1
        with pytest.raises(DataError, match=f"squat: a joint jumps at frame {at}: a damaged frame"):
            body.check(x[:30], "squat")

    def test_a_body_that_is_elsewhere_for_a_frame(self):
        x = clips()[0][0].clone()
        x[12] += 2
        with pytest.raises(DataError, match="squat: a joint jumps at frame 12"):
            body.check(x, "squat")

    def test_a_leg_that_is_elsewhere_for_a_frame(self):
        """About the hip, as one wrong rotation turns it: its bones keep their lengths."""
        x = clips()[0][0].clone()
        hip, *leg = (SMPL22.index(f"left_{j}") for j in ("hip", "knee", "ankle", "foot"))
        x[12, leg] = x[12, [hip]] - (x[12, leg] - x[12, [hip]])
        with pytest.raises(DataError, match="squat: a joint jumps at frame 12"):
            body.check(x, "squat")

    @pytest.mark.parametrize("speed", [5, 15])
    def test_a_fast_kick_is_none(self, speed):
        """Metres a second of an ankle about its knee, as sport knows them: the bones keep their lengths."""
        x = clips()[0][0].clone()
        knee, ankle, foot = (SMPL22.index(f"left_{j}") for j in ("knee", "ankle", "foot"))
        shin = float((x[0, ankle] - x[0, knee]).norm())
        frames = torch.arange(len(x), dtype=torch.float32)
        about = (speed / 20 / shin) * torch.where((frames > 10) & (frames < 13), frames - 10, torch.zeros(len(x)))
        turn = roma.rotvec_to_rotmat(about[:, None] * torch.tensor([1.0, 0, 0]))
        for joint in (ankle, foot):
            x[:, joint] = x[:, knee] + (turn @ (x[:, joint] - x[:, knee])[..., None])[..., 0]
        body.check(x, "kick")

    @pytest.mark.slow
    @pytest.mark.data
    @pytest.mark.parametrize("name", ["bandai", "cmu"])
    def test_bones_of_corpora_change_by_less_than_a_tenth_of_the_limit(self, data_root, name):
        reader = {"bandai": bandai.load, "cmu": humanml3d.load}[name]
        if not (data_root / name).is_dir():
            pytest.skip(f"no {name} in VIDEOMDM_DATA")
        corpus = reader(data_root / name)
        for i in range(len(corpus)):
            lengths = bone_vectors(corpus.clip(i), SMPL22).norm(dim=-1)
            tall = lengths.median(0).values[body._UPWARDS].sum()
            assert lengths.diff(dim=0).abs().max() < body.TORN[0] / 10 * tall, corpus.names[i]
            assert not len(body._elsewhere(corpus.clip(i), tall)), corpus.names[i]

    @pytest.mark.data
    def test_real_detections_are_none(self, data_root):
        files = sorted((data_root / "real").rglob("*_blazepose_world.npz"))
        if not files:
            pytest.skip("no real/ in VIDEOMDM_DATA")
        for file in files:
            with np.load(file) as arrays:
                x = joints_of_blazepose(torch.from_numpy(arrays["world"]))
            x = x[~x.isnan().any(-1).any(-1)] * x.new_tensor((1, -1, -1))
            faults = [fault for _, fault in body.check_corpus([x], [file.name], "real")]
            assert not [fault for fault in faults if "jumps" in fault]


class TestUpAsSeen:
    """A lifted motion against the keypoints that it is from."""

    def seen(self, change):
        x = clips()[0][0]
        keypoints = x[..., :2] * x.new_tensor((1, -1)) / 4
        return body.check_upright(change(x), keypoints, torch.ones(x.shape[:2]), "squat.wham.npz")

    def test_right(self):
        assert self.seen(lambda x: x) == []

    def test_y_down(self):
        with pytest.raises(DataError, match="squat.wham.npz: upright in the picture but head down in 3-D"):
            self.seen(AXES["y down, as in images"])

    def test_lying_is_a_doubt(self):
        (note,) = self.seen(AXES["z up, as Blender and AMASS"])
        assert "upright in the picture but lying in 3-D" in note

    def test_nobody_seen(self):
        x = clips()[0][0]
        assert body.check_upright(-x, x[..., :2], torch.zeros(x.shape[:2]), "x") == []


class TestReaders:
    """The check is asked by readers: HumanML3D's layout here, Bandai-Namco's BVH and other lifters alike."""

    def write(self, root, change):
        (root / "new_joints").mkdir()
        (root / "texts").mkdir()
        motions, names = clips()
        for motion, name in zip(motions, names, strict=True):
            np.save(root / "new_joints" / f"{name}.npy", change(motion).numpy())
            (root / "texts" / f"{name}.txt").write_text("a person moves#a/DET#0.0#0.0\n")
        (root / "train.txt").write_text("\n".join(names))
        return root

    def test_good(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(humanml3d.load(self.write(tmp_path, lambda x: x), "train")) == 12

    @pytest.mark.parametrize("kind", AXES)
    @pytest.mark.parametrize("on_error", ["raise", "skip"])
    def test_up(self, tmp_path, kind, on_error):
        with pytest.raises(DataError, match="heads are above feet along"):
            humanml3d.load(self.write(tmp_path, AXES[kind]), "train", on_error=on_error)

    def test_a_bad_clip_is_left_out(self, tmp_path):
        root, name = self.write(tmp_path, lambda x: x), clips()[1][4]
        np.save(root / "new_joints" / f"{name}.npy", clips()[0][4].numpy() * (-1, 1, 1))
        with pytest.raises(DataError, match=f"{name}: knees bend backwards"):
            humanml3d.load(root, "train")
        corpus = humanml3d.load(root, "train", on_error="skip")
        assert len(corpus) == 11 and name not in corpus.names
        assert [n for n, reason in corpus.skipped if "knees bend backwards" in reason] == [name]
