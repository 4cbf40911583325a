"""BVH files opened by libraries that know nothing of this package: bvhio and bvhsdk."""

import numpy as np
import pytest

from videomdm.data import procedural
from videomdm.export.deliver import write
from videomdm.skeletons import SMPL22

FRAMES = (0, 7, 19)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """Folder, what report.json says, and a motion (20, 22, 3) whose bones change their length by up to 5 %."""
    corpus = procedural.generate(8, seed=2)
    motion = corpus.clip(3)[:20].double()
    centre = motion[:, :1]
    motion = centre + (motion - centre) * (1 + 0.05 * np.sin(np.arange(20)))[:, None, None]
    folder = tmp_path_factory.mktemp("delivered")
    return folder, write(folder, [motion.float()], "a person walks"), motion.numpy()


def bvhio_reads(path):
    bvhio = pytest.importorskip("bvhio", reason="bvhio is not installed (extra dev)")
    root, found = bvhio.readAsHierarchy(str(path)), np.full((len(FRAMES), 22, 3), np.nan)
    for row, frame in zip(found, FRAMES, strict=True):
        root.loadPose(frame)
        for joint, _, _ in root.layout():
            row[SMPL22.index(joint.Name)] = list(joint.PositionWorld)
    return found / 100


def bvhsdk_reads(path):
    bvhsdk = pytest.importorskip("bvhsdk", reason="bvhsdk is not installed (extra dev)")
    animation, found = bvhsdk.ReadFile(str(path)), np.full((len(FRAMES), 22, 3), np.nan)
    assert animation.frames == 20 and animation.frametime == pytest.approx(0.05)
    for joint in animation.getlistofjoints():
        found[:, SMPL22.index(joint.name)] = [np.ravel(joint.getPosition(frame))[:3] for frame in FRAMES]
    return found / 100


@pytest.mark.parametrize("reads", [bvhio_reads, bvhsdk_reads])
class TestReaders:
    def test_the_exact_file_meets_every_joint(self, delivered, reads):
        folder, report, motion = delivered
        found = reads(folder / "00-a-person-walks-exact.bvh")
        assert np.abs(found - motion[list(FRAMES)]).max() < 1e-4
        assert report["00-a-person-walks-exact.bvh"]["max_mm"] < 0.1

    def test_the_rig_is_as_far_off_as_the_report_says(self, delivered, reads):
        folder, report, motion = delivered
        error = np.linalg.norm(reads(folder / "00-a-person-walks.bvh") - motion[list(FRAMES)], axis=-1) * 1000
        own = report["00-a-person-walks.bvh"]
        assert 1 < error.max() <= own["max_mm"] + 0.1 and own["mean_mm"] < own["max_mm"] < 60

    def test_the_rig_has_constant_bones(self, delivered, reads):
        found = reads(delivered[0] / "00-a-person-walks.bvh")
        lengths = np.stack([np.linalg.norm(found[:, j] - found[:, p], axis=-1) for p, j in SMPL22.bones])
        assert np.ptp(lengths, axis=1).max() < 1e-4
