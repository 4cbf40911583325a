"""study/train_elepose.py: what is drawn, ranked and measured; a training on few clips; its network as a teacher."""

import json

import pytest
import torch

from videomdm.conventions import DataError
from videomdm.data import nba, procedural, sources
from videomdm.lifters import centred
from videomdm.lifters.elepose_network import ElePose, turn_about_x, turn_about_y
from videomdm.skeletons import H36M17, NBA16
from videomdm.study import train_elepose
from videomdm.study.train_elepose import draw, loss_terms, mean_bones, mirrored, ranking, whole_poses


def bodies(n: int = 12):
    return nba.bodies(procedural.generate(n, seed=3, max_frames=44))


def seed(n: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(n)


class Likes(torch.nn.Module):
    """A density that falls with the distance from given poses."""

    def __init__(self, poses: torch.Tensor) -> None:
        super().__init__()
        self.poses = poses

    def forward(self, poses: torch.Tensor) -> torch.Tensor:
        return -(poses - self.poses).square().sum((1, 2))


class TestPoses:
    def test_mirrored_twice_is_the_same(self):
        poses = torch.randn(5, 16, 2)
        once = mirrored(poses, NBA16)
        left, right = NBA16.index("left_wrist"), NBA16.index("right_wrist")
        assert torch.equal(once[:, left], poses[:, right] * torch.tensor((-1.0, 1.0)))
        assert torch.equal(mirrored(once, NBA16), poses)

    def test_half_of_a_batch_is_mirrored(self):
        poses = torch.ones(3, 16, 2)
        share = (draw(poses, 4000, NBA16, seed())[:, 0, 0] < 0).float().mean()
        assert share.item() == pytest.approx(0.5, abs=0.03)

    def test_whole_poses_leave_hidden_limbs_out(self):
        true = bodies(4)
        seen = nba.film(true, 0)
        poses, distance = whole_poses(seen, NBA16, torch.ones(15), nba.DISTANCE)
        whole = (seen.weight >= 0.3).all(-1)
        assert 0 < len(poses) == int(whole.sum()) < int(true.lengths.sum())
        assert torch.allclose(poses, nba.DISTANCE * seen.keypoints[whole], atol=1e-6)
        assert (distance == nba.DISTANCE).all()

    @pytest.mark.slow
    def test_mean_bones(self):
        bones = dict(zip(NBA16.bones, mean_bones(NBA16, True).tolist(), strict=True))
        thigh, shin, torso = (bones[NBA16.index(a), NBA16.index(b)] for a, b in
                              (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("pelvis", "neck")))  # fmt: skip
        assert thigh + shin + torso == pytest.approx(nba.SIZE, rel=0.03)
        assert mean_bones(procedural.generate(1, 0).skeleton, False).sum() > 2  # metres, a person has more of bones
        with pytest.raises(DataError, match="layout h36m17, expected nba16"):
            mean_bones(H36M17, True)

    def test_ranking(self):
        poses = torch.randn(300, 16, 2, generator=seed())
        found = ranking(Likes(poses), poses, NBA16)
        assert found == {"exchanged": 1.0, "mirrored": 1.0, "long_limb": 1.0}
        upside_down = ranking(Likes(poses[:, list(NBA16.mirrored)]), poses, NBA16)
        assert upside_down["exchanged"] == 0.0

    def test_a_long_limb_is_half_as_long_again(self):
        poses = torch.randn(200, 16, 2, generator=seed())
        changed = train_elepose._long_limb(poses, NBA16, seed())
        moved = (changed != poses).any(-1)
        assert (moved.sum(1) == 2).all() and moved.any(0).sum() == 8
        for hip, knee, ankle in (
            ("left_hip", "left_knee", "left_ankle"),
            ("right_shoulder", "right_elbow", "right_wrist"),
        ):
            a, b, c = (NBA16.index(name) for name in (hip, knee, ankle))
            rows = moved[:, b]
            for first, second in ((a, b), (b, c)):
                before, after = ((x[rows, second] - x[rows, first]).norm(dim=-1) for x in (poses, changed))
                assert torch.allclose(after, 1.5 * before, rtol=1e-4)


class TestLosses:
    def test_a_perfect_network_loses_only_likelihood(self):
        # people at one azimuth, all with the same body: depths and elevation are told, so everything comes back
        torch.manual_seed(0)
        net = ElePose(width=16, distance=6.0)
        poses = torch.randn(8, 16, 2)
        poses[:, 0] = 0
        joints, elevation = net(poses)

        class Perfect(torch.nn.Module):
            skeleton, distance, project = net.skeleton, net.distance, staticmethod(net.project)
            bone_lengths = torch.ones(15)

            def forward(self, seen):
                if seen is poses:
                    return joints, elevation
                return self.turned, elevation

        perfect = Perfect()

        class Flow(torch.nn.Module):
            def forward(self, seen):
                return seen.sum((1, 2))

        # what the second camera sees is lifted to the pose as the first camera's guess has it, turned
        generator = seed(4)
        azimuth = 2 * torch.pi * torch.rand(8, generator=generator)
        tilt = elevation.mean() + elevation.std() * torch.randn(8, generator=generator)
        turn = turn_about_x(tilt) @ turn_about_y(azimuth) @ turn_about_x(-elevation)
        perfect.turned = joints @ turn.mT
        terms = loss_terms(perfect, Flow(), poses, seed(4))
        for name in ("pose", "projection", "deformation"):
            assert terms[name].item() == pytest.approx(0, abs=1e-4)
        assert terms["likelihood"].item() == pytest.approx(
            -net.project(perfect.turned).sum((1, 2)).mean().item(), rel=1e-4
        )
        total = terms["likelihood"] + terms["pose"] + terms["projection"] + terms["deformation"] + 50 * terms["bones"]
        assert terms["total"].item() == pytest.approx(total.item(), rel=1e-5)
        assert terms["bones"] > 0

    def test_every_term_reaches_the_network(self):
        pytest.importorskip("FrEIA", reason="needs the extra elepose")
        from videomdm.lifters.elepose_flow import PoseFlow

        torch.manual_seed(0)
        net, flow, poses = ElePose(width=16), PoseFlow(width=8), torch.randn(6, 16, 2)
        flow.requires_grad_(False)
        for name in ("likelihood", "pose", "projection", "deformation", "bones"):
            net.zero_grad()
            loss_terms(net, flow, poses, seed())[name].backward()
            assert net.depth[-1].weight.grad.abs().sum() > 0, name
            if name != "bones":
                assert net.elevation[-1].weight.grad.abs().sum() > 0, name


@pytest.mark.slow
def test_command(tmp_path):
    pytest.importorskip("FrEIA", reason="needs the extra elepose")
    arguments = ["--out", str(tmp_path), "--budget", "smoke", "--clips", "120"]
    assert train_elepose.main(arguments) == 0
    report = json.loads((tmp_path / "elepose.json").read_text())
    assert report["metrics"]["elepose"]["pa_mpjpe"] > report["metrics"]["supervised"]["pa_mpjpe"] > 0
    assert 0 <= report["metrics"]["flow"]["mirrored"] <= 1
    weights = (tmp_path / "elepose.safetensors").read_bytes()
    assert train_elepose.main(arguments) == 0  # finished: nothing is trained again
    assert (tmp_path / "elepose.safetensors").read_bytes() == weights

    tracks = sources.tracks("nba-like", None, "test", 44, 120)
    lifted = centred.lift(tracks, str(tmp_path / "elepose.safetensors"))
    seen, _ = tracks.seen.camera.project(lifted)
    inside = tracks.counted.weight > 0
    assert lifted.shape == (*tracks.seen.keypoints.shape[:3], 3)
    assert (seen - tracks.seen.keypoints)[inside].norm(dim=-1).mean() < 0.05  # scaled to where it was seen
    assert centred.version(tracks, str(tmp_path / "elepose.safetensors")) != centred.version(tracks, "procedural")


@pytest.mark.slow
def test_with_a_root_path(tmp_path):
    pytest.importorskip("FrEIA", reason="needs the extra elepose")
    arguments = ["--out", str(tmp_path), "--budget", "smoke", "--clips", "120", "--rooted"]
    assert train_elepose.main(arguments) == 0
    metrics = json.loads((tmp_path / "elepose.json").read_text())["metrics"]
    assert metrics["elepose"]["pa_mpjpe"] > metrics["supervised"]["pa_mpjpe"] > 0


def test_unknown_lifter(tmp_path):
    tracks = sources.tracks("nba-like", None, "test", 44, 120)
    with pytest.raises(
        DataError, match=r"'none.safetensors', expected procedural, real, elepose, motionbert or the file"
    ):
        centred.lift(tracks, "none.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="a.safetensors"):
        centred.lift(tracks, str(tmp_path / "a.safetensors"))
