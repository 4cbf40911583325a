"""Conversions between joint layouts."""

import pytest
import torch

from videomdm.data import procedural
from videomdm.data.recordings.rendering import landmarks
from videomdm.skeletons import BODY25, BODY25B, COCO17, H36M17, HALPE26, NBA16, SMPL22, by_name
from videomdm.skeletons.layouts import GUESSED, ROWS, convert, route, weights

PAIRS = [(COCO17, SMPL22), (COCO17, H36M17), (BODY25, SMPL22), (BODY25, H36M17), (HALPE26, SMPL22), (H36M17, SMPL22)]
PAIRS += [(BODY25B, SMPL22), (BODY25B, H36M17)]


def ids(pair):
    return f"{pair[0].name}-{pair[1].name}"


class TestMirrored:
    @pytest.mark.parametrize("layout", [SMPL22, H36M17, COCO17, HALPE26, BODY25, BODY25B, NBA16], ids=lambda s: s.name)
    def test_swaps_names_and_is_its_own_inverse(self, layout):
        for joint, other in zip(layout.joints, layout.mirrored, strict=True):
            swapped = joint.replace("left", "?").replace("right", "left").replace("?", "right")
            assert layout.joints[other] == swapped
        assert [layout.mirrored[k] for k in layout.mirrored] == list(range(len(layout)))


class TestBody25:
    def test_order_is_openposes(self):
        ids = {
            "nose": 0,
            "neck": 1,
            "right_wrist": 4,
            "pelvis": 8,
            "left_ankle": 14,
            "left_big_toe": 19,
            "right_heel": 24,
        }
        assert {name: BODY25.index(name) for name in ids} == ids
        assert all(
            BODY25.joints[p].startswith(BODY25.joints[j][:4]) for p, j in BODY25.bones if "knee" in BODY25.joints[p]
        )


class TestWeights:
    @pytest.mark.parametrize("pair", ROWS, ids="-".join)
    def test_rows_sum_to_one(self, pair):
        matrix = weights(*pair)
        assert matrix.shape == (len(by_name(pair[1])), len(by_name(pair[0])))
        assert torch.allclose(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64))

    @pytest.mark.parametrize("pair", ROWS, ids="-".join)
    def test_left_mirrors_right(self, pair):
        source, target = map(by_name, pair)
        matrix = weights(*pair)
        assert torch.equal(matrix[list(target.mirrored)][:, list(source.mirrored)], matrix)

    @pytest.mark.parametrize("pair", ROWS, ids="-".join)
    def test_every_row_names_joints_of_the_layouts(self, pair):
        assert set(ROWS[pair]) <= set(by_name(pair[1]).joints)
        assert set(GUESSED.get(pair, ())) <= set(ROWS[pair])

    def test_halpe_to_smpl_by_hand(self):
        matrix = weights("halpe26", "smpl22")

        def row(joint):
            return {
                HALPE26.joints[k]: round(float(matrix[SMPL22.index(joint), k]), 3)
                for k in matrix[SMPL22.index(joint)].nonzero()
            }

        assert row("left_knee") == {"left_knee": 1}
        assert row("left_hip") == {"left_hip": 0.8, "right_hip": 0.2}
        assert row("right_foot") == {"right_big_toe": 0.4, "right_small_toe": 0.35, "right_heel": 0.25}
        assert row("pelvis") == {"left_hip": 0.415, "right_hip": 0.415, "left_shoulder": 0.085, "right_shoulder": 0.085}


class TestRoute:
    def test_goes_through_halpe(self):
        assert route(COCO17, SMPL22) == [("coco17", "halpe26"), ("halpe26", "smpl22")]
        assert route(HALPE26, H36M17) == [("halpe26", "h36m17")]
        assert route(SMPL22, SMPL22) == []

    def test_no_way_says_where_one_can_go(self):
        with pytest.raises(ValueError, match="from coco17 to nba16; from coco17 there is h36m17, halpe26, smpl22"):
            route(COCO17, NBA16)
        with pytest.raises(ValueError, match="there is none"):
            route(SMPL22, H36M17)


class TestConvert:
    @pytest.mark.parametrize("pair", PAIRS, ids=ids)
    def test_follows_shift_and_scale(self, pair):
        source, target = pair
        points, confidence = torch.randn(2, 5, len(source), 2, dtype=torch.float64), torch.rand(2, 5, len(source))
        plain, c = convert(points, confidence, source, target)
        moved, _ = convert(3 * points + torch.tensor([7.0, -2.0]), confidence, source, target)
        assert plain.shape == (2, 5, len(target), 2) and c.shape == (2, 5, len(target))
        assert plain.dtype == torch.float64
        assert torch.allclose(moved, 3 * plain + torch.tensor([7.0, -2.0], dtype=torch.float64))

    @pytest.mark.parametrize("pair", PAIRS, ids=ids)
    def test_mirrors_with_the_body(self, pair):
        source, target = pair
        points, confidence = torch.randn(3, len(source), 2), torch.rand(3, len(source))
        plain, c = convert(points, confidence, source, target)
        swap = list(source.mirrored)
        other, d = convert(points[:, swap], confidence[:, swap], source, target)
        assert torch.allclose(other[:, list(target.mirrored)], plain, atol=1e-5)
        assert torch.equal(d[:, list(target.mirrored)], c)

    def test_confidence_is_the_least_of_the_parts(self):
        confidence = torch.ones(26)
        confidence[HALPE26.index("left_big_toe")] = 0.3
        confidence[HALPE26.index("right_hip")] = 0.6
        _, c = convert(torch.zeros(26, 2), confidence, HALPE26, SMPL22)
        low = {SMPL22.joints[k]: round(float(c[k]), 3) for k in range(22) if c[k] < 1}
        assert low == dict.fromkeys(("pelvis", "left_hip", "right_hip", "spine1", "spine2", "spine3"), 0.6) | {
            "left_foot": 0.3
        }

    @pytest.mark.parametrize("source", [COCO17, H36M17], ids=lambda s: s.name)
    def test_feet_without_source_are_guesses(self, source):
        knee, ankle = source.index("left_knee"), source.index("left_ankle")
        points = torch.zeros(len(source), 2)
        points[knee, 1], points[ankle, 1] = 1.0, 1.4
        foot, c = convert(points, torch.ones(len(source)), source, SMPL22)
        assert c[SMPL22.index("left_foot")] == c[SMPL22.index("right_foot")] == 0
        assert c[SMPL22.index("left_ankle")] == 1 and (c > 0).sum() == 20
        assert foot[SMPL22.index("left_foot"), 1] == pytest.approx(1.4 + 0.15 * 0.4)

    def test_wrong_shape(self):
        with pytest.raises(ValueError, match=r"expected \(..., 26, D\) and \(..., 26\) for layout halpe26"):
            convert(torch.zeros(4, 17, 2), torch.zeros(4, 17), HALPE26, SMPL22)

    def test_gradient(self):
        points = torch.randn(2, 17, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda p: convert(p, torch.ones(2, 17), COCO17, SMPL22)[0], points)


@pytest.fixture(scope="module")
def joints():
    corpus = procedural.generate(6)
    return torch.cat([corpus.clip(i) for i in range(len(corpus))])


class TestOnBodies:
    """The tables against bodies whose landmarks are placed as the module says."""

    # centimetres, mean over the built-in corpus' own bodies, which are not SMPL's mean shape
    @pytest.mark.parametrize(
        ("source", "limit"), [(HALPE26, 1.7), (COCO17, 2.6), (H36M17, 2.9)], ids=lambda v: str(getattr(v, "name", v))
    )
    def test_leads_back(self, joints, source, limit):
        seen = landmarks(joints)
        ones = torch.ones(seen.shape[:-1])
        if source is COCO17:
            seen, ones = seen[:, :17], ones[:, :17]
        elif source is H36M17:
            seen, ones = convert(seen, ones, HALPE26, H36M17)
        back, _ = convert(seen, ones, source, SMPL22)
        error = 100 * (back - joints).norm(dim=-1)
        assert 0.1 < error.mean() < limit
        limbs = [SMPL22.index(f"{s}_{j}") for s in ("left", "right") for j in ("knee", "ankle", "elbow", "wrist")]
        assert error[:, limbs].max() < 1e-3
