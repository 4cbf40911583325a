"""The Bandai-Namco motion capture: prepared arrays and published files, small ones made here, real as data tests."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import torch

from videomdm.config import profile
from videomdm.conventions import SPLITS, DataError
from videomdm.data import bandai, bandai_captions, bvh, observations
from videomdm.skeletons import SMPL22
from videomdm.train import observe

pytestmark = pytest.mark.slow

PARENTS = {
    "joint_Root": None, "Hips": "joint_Root", "Spine": "Hips", "Chest": "Spine", "Neck": "Chest", "Head": "Neck",
    "Shoulder_L": "Chest", "UpperArm_L": "Shoulder_L", "LowerArm_L": "UpperArm_L", "Hand_L": "LowerArm_L",
    "Shoulder_R": "Chest", "UpperArm_R": "Shoulder_R", "LowerArm_R": "UpperArm_R", "Hand_R": "LowerArm_R",
    "UpperLeg_L": "Hips", "LowerLeg_L": "UpperLeg_L", "Foot_L": "LowerLeg_L", "Toes_L": "Foot_L",
    "UpperLeg_R": "Hips", "LowerLeg_R": "UpperLeg_R", "Foot_R": "LowerLeg_R", "Toes_R": "Foot_R",
}  # fmt: skip
OFFSETS = {
    "Spine": (0, 10, 0), "Chest": (0, 9, 0), "Neck": (0, 16, 0), "Head": (0, 7, 0), "Shoulder": (5, 13, 0),
    "UpperArm": (6, 0, 0), "LowerArm": (24, 0, 0), "Hand": (22, 0, 0), "UpperLeg": (7, -2, 0),
    "LowerLeg": (0, -39, 0), "Foot": (0, -41, 0), "Toes": (0, -5, 11),
}  # fmt: skip


def motion_capture(frames: int = 90, fps: float = 30.0, heading: float = 40.0) -> bvh.BvhMotion:
    """A body that walks off with swinging limbs, on the joints of the published files, centimetres."""
    names = tuple(PARENTS)
    offsets = torch.zeros(len(names), 3, dtype=torch.float64)
    for j, name in enumerate(names):
        x, y, z = OFFSETS.get(name.partition("_")[0], (0, 0, 0))
        offsets[j] = torch.tensor([-x if name.endswith("_R") else x, y, z], dtype=torch.float64)
    time = torch.arange(frames, dtype=torch.float64)[:, None] / fps
    values = torch.zeros(frames, len(names), 6, dtype=torch.float64)
    values[:, :, :3] = offsets
    values[:, :, 3:] = 15 * torch.sin(2 * time[..., None] + torch.arange(len(names) * 3.0).reshape(-1, 3))
    values[:, 0, 3:] = 0
    values[:, 1] = torch.cat((50 + 30 * time, 0 * time + 95, 20 - 60 * time, 0 * time, 0 * time, 0 * time + heading), 1)
    channels = (("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation"),) * len(names)
    parents = tuple(-1 if PARENTS[name] is None else names.index(PARENTS[name]) for name in names)
    return bvh.BvhMotion(names, parents, offsets, channels, values.flatten(1), 1 / fps)


@pytest.fixture
def published(tmp_path):
    """Two usable files in train, one in a folder below, and one too short."""
    folder = tmp_path / "published"
    (folder / "below").mkdir(parents=True)
    bvh.write(folder / "dataset-1_walk-left_not-confident_001.bvh", motion_capture())
    bvh.write(folder / "below" / "dataset-2_bow_normal_012.bvh", motion_capture(61))
    bvh.write(folder / "dataset-1_dash_normal_001.bvh", motion_capture(40))
    return folder


@pytest.fixture
def prepared(tmp_path):
    """Three clips in the prepared form, one per split."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    lengths, names = (
        np.array([50, 40, 60], "i4"),
        ["bn1_bow_sad_001", "bn2_run_active_002", "bn1_walk_old_001_p1"],
    )
    joints = np.random.default_rng(0).normal(size=(150, 22, 3)).astype("f2")
    save(folder, joints=joints, offsets=np.array([0, 50, 90]), lengths=lengths, clip_ids=np.array(names))
    low = np.random.default_rng(1).integers(-100, 100, (150, 22, 2)).astype("i1")
    np.savez(folder / "motions_lo.npz", joints_lo_xz=low)
    with (folder / "meta.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["clip_id", "content", "style", "split"])
        table.writerows(zip(names, ["bow", "run", "walk"], ["sad", "active", "old"], SPLITS, strict=True))
    texts = {name: [f"caption {k} of {name}." for k in range(3)] for name in names}
    (folder / "texts.json").write_text(json.dumps(texts))
    return folder


def save(folder, **changes):
    path = folder / "motions.npz"
    arrays = dict(np.load(path)) if path.exists() else {}
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


class TestResample:
    def test_times(self):
        """A cubic is met exactly inside (Catmull-Rom midpoints are exact up to cubics); bones are one point here."""
        time = torch.arange(10.0, dtype=torch.float64)
        curve = (time**3 - 4 * time)[:, None, None].expand(-1, 22, 3)
        out = bandai.resample(curve)
        at = torch.arange(len(out), dtype=torch.float64) * 1.5
        assert len(out) == 7
        assert torch.allclose(out[1:6, 0, 0], (at**3 - 4 * at)[1:6])

    def test_ends_are_extrapolated_linearly(self):
        line = torch.arange(4.0, dtype=torch.float64)[:, None, None].expand(-1, 22, 3)
        assert torch.allclose(bandai.resample(line)[:, 0, 0], torch.tensor([0, 1.5, 3]).double())

    @pytest.mark.parametrize("frames, expected", [(1, 1), (2, 1), (3, 2), (4, 3), (60, 40), (59, 39), (331, 221)])
    def test_number_of_frames(self, frames, expected):
        assert len(bandai.resample(torch.zeros(frames, 22, 3))) == expected

    def test_bones_keep_their_lengths(self):
        joints = bandai.smpl_joints(motion_capture())
        out = bandai.resample(joints)
        for parent, child in SMPL22.bones:
            length = (joints[0, child] - joints[0, parent]).norm()
            assert torch.allclose((out[:, child] - out[:, parent]).norm(dim=-1), length, atol=1e-12)
        assert torch.allclose(out[::2], joints[::3], atol=1e-12)  # whole frames are kept


class TestDatasets:
    def test_each_has_its_clips_and_its_split(self, prepared):
        both = [bandai.load(prepared, split).names for split in SPLITS]
        assert both == [["bn1_bow_sad_001"], ["bn2_run_active_002"], ["bn1_walk_old_001_p1"]]
        assert bandai.load(prepared, dataset=1).names == ["bn1_bow_sad_001", "bn1_walk_old_001_p1"]
        assert bandai.load(prepared, "train", dataset=1).names == ["bn1_bow_sad_001"]
        assert bandai.load(prepared, "test", dataset=1).names == ["bn1_walk_old_001_p1"]
        assert bandai.load(prepared, "val", dataset=2).names == ["bn2_run_active_002"]  # as meta.csv has it
        with pytest.raises(DataError, match="no clip of dataset 2 in split 'test'"):
            bandai.load(prepared, "test", dataset=2)
        with pytest.raises(ValueError, match="dataset is 3, expected 1, 2 or None"):
            bandai.load(prepared, dataset=3)

    @pytest.mark.parametrize(
        ("name", "split"),
        [
            ("bn1_bow_sad_001", "train"), ("bn1_bow_proud_001", "test"), ("bn1_run_giant_001_p1", "val"),
            ("bn1_kick_normal_001_p0", "train"), ("bn1_kick_normal_001_p1", "test"), ("bn1_punch_normal_002", "test"),
        ],
    )  # fmt: skip
    def test_styles_are_held_out_and_takes_of_what_has_one_style(self, name, split):
        assert bandai.style_split(name) == split


class TestGround:
    def test_canonical(self):
        joints = bandai.ground(bandai.resample(bandai.smpl_joints(motion_capture(heading=140.0))))
        assert joints[0, 0, [0, 2]].abs().max() < 1e-9
        assert abs(joints[:, [7, 8, 10, 11], 1].min()) < 1e-9
        across = joints[0, 2] - joints[0, 1] + joints[0, 17] - joints[0, 16]
        assert abs(across[2]) < 1e-9 and across[0] < 0  # the right side at -X: facing +Z

    def test_a_knee_below_the_feet_does_not_count(self):
        joints = bandai.smpl_joints(motion_capture())
        joints[3, SMPL22.index("left_knee"), 1] = -1.0
        assert abs(bandai.ground(joints)[:, [7, 8, 10, 11], 1].min()) < 1e-9


class TestPublished:
    def test_load(self, published):
        corpus = bandai.load(published)
        assert corpus.names == ["bn2_bow_normal_012", "bn1_walk-left_not-confident_001"]
        assert corpus.actions == ["bow", "walk-left"]
        assert corpus.lengths.tolist() == [41, 60]
        assert corpus.captions[1][0] == "a person walks forward to the left timidly."
        assert corpus.captions[0][0] == "a person bows."
        ((name, reason),) = corpus.skipped
        assert name == "dataset-1_dash_normal_001.bvh" and "27 frames at 20 fps, expected at least 40" in reason

    def test_units_and_mapping(self):
        joints = bandai.smpl_joints(motion_capture(1))[0]
        assert joints[0].tolist() == pytest.approx([0.5, 0.95, 0.2])  # Hips, centimetres in the file
        assert torch.allclose(joints[3], 0.4 * joints[0] + 0.6 * joints[6])
        lengths = {
            "left_knee": 0.39,
            "right_wrist": 0.22,
            "spine2": 0.04,
            "spine1": 0.06,
            "left_collar": 194**0.5 / 100,
        }
        for name, length in lengths.items():
            j = SMPL22.index(name)
            assert (joints[j] - joints[SMPL22.parents[j]]).norm() == pytest.approx(length)

    def test_long_files_give_equal_pieces(self, tmp_path):
        bvh.write(tmp_path / "dataset-1_walk_proud_001.bvh", motion_capture(661))
        corpus = bandai.load(tmp_path)
        assert corpus.names == [f"bn1_walk_proud_001_p{k}" for k in range(3)]
        assert corpus.lengths.tolist() == [147, 147, 147]
        for i in range(3):
            assert corpus.clip(i)[0, 0, [0, 2]].abs().max() < 1e-6  # each in its own frame

    def test_splits_do_not_depend_on_other_files(self, published):
        whole = bandai.load(published).names
        parts = []
        for split in SPLITS:
            try:
                parts += bandai.load(published, split).names
            except DataError as error:
                assert "no usable clip" in str(error)
        assert sorted(parts) == sorted(whole)

    def test_hashed_split(self):
        stems = [f"dataset-2_walk_normal_{k:03}" for k in range(2000)]
        counts = {split: sum(bandai.hashed_split(s) == split for s in stems) for split in SPLITS}
        assert counts == pytest.approx({"train": 1600, "val": 200, "test": 200}, abs=45)
        assert bandai.hashed_split("dataset-1_bow_active_001") == "test"  # recorded: must never change

    @pytest.mark.data
    def test_published_files_give_the_prepared_arrays(self, data_root):
        raw, arrays = bandai.load(data_root / "bandai" / "raw"), bandai.load(data_root / "bandai")
        assert len(raw) == 22 and [name for name, _ in raw.skipped] == ["dataset-2_wave-left-hand_active_011.bvh"]
        where = {name: i for i, name in enumerate(arrays.names)}
        for i, name in enumerate(raw.names):
            ours, theirs = raw.clip(i), arrays.clip(where[name])
            assert ours.shape == theirs.shape
            assert (ours - theirs).abs().max() < 0.0005, name
            assert raw.actions[i] == arrays.actions[where[name]]


class TestPrepared:
    def test_splits(self, prepared):
        assert bandai.load(prepared, "train").names == ["bn1_bow_sad_001"]
        assert bandai.load(prepared, "test").names == ["bn1_walk_old_001_p1"]
        corpus = bandai.load(prepared)
        assert corpus.lengths.tolist() == [50, 40, 60] and corpus.actions == ["bow", "run", "walk"]
        assert corpus.captions[1][2] == "caption 2 of bn2_run_active_002."
        assert [bandai.style(name) for name in corpus.names] == ["sad", "active", "old"]

    def test_low_bits_refine_x_and_z(self, prepared):
        high = dict(np.load(prepared / "motions.npz"))["joints"][50:90].astype("f4")
        low = np.load(prepared / "motions_lo.npz")["joints_lo_xz"][50:90] / 32000
        corpus = bandai.load(prepared)
        assert np.allclose(corpus.clip(1)[..., [0, 2]], high[..., [0, 2]] + low, atol=1e-6)
        assert np.array_equal(corpus.clip(1)[..., 1], high[..., 1])
        (prepared / "motions_lo.npz").unlink()
        assert np.array_equal(bandai.load(prepared).clip(1), high)

    @pytest.mark.data
    def test_published_counts(self, data_root):
        counts = [len(bandai.load(data_root / "bandai", split)) for split in SPLITS]
        assert counts == [2140, 134, 395]


def test_captions_of_unknown_words():
    assert (
        bandai_captions.captions("moon-walk", "very-cool")[0] == "a person performs moon walk in the style very cool."
    )


class TestBadInput:
    def test_no_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"nowhere: no such folder; expected a folder with motions\.npz"):
            bandai.load(tmp_path / "nowhere")

    def test_empty_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"neither motions\.npz nor any \.bvh file; expected"):
            bandai.load(tmp_path)

    @pytest.mark.parametrize("arguments", [{"split": "dev"}, {"on_error": "ignore"}])
    def test_unknown_option(self, prepared, arguments):
        with pytest.raises(ValueError, match="dev|ignore"):
            bandai.load(prepared, **arguments)

    def test_style_of_a_foreign_name(self):
        with pytest.raises(ValueError, match="'000001' is no clip name"):
            bandai.style("000001")

    @pytest.mark.parametrize(
        "old, new, message",
        [
            (
                "JOINT Spine",
                "JOINT mixamorig_Spine",
                r"no joint Spine; it has joint_Root, Hips, mixamorig_Spine",
            ),
            ("MOTION", "MOVES", r"no MOTION section|does not belong"),
            (
                "Frame Time: 0.0333",
                "Frame Time: 0.0083",
                r"Frame Time is 0\.0083\d* s, expected 0\.0333333 \(30 fps\)",
            ),
            ("0.000000 0.000000", "nan 0.000000", r"OFFSET x is nan"),
        ],
    )
    def test_odd_bvh(self, published, old, new, message):
        path = published / "dataset-1_walk-left_not-confident_001.bvh"
        edit(path, old, new)
        with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + f"({message})"):
            bandai.load(published)
        corpus = bandai.load(published, on_error="skip")
        assert corpus.names == ["bn2_bow_normal_012"]
        assert {name for name, _ in corpus.skipped} == {path.name, "dataset-1_dash_normal_001.bvh"}

    def test_odd_file_name(self, published):
        shutil.copy(published / "dataset-1_dash_normal_001.bvh", published / "walk.bvh")
        with pytest.raises(DataError, match=r"walk\.bvh: file name, expected dataset-<1 or 2>_<content>"):
            bandai.load(published)

    @pytest.mark.parametrize(
        "frame, joint, value, message",
        [
            (55, 4, np.nan, r"bn2_run_active_002: left_knee at frame 5 is \[nan"),
            (60, 0, np.inf, r"bn2_run_active_002: pelvis at frame 10 is \[inf"),
            (70, 1, 900.0, r"bn2_run_active_002: a coordinate of 900, expected metres"),
        ],
    )
    def test_bad_joints(self, prepared, frame, joint, value, message):
        joints = np.load(prepared / "motions.npz")["joints"]
        joints[frame, joint] = value
        save(prepared, joints=joints)
        with pytest.raises(DataError, match=message):
            bandai.load(prepared)
        corpus = bandai.load(prepared, on_error="skip")
        assert corpus.names == ["bn1_bow_sad_001", "bn1_walk_old_001_p1"]
        assert [name for name, _ in corpus.skipped] == ["bn2_run_active_002"]

    @pytest.mark.parametrize(
        "changes, message",
        [
            (
                {"joints": np.zeros((150, 21, 3), "f2")},
                r"joints have shape \(150, 21, 3\), expected \(frames, 22, 3\)",
            ),
            ({"lengths": np.array([50, 30, 60])}, r"bn2_run_active_002: 30 frames, expected at least 40"),
            ({"lengths": np.array([50, 40, 61])}, r"point outside the 150 frames"),
            ({"lengths": np.array([50, 40])}, r"3 offsets, 2 lengths and 3 different clip_ids"),
            ({"clip_ids": np.array(["a", "a", "b"])}, r"3 lengths and 2 different clip_ids"),
            ({"clip_ids": np.array(["x", "y", "z"], dtype=object)}, r"motions\.npz: cannot be read .*pickle"),
            (
                {"offsets": None},
                r"motions\.npz: no array offsets, expected joints, offsets, lengths, clip_ids",
            ),
        ],
    )
    def test_bad_arrays(self, prepared, changes, message):
        save(prepared, **changes)
        with pytest.raises(DataError, match=message):
            bandai.load(prepared)

    def test_no_npz(self, prepared):
        (prepared / "motions.npz").write_bytes(b"PK not really")
        with pytest.raises(DataError, match=r"motions\.npz: cannot be read"):
            bandai.load(prepared)

    def test_low_bits_of_another_file(self, prepared):
        np.savez(prepared / "motions_lo.npz", joints_lo_xz=np.zeros((149, 22, 2), "i1"))
        with pytest.raises(DataError, match=r"motions_lo\.npz: joints_lo_xz has shape \(149, 22, 2\)"):
            bandai.load(prepared)

    def test_caption_without_a_motion(self, prepared):
        edit(prepared / "texts.json", "{", '{"bn1_kick_sad_001": ["kicks."], ')
        with pytest.raises(DataError, match=r"bn1_kick_sad_001 is missing from motions\.npz"):
            bandai.load(prepared)

    def test_motion_without_a_caption(self, prepared):
        edit(prepared / "texts.json", 'bn1_bow_sad_001":', 'bn1_bow_mad_001":')
        with pytest.raises(DataError, match=r"bn1_bow_mad_001 is missing from motions\.npz"):
            bandai.load(prepared)

    def test_motion_with_no_captions(self, prepared):
        (prepared / "texts.json").write_text(
            json.dumps({"bn1_bow_sad_001": [" "], "bn2_run_active_002": ["runs."], "bn1_walk_old_001_p1": ["walks."]})
        )
        with pytest.raises(DataError, match=r"texts\.json: bn1_bow_sad_001 has no caption"):
            bandai.load(prepared)

    @pytest.mark.parametrize("text", ["", "[1, 2]", '{"a": "b"}'])
    def test_broken_texts(self, prepared, text):
        (prepared / "texts.json").write_text(text)
        with pytest.raises(DataError, match=r"texts\.json: .*expected .*JSON"):
            bandai.load(prepared)

    def test_missing_meta(self, prepared):
        (prepared / "meta.csv").unlink()
        with pytest.raises(DataError, match=r"meta\.csv: cannot be read"):
            bandai.load(prepared)

    def test_unknown_split_in_meta(self, prepared):
        edit(prepared / "meta.csv", ",val", ",valid")
        with pytest.raises(DataError, match=r"meta\.csv, line 3: expected columns clip_id, content, and split"):
            bandai.load(prepared)

    def test_clip_missing_from_meta(self, prepared):
        edit(prepared / "meta.csv", "bn2_run", "bn2_ran")
        with pytest.raises(DataError, match=r"bn2_r.n_active_002 is missing from"):
            bandai.load(prepared)


def test_mean_squared_depth_is_what_the_ablation_raises_its_lambdas_by(data_root):
    """``videomdm/no-depth-raised`` in :mod:`videomdm.config`."""
    config = profile("study", data="bandai", data_root=str(data_root / "bandai"), method="videomdm/no-depth-raised")
    corpus = observe.load(config, "train")
    depth = observations.film(corpus).camera.project(corpus.joints)[1].flatten(2)
    inside = torch.arange(depth.shape[1]) < corpus.lengths[:, None]
    raised = config.recipe.weights["velocity"] / config.optimiser.weights.velocity
    assert depth[inside].square().mean() == pytest.approx(raised, abs=1)
