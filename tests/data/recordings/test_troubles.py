"""Troubles that people report of programs like this one, each with the right outcome: read, noted or refused.

Every case spoils a good recording in one way.  Without any trouble it is read, and nothing is said.
"""

import json

import numpy as np
import pytest
import torch
from figure import FPS, FRAMES, HEIGHT, WIDTH, alphapose, figure, film, mmpose, npz, openpose, seconds_off

from videomdm import cameras
from videomdm.conventions import DataError
from videomdm.data import procedural, recordings
from videomdm.data.recordings import clock, joint_order, keypoint_json, keypoint_npz, plausible
from videomdm.data.recordings.detections import Detections, Intrinsics
from videomdm.skeletons import BODY25, COCO17, HALPE26, SMPL22

TIMES = np.arange(FRAMES) / FPS
FILM = clock.Film(TIMES, FPS)
ALWAYS = ("intrinsics:",)


def of_json(path):
    """The track of keypoints beside the film, as the folder's reader makes it."""
    found = plausible.against_film(keypoint_json.read(path, WIDTH, HEIGHT, FPS, "clip"), WIDTH, HEIGHT, 0)
    return recordings.track(clock.number(found, FILM))


def of_npz(path):
    return recordings.track(clock.of_no_film(keypoint_npz.read(path)))


def said(track):
    return "; ".join(note for note in track.notes if not note.startswith(ALWAYS))


@pytest.mark.parametrize("write", [alphapose, lambda path, p: mmpose(path, p[:, None])])
def test_nothing_is_said_without_trouble(tmp_path, write):
    write(tmp_path / "clip.json", figure(TIMES))
    track = of_json(tmp_path / "clip.json")
    assert said(track) == "" and seconds_off(track) < 0.01
    npz(tmp_path / "clip.npz", figure(TIMES))
    assert said(of_npz(tmp_path / "clip.npz")) == ""


class TestFrames:
    def test_unsorted_entries(self, tmp_path):
        order = np.random.default_rng(0).permutation(FRAMES)
        alphapose(tmp_path / "clip.json", figure(TIMES)[order], order)
        track = of_json(tmp_path / "clip.json")
        assert said(track) == "" and seconds_off(track) < 0.01

    def test_numbered_from_one(self, tmp_path):
        alphapose(tmp_path / "clip.json", figure(TIMES), range(1, FRAMES + 1), "frame_{:06d}.png")
        assert seconds_off(of_json(tmp_path / "clip.json")) < 0.01

    def test_doubled_frames(self, tmp_path):
        """Two runs appended to one file."""
        people = [[p, p] for p in figure(TIMES)]
        mmpose(tmp_path / "clip.json", people)
        track = of_json(tmp_path / "clip.json")
        assert "125 people stand in a frame twice: counted once" in said(track) and seconds_off(track) < 0.01

    def test_frames_of_two_recordings_in_one_file(self, tmp_path):
        rows = []
        for name in ("walk", "run"):
            alphapose(tmp_path / "clip.json", figure(TIMES), name=f"{name}_{{:04d}}.jpg")
            rows += json.loads((tmp_path / "clip.json").read_text())
        (tmp_path / "clip.json").write_text(json.dumps(rows))
        with pytest.raises(DataError, match=r"clip\.json: .*both name frame 0"):
            of_json(tmp_path / "clip.json")

    def test_one_frame_far_away(self, tmp_path):
        numbers = [*range(FRAMES - 1), 900_000]
        alphapose(tmp_path / "clip.json", figure(TIMES), numbers)
        with pytest.raises(DataError, match="frames numbered 0 to 900000, expected consecutive numbers"):
            of_json(tmp_path / "clip.json")

    @pytest.mark.parametrize("held", [2, 3])
    def test_keypoints_held_over_frames(self, tmp_path, held):
        """Detected at a lower rate."""
        npz(tmp_path / "clip.npz", figure(TIMES[np.arange(FRAMES) // held * held]))
        assert "of the frames repeat the keypoints of the one before" in said(of_npz(tmp_path / "clip.npz"))

    def test_a_single_repeated_frame(self, tmp_path):
        p = figure(TIMES)
        p[50] = p[49]
        npz(tmp_path / "clip.npz", p)
        assert said(of_npz(tmp_path / "clip.npz")) == ""

    def test_times_of_the_clock(self, tmp_path):
        """Seconds since 1970, without a film."""
        npz(tmp_path / "clip.npz", figure(TIMES), times=1.7e9 + TIMES)
        track = of_npz(tmp_path / "clip.npz")
        assert "times begin at 1.7e+09 s: counted from the first" in said(track) and track.start == 0

    def test_a_short_recording_is_lifted_but_not_trained_on(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES[:33]))
        track = of_npz(tmp_path / "clip.npz")
        assert len(track) == 33 and "it can be lifted, but training needs 2 s" in said(track)
        npz(tmp_path / "clip.npz", figure(TIMES[:9]))
        with pytest.raises(DataError, match=r"seen for 0\.45 s \(9 frames at 20 fps\), expected at least 0\.5 s"):
            of_npz(tmp_path / "clip.npz")

    def test_a_short_one_that_was_misread(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES), fps=100.0)
        assert "125 frames at 100 a second: is that their rate?" in said(of_npz(tmp_path / "clip.npz"))


class TestPlaces:
    @pytest.mark.parametrize("factor, size", [(100, 640), (1, 640), (100, 1920)])
    def test_shares_and_percent(self, tmp_path, factor, size):
        p = figure(TIMES)
        p[..., :2] *= factor / np.array([WIDTH, HEIGHT])
        npz(tmp_path / "clip.npz", p, size=(size, size * 3 // 4))
        try:
            told = said(of_npz(tmp_path / "clip.npz"))
        except DataError as error:
            told = str(error)
        assert any(words in told for words in ("percent", "smaller copy", "shares of the image", "pixels"))

    def test_found_in_a_copy_of_half_the_size(self, tmp_path):
        p = figure(TIMES)
        p[..., :2] /= 2
        alphapose(tmp_path / "clip.json", p)
        assert "were they found in a smaller copy?" in said(of_json(tmp_path / "clip.json"))

    def test_joints_outside_that_were_moved_to_the_edge(self, tmp_path):
        p = figure(TIMES, start=(90, 190))
        outside = p[..., 1] > HEIGHT
        p[..., 1] = p[..., 1].clip(max=HEIGHT - 1)
        npz(tmp_path / "clip.npz", p)
        track = of_npz(tmp_path / "clip.npz")
        assert "lie exactly on the image's edge" in said(track) and outside.any()
        assert track.unseen[:, [track.layout.index("left_ankle"), track.layout.index("right_ankle")]].all()

    def test_somebody_at_the_edge(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES, start=(10, 120)).round())
        assert "edge, where" not in said(of_npz(tmp_path / "clip.npz"))

    def test_joints_that_jump_for_a_frame(self, tmp_path):
        p = figure(TIMES)
        wrist = HALPE26.index("left_wrist")
        p[[0, 40, 90], wrist, :2] = (20, 230), (300, 10), (5, 5)
        npz(tmp_path / "clip.npz", p)
        track = of_npz(tmp_path / "clip.npz")
        npz(tmp_path / "clip.npz", figure(TIMES))
        good = of_npz(tmp_path / "clip.npz")
        assert "3 keypoints that jump away for a single frame count as not seen" in said(track)
        assert (track.pixels - good.pixels).norm(dim=-1).max() < 8, "of a body of 170 pixels"

    def test_a_joint_that_jumps_beside_a_hole(self, tmp_path):
        """Frames are lost, and the last before them is damaged."""
        p = figure(TIMES)
        p[40, HALPE26.index("neck"), 0] += 2000
        kept = np.r_[:41, 45:FRAMES]
        alphapose(tmp_path / "clip.json", p[kept], kept)
        track = of_json(tmp_path / "clip.json")
        assert "1 keypoints that jump away for a single frame count as not seen" in said(track)
        assert seconds_off(track) < 0.05 and track.pixels[..., 0].max() < WIDTH

    @pytest.mark.parametrize("frames", [2, 3, 8])
    def test_an_arm_that_was_taken_for_something_else(self, tmp_path, frames):
        p, arm = figure(TIMES), [HALPE26.index("right_elbow"), HALPE26.index("right_wrist")]
        p[60 : 60 + frames, arm, :2] = [(280, 60), (300, 40)]
        npz(tmp_path / "clip.npz", p)
        track = of_npz(tmp_path / "clip.npz")
        npz(tmp_path / "clip.npz", figure(TIMES))
        assert f"{2 * frames} keypoints that jump away and back within 0.5 s count as not seen" in said(track)
        assert (track.pixels - of_npz(tmp_path / "clip.npz").pixels).norm(dim=-1).max() < 12, "of a body of 170 pixels"

    @pytest.mark.parametrize("frames", [1, 2, 9])
    def test_a_neighbour_who_was_taken_for_the_person(self, tmp_path, frames):
        p = figure(TIMES)
        p[60 : 60 + frames, :, 0] += 75
        npz(tmp_path / "clip.npz", p)
        track = of_npz(tmp_path / "clip.npz")
        npz(tmp_path / "clip.npz", figure(TIMES))
        assert "count as not seen" in said(track) and "all at once" not in said(track)
        assert (track.pixels - of_npz(tmp_path / "clip.npz").pixels).norm(dim=-1).max() < 12, "of a body of 170 pixels"

    @pytest.mark.parametrize("until, times", [(90, " (2 times in all)"), (FRAMES, "")])
    def test_a_neighbour_whom_the_keypoints_go_on_with(self, tmp_path, until, times):
        p = figure(TIMES)
        p[60:until, :, 0] += 75
        npz(tmp_path / "clip.npz", p)
        assert f"at {60 / FPS:.1f} s the person is 0.4 body sizes away all at once{times}: somebody else" in said(
            of_npz(tmp_path / "clip.npz")
        )

    def test_hands_that_were_taken_for_each_other_are_no_jump(self, tmp_path):
        p, arms = figure(TIMES), [HALPE26.index(f"{side}_wrist") for side in ("left", "right")]
        p[:, arms, :2] += [(-60, -60), (60, -60)]
        npz(tmp_path / "clip.npz", p)
        good = of_npz(tmp_path / "clip.npz")
        p[60:66] = p[60:66][:, HALPE26.mirrored]
        npz(tmp_path / "clip.npz", p)
        track = of_npz(tmp_path / "clip.npz")
        assert "jump" not in said(track)
        assert (track.pixels - good.pixels).norm(dim=-1).max() < 1

    def test_a_hand_that_stays_is_no_jump(self, tmp_path):
        """Nobody knows which of two places is the wrong one."""
        p = figure(TIMES)
        p[60:90, HALPE26.index("left_wrist"), :2] = (300, 40)
        npz(tmp_path / "clip.npz", p)
        assert "jump" not in said(of_npz(tmp_path / "clip.npz"))

    def test_a_quick_hand_is_no_jump(self, tmp_path):
        p = figure(TIMES)
        p[40:43, HALPE26.index("left_wrist"), 1] -= (30, 60, 30)
        npz(tmp_path / "clip.npz", p)
        assert said(of_npz(tmp_path / "clip.npz")) == ""


class TestJoints:
    @pytest.mark.parametrize("layout", [COCO17, HALPE26, BODY25])
    def test_shuffled(self, tmp_path, layout):
        order = np.random.default_rng(0).permutation(len(layout))
        npz(tmp_path / "clip.npz", figure(TIMES, layout)[:, order], layout)
        with pytest.raises(DataError, match="joints are in another order"):
            of_npz(tmp_path / "clip.npz")

    @pytest.mark.parametrize("joints", [15, 18, 24])
    def test_a_number_that_no_layout_has(self, tmp_path, joints):
        """OpenPose's MPI and COCO models, SMPL's 24."""
        openpose(tmp_path / "clip", figure(TIMES, BODY25)[:, :joints])
        with pytest.raises(DataError, match=rf"people of \[{joints}\] joints, expected one of 17, 25"):
            of_json(tmp_path / "clip")

    def test_visibility_in_place_of_confidence(self, tmp_path):
        """COCO's annotations: 0 not labelled, 1 hidden, 2 visible."""
        p = figure(TIMES, COCO17)
        p[..., 2] = 2
        p[..., COCO17.index("left_wrist"), 2] = 1
        alphapose(tmp_path / "clip.json", p)
        assert "scores up to 2.0: those above 1 count as 1" in said(of_json(tmp_path / "clip.json"))

    def test_percent_in_place_of_confidence(self, tmp_path):
        p = figure(TIMES)
        p[..., HALPE26.index("left_wrist"), 2] = 0.05
        p[..., 2] *= 100
        alphapose(tmp_path / "clip.json", p)
        track = of_json(tmp_path / "clip.json")
        assert "confidence up to 90 is percent: divided by 100" in said(track)
        assert track.unseen[:, track.layout.index("left_wrist")].all(), "five percent is a guess"
        p[..., 2] *= 2.55 / 0.9
        alphapose(tmp_path / "clip.json", p)
        with pytest.raises(DataError, match=r"clip\.json: confidence up to 255, expected 0 to 1"):
            of_json(tmp_path / "clip.json")

    @pytest.mark.parametrize("layout", [HALPE26, BODY25])
    def test_sides_as_the_viewer_sees_them(self, tmp_path, layout):
        """Left and right exchanged in all frames."""
        p = figure(TIMES, layout)
        p[:, [k for k, joint in enumerate(layout.joints) if joint.endswith("toe")], 1] += 6  # towards the camera
        npz(tmp_path / "clip.npz", p, layout)
        assert said(of_npz(tmp_path / "clip.npz")) == ""
        p = p[:, list(layout.mirrored)]
        npz(tmp_path / "clip.npz", p, layout)
        assert "left and right are exchanged, as toes tell" in said(of_npz(tmp_path / "clip.npz"))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
    def test_confidence_that_is_none(self, tmp_path, value):
        p = figure(TIMES)
        p[7, 3, 2] = value
        alphapose(tmp_path / "clip.json", p)
        with pytest.raises(DataError, match=r"clip\.json, frame 7: confidence is"):
            of_json(tmp_path / "clip.json")
        npz(tmp_path / "clip.npz", p)
        with pytest.raises(DataError, match=r"clip\.npz: confidence at frame 7"):
            of_npz(tmp_path / "clip.npz")

    def test_three_dimensions(self, tmp_path):
        """MMPose's lifter writes x, y and z."""
        frames = [{"frame_id": t, "instances": [{"keypoints": [[1, 2, 3]] * 17, "keypoint_scores": [1] * 17}]}
                  for t in range(FRAMES)]  # fmt: skip
        (tmp_path / "clip.json").write_text(json.dumps(frames))
        with pytest.raises(DataError, match=r"clip\.json, frame 0: keypoints \(17, 3\)"):
            of_json(tmp_path / "clip.json")

    @pytest.mark.parametrize("instances", ["none", {"a": 1}, [[1, 2]], [None]])
    def test_instances_that_are_none(self, tmp_path, instances):
        (tmp_path / "clip.json").write_text(json.dumps([{"frame_id": 0, "instances": instances}]))
        with pytest.raises(DataError, match=r"clip\.json, frame 0: instances are .*, expected a list of people"):
            of_json(tmp_path / "clip.json")


class TestArrays:
    @pytest.mark.parametrize("dtype, off", [("f2", 0.3), (">f4", 0.0), ("f8", 0.0), ("longdouble", 0.0)])
    def test_kinds_of_numbers(self, tmp_path, dtype, off):
        npz(tmp_path / "clip.npz", figure(TIMES).astype(dtype))
        track = of_npz(tmp_path / "clip.npz")
        npz(tmp_path / "clip.npz", figure(TIMES))
        assert (track.pixels - of_npz(tmp_path / "clip.npz").pixels).abs().max() <= off + 1e-3
        assert track.keypoints.dtype == torch.float32

    def test_no_frames(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES)[:0])
        with pytest.raises(DataError, match=r"clip\.npz: keypoints are .* \(0, 26, 2\): no frames"):
            of_npz(tmp_path / "clip.npz")

    def test_objects(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES).astype(object))
        with pytest.raises(DataError, match="pickled objects, expected numbers"):
            of_npz(tmp_path / "clip.npz")

    def test_the_layout_as_bytes(self, tmp_path):
        p = figure(TIMES)
        layout = np.bytes_(b"halpe26")
        np.savez(tmp_path / "clip.npz", keypoints=p[..., :2], confidence=p[..., 2], layout=layout, fps=FPS,
                 size=(WIDTH, HEIGHT))  # fmt: skip
        assert said(of_npz(tmp_path / "clip.npz")) == ""

    def test_a_finished_track_that_was_edited_wrongly(self, tmp_path):
        detections = Detections(list(figure(TIMES)[:, None]), TIMES, HALPE26, WIDTH, HEIGHT, "clip", sized=True)
        keypoint_npz.save(recordings.track(detections), tmp_path / "clip.npz")
        with np.load(tmp_path / "clip.npz") as file:
            arrays = dict(file)
        shuffled = arrays["keypoints"][:, np.random.default_rng(0).permutation(22)]
        flipped = arrays["keypoints"] * np.array([1, -1], "f4")
        for change, message in (
            ({"keypoints": shuffled}, "another order"), ({"keypoints": flipped}, "heads are below feet"),
            ({"filled": np.zeros(3)}, "filled is float64"), ({"start": np.nan}, "start is nan"),
            ({"units": "pixels"}, "expected 'normalised'"), ({"notes": 3}, "notes are"),
        ):  # fmt: skip
            np.savez(tmp_path / "clip.npz", **(arrays | change))
            with pytest.raises(DataError, match=rf"clip\.npz: .*{message}"):
                keypoint_npz.load(tmp_path / "clip.npz")
        del arrays["intrinsics"]
        np.savez(tmp_path / "clip.npz", **arrays)
        with pytest.raises(DataError, match=r"clip\.npz: no array 'intrinsics'"):
            keypoint_npz.load(tmp_path / "clip.npz")


class TestLenses:
    @pytest.mark.parametrize("fx, cx, cy, message", [
        (1500, 960, 540, "far from the middle of an image of 320 x 240"), (4.2, 160, 120, "not millimetres"),
        (400, 0.5, 0.5, "far from the middle"), (90_000, 160, 120, "expected pixels"),
    ])  # fmt: skip
    def test_intrinsics_of_another_image(self, tmp_path, fx, cx, cy, message):
        npz(tmp_path / "clip.npz", figure(TIMES), intrinsics=np.array([[fx, 0, cx], [0, fx, cy], [0, 0, 1.0]]))
        with pytest.raises(DataError, match=message):
            of_npz(tmp_path / "clip.npz")
        p = figure(TIMES)
        detections = Detections(list(p[:, None]), TIMES, HALPE26, WIDTH, HEIGHT, "clip")
        with pytest.raises(DataError, match=message):
            recordings.track(detections, Intrinsics(fx, fx, cx, cy, WIDTH, HEIGHT))

    def test_normalised_keypoints_without_a_size(self, tmp_path):
        camera = Intrinsics(1500, 1500, 960, 540, 1920, 1080)
        p = figure(TIMES)
        p[..., :2] = camera.normalise(p[..., :2] * 4)
        np.savez(tmp_path / "clip.npz", keypoints=p[..., :2], confidence=p[..., 2], layout="halpe26", fps=FPS,
                 units="normalised", intrinsics=camera.matrix)  # fmt: skip
        track = of_npz(tmp_path / "clip.npz")
        assert (track.intrinsics.width, track.intrinsics.height) == (1920, 1080) and said(track) == ""

    def test_a_field_of_view_in_radians(self):
        with pytest.raises(ValueError, match="not radians"):
            Intrinsics.from_field_of_view(640, 480, 0.93)


class TestPersons:
    def test_in_a_folder(self, tmp_path):
        for name in ("squat", "jump"):
            npz(tmp_path / f"{name}.npz", figure(TIMES))
        found = recordings.load(tmp_path, person={"squat": 1}, on_error="skip")
        assert [t.name for t in found.tracks] == ["jump"] and "no person 1, expected 0 to 0" in found.skipped[0][1]
        assert len(recordings.load(tmp_path, person=1, on_error="skip").skipped) == 2
        with pytest.raises(DataError, match="a person of lunge is asked for, expected some of jump, squat"):
            recordings.load(tmp_path, person={"lunge": 1})

    def test_as_text(self):
        assert recordings.persons("squat=1, monday/jump=2,a=b=0") == {"squat": 1, "monday/jump": 2, "a=b": 0}
        for text in ("squat", "squat=", "=1", "squat=x", "squat=-1", ""):
            with pytest.raises(DataError, match="expected names of recordings and numbers"):
                recordings.persons(text)


class TestPointsThatStay:
    """Somebody walks on, and some joints are where nothing was seen, with confidence."""

    @pytest.mark.parametrize("place", [(37.5, 21.25), (-1.5, -1.5), (319.0, 10.0)])
    @pytest.mark.parametrize("joints", [["left_wrist"], ["left_elbow", "left_wrist"], ["left_knee", "left_ankle"]])
    def test_a_filler_of_any_place(self, tmp_path, place, joints):
        points = figure(TIMES) + np.random.default_rng(0).normal(0, 0.2, (FRAMES, 1, 1)) * (1, 1, 0)
        own = [HALPE26.index(joint) for joint in joints]
        points[20:80, own, :2] = place
        npz(tmp_path / "clip.npz", points)
        track = of_npz(tmp_path / "clip.npz")
        assert f"{', '.join(joints)}: in 60 frames at one point while the body moves" in said(track)
        shown = track.unseen[20:80]
        assert shown[:, track.layout.index(joints[-1])].all() and not track.unseen[:20].any()

    def test_where_it_was_last_seen(self, tmp_path):
        points = figure(TIMES)
        points[5:, HALPE26.index("left_wrist")] = points[4, HALPE26.index("left_wrist")]
        npz(tmp_path / "clip.npz", points)
        assert "left_wrist: in 121 frames at one point" in said(of_npz(tmp_path / "clip.npz"))

    def test_people_who_stand_still_are_no_fillers(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES, speed=0.0).round())
        assert "at one point" not in said(of_npz(tmp_path / "clip.npz"))

    @pytest.mark.parametrize("step", [0.0, 0.1, 0.5, 1.0, 1.5])
    def test_feet_that_stand_are_no_fillers(self, tmp_path, step):
        """Somebody who squats, in coordinates of any rounding, or rendered without any."""
        points = figure(TIMES, speed=0.0)
        feet = [HALPE26.index(f"{a}_{b}") for a in ("left", "right") for b in ("ankle", "heel", "big_toe", "small_toe")]
        others = [joint for joint in range(26) if joint not in feet]
        points[:, others, 1] += 45 * (1 - np.cos(2 * TIMES))[:, None] / 2
        if step:
            noisy = points[..., :2] + np.random.default_rng(0).normal(0, 0.3, points[..., :2].shape)
            points[..., :2] = step * (noisy / step).round()
        npz(tmp_path / "clip.npz", points)
        assert "at one point" not in said(of_npz(tmp_path / "clip.npz"))


class TestPartsOfTheBody:
    """Joints of a part of the body that stand in another order, though every bone has some likely length."""

    @staticmethod
    def exchanged(first, second, layout=COCO17):
        points = figure(TIMES, layout, waves=False)
        order = list(range(len(layout)))
        for a, b in zip(first, second, strict=True):
            order[layout.index(a)], order[layout.index(b)] = layout.index(b), layout.index(a)
        return points[:, order]

    @staticmethod
    def examined(points, layout=COCO17):
        people = [p[None] for p in points]
        return plausible.examine(Detections(people, TIMES, layout, WIDTH, HEIGHT, "clip")).notes

    @pytest.mark.parametrize("part", [("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")])
    @pytest.mark.parametrize("layout", [COCO17, HALPE26, BODY25])
    def test_left_and_right_of_legs_or_arms(self, part, layout):
        points = self.exchanged([f"left_{j}" for j in part], [f"right_{j}" for j in part], layout)
        with pytest.raises(DataError, match="hips are the other way round than shoulders"):
            self.examined(points, layout)

    def test_left_and_right_of_what_may_cross(self):
        points = self.exchanged(("left_knee", "left_ankle"), ("right_knee", "right_ankle"))
        notes = self.examined(points)
        assert any("knees are the other way round than hips: exchanged, or they cross" in note for note in notes)

    def test_knees_and_ankles(self):
        points = self.exchanged(("left_knee", "right_knee"), ("left_ankle", "right_ankle"))
        with pytest.raises(DataError, match="ankles lie between hips and knees: knees and ankles are exchanged"):
            self.examined(points)

    @pytest.mark.parametrize(("outer", "inner"), [("wrist", "elbow"), ("hip", "knee")])
    def test_what_a_folded_limb_may_show(self, outer, inner):
        points = self.exchanged((f"left_{outer}", f"right_{outer}"), (f"left_{inner}", f"right_{inner}"), HALPE26)
        if outer == "wrist":  # a short arm beside its trunk
            points[:, [HALPE26.index(f"{s}_hip") for s in ("left", "right")], 1] += 12
        notes = self.examined(points, HALPE26)
        assert any(f"{outer}s lie between" in note and note.endswith("exchanged?") for note in notes)

    def test_kneeling_somebody_is_read(self):
        points = figure(TIMES, COCO17, waves=False)
        for side in ("left", "right"):  # seen from above, shins lead away from the camera
            knee, ankle = (COCO17.index(f"{side}_{j}") for j in ("knee", "ankle"))
            points[:, ankle, :2] = points[:, knee, :2] + (2, -18)
        notes = self.examined(points)
        assert [n for n in notes if "between" in n] == [
            "ankles lie between hips and knees: are knees and ankles exchanged?"
        ]

    def test_nothing_is_said_of_a_good_one(self):
        assert self.examined(figure(TIMES, COCO17)) == []

    def test_people_who_move_are_hardly_ever_doubted(self):
        """The built-in motions, each from a side of its own: none is refused, and next to none noted."""
        corpus = procedural.generate(200, seed=3)
        sides = torch.linspace(0, 2 * torch.pi, len(corpus))
        camera = cameras.orbit(sides, 0.2, torch.zeros(len(corpus), 3), torch.full((len(corpus),), 4.0))
        points, _ = camera.project(corpus.joints)
        notes = []
        for own, length in zip(1000 * points.numpy(), corpus.lengths.tolist(), strict=True):
            notes += joint_order.check_order(own[:length], np.ones(own.shape[:2])[:length], SMPL22, "clip")
        assert len(notes) <= 2


class TestSizes:
    @pytest.mark.parametrize("scale", [0.5, 2.0])
    def test_a_person_of_another_size_all_at_once(self, tmp_path, scale):
        before, after = figure(TIMES, scale=0.6), figure(TIMES, scale=0.6 * scale)
        npz(tmp_path / "clip.npz", np.concatenate([before[:60], after[60:]]))
        assert f"at 3.0 s the person is {scale:.2f} times as large all at once" in said(of_npz(tmp_path / "clip.npz"))

    def test_it_is_said_once(self, tmp_path):
        scales = np.where(np.arange(FRAMES) // 25 % 2, 0.4, 0.7)
        npz(tmp_path / "clip.npz", np.concatenate([figure(TIMES[k : k + 1], scale=s) for k, s in enumerate(scales)]))
        assert said(of_npz(tmp_path / "clip.npz")).count("as large") == 1

    def test_somebody_who_was_away_may_come_back_nearer(self, tmp_path):
        points = np.concatenate([figure(TIMES[:60], scale=0.5), figure(TIMES[60:], scale=0.8)])
        points[50:75, :, 2] = 0
        npz(tmp_path / "clip.npz", points)
        assert "as large" not in said(of_npz(tmp_path / "clip.npz"))

    def test_somebody_else_where_one_left(self, tmp_path):
        points = np.concatenate([figure(TIMES[:60], scale=0.8), figure(TIMES[60:], scale=0.4)])
        points[55:65, :, 2] = 0
        npz(tmp_path / "clip.npz", points)
        assert "0.50 times as large: perhaps somebody else" in said(of_npz(tmp_path / "clip.npz"))

    def test_nothing_is_said_of_people_who_come_nearer(self, tmp_path):
        near = [figure(TIMES[k : k + 1], scale=0.3 + 0.7 * k / FRAMES)[0] for k in range(FRAMES)]
        npz(tmp_path / "clip.npz", np.stack(near))
        assert "as large" not in said(of_npz(tmp_path / "clip.npz"))


@pytest.mark.parametrize("kind", ["npz", "npz beside a film", "mmpose"])
def test_empty_frames_between_those_that_were_looked_at(tmp_path, kind):
    points = figure(TIMES)
    points[np.arange(FRAMES) % 3 != 1] = 0
    if kind != "npz":
        film(tmp_path / "clip.mp4")
    if kind == "mmpose":
        mmpose(tmp_path / "clip.json", [[p] if p.any() else [] for p in points])
    else:
        npz(tmp_path / "clip.npz", points)
    (track,) = recordings.load(tmp_path).tracks
    assert "people are in every third frame alone: the others were not looked at" in said(track)
    assert "out of sight" not in said(track) and seconds_off(track) < 0.03 and not track.filled.any()


class TestReturn:
    def test_one_who_was_away_for_long_may_be_the_same(self, tmp_path):
        """Never more than one person is there, but for longer than anybody is followed nobody is."""
        points = figure(TIMES, speed=0.0)
        points[40:90, :, 2] = 0
        npz(tmp_path / "clip.npz", points)
        note = "another is seen from 4.5 s to 6.2 s, never beside this one: perhaps the same"
        assert note in said(of_npz(tmp_path / "clip.npz"))
        assert "repeat the keypoints" not in said(of_npz(tmp_path / "clip.npz"))

    def test_a_second_person_beside_the_first_is_another(self, tmp_path):
        both = np.stack([figure(TIMES), figure(TIMES, start=(200.0, 120.0), scale=0.7)], 1)
        mmpose(tmp_path / "clip.json", both)
        assert "perhaps the same" not in said(of_json(tmp_path / "clip.json"))


@pytest.mark.parametrize("fps", [300.0, 1000.0])
def test_a_wild_rate_of_a_long_recording_is_doubted(tmp_path, fps):
    times = np.arange(2400) / fps
    npz(tmp_path / "clip.npz", figure(times), fps=fps)
    assert f"2400 frames at {fps:.4g} a second: is that their rate?" in said(of_npz(tmp_path / "clip.npz"))


class TestFocalLengths:
    @staticmethod
    def written(tmp_path, fx, fy, cx, cy, size=(WIDTH, HEIGHT)):
        matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
        npz(tmp_path / "clip.npz", figure(TIMES), intrinsics=np.array(matrix, float), size=size)
        return tmp_path / "clip.npz"

    @pytest.mark.parametrize("focal", [35.0, 50.0])
    def test_millimetres(self, tmp_path, focal):
        with pytest.raises(DataError, match=r"expected pixels, about the image's diagonal \(not millimetres\)"):
            of_npz(self.written(tmp_path, focal, focal, 160, 120))

    def test_a_principal_point_of_the_turned_image(self, tmp_path):
        with pytest.raises(DataError, match="is the middle of an image of 240 x 320, not of 320 x 240: are x and y"):
            of_npz(self.written(tmp_path, 300, 300, 120, 160))

    def test_focal_lengths_of_another_shape_beside_a_film(self, tmp_path):
        film(tmp_path / "clip.mp4")
        self.written(tmp_path, 400, 300, 160, 120)
        (track,) = recordings.load(tmp_path).tracks
        assert "focal lengths of 400 and 300, though the video's pixels are as wide as high" in said(track)

    def test_too_wide_for_straight_lines(self):
        with pytest.raises(ValueError, match="field of view is 175 degrees, expected at most 143"):
            Intrinsics.from_field_of_view(WIDTH, HEIGHT, 175)


def test_time_stamps_beside_frame_numbers(tmp_path):
    """Milliseconds within a second are as different from each other as frame numbers are."""
    names = [f"frame_{k:05d}_{k * 0.0501:.3f}.jpg" for k in range(FRAMES)]
    entries = [{"image_id": n, "keypoints": p.ravel().tolist()} for n, p in zip(names, figure(TIMES), strict=True)]
    (tmp_path / "clip.json").write_text(json.dumps(entries))
    track = of_json(tmp_path / "clip.json")
    assert said(track) == "" and seconds_off(track) < 0.01


def test_of_two_numbers_in_the_same_order_the_last_is_the_frames(tmp_path):
    """An image's own number counts those that were kept."""
    numbers = [*range(40), *range(60, FRAMES)]
    names = [f"img_{k:04d}_frame_{n:05d}.png" for k, n in enumerate(numbers)]
    assert clock.frame_numbers(names, tmp_path) == numbers


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"predictions": []}, "frame 70: instances are None, expected a list of people"),
        ({"instances": None}, "frame 70: instances are None, expected a list of people"),
    ],
)
def test_frames_of_another_kind_are_not_nobody(tmp_path, spoilt, message):
    mmpose(tmp_path / "clip.json", figure(TIMES)[:, None])
    entries = json.loads((tmp_path / "clip.json").read_text())
    entries[70] = {"frame_id": 70} | spoilt
    (tmp_path / "clip.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match=message):
        of_json(tmp_path / "clip.json")


@pytest.mark.parametrize("person", [[1.0, 2.0, 0.5], {"pose_keypoints": [1.0, 2.0, 0.5]}, None])
def test_openpose_people_of_another_kind(tmp_path, person):
    openpose(tmp_path / "clip", figure(TIMES, BODY25))
    file = tmp_path / "clip" / "clip_000000000070_keypoints.json"
    file.write_text(json.dumps({"people": [person]}))
    with pytest.raises(DataError, match="000000000070_keypoints.json: a person is .*expected .*'pose_keypoints_2d'"):
        of_json(tmp_path / "clip")


class TestWhatAnArrayFileTells:
    def test_arrays_that_nobody_reads_are_named(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES), K=np.eye(3), valid=np.ones(FRAMES, bool))
        assert "not read: K, valid" in said(of_npz(tmp_path / "clip.npz"))

    def test_times_against_frames_per_second(self, tmp_path):
        npz(tmp_path / "clip.npz", figure(TIMES), times=TIMES / 2, fps=FPS)
        with pytest.raises(DataError, match="fps is 20, but times are of 40 frames a second"):
            of_npz(tmp_path / "clip.npz")
        uneven = np.cumsum(np.tile([1, 1, 2], FRAMES)[:FRAMES]) / 30
        for times, fps in ((TIMES, FPS), (uneven, (FRAMES - 1) / (uneven[-1] - uneven[0]))):
            npz(tmp_path / "clip.npz", figure(times), times=times, fps=fps)
            assert said(of_npz(tmp_path / "clip.npz")) == ""

    @pytest.mark.parametrize(
        ("camera", "message"),
        [
            ((150.0, 150.0, 80.0, 60.0), "is the middle of an image of 160 x 120, not of 320 x 240"),
            ((400.0, 225.0, 160.0, 120.0), "focal lengths of 400 and 225, expected nearly equal ones"),
        ],
    )
    def test_intrinsics_of_another_image(self, tmp_path, camera, message):
        fx, fy, cx, cy = camera
        npz(tmp_path / "clip.npz", figure(TIMES), intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
        with pytest.raises(DataError, match=message):
            of_npz(tmp_path / "clip.npz")

    @pytest.mark.parametrize("camera", [(300.0, 320.0, 100.0, 120.0), (400.0, 300.0, 160.0, 120.0)])
    def test_cropped_pictures_and_wide_pixels(self, tmp_path, camera):
        fx, fy, cx, cy = camera
        npz(tmp_path / "clip.npz", figure(TIMES), intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))
        assert said(of_npz(tmp_path / "clip.npz")) == ""


def test_copies_of_a_recording(tmp_path):
    for name, start in (("squat", 90), ("squat (1)", 90), ("walk", 80)):
        npz(tmp_path / f"{name}.npz", figure(TIMES, start=(start, 120)))
    found = recordings.load(tmp_path)
    assert len(found) == 3 and found.notes == ["squat, squat (1) are one recording, which counts 2 times"]
