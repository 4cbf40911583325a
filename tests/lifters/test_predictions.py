"""Teachers of centred pictures: NBA's published predictions, and the package's lifter."""

import shutil

import nba_files
import numpy as np
import pytest
import torch

from videomdm import train
from videomdm.config import NBA
from videomdm.conventions import DataError
from videomdm.data import nba, sources
from videomdm.evaluation import pose
from videomdm.lifters import centred, predictions
from videomdm.train import observe


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return nba_files.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def tracks(tree):
    return nba.load(tree, "train", 24)


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


@pytest.fixture(scope="module")
def bodies():
    return nba.bodies(sources.load("procedural", None, "test", 44, 300))


@pytest.mark.parametrize("by", ["elepose", "motionbert"])
def test_predictions_become_motions_that_are_seen_where_the_keypoints_are(tree, tracks, by):
    motions = centred.lift(tracks, by, tree)
    assert motions.shape == (len(tracks), 24, 16, 3) and motions[:, :, 0].abs().max() < 1e-5
    seen = tracks.counted
    off = (seen.camera.project(motions)[0] - seen.keypoints).square().sum(-1) * seen.weight
    assert (off.sum() / (seen.keypoints.square().sum(-1) * seen.weight).sum()).sqrt() < 0.15
    assert not motions[~seen.valid].any()


def test_they_are_of_the_size_and_depth_of_the_people(tree, tracks):
    """The tree's predictions are its true motions, 4 cm off."""
    corpus = nba.bodies(sources.load("procedural", None, "train", 48, 65))
    motions = centred.lift(tracks, "elepose", tree)
    number, start = (int(x) for x in tracks.names[7].removeprefix("clip").split("@"))
    n = int(tracks.lengths[7])
    error = pose.pa_mpjpe(motions[7, :n], corpus.joints[number, start : start + n])
    assert error.mean() < 100, "thousandths of a unit"
    torso = [x[:, 7].norm(dim=-1).mean() for x in (motions[7, :n], corpus.joints[number, start : start + n])]
    assert torso[0] == pytest.approx(float(torso[1]), rel=0.08)


def test_17_joints_are_read(copy, tracks):
    for path in (copy / "nba" / "elepose_predictions").glob("*.npy"):
        poses = np.load(path)
        np.save(path, np.insert(poses, 7, poses[:, 7] / 2, axis=1))  # Human3.6M's spine
    assert centred.lift(nba.load(copy, "test", 196), "elepose", copy).shape[2] == 16


def test_kept_motions_are_of_the_files_as_they_are(copy, tmp_path):
    """Other predictions of the same clips are other motions, and a file that has gone is missed; a folder may move."""
    config = train.profile("smoke", **NBA, data_root=str(copy), max_frames=24, runs=str(tmp_path / "runs"))
    pictures = observe.tracks(config, "test")
    before = observe.centred(config, pictures).teacher
    moved = config.but(data_root=str(shutil.copytree(copy, tmp_path / "moved")))
    path = copy / "nba" / "elepose_predictions" / f"{pictures.names[0].partition('@')[0]}.npy"
    np.save(path, np.load(path) + np.float32(0.02) * (np.arange(16)[:, None] > 0))
    after = observe.centred(config, pictures).teacher
    assert not torch.equal(before[0], after[0]) and torch.equal(before[-1], after[-1])
    assert torch.equal(observe.centred(moved, pictures).teacher, before)
    assert len(list(config.cache.glob("teacher-*"))) == 2
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        observe.centred(config, pictures)


def test_predictions_of_another_clip(copy):
    folder = copy / "nba" / "elepose_predictions"
    longer = max(("clip000", "clip001"), key=lambda name: len(np.load(folder / f"{name}.npy")))
    other = {"clip000": "clip001", "clip001": "clip000"}[longer]
    np.save(folder / f"{other}.npy", np.load(folder / f"{longer}.npy")[: len(np.load(folder / f"{other}.npy"))])
    with pytest.raises(DataError, match=rf"elepose_predictions/{other}\.npy: poses are \d+ % off the keypoints"):
        centred.lift(nba.load(copy, "test", 196), "elepose", copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[::2], r"\d+ frames \(are they at 30 frames a second\?\), expected \d+ at 60 a second"),
        (lambda x: x[:-3], r"\d+ frames, expected \d+ at 60 a second, as clip001\.npy in motions has"),
        (lambda x: x[:, :14], r"shape .*expected \(frames, 17 or 16, 3\)"),
        (lambda x: x * np.nan, "frame 0 is not finite"),
    ],
)
def test_bad_predictions_are_named(copy, change, message):
    path = copy / "nba" / "elepose_predictions" / "clip001.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(DataError, match=r"elepose_predictions/clip001\.npy: " + message):
        centred.lift(nba.load(copy, "test", 196), "elepose", copy)


def test_missing_predictions_and_unknown_lifters(copy, tracks):
    (copy / "nba" / "motionBert_predictions" / "clip000.npy").unlink()
    with pytest.raises(DataError, match=r"motionBert_predictions/clip000\.npy: no such file"):
        centred.lift(nba.load(copy, "test", 196), "motionbert", copy)
    with pytest.raises(DataError, match="no data_root was given"):
        centred.lift(tracks, "elepose")
    with pytest.raises(DataError, match="lifter is 'wham', expected procedural, real, elepose, motionbert or"):
        centred.lift(tracks, "wham", copy)


@pytest.mark.slow
def test_the_packages_lifter_finds_poses_and_the_limit_tells_clips_apart(bodies):
    footage = nba.film(bodies, seed=2)
    tracks = nba.tracks(bodies, footage)
    lifted = centred.lift(tracks, "procedural")
    inside = footage.valid
    assert nba.METRES * pose.pa_mpjpe(lifted[inside], bodies.joints[inside]).mean() < 75
    true = footage.camera.to_camera(bodies.joints) - torch.tensor([0, 0, nba.DISTANCE])
    own = centred.to_scale(seen_by_assumed(lifted, tracks), tracks)[1]
    others = torch.cat([centred.to_scale(true.roll(k, 0), tracks)[1] for k in (1, 5, 11)])
    assert own.median() < 0.08 and own.max() < 0.12
    assert others.median() > 0.45 and (others > predictions.LARGEST_ERROR).float().mean() >= 0.95


def seen_by_assumed(lifted, tracks):
    return tracks.seen.camera.to_camera(lifted) - torch.tensor([0, 0, nba.DISTANCE])
