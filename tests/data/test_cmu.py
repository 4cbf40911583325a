"""``prepare-cmu``: which clips, and the whole way on small folders; on the published samples against recorded clips."""

import csv
import dataclasses
import json
import zipfile
from pathlib import Path

import cmu_files
import numpy as np
import pytest
import torch

from videomdm import features
from videomdm.command import main
from videomdm.conventions import SPLITS, DataError
from videomdm.data import bvh, cmu, cmu_bodies, cmu_trials, humanml3d
from videomdm.data import humanml3d_layout as layout
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import bone_vectors

pytestmark = pytest.mark.slow

WALK = "a person walks left#a/DET person/NOUN walk/VERB left/ADV#0.0#0.0\n"


def row(name, start, end, split="train", text=WALK):
    return cmu_trials.Row(name, start, end, split, text, text)


def trial(*rows, name="01_01", description="walk"):
    return cmu_trials.Trial(name, (), None, rows, description)


def spans(cuts):
    return [(cut.name, cut.start, cut.end, cut.split, cut.captions_by) for cut in cuts]


class TestTrials:
    @pytest.mark.parametrize(
        ("stem", "name"),
        [("02_01", "02_01"), ("2_1", "02_01"), ("143_32_cgspeed", "143_32"), ("02_01_motionbuilder", "02_01"),
         ("walk_02_01", None), ("readme", None), ("2009_01", None), ("02_2009", None)],
    )  # fmt: skip
    def test_files(self, stem, name):
        assert cmu_trials.trial_name(stem) == name

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("./pose_data/CMU/02/02_04_poses.npy", "02_04"),
            ("./pose_data/CMU/144/144_08_poses.npy", "144_08"),
            ("./pose_data/CMU/18_19_Justin/18_08_poses.npy", "18_08"),
            ("./pose_data/CMU/18_19_rory/18_08_poses.npy", "19_08"),
            ("./pose_data/CMU/20_21_rory1/20_03_poses.npy", "21_03"),
            ("./pose_data/CMU/22_23_justin/22_04_poses.npy", "22_04"),
            ("./pose_data/KIT/3/kick_high_left02_poses.npy", None),
        ],
    )
    def test_sources_in_amass(self, source, name):
        assert cmu_trials.trial_of(source) == name

    def test_capture_rate(self):
        rates = {name: trial(name=name).capture_rate for name in ("01_01", "60_10", "89_03", "136_18", "136_19")}
        assert rates == {"01_01": 120, "60_10": 60, "89_03": 60, "136_18": 120, "136_19": 60}


class TestPlan:
    def test_rows_and_what_lies_between(self):
        cuts, dropped = cmu_trials.plan(trial(row("000002", 300, 500, "test"), row("000001", 10, 110)), 900)
        assert spans(cuts) == [
            ("000002", 300, 500, "test", "HumanML3D"),
            ("000001", 10, 110, "train", "HumanML3D"),
            ("cmu_01_01_0", 110, 300, "test", "CMU"),  # frames 0..10 are too few; test, as one row of the trial is
            ("cmu_01_01_1", 500, 633, "test", "CMU"),  # 400 frames: three pieces of at most 196
            ("cmu_01_01_2", 633, 766, "test", "CMU"),
            ("cmu_01_01_3", 766, 900, "test", "CMU"),
        ]
        assert dropped == []

    def test_without_a_description_only_rows(self):
        cuts, dropped = cmu_trials.plan(trial(row("000001", 10, 110), description=None), 900)
        assert spans(cuts) == [("000001", 10, 110, "train", "HumanML3D")] and dropped == []

    def test_what_cannot_be_made_is_said(self):
        rows = (row("a", 0, 301), row("b", 0, 39), row("c", 0, 50, None), row("d", 0, 50, text=None))
        cuts, dropped = cmu_trials.plan(trial(*rows, description=None), 300)
        assert cuts == []
        assert dropped == [
            ("a", "ends at frame 301, the file has 300 at 20 fps (captured at 120)"),
            ("b", "under 40 frames"),
            ("c", "in no split file"),
            ("d", "no captions"),
        ]

    def test_a_description_takes_the_place_of_captions(self):
        (cut, *_), dropped = cmu_trials.plan(trial(row("d", 0, 50, text=None), description="left turn, clockwise"), 50)
        assert dropped == [] and cut.captions_by == "CMU"
        tokens = "a/OTHER person/OTHER performs/OTHER"
        assert cut.text == (
            f"a person performs: left turn, clockwise#{tokens} left/OTHER turn/OTHER clockwise/OTHER#0.0#0.0\n"
        )
        assert cut.mirrored_text.startswith("a person performs: right turn, counterclockwise#")

    @pytest.mark.parametrize(
        ("said", "mirrored"),
        [
            ("FeintLeftMoveRight", "FeintRightMoveLeft"),
            ("Left_Lunges", "Right_Lunges"),
            ("RightDrive (left then right)", "LeftDrive (right then left)"),
            ("turn counter-clockwise, lefty upright", "turn clockwise, lefty upright"),
            ("AttitudeWalkRightAngleTurns at a right angle", "AttitudeWalkRightAngleTurns at a right angle"),
        ],
    )
    def test_sides_are_exchanged_wherever_a_description_names_them(self, said, mirrored):
        (cut, *_), _ = cmu_trials.plan(trial(row("d", 0, 50, text=None), description=said), 50)
        assert cut.mirrored_text.split("#")[0] == f"a person performs: {mirrored}"

    @pytest.mark.parametrize(("name", "split"), [("01_04", "train"), ("01_12", "val"), ("01_13", "test")])
    def test_trials_without_rows_are_split_by_name(self, name, split):
        cuts, _ = cmu_trials.plan(trial(name=name), 400)
        assert len(cuts) == 3 and {cut.split for cut in cuts} == {split}


# ---- the whole way, on a small folder --------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Trials of CMU (01_01 as ASF/AMC and BVH, 01_02 as BVH alone, 60_01 on Daz's figure) and HumanML3D's files."""
    root = tmp_path_factory.mktemp("inputs")
    motions, humanml3d = root / "motions", root / "HumanML3D"
    (motions / "subjects" / "01").mkdir(parents=True)
    cmu_files.write_asf(motions / "subjects" / "01" / "01.asf")
    cmu_files.write_amc(motions / "subjects" / "01" / "01_01.amc", cmu_files.motion(300))
    cmu_files.write_motionbuilder(motions / "01_01.bvh", cmu_files.motion(300, seed=9))
    cmu_files.write_motionbuilder(motions / "01_02.bvh", cmu_files.motion(1206, seed=1))
    cmu_files.write_daz(motions / "60_01.bvh", 60 * 4)
    (motions / "readme.txt").write_text("not a motion")
    rows = [
        ("CMU/01/01_01", 0, 50, "000007"), ("CMU/01/01_02", 1, 201, "000003"), ("CMU/60/60_01", 20, 80, "000009"),
        ("CMU/60/60_01", 70, 90, "000010"), ("CMU/99/99_01", 0, 60, "000011"), ("KIT/3/kick", 0, 60, "000001"),
    ]  # fmt: skip
    humanml3d.mkdir()
    table = [f"./pose_data/{source}_poses.npy,{start},{end},{name}.npy" for source, start, end, name in rows]
    (root / "index.csv").write_text("\n".join(["source_path,start_frame,end_frame,new_name", *table]))
    splits = {"train": ["000007", "000001"], "val": ["000003"], "test": ["000009", "000010", "000011"]}
    for split, names in splits.items():
        (humanml3d / f"{split}.txt").write_text("".join(f"{name}\nM{name}\n" for name in names))
    with zipfile.ZipFile(humanml3d / "texts.zip", "w") as archive:
        for *_, name in rows:
            archive.writestr(f"texts/{name}.txt", WALK)
            archive.writestr(f"texts/M{name}.txt", WALK.replace("left", "right"))
    return motions, root


@pytest.fixture(scope="module")
def prepared(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, cmu.prepare(*inputs, out, workers=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestPrepare:
    def test_official_names_splits_and_twins(self, prepared):
        out, _ = prepared
        assert [(out / f"{split}.txt").read_text().split() for split in SPLITS] == [
            ["000007", "M000007"], ["000003", "M000003"], ["000009", "M000009"]
        ]  # fmt: skip
        assert (out / "texts/000003.txt").read_text() == WALK
        assert (out / "texts/M000003.txt").read_text() == WALK.replace("left", "right")

    def test_report(self, prepared):
        out, report = prepared
        assert report["rows"] == {"in_index": 5, "written": 3}
        assert report["clips"] == 3 and report["skeletons"] == {"asf": 1, "motionbuilder": 1, "daz": 1}
        assert report["dropped"] == [("000010", "ends at frame 90, the file has 80 at 20 fps (captured at 60)")]
        assert report["missing_trials"] == {"99_01": ["000011"]}
        assert json.loads((out / "report.json").read_text())["minutes"] == round((50 + 199 + 60) / 1200, 2)

    def test_motions_are_the_files_own(self, inputs, prepared):
        """ASF/AMC wins over a BVH of the same trial; every sixth frame; canonical, as HumanML3D's are."""
        motions, _ = inputs
        joints, _ = cmu_bodies.read(motions / "subjects/01/01_01.amc", motions / "subjects/01/01.asf")
        expected = features.canonicalise(joints[::6][:50])
        written = np.load(prepared[0] / "new_joints/000007.npy")
        assert written.dtype == np.float32 and written.shape == (50, 22, 3)
        assert np.abs(written - expected.numpy()).max() < 1e-6
        assert written[..., 1].min() == 0 and abs(written[0, 0, [0, 2]]).max() == 0

    def test_a_resampled_file_keeps_its_speed(self, inputs, prepared, tmp_path):
        source = bvh.read(inputs[0] / "01_02.bvh")
        half = dataclasses.replace(source, values=source.values[1::2], frame_time=0.016667)
        (tmp_path / "m").mkdir()
        bvh.write(tmp_path / "m/01_02.bvh", half)
        cmu.prepare(tmp_path / "m", inputs[1], tmp_path / "out", workers=1)
        resampled, whole = (np.load(out / "new_joints/000003.npy") for out in (tmp_path / "out", prepared[0]))
        assert resampled.shape == whole.shape and np.abs(resampled - whole).max() < 1e-5

    def test_a_file_at_another_rate_is_left_out_and_said(self, inputs, tmp_path):
        (tmp_path / "m").mkdir()
        odd = dataclasses.replace(bvh.read(inputs[0] / "01_01.bvh"), frame_time=1 / 30)
        bvh.write(tmp_path / "m/01_01.bvh", odd)
        (tmp_path / "m/60_01.bvh").write_bytes((inputs[0] / "60_01.bvh").read_bytes())
        reasons = dict(cmu.prepare(tmp_path / "m", inputs[1], tmp_path / "out", workers=1)["dropped"])
        assert "is 30 frames per second, expected a multiple of 20" in reasons["01_01.bvh"] and "000007" in reasons

    def test_rows_of_200_frames_keep_199(self, prepared):
        assert np.load(prepared[0] / "new_joints/000003.npy").shape == (199, 22, 3)

    def test_twins_are_mirror_images(self, prepared):
        folder = prepared[0] / "new_joints"
        one, twin = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("000007", "M000007"))
        assert torch.allclose(cmu.mirror(one), twin, atol=1e-6)
        assert not torch.allclose(one, twin, atol=0.01)

    def test_features_and_their_statistics(self, prepared):
        out, _ = prepared
        names = [name for split in SPLITS for name in (out / f"{split}.txt").read_text().split()]
        vectors = [np.load(out / f"new_joint_vecs/{name}.npy") for name in names]
        joints = torch.from_numpy(np.load(out / "new_joints/000007.npy"))
        assert np.abs(vectors[0] - features.encode(joints).numpy()).max() < 1e-3
        mean, std = humanml3d.statistics(out)
        rows = np.concatenate(vectors).astype(np.float64)
        assert np.abs(mean.numpy() - rows.mean(0)).max() < 1e-5
        positions = features.blocks(22)["joint_positions"]
        assert np.allclose(std[positions], rows.std(0, ddof=1)[positions].mean(), rtol=1e-5)

    def test_the_package_reads_it(self, prepared):
        corpus = humanml3d.load(prepared[0])
        assert corpus.names == ["000007", "M000007", "000003", "M000003", "000009", "M000009"]
        assert corpus.captions[1] == ("a person walks right",)
        assert humanml3d.tagged(prepared[0], "val")["a person walks left"][2] == "walk/VERB"

    def test_pieces_by_description(self, inputs, tmp_path):
        (tmp_path / "trials.csv").write_text("Subject,Trial #,Motion Description\n1,2,hop  left\n60,1,\n1,1,walk\n")
        report = cmu.prepare(*inputs, tmp_path / "out", tmp_path / "trials.csv", workers=1)
        assert report["clips"] == 3 and report["captions_by"] == {"HumanML3D": 3}  # all gaps are under 40 frames
        cmu_files.write_motionbuilder(tmp_path / "01_02.bvh", cmu_files.motion(1700, seed=1))
        report = cmu.prepare(tmp_path, inputs[1], tmp_path / "out2", tmp_path / "trials.csv", workers=1)
        table = list(csv.DictReader((tmp_path / "out2/index.csv").open()))
        assert [(line["name"], line["split"], line["start_frame"], line["end_frame"]) for line in table[::2]] == [
            ("000003", "val", "1", "201"), ("cmu_01_02_0", "val", "201", "284")
        ]  # fmt: skip
        assert (tmp_path / "out2/texts/Mcmu_01_02_0.txt").read_text().startswith("a person performs: hop right#")

    def test_one_body(self, inputs, tmp_path):
        motions, humanml3d_folder = inputs
        example = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 22, 3)))
        layout.write_array(humanml3d_folder / "new_joints/012314.npy", example)
        cmu.prepare(motions, humanml3d_folder, tmp_path, body="humanml3d", workers=1)
        expected = bone_vectors(example[0], SMPL22).norm(dim=-1).float()
        for name in ("000007", "M000003", "000009"):
            joints = torch.from_numpy(np.load(tmp_path / f"new_joints/{name}.npy"))
            assert torch.allclose(bone_vectors(joints, SMPL22).norm(dim=-1), expected, atol=1e-4)

    def test_two_processes_write_the_same(self, inputs, prepared, tmp_path):
        cmu.prepare(*inputs, tmp_path, workers=2)
        assert {k: v for k, v in contents(tmp_path).items() if k != "trials.jsonl"} == {
            k: v for k, v in contents(prepared[0]).items() if k != "trials.jsonl"
        }


class TestInterrupted:
    def test_the_rest_is_done_and_the_same_comes_out(self, inputs, prepared, tmp_path, monkeypatch):
        convert, seen = cmu.convert, []

        def stops_in_the_second(trial, **given):
            seen.append(trial.name)
            if len(seen) == 2:
                raise KeyboardInterrupt
            return convert(trial, **given)

        monkeypatch.setattr(cmu, "convert", stops_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            cmu.prepare(*inputs, tmp_path, workers=1)
        with (tmp_path / "trials.jsonl").open("a") as journal:
            journal.write('{"trial": "01_0')  # killed while it wrote
        assert seen == ["01_01", "01_02"] and not (tmp_path / "train.txt").exists()
        cmu.prepare(*inputs, tmp_path, workers=1)
        assert seen[2:] == ["01_02", "60_01"]
        ours, whole = contents(tmp_path), contents(prepared[0])
        assert ours.keys() == whole.keys()
        assert all(ours[name] == whole[name] for name in whole if name != "trials.jsonl")

    def test_only_what_changed_is_made_again(self, inputs, prepared, tmp_path, monkeypatch):
        motions, root = inputs
        copies = tmp_path / "motions"
        copies.mkdir()
        for path in motions.glob("*.bvh"):
            (copies / path.name).write_bytes(path.read_bytes())
        cmu.prepare(copies, root, tmp_path / "out", workers=1)
        convert, seen = cmu.convert, []
        monkeypatch.setattr(cmu, "convert", lambda trial, **given: seen.append(trial.name) or convert(trial, **given))
        cmu.prepare(copies, root, tmp_path / "out", workers=1)
        assert seen == []
        cmu_files.write_daz(copies / "60_01.bvh", 60 * 5)
        (tmp_path / "out/new_joints/000007.npy").unlink()
        cmu.prepare(copies, root, tmp_path / "out", workers=1)
        assert seen == ["01_01", "60_01"]


class TestBadFiles:
    def test_a_broken_file_is_left_out_and_said(self, inputs, tmp_path):
        motions, root = inputs
        (tmp_path / "m").mkdir()
        (tmp_path / "m/01_01.bvh").write_text("HIERARCHY\n")
        (tmp_path / "m/60_01.bvh").write_bytes((motions / "60_01.bvh").read_bytes())
        report = cmu.prepare(tmp_path / "m", root, tmp_path / "out", workers=1)
        reasons = dict(report["dropped"])
        assert "no MOTION" in reasons["01_01.bvh"] and reasons["000007"] == "no file of trial 01_01 can be read"
        assert report["rows"] == {"in_index": 5, "written": 1}  # and each other row is accounted for
        assert sorted(reasons) == ["000007", "000010", "01_01.bvh"]
        assert report["missing_trials"] == {"01_02": ["000003"], "99_01": ["000011"]}

    def test_the_next_kind_of_file_takes_its_place(self, inputs, tmp_path):
        motions, root = inputs
        for path in (motions / "subjects/01/01.asf", motions / "01_01.bvh"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "01_01.amc").write_text(":DEGREES\n1\nroot 0 0 0\n")
        report = cmu.prepare(tmp_path, root, tmp_path / "out", workers=1)
        assert report["skeletons"] == {"motionbuilder": 1}
        assert [name for name, _ in report["dropped"]] == ["01_01.amc"]

    def test_jumps(self, inputs, tmp_path):
        values = cmu_files.motion(300)
        values["root"][150:, 0] += 20  # 1.1 m from one frame to the next
        cmu_files.write_motionbuilder(tmp_path / "01_01.bvh", values)
        with pytest.raises(DataError, match=r"no clip could be made.*000007: a joint moves at \d\d m/s, expected at"):
            cmu.prepare(tmp_path, inputs[1], tmp_path / "out", workers=1)

    def test_folders(self, inputs, tmp_path):
        motions, root = inputs
        with pytest.raises(DataError, match=r"gone: no such folder"):
            cmu.prepare(tmp_path / "gone", root, tmp_path / "out")
        with pytest.raises(DataError, match=r"HumanML3D: no \.amc or \.bvh file that is named after a trial"):
            cmu.prepare(root / "HumanML3D", root, tmp_path / "out")
        with pytest.raises(DataError, match=r"no index\.csv, there or in HumanML3D; expected a copy"):
            cmu.prepare(motions, tmp_path, tmp_path / "out")
        with pytest.raises(DataError, match="is a folder that is read"):
            cmu.prepare(motions, root, root / "HumanML3D")
        with pytest.raises(ValueError, match="body is 'smpl'"):
            cmu.prepare(motions, root, tmp_path / "out", body="smpl")
        assert not (tmp_path / "out").exists()

    def test_table_of_trials(self, inputs, tmp_path):
        (tmp_path / "trials.csv").write_text("subject,what\n1,walk\n")
        with pytest.raises(DataError, match=r"trials\.csv: 'Motion Description', expected a table with the columns"):
            cmu.prepare(*inputs, tmp_path / "out", tmp_path / "trials.csv")

    @pytest.mark.parametrize(
        ("text", "message"),
        [("a,b\n1,2\n", "columns a, b, expected source_path"),
         ("source_path,start_frame,end_frame,new_name\nx,0,,y\n", r"index\.csv, line 2: .* expected source_path")],
    )  # fmt: skip
    def test_index(self, tmp_path, text, message):
        (tmp_path / "index.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            layout.read_index(tmp_path)

    def test_archive_of_captions(self, tmp_path):
        (tmp_path / "texts.zip").write_text("no archive")
        with pytest.raises(DataError, match=r"texts\.zip: cannot be read"):
            layout.read_texts(tmp_path, ["000001"])


class TestCommand:
    def test_says_what_came_of_it(self, inputs, tmp_path, capsys):
        motions, root = inputs
        (tmp_path / "60_01.bvh").write_bytes((motions / "60_01.bvh").read_bytes())
        folders = ["--motions", str(tmp_path), "--humanml3d", str(root), "--out", str(tmp_path / "out")]
        assert main(["prepare-cmu", *folders]) == 0
        said = capsys.readouterr().out
        assert "1 clips and their mirror images, 0.1 minutes (0 train, 0 val, 1 test)" in said
        assert "1 of the 5 rows that HumanML3D took from CMU" in said
        assert "missing: 3 rows of 3 trials without a file: 01_01, 01_02, 99_01" in said
        assert "dropped: 1, ends at frame N, the file has N at N fps (captured at N)" in said

    def test_errors_end_it(self, inputs, tmp_path, capsys):
        folders = ["--motions", str(tmp_path / "x"), "--humanml3d", str(inputs[1]), "--out", str(tmp_path / "out")]
        assert main(["prepare-cmu", *folders]) == 2
        assert "no such folder" in capsys.readouterr().err


# ---- the published files ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(data_root):
    """The recorded set: its folder, and the lines of its index without mirror images, by trial."""
    folder = data_root / "cmu"
    by_trial = {}
    for line in csv.DictReader((folder / "index.csv").open()):
        if not line["name"].startswith("M"):
            by_trial.setdefault(line["trial"], []).append(line)
    return folder, by_trial


@pytest.fixture(scope="module")
def repository(recorded, tmp_path_factory):
    """HumanML3D's files as far as they are there: the whole index, the splits and captions of the recorded clips."""
    folder, _ = recorded
    root = tmp_path_factory.mktemp("repository")
    (root / "index.csv").write_bytes((folder / "humanml3d_index.csv").read_bytes())
    for split in SPLITS:
        (root / f"{split}.txt").write_bytes((folder / f"{split}.txt").read_bytes())
    (root / "texts").symlink_to(folder / "texts")
    return root


@pytest.mark.data
class TestPublished:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("*", ["007256", "007923", "012181", "013022", "cmu_60_10_0"]),
            ("*_motionbuilder.bvh", ["007923", "012181"]),
        ],
    )
    def test_raw_samples_give_the_recorded_clips(self, recorded, repository, tmp_path, pattern, names):
        folder, by_trial = recorded
        (tmp_path / "motions").mkdir()
        for path in (folder / "raw").glob(pattern):
            (tmp_path / "motions" / path.name).symlink_to(path)
        out = tmp_path / "out"
        cmu.prepare(tmp_path / "motions", repository, out, folder / "cmu_trials.csv", workers=1)
        written = {line["name"]: line for line in csv.DictReader((out / "index.csv").open())}
        assert sorted(written) == sorted([*names, *(f"M{name}" for name in names)])
        recorded_lines = (line for lines in by_trial.values() for line in lines)
        apart = {}  # metres
        for line in (line for line in recorded_lines if line["name"] in names):
            same = ("name", "split", "trial", "start_frame", "end_frame", "frames")
            assert {key: written[line["name"]][key] for key in same} == {key: line[key] for key in same}
            for name in (line["name"], "M" + line["name"]):
                ours, theirs = (np.load(place / f"new_joints/{name}.npy") for place in (out, folder))
                assert ours.shape == theirs.shape
                apart[name] = float(np.linalg.norm(ours - theirs, axis=-1).max())
        print(f"{pattern}: joints at most {1000 * max(apart.values()):.2f} mm from the recorded ones")  # pytest -rP
        assert max(apart.values()) < (0.005 if pattern != "*" else 0.0005)  # recorded to 0.25 mm per axis

    def test_rows_pieces_and_splits_of_all_recorded_trials(self, recorded, repository):
        """From the index alone, given only how long each trial is."""
        _, by_trial = recorded
        rows = cmu_trials.read_rows(repository)
        for name, lines in by_trial.items():
            own = cmu_trials.Trial(name, (), None, tuple(rows.get(name, ())), "walk")
            cuts, dropped = cmu_trials.plan(own, max(int(line["end_frame"]) for line in lines))
            expected = {(x["name"], int(x["start_frame"]), int(x["end_frame"]), x["split"]) for x in lines}
            assert {(cut.name, cut.start, cut.end, cut.split) for cut in cuts} == expected
            assert [entry[0] for entry in dropped] == (["012420"] if name == "26_01" else [])
        assert len(by_trial) == 192 and sum(map(len, by_trial.values())) == 367
        print("192 trials: the names, frames and splits of all 367 clips are the recorded ones")

    def test_recorded_clips_are_canonical_and_pass_the_checks(self, recorded):
        """What follows the reading leaves all 367 recorded clips as they are, up to their rounding to 0.5 mm."""
        folder, by_trial = recorded
        for line in (line for lines in by_trial.values() for line in lines):
            joints = torch.from_numpy(np.load(folder / f"new_joints/{line['name']}.npy"))
            assert cmu.fault(joints) is None
            rotation, origin = features.canonical_frame(joints)
            assert origin.abs().max() < 1e-6 and (rotation - torch.eye(3)).abs().max() < 0.002
            twin = torch.from_numpy(np.load(folder / f"new_joints/M{line['name']}.npy"))
            assert torch.equal(cmu.mirror(joints), twin)

    def test_share_of_humanml3d(self, repository):
        index = layout.read_index(repository)
        own = [row for row in index if cmu_trials.trial_of(row.source)]
        assert (len(index), len(own)) == (14616, 2913)
        assert sum(row.end - row.start for row in own) / 20 / 3600 == pytest.approx(6.44, abs=0.01)

    def test_capture_rates_are_those_of_cmus_index(self, recorded):
        for line in csv.DictReader((recorded[0] / "cmu_trials.csv").open()):
            name = cmu_trials.trial_name(f"{line['Subject']}_{line['Trial #']}")
            if line["framerate"]:
                assert dataclasses.replace(trial(), name=name).capture_rate == int(line["framerate"]), name
