import pytest
import torch

from videomdm import features
from videomdm.data import procedural
from videomdm.plots.blocks import bone_directions, feature_blocks
from videomdm.skeletons import NBA16, SMPL22


@pytest.fixture(scope="module")
def clip():
    return features.canonicalise(procedural.generate(17, seed=0).clip(16))


def test_every_block_has_its_panel_and_its_share_of_the_bar(clip):
    figure = feature_blocks(features.encode(clip), 40)
    bar, *panels = figure.axes
    assert [p.get_width() for p in bar.patches] == [1, 2, 1, 63, 126, 66, 4]
    titles = ", ".join(panel.get_title() for panel in panels)
    assert titles == ", ".join(features.blocks(22))


def test_rotation_channels_are_read_as_they_were_written(clip):
    rows = features.encode(clip.double())
    heading, _ = features.root_trajectory(rows)
    bones = clip[60, 1:].double() - clip[60, list(SMPL22.parents[1:])].double()
    sin, cos = heading[60].sin(), heading[60].cos()
    turned = torch.stack(
        (cos * bones[:, 0] - sin * bones[:, 2], bones[:, 1], sin * bones[:, 0] + cos * bones[:, 2]), -1
    )
    read = torch.from_numpy(bone_directions(rows, 60, SMPL22))
    torch.testing.assert_close(read, torch.nn.functional.normalize(turned, dim=-1), atol=1e-5, rtol=0)


def test_other_layouts(clip):
    body = torch.randn(20, 16, 3, generator=torch.Generator().manual_seed(0))
    assert len(feature_blocks(features.encode(body, NBA16), 3, NBA16).axes) == 7


@pytest.mark.parametrize(("shape", "frame", "message"), [((9, 262), 0, r"\(9, 262\)"), ((9, 263), 8, "frame 8")])
def test_bad_input(shape, frame, message):
    with pytest.raises(ValueError, match=message):
        feature_blocks(torch.zeros(shape), frame)
