"""plots/rays.py and plots/clouds.py: what is drawn is what was given."""

import numpy as np
import pytest
import torch

from videomdm import cameras
from videomdm.plots import panels
from videomdm.plots.clouds import balls, band, clouds
from videomdm.plots.rays import ray_scene
from videomdm.skeletons import SMPL22


def pose(seed: int) -> torch.Tensor:
    return torch.rand(len(SMPL22), 3, generator=torch.Generator().manual_seed(seed))


class TestRayScene:
    camera = cameras.orbit(0.5, 0.2, torch.zeros(3), 4.0)

    def test_rays_start_at_the_camera_and_moves_join_the_poses(self):
        before, after = pose(0), pose(1)
        traces = ray_scene(before, after, self.camera).data
        lines = [trace for trace in traces if getattr(trace, "mode", None) == "lines"]
        fan, moves = lines[1], lines[2]
        centre = np.round(1000 * self.camera.center.numpy())
        assert (fan.y[0], fan.z[0], fan.x[0]) == tuple(centre)
        assert (moves.y[0], moves.z[0], moves.x[0]) == tuple(np.round(1000 * before[0].numpy()))
        assert (moves.y[1], moves.z[1], moves.x[1]) == tuple(np.round(1000 * after[0].numpy()))
        assert len(moves.x) == 3 * len(SMPL22)

    def test_shape_is_checked(self):
        with pytest.raises(ValueError, match="before"):
            ray_scene(pose(0)[:5], pose(1), self.camera)


class TestClouds:
    def test_balls_have_the_given_diameter_in_data_units(self):
        _, (axes,) = panels("")
        balls(axes, torch.tensor([[0.0, 1.0]]), torch.tensor([0.25]), "k")
        assert axes.collections[0].get_widths() == pytest.approx([0.5])
        assert axes.collections[0].get_offsets().tolist() == [[0.0, 1.0]]

    def test_both_sets_are_drawn(self):
        _, (axes,) = panels("")
        clouds(axes, torch.zeros(4, 2), torch.ones(3, 2))
        assert [len(c.get_offsets()) for c in axes.collections] == [4, 3]

    def test_band_shows_mean_and_scatter(self):
        _, (axes,) = panels("")
        band(axes, [1, 2], np.array([[0.2, 0.4], [0.4, 0.4]]), "k", "name")
        assert axes.lines[0].get_ydata() == pytest.approx([0.3, 0.4])
        heights = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(0.3 - 1.96 * np.sqrt(0.02))
