"""Other lifters' poses in the film's time, and of the person whose keypoints these are."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from videomdm import cameras, videos
from videomdm.conventions import DataError
from videomdm.data import recordings
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.data.recordings.reading import Source
from videomdm.data.recordings.video import writer
from videomdm.lifters import wham
from videomdm.skeletons import H36M17, NBA16, SMPL22
from videomdm.videos import matching

pytestmark = pytest.mark.slow

FRAMES, FPS = 150, 30.0
INTRINSICS = Intrinsics.from_field_of_view(640, 480)
CAMERA = cameras.orbit(math.radians(25), math.radians(6), [0.7, 0.9, 0], 5.0)


def walk(frames=FRAMES, fps=FPS, phase=0.0, place=(0.0, 0.9, 0.0), pace=0.9):
    """A walk as SMPL's rotations (T, 72), translation (T, 3) and joints (T, 22, 3), Y up, metres."""
    t = np.arange(frames) / fps
    pose = np.zeros((frames, 24, 3))
    swing, knees = (a * np.sin(2 * np.pi * pace * t + p + phase) for a, p in ((0.6, 0.0), (0.4, 1.0)))
    pose[:, 0, 1] = 0.5
    pose[:, 1, 0], pose[:, 2, 0], pose[:, 4, 0], pose[:, 5, 0] = -swing, swing, 0.5 + knees, 0.5 - knees
    pose[:, 16, 2], pose[:, 17, 2] = -1.2, 1.2
    pose[:, 16, 1] = pose[:, 17, 1] = swing
    trans = np.array(place) + np.stack([0.35 * t, 0.02 * np.cos(4 * np.pi * pace * t), 0 * t], -1)
    flat = torch.tensor(pose.reshape(frames, 72)).float()
    joints = wham.pose_joints(flat, torch.tensor(trans).float(), wham.rest_joints(torch.zeros(1, 10)))
    return pose.reshape(frames, 72), trans, joints


def in_world(pose, trans, turn, shift):
    """A motion in a world that is turned by degrees about the vertical and shifted: pose and translation."""
    rotation = cv2.Rodrigues(np.array([0, math.radians(turn), 0]))[0]
    pose = pose.copy()
    for row in pose:
        row[:3] = cv2.Rodrigues(rotation @ cv2.Rodrigues(row[:3])[0])[0][:, 0]
    # the pelvis lies off SMPL's origin, about which the body turns
    rest = wham.rest_joints(torch.zeros(1, 10))[0].numpy()
    return pose, (trans + rest) @ rotation.T - rest + np.array(shift)


def write(path, people):
    """``people``: key -> (pose, trans, frames, world pose and translation or None)."""
    arrays = {}
    for key, (pose, trans, frames, world) in people.items():
        world_pose, world_trans = world or (pose, trans)
        arrays |= {
            f"{key}/pose": pose.astype("f4"), f"{key}/trans": trans.astype("f4"), f"{key}/frame_ids": np.array(frames),
            f"{key}/pose_world": world_pose.astype("f4"), f"{key}/trans_world": world_trans.astype("f4"),
            f"{key}/betas": np.zeros((len(frames), 10), "f4"),
        }  # fmt: skip
    np.savez(path, **arrays)


def seen(joints, fps=FPS, noise=0.0):
    """The track of somebody whom the camera sees."""
    uv, _ = CAMERA.project(joints)
    pixels = INTRINSICS.to_pixels(uv).numpy() + np.random.default_rng(0).normal(0, noise, uv.shape)
    people = [np.concatenate([p, np.full((22, 1), 0.9)], -1)[None] for p in pixels]
    return recordings.track(Detections(people, np.arange(len(joints)) / fps, SMPL22, 640, 480, "clip"), INTRINSICS)


def film_of(frames=FRAMES, fps=FPS):
    return matching.Film(np.arange(frames) / fps, fps)


def distance(lifted, joints, track):
    """Largest distance in metres of a lifter's motion from the true joints (T, 22, 3) at the track's frames."""
    at, inside = matching.matched(track, lifted)
    times = track.start + np.arange(len(track)) / track.fps
    index = torch.from_numpy((times * FPS).round().astype(int)).clamp(max=len(joints) - 1)
    exact = torch.from_numpy(np.abs(times * FPS - (times * FPS).round()) < 1e-6) & inside
    return float((lifted.joints[at] - joints[index])[exact].norm(dim=-1).max())


@pytest.fixture(scope="module")
def person():
    return walk()


@pytest.fixture(scope="module")
def track(person):
    return seen(person[2])


OTHERS = [
    {"phase": 2.0, "place": (1.5, 0.9, 1.0)},
    {"phase": 2.0},  # the same path out of step
    {"phase": 1.0, "place": (0.3, 0.9, -0.4)},
    {"phase": 0.0, "place": (1.0, 0.9, 0.5), "pace": 0.7},
    {"phase": 3.1, "place": (-1.0, 0.9, -0.6), "pace": 1.1},
]


class TestWhichPerson:
    @pytest.mark.parametrize("other", OTHERS)
    @pytest.mark.parametrize("first", [True, False])
    @pytest.mark.parametrize("noise", [0.0, 3.0])
    def test_the_one_whose_keypoints_these_are(self, tmp_path, person, other, first, noise):
        own = (*person[:2], range(FRAMES), None)
        else_ = (*walk(**other)[:2], range(FRAMES), None)
        write(tmp_path / "a.wham.npz", {0: own, 1: else_} if first else {0: else_, 1: own})
        one = seen(person[2], noise=noise)
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, one)
        assert distance(lifted, person[2], one) < 1e-3
        assert f"2 people: person {0 if first else 1} fits" in notes[0]

    def test_among_many_and_seen_more_briefly(self, tmp_path, person, track):
        people = {k: (*walk(**other)[:2], range(FRAMES), None) for k, other in enumerate(OTHERS)}
        people[9] = (person[0][20:120], person[1][20:120], range(20, 120), None)
        write(tmp_path / "a.wham.npz", people)
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert distance(lifted, person[2], track) < 1e-3 and "6 people: person 9" in notes[0]

    def test_through_the_whole_pipeline(self, tmp_path, person):
        one = seen(person[2])
        write(
            tmp_path / "a.wham.npz", {0: (*walk(**OTHERS[0])[:2], range(150), None), 1: (*person[:2], range(150), None)}
        )
        found = recordings.Recordings([one], [("a walk",)], [Source("a", None, None, tmp_path / "a.wham.npz")])
        material = videos.gather(found, 196)
        assert material.teachers == ["wham"] and float(material.report.relative.max()) < 0.02
        assert "person 1 fits the keypoints" in material.rows()[0]["notes"]

    def test_one_person_is_silent(self, tmp_path, person, track):
        write(tmp_path / "a.wham.npz", {3: (*person[:2], range(FRAMES), None)})
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert notes == [] and distance(lifted, person[2], track) < 1e-3

    def test_nobody_at_the_time(self, tmp_path, person):
        late = seen(person[2][80:])
        part = (person[0][:30], person[1][:30], range(120, 150), None)
        write(tmp_path / "a.wham.npz", {0: part, 1: part})
        with pytest.raises(DataError, match="none of its 2 people is there when the keypoints are"):
            matching.from_wham(tmp_path / "a.wham.npz", film_of(290), 20.0, late)

    def test_without_keypoints_the_longest(self, tmp_path, person):
        brief = (person[0][:30], person[1][:30], range(30), None)
        write(tmp_path / "a.wham.npz", {0: brief, 1: (*person[:2], range(FRAMES), None)})
        assert len(matching.from_wham(tmp_path / "a.wham.npz", None, 20.0)[0]) == 100


class TestPieces:
    """WHAM lost somebody and went on under another number, in another world."""

    @pytest.mark.parametrize("cuts", [(0, 75, 75, 150), (0, 60, 66, 150), (0, 90, 110, 150)])
    @pytest.mark.parametrize("world", [(0, (0, 0, 0)), (90, (2, 0, -1)), (-150, (0.5, 0.1, 3))])
    def test_are_joined_in_one_world(self, tmp_path, person, track, cuts, world):
        a, b, c, d = cuts
        pose, trans, joints = person
        second = (pose[c:d], trans[c:d], range(c, d), in_world(pose[c:d], trans[c:d], *world))
        people = {
            0: (pose[a:b], trans[a:b], range(a, b), None),
            4: second,
            7: (*walk(**OTHERS[0])[:2], range(150), None),
        }
        write(tmp_path / "a.wham.npz", people)
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert "person 0 and 4 fits the keypoints" in notes[0]
        main = joints if b - a >= d - c else in_joints(pose, trans, *world)
        assert distance(lifted, main, track) < (0.1 if 0 < c - b < 8 else 5e-3)  # linear over a short gap
        assert len(lifted) == 100 and int((~lifted.valid).sum()) <= (c - b) * 2 / 3 + 1

    def test_three_pieces(self, tmp_path, person, track):
        pose, trans, joints = person
        people = {
            k: (
                pose[a:b],
                trans[a:b],
                range(a, b),
                None if k == 1 else in_world(pose[a:b], trans[a:b], 40 * k, (k, 0, 0)),
            )
            for k, (a, b) in enumerate([(0, 40), (40, 110), (112, 150)])
        }
        write(tmp_path / "a.wham.npz", people)
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert "person 0 and 1 and 2" in notes[0] and distance(lifted, joints, track) < 0.02 and len(lifted) == 100

    def test_somebody_who_comes_after_is_no_piece(self, tmp_path, person, track):
        pose, trans, joints = person
        later = walk(place=(0.4, 0.9, -1.2), phase=2.0)
        people = {
            0: (pose[:90], trans[:90], range(90), None),
            1: (later[0][95:], later[1][95:], range(95, 150), None),
        }
        write(tmp_path / "a.wham.npz", people)
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert "person 0 fits the keypoints" in notes[0] and len(lifted) <= 60


def in_joints(pose, trans, turn, shift):
    pose, trans = in_world(pose, trans, turn, shift)
    return wham.pose_joints(
        torch.tensor(pose).float(), torch.tensor(trans).float(), wham.rest_joints(torch.zeros(1, 10))
    )


class TestInStep:
    """A motion with a path tells by itself when it was: reprojection is best at its own time."""

    @pytest.mark.parametrize("shift", [6, 10, 16])
    @pytest.mark.parametrize("sign", [-1, 1])
    def test_another_time_is_said(self, person, track, shift, sign):
        own = person[2]
        lifted = matching.Piece(0, np.arange(FRAMES) / FPS, own, None).lifted(20.0)
        assert matching.out_of_step(lifted, track) == []
        moved = replace(lifted, first_frame=sign * shift)
        (note,) = matching.out_of_step(moved, track)
        assert f"poses of {shift / 20:.1f} s {'later' if sign > 0 else 'earlier'} better" in note

    @pytest.mark.parametrize("noise", [0.0, 3.0, 8.0])
    def test_its_own_is_silent(self, person, noise):
        lifted = matching.Piece(0, np.arange(FRAMES) / FPS, person[2], None).lifted(20.0)
        assert matching.out_of_step(lifted, seen(person[2], noise=noise)) == []

    def test_another_walker_alone_in_the_file(self, tmp_path, person):
        one = seen(person[2])
        write(tmp_path / "a.wham.npz", {0: (*walk(phase=2.0)[:2], range(150), None)})
        videos.other_lifter(Source("a", None, None, tmp_path / "a.wham.npz"), 20.0, one)
        assert any("are they of this film, and of this person?" in note for note in one.notes)


class TestTime:
    @pytest.mark.parametrize("step", [2, 3, 5])
    def test_every_nth_frame(self, tmp_path, person, track, step):
        frames = range(0, FRAMES, step)
        write(tmp_path / "a.wham.npz", {0: (person[0][::step], person[1][::step], frames, None)})
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(), 20.0, track)
        assert lifted.valid.all() and len(lifted) >= 97 and "frame of the film was looked at" in notes[0]
        assert distance(lifted, person[2], track) < 0.04 * step  # linear between frames of a walk

    @pytest.mark.parametrize("fps", [20.0, 24.0, 25.0, 29.97, 50.0, 60.0])
    def test_films_of_any_rate(self, tmp_path, fps):
        frames = round(5 * fps)
        pose, trans, joints = walk(frames, fps)
        write(tmp_path / "a.wham.npz", {0: (pose, trans, range(frames), None)})
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(frames, fps), 20.0)
        at = torch.arange(len(lifted)) / 20 * fps
        low = at.long().clamp(max=frames - 2)
        true = torch.lerp(joints[low], joints[low + 1], (at - low)[:, None, None])
        assert notes == [] and float((lifted.joints - true).norm(dim=-1).max()) < 1e-3 and 98 <= len(lifted) <= 100

    def test_past_the_films_end(self, tmp_path, person, track):
        write(tmp_path / "a.wham.npz", {0: (*person[:2], range(FRAMES), None)})
        lifted, notes = matching.from_wham(tmp_path / "a.wham.npz", film_of(131), 20.0, track)
        assert len(lifted) == 87 and "poses of 150 frames for a video of 131: the 19 past its end are cut" in notes[0]

    @pytest.mark.parametrize(("film_frames", "rate"), [(300, "15"), (450, "10"), (75, "60"), (50, "90")])
    def test_another_rate_is_refused(self, tmp_path, person, track, film_frames, rate):
        write(tmp_path / "a.wham.npz", {0: (*person[:2], range(FRAMES), None)})
        with pytest.raises(DataError, match=f"they fit it at {rate} frames a second"):
            matching.from_wham(tmp_path / "a.wham.npz", film_of(film_frames), 20.0, track)

    @pytest.mark.parametrize("kind", ["elepose", "mvlift", "motionbert"])
    @pytest.mark.parametrize("rate", [20, 30, 60, "wrong"])
    def test_poses_beside_a_film(self, tmp_path, kind, rate):
        """One pose per frame of a film of 20, or as many as 30 a second make; anything else is refused and said."""
        out = writer(tmp_path / "a.mp4", 64, 48, 20.0)
        for _ in range(100):
            out.write(np.full((48, 64, 3), 90, np.uint8))
        out.release()
        count = 80 if rate == "wrong" else 5 * rate
        joints = walk(count, count / 5)[2]
        names = {"thorax": "neck", "spine": "spine2", "nose": "head"}
        layout = {"elepose": NBA16, "motionbert": H36M17, "mvlift": SMPL22}[kind]
        poses = joints[:, [SMPL22.index(names.get(j, j)) for j in layout.joints]]
        poses = (
            poses[..., [0, 2, 1]] * torch.tensor([1.0, -1, 1])
            if kind == "mvlift"
            else poses * torch.tensor([1.0, -1, -1])
        )
        path = tmp_path / f"a.{kind}.npy"
        np.save(path, poses.numpy())
        source = Source("a", tmp_path / "a.mp4", Path("none"), path)
        if rate in (60, "wrong") or (rate == 30 and kind == "motionbert"):
            with pytest.raises(DataError, match=f"{count} poses for a film of 100 frames"):
                videos.other_lifter(source, 20.0)
            return
        lifted = videos.other_lifter(source, 20.0)
        assert 99 <= len(lifted) <= 100 and lifted.valid.all()
        legs = [SMPL22.index(j) for j in ("left_ankle", "right_ankle")]
        true = walk(100, 20.0)[2][: len(lifted)]
        own, expected = (x[:, legs[0]] - x[:, legs[1]] for x in (lifted.joints, true))
        own, expected = (x.norm(dim=-1) / x.norm(dim=-1).mean() for x in (own, expected))
        assert float((own - expected).abs().max()) < 0.06  # in step
