"""A folder with everything that goes wrong in it, from files to what training sees."""

import json
import shutil

import numpy as np
import pytest
import torch
from keypoint_files import mmpose, write_images, write_npz
from mp4_boxes import set_steps, turn_upright
from rendered import write_numbered

from videomdm import videos
from videomdm.cameras import reprojection_error
from videomdm.data import recordings
from videomdm.data.recordings import rendering
from videomdm.data.recordings.video import Video

pytestmark = pytest.mark.slow

NOISE = rendering.Noise(dropouts=0.01)


@pytest.fixture
def folder(tmp_path, scene, clip_mp4, panned_mp4):
    """Two recordings that are as they should be, four with something to note, six that cannot be used."""

    def seen(*people):
        return rendering.detect(list(people), scene.camera, scene.intrinsics, noise=NOISE, seed=1)

    def keypoints(name, detections):
        (tmp_path / f"{name}.json").write_text(json.dumps(mmpose(detections.people)))

    data, alone = clip_mp4.read_bytes(), seen(scene.joints)
    for name in ("good_lunge", "crossing", "uneven"):
        shutil.copy(clip_mp4, tmp_path / f"{name}.mp4")
        keypoints(name, alone)
    shutil.copy(clip_mp4, tmp_path / "detected.mp4")
    right, _, ahead = scene.camera.rotation
    path = torch.linspace(-1, 1, 60)[:, None, None] * right + 0.8 * ahead
    keypoints("crossing", seen(scene.joints, scene.joints + path))
    (tmp_path / "uneven.mp4").write_bytes(set_steps(data, [1 + (k % 3 == 0) for k in range(60)]))
    portrait = write_images(tmp_path / "portrait.mp4", [np.ascontiguousarray(np.rot90(i)) for _, i in Video(clip_mp4)])
    portrait.write_bytes(turn_upright(portrait.read_bytes()))
    keypoints("portrait", alone)

    shutil.copy(panned_mp4, tmp_path / "panned.mp4")
    keypoints("panned", alone)
    write_numbered(tmp_path / "nobody.mp4", 30)
    write_numbered(tmp_path / "single.mp4", 1)
    (tmp_path / "cut_off.mp4").write_bytes(data[: len(data) // 2])
    write_npz(tmp_path / "unsure.npz", rendering.detect([scene.joints], scene.camera, scene.intrinsics),
              confidence=np.zeros((60, 26)))  # fmt: skip
    write_npz(tmp_path / "lens.npz", rendering.detect([scene.joints], scene.camera, scene.intrinsics),
              intrinsics=[[np.inf, 0, 128], [0, 300, 96], [0, 0, 1]])  # fmt: skip
    (tmp_path / "captions.csv").write_text("file,caption\ngood_lunge.mp4,a person lunges\n")
    return tmp_path


NOTED = {
    "good_lunge": "intrinsics: assumed field of view",
    "detected": "intrinsics: assumed field of view",
    "crossing": "another person crosses",
    "uneven": "variable frame rate (10 to 20 fps): frames are used by their time stamps",
    "portrait": "turned upright by 90 degrees",
}
UNFIT = {
    "panned": "the camera moves",
    "nobody": "no person in any of 30 frames",
    "single": "a single frame, expected a video",
    "cut_off": "cannot be opened as a video (truncated, damaged",
    "unsure": "every confidence is 0",
    "lens": "expected a finite matrix (3, 3) in pixels",
}


class TestFolder:
    def test_every_recording_is_in_the_summary(self, folder, detector):
        found = recordings.load(folder, detector, on_error="skip")
        material = videos.gather(found, 44)
        rows = {row["recording"]: row for row in material.rows()}
        assert rows.keys() == NOTED.keys() | UNFIT.keys() and len(material.rows()) == len(rows)
        for name, note in {**NOTED, **UNFIT}.items():
            assert note in rows[name]["notes"], name
        assert {name for name, row in rows.items() if row["used"] == "yes"} == NOTED.keys()
        assert rows["detected"]["keypoints"] == "detected" and rows["crossing"]["keypoints"] == "crossing.json"

    def test_what_is_used_is_fit_for_training(self, folder, detector, scene):
        material = videos.gather(recordings.load(folder, detector, on_error="skip"), 44)
        observed = material.observations
        assert set(observed.lengths.tolist()) <= set(range(40, 45)) and observed.frame == "pnp"
        for field in (observed.keypoints, observed.teacher, observed.confidence):
            assert field.isfinite().all()
        own = {name: [i for i, n in enumerate(observed.names) if n.startswith(name)] for name in NOTED}
        assert observed.captions[own["good_lunge"][0]] == ("a person lunges",)
        assert observed.captions[own["uneven"][0]] == ("uneven",)
        assert sum(observed.lengths[i] for i in own["uneven"]) > sum(observed.lengths[i] for i in own["good_lunge"])
        error = reprojection_error(observed.camera, observed.teacher, observed.keypoints, observed.lengths)
        assert error.max() < 0.05

    def test_a_row_of_seconds_adds_up(self, folder, detector):
        material = videos.gather(recordings.load(folder, detector, on_error="skip"), 44)
        for i, row in enumerate(material.rows()[: len(material.recordings)]):
            unused = sum(u.last - u.first for u in material.unused if u.recording == i)
            assert row["seconds"] + unused == pytest.approx(row["of"])
