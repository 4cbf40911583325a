"""OpenPose's, AlphaPose's and MMPose's files."""

import json

import numpy as np
import pytest
from keypoint_files import alphapose, mmpose

from videomdm.conventions import DataError
from videomdm.data.recordings import keypoint_json, plausible
from videomdm.data.recordings.detections import Detections
from videomdm.skeletons import BODY25, COCO17, HALPE26


def person(joints, shift=0.0):
    """x = 100 + joint, y = 200 + joint, confidence 0.8."""
    k = np.arange(joints) + shift
    return np.stack([100 + k, 200 + k, np.full(joints, 0.8)], axis=1)


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, fps=10.0):
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return keypoint_json.read(path, 640, 480, fps)

    return write_and_read


@pytest.fixture
def openpose(tmp_path):
    def write(frames):
        folder = tmp_path / "walk"
        folder.mkdir()
        for t, people in enumerate(frames):
            found = {
                "version": 1.3,
                "people": [{"person_id": [-1], "pose_keypoints_2d": p.ravel().tolist()} for p in people],
            }
            (folder / f"walk_{t:012d}_keypoints.json").write_text(json.dumps(found))
        return folder

    return write


class TestOpenPose:
    def test_frames_people_and_empty_frames(self, openpose):
        found = keypoint_json.read(openpose([[person(25), person(25, 50)], [], [person(25)], []]), 640, 480, 30)
        assert found.layout is BODY25 and [len(p) for p in found.people] == [2, 0, 1, 0]
        assert np.allclose(found.people[0][1], person(25, 50)) and np.allclose(found.times, np.arange(4) / 30)

    def test_no_output_there(self, tmp_path):
        with pytest.raises(DataError, match=r"no \*_keypoints.json, expected OpenPose's output"):
            keypoint_json.read(tmp_path, 640, 480, 30)

    def test_another_models_output(self, openpose):
        with pytest.raises(DataError, match=r"people of \[18\] joints, expected one of 17, 25, 26"):
            keypoint_json.read(openpose([[person(18)]]), 640, 480, 30)

    def test_malformed_file_is_named(self, openpose):
        folder = openpose([[person(25)], [person(25)]])
        (folder / "walk_000000000001_keypoints.json").write_text("{}")
        with pytest.raises(DataError, match="walk_000000000001_keypoints.json: expected .*people"):
            keypoint_json.read(folder, 640, 480, 30)

    def test_shares_of_the_image_are_refused(self, openpose):
        with pytest.raises(DataError, match="expected pixels of .*, not coordinates shares of the image"):
            plausible.examine(keypoint_json.read(openpose([[person(25) * (0.001, 0.001, 1)]]), 640, 480, 30))


class TestAlphaPose:
    @pytest.mark.parametrize(("joints", "layout"), [(17, COCO17), (26, HALPE26), (136, HALPE26)])
    def test_layouts_by_number_of_joints(self, read, joints, layout):
        found = read(alphapose([(0, person(joints)), (2, person(joints, 5)), (2, person(joints))]))
        assert found.layout is layout and [len(p) for p in found.people] == [1, 0, 2]
        assert np.allclose(found.people[2][0], person(joints, 5)[: len(layout)])
        assert np.allclose(found.times, [0, 0.1, 0.2])
        assert ("136 joints per person" in "".join(found.notes)) == (joints == 136)

    def test_large_scores_count_as_one(self, read):
        big = person(17)
        big[:, 2] = 3.0
        found = read(alphapose([(0, big)]))
        assert (found.people[0][..., 2] == 1).all() and "scores up to 3.0" in found.notes[0]

    def test_mixed_layouts(self, read):
        with pytest.raises(DataError, match=r"people of \[17, 26\] joints"):
            read(alphapose([(0, person(17)), (1, person(26))]))

    def test_image_names_without_consecutive_numbers(self, read):
        with pytest.raises(DataError, match="frames numbered 0 to 20240131, expected consecutive"):
            read(alphapose([(0, person(17)), (20240131, person(17))]))
        entries = alphapose([(0, person(17))])
        entries[0]["image_id"] = "first.jpg"
        with pytest.raises(DataError, match="'first.jpg' names no frame number"):
            read(entries)

    def test_nobody_has_confidence(self, read):
        blind = person(17) * (1, 1, 0)
        with pytest.raises(DataError, match="every confidence is 0"):
            read(alphapose([(0, blind)]))


class TestMMPose:
    @pytest.mark.parametrize(("joints", "layout"), [(17, COCO17), (26, HALPE26), (133, COCO17)])
    def test_inferencer(self, read, joints, layout):
        found = read(mmpose([[person(joints)], [], [person(joints, 3), person(joints)]]))
        assert found.layout is layout and [len(p) for p in found.people] == [1, 0, 2]
        assert np.allclose(found.people[2][0], person(joints, 3)[: len(layout)])

    def test_demo_scripts_begin_at_one(self, read):
        frames = mmpose([[person(17)], [person(17)]])
        for frame in frames:
            frame["frame_id"] += 1
        found = read({"meta_info": {"dataset_name": "coco"}, "instance_info": frames})
        assert len(found.people) == 2 and np.allclose(found.times, [0.1, 0.2])

    def test_scores_that_do_not_fit(self, read):
        frames = mmpose([[person(17)]])
        frames[0]["instances"][0]["keypoint_scores"].pop()
        with pytest.raises(DataError, match=r"frame 0: keypoints \(17, 2\) and keypoint_scores \(16,\)"):
            read(frames)


class TestAnnotations:
    """COCO's form: people are tied to images by ids, and are seen (2), hidden (1) or not there (0)."""

    @staticmethod
    def annotated(frames):
        images = [{"id": 900 - 7 * k, "file_name": f"frame_{k:06d}.PNG"} for k in range(frames)]
        seen = np.tile([2, 1, 0], 6)[:17]
        people = [
            {
                "id": k,
                "image_id": image["id"],
                "keypoints": np.column_stack([person(17, k)[:, :2], seen]).ravel().tolist(),
            }
            for k, image in enumerate(images)
        ]
        return {"images": images, "annotations": [*people, {"id": 99, "image_id": 900, "bbox": [0, 0, 9, 9]}]}

    def test_frames_by_the_names_of_images(self, read):
        found = read(self.annotated(4))
        assert found.layout is COCO17 and [len(p) for p in found.people] == [1] * 4
        for k, (own,) in enumerate(found.people):
            assert np.allclose(own[::3, :2], person(17, k)[::3, :2])
        assert np.allclose(found.people[0][0, :3, 2], (1, 0.5, 0))

    @pytest.mark.parametrize("lost", ["image", "keypoints"])
    def test_what_is_missing_is_named(self, read, lost):
        content = self.annotated(4)
        if lost == "image":
            content["images"] = content["images"][1:]
        else:
            content["annotations"] = content["annotations"][-1:]
        with pytest.raises(DataError, match=r"a.json: annotations without (900|any keypoints)"):
            read(content)


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "a.json: no JSON"),
            ([], "expected a list of AlphaPose's people or MMPose's frames, found a list of 0"),
            ({"a": 1}, r"found an object with \['a'\]"),
            ([{"x": 1}], "entries have .'x'., expected 'image_id'"),
            (mmpose([[], []]), "nobody in any frame"),
            ([{"image_id": "0.jpg", "keypoints": [1, 2]}], r"expected \[x, y, confidence"),
            ([{"image_id": "0.jpg", "keypoints": "abc"}], "keypoints are 'abc', expected numbers"),
        ],
    )
    def test_message(self, read, content, message):
        with pytest.raises(DataError, match=message):
            read(content)

    def test_rate(self, read):
        with pytest.raises(DataError, match="fps is 0, expected the frames per second"):
            read(alphapose([(0, person(17))]), fps=0)


def test_what_is_saved_is_read_back(tmp_path):
    people = [np.stack([person(26, k) for k in range(n)]) if n else np.zeros((0, 26, 3)) for n in (2, 0, 1)]
    path = tmp_path / "a.json"
    keypoint_json.save(Detections(people, np.arange(3) / 10, HALPE26, 640, 480, "a"), path)
    found = keypoint_json.read(path, 640, 480, 10.0)
    assert [len(p) for p in found.people] == [2, 0, 1] and found.layout is HALPE26
    assert all(np.allclose(a, b) for a, b in zip(found.people, people, strict=True))
