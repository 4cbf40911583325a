"""Fit3D as training clips: three subjects made here from built-in motions."""

import json

import numpy as np
import pytest
import torch
from fit3d_files import SAME, TO_Z_UP, camera_json, write

from videomdm import cameras, train
from videomdm.config import PROFILES
from videomdm.conventions import DataError
from videomdm.data import fit3d, fit3d_clips, procedural, sources
from videomdm.data.fit3d import FIT3D25
from videomdm.skeletons import SMPL22
from videomdm.study import table2
from videomdm.train import observe

pytestmark = pytest.mark.slow

CAMERAS = {"50591643": cameras.orbit(0.4, 0.15, (0.0, 0.9, 0.0), 4.0),
           "65906101": cameras.orbit(2.0, 0.10, (0.0, 0.9, 0.0), 4.5)}  # fmt: skip
EXERCISES = ("squat", "w_raise")


@pytest.fixture(scope="module")
def motions():
    """Exercise -> (T, 25, 3) at 50 frames per second, Y up."""
    made = {}
    for seed, exercise in enumerate(EXERCISES):
        corpus = procedural.generate(3, seed=seed, max_frames=60)
        smooth = torch.cat([corpus.clip(i) for i in range(3)])[
            :, [SMPL22.index(SAME.get(j, j)) for j in FIT3D25.joints]
        ]
        made[exercise] = fit3d_clips.joints_at(smooth, torch.arange(0, len(smooth) - 1, 0.4))
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory, motions):
    root = tmp_path_factory.mktemp("fit3d")
    for subject in ("s03", "s04", "s05"):
        for exercise, x in motions.items():
            folder = root / "train" / subject
            for name, camera in CAMERAS.items():
                write(folder / "camera_parameters" / name / f"{exercise}.json", camera_json(camera))
            write(folder / "joints3d_25" / f"{exercise}.json", {"joints3d_25": (x @ TO_Z_UP.T).tolist()})
            for name, camera in CAMERAS.items():
                see(root, subject, name, exercise, camera, fit3d_clips.smpl22(x))
    return root


def see(root, subject, name, exercise, camera, joints):
    sequence = fit3d.Sequence(root, "train", subject, name, exercise)
    pixels = sequence.calibration()[1].to_pixels(camera.project(joints)[0])
    path = root / "keypoints" / subject / name / f"{exercise}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, keypoints=pixels.numpy(), confidence=np.ones(pixels.shape[:2], "f4"))


@pytest.fixture
def config(root, tmp_path):
    return train.profile(
        "smoke", data="fit3d", data_root=str(root), runs=str(tmp_path), root_path="network", n_clips=40
    )


def test_feet_are_nearer_than_the_toes(motions):
    x = motions["squat"]
    own = fit3d_clips.smpl22(x)
    foot, ankle = (own[:, SMPL22.index(f"left_{part}")] for part in ("foot", "ankle"))
    toes = x[:, [FIT3D25.index(f"left_toe_{part}") for part in ("inner", "outer")]].mean(1)
    assert torch.allclose(foot - ankle, 0.7 * (toes - ankle), atol=1e-5)
    assert torch.equal(own[:, SMPL22.index("left_wrist")], x[:, FIT3D25.index("left_wrist")])


def test_one_camera_per_exercise_the_same_every_time(root):
    chosen = fit3d_clips.chosen(root)
    assert len(chosen) == len({(s.subject, s.exercise) for s in chosen}) == 6
    assert chosen == fit3d_clips.chosen(root) and {s.camera for s in chosen} == set(CAMERAS)


def test_splits_are_subjects_and_captions_are_exercises(root):
    names = {split: {name[:3] for name in sources.load("fit3d", root, split, 48).names} for split in ("train", "test")}
    assert names == {"train": {"s03"}, "test": {"s05"}}
    corpus = sources.load("fit3d", root, "train", 48)
    assert set(corpus.actions) == set(EXERCISES) and corpus.fps == 20
    assert corpus.captions[corpus.actions.index("squat")] == fit3d.captions("squat")


@pytest.mark.parametrize("max_frames", [48, 196])
def test_true_cameras_see_the_truth_at_the_keypoints(config, max_frames):
    """Clips, cuts, time, lens, world and canonical frame agree: only smoothing lies between."""
    config = config.but(max_frames=max_frames)
    corpus = observe.load(config, "train")
    seen = observe.observe(config, corpus, "truth")
    assert seen.names == corpus.names and torch.equal(seen.lengths, corpus.lengths)
    inside = torch.arange(corpus.joints.shape[1]) < corpus.lengths[:, None]
    off = (seen.camera.project(corpus.joints)[0] - seen.keypoints).norm(dim=-1)[inside]
    size = (seen.keypoints - seen.keypoints[:, :, :1]).norm(dim=-1)[inside].mean()
    assert (
        off.median() < 0.01 * size and off.quantile(0.95) < 0.2 * size
    )  # jumps between the joined motions are smoothed
    assert (seen.teacher - corpus.joints).norm(dim=-1)[inside].mean() > 0.03  # the teacher is no truth


def test_training_reads_the_truth_for_nothing_but_the_true_frame(config, root, motions, monkeypatch):
    """With the truth moved elsewhere, what a prior without true cameras sees stays the same."""

    def observed(frame):
        return observe.observe(config, observe.load(config, "train"), frame)

    before = {frame: observed(frame) for frame in ("pnp", "teacher", "truth")}
    fit3d_clips._clips.cache_clear()
    turn = torch.tensor([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    monkeypatch.setattr(fit3d.Sequence, "joints", lambda self: 0.9 * motions[self.exercise] @ turn.T)
    after = {frame: observed(frame) for frame in before}
    fit3d_clips._clips.cache_clear()
    for frame in ("pnp", "teacher"):
        assert torch.allclose(before[frame].teacher, after[frame].teacher, atol=1e-4)
        assert torch.allclose(before[frame].camera.rotation, after[frame].camera.rotation, atol=1e-3)
    assert not torch.allclose(before["truth"].camera.rotation, after["truth"].camera.rotation, atol=0.1)


def test_other_keypoints_are_other_observations(config, root, motions):
    corpus = observe.load(config, "test")
    first = observe.observe(config, corpus, "teacher", "test")
    (name,) = {s.camera for s in fit3d_clips.chosen(root) if (s.subject, s.exercise) == ("s05", "squat")}
    moved = fit3d_clips.smpl22(motions["squat"]) + torch.tensor([0.2, 0.0, 0.0])
    see(root, "s05", name, "squat", CAMERAS[name], moved)
    fit3d_clips._clips.cache_clear()
    second = observe.observe(config, corpus, "teacher", "test")
    see(root, "s05", name, "squat", CAMERAS[name], fit3d_clips.smpl22(motions["squat"]))
    fit3d_clips._clips.cache_clear()
    assert not torch.allclose(first.keypoints, second.keypoints, atol=1e-3)


def test_bad_sequences_are_named_or_listed(root, motions, tmp_path):
    file = next((root / "keypoints" / "s03").rglob("*.npz"))
    for path in (root / "keypoints" / "s03").rglob("squat.npz"):
        path.rename(path.with_suffix(".away"))
    fit3d_clips._clips.cache_clear()
    with pytest.raises(DataError, match=r"squat\.npz: no such file; python -m videomdm.data.fit3d_clips makes it"):
        sources.load("fit3d", root, "train", 48)
    corpus = sources.load("fit3d", root, "train", 48, on_error="skip")
    assert set(corpus.actions) == {"w_raise"} and len(corpus.skipped) == 1
    for path in (root / "keypoints" / "s03").rglob("squat.away"):
        path.rename(path.with_suffix(".npz"))
    fit3d_clips._clips.cache_clear()
    assert file.exists()
    (tmp_path / "train" / "s01" / "camera_parameters" / "1").mkdir(parents=True)
    write(tmp_path / "train/s01/camera_parameters/1/squat.json", camera_json(CAMERAS["50591643"]))
    with pytest.raises(DataError, match="subjects s01, expected at least three"):
        sources.load("fit3d", tmp_path, "train", 48)


def test_missing_keypoints_are_detected_once(root, tmp_path, monkeypatch):
    """A detector that sees two people; the larger one counts, and where nobody is the confidence is 0."""
    for sequence in fit3d_clips.chosen(root):
        folder = "/".join(("train", sequence.subject, "camera_parameters", sequence.camera))
        write(tmp_path / folder / f"{sequence.exercise}.json", camera_json(CAMERAS[sequence.camera]))
    monkeypatch.setattr(fit3d_clips, "Video", lambda path, closest: [(0.0, 0), (0.02, 1), (0.04, 2)])
    small, large = (np.random.default_rng(0).uniform(0, size, (26, 3)) for size in (1, 100))

    def detector(image):
        return np.stack([small, large])[: 2 * (image != 1)]

    written = fit3d_clips.detect(tmp_path, detector)
    assert len(written) == 6 and not fit3d_clips.detect(tmp_path, detector)
    with np.load(written[0]) as arrays:
        assert np.allclose(arrays["keypoints"][0], large[:, :2], atol=1e-4) and arrays["keypoints"].shape == (3, 26, 2)
        assert not arrays["confidence"][1].any() and arrays["confidence"][2].any()


def test_table_2_on_it(config, root, tmp_path, monkeypatch):
    small = PROFILES["smoke"].but(n_steps=10, t_star=4, n_buckets=2)
    monkeypatch.setitem(PROFILES, "smoke", small)
    arguments = f"--data fit3d --data-root {root} --source procedural --profile smoke --steps 2 --root-path bones"
    rows = ["teacher", "videomdm-pnp"]
    assert (
        table2.main([*arguments.split(), "--runs", str(tmp_path), "--results", str(tmp_path / "r"), "--rows", *rows])
        == 0
    )
    files = sorted((tmp_path / "r" / "table2").glob("*.json"))
    assert len(files) == 2
    metrics = json.loads(files[1].read_text())["metrics"]
    assert metrics["seen_clips"] == min(8, len(observe.load(config, "train"))) and "noise_0_mpjpe" not in metrics
