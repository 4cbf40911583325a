"""The built-in corpus: deterministic, plausible bodies, feet that stand still, captions that are true."""

import time

import pytest
import torch

from videomdm.data import procedural
from videomdm.data.procedural import curves
from videomdm.data.procedural.body import LEG_RATIO, animate, draw_bodies, mirror
from videomdm.data.procedural.take import MARGIN, Take
from videomdm.skeletons import SMPL22

J = SMPL22.index
FAMILIES = ("prior", "teacher")


@pytest.fixture(scope="module")
def corpora():
    return {family: procedural.generate(300, seed=3, family=family) for family in FAMILIES}


def clips_of(corpus, action):
    return [i for i, name in enumerate(corpus.actions) if name == action]


def bone_lengths(joints):
    parents, children = zip(*SMPL22.bones, strict=True)
    return (joints[..., list(children), :] - joints[..., list(parents), :]).norm(dim=-1)


def leg_ratio(clip):
    """Leg against torso length of a clip, relative to the mean body of the generator."""
    lengths = dict(zip([c for _, c in SMPL22.bones], bone_lengths(clip[0]).tolist(), strict=True))
    leg = lengths[J("left_knee")] + lengths[J("left_ankle")]
    return leg / sum(lengths[J(j)] for j in ("spine1", "spine2", "spine3", "neck", "head"))


class TestGenerate:
    def test_same_seed_same_corpus(self):
        a, b = (procedural.generate(60, seed=5) for _ in range(2))
        assert torch.equal(a.joints, b.joints) and a.captions == b.captions and a.names == b.names
        other = procedural.generate(60, seed=6)
        n = min(a.joints.shape[1], other.joints.shape[1])
        assert not torch.allclose(a.joints[:, :n], other.joints[:, :n])

    @pytest.mark.parametrize("family", FAMILIES)
    def test_lengths_padding_and_names(self, corpora, family):
        corpus = corpora[family]
        assert len(corpus) == 300 and corpus.joints.dtype == torch.float32 and corpus.fps == 20.0
        assert corpus.joints.isfinite().all()
        assert corpus.lengths.min() >= 40 and corpus.lengths.max() <= 196
        assert len(corpus.lengths.unique()) > 60
        padding = torch.arange(corpus.joints.shape[1]) >= corpus.lengths[:, None]
        assert (corpus.joints[padding] == 0).all()
        assert len(set(corpus.names)) == 300

    def test_asked_lengths_hold(self):
        corpus = procedural.generate(80, min_frames=48, max_frames=64)
        assert corpus.lengths.min() >= 48 and corpus.lengths.max() <= 64
        assert (procedural.generate(30, min_frames=40, max_frames=40).lengths == 40).all()

    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"n_clips": 0}, "n_clips is 0"),
            ({"n_clips": 5, "family": "students"}, "'students'"),
            ({"n_clips": 5, "min_frames": 10}, "10..196"),
            ({"n_clips": 5, "min_frames": 90, "max_frames": 60}, "90..60"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            procedural.generate(**arguments)

    @pytest.mark.slow
    def test_two_thousand_clips_in_seconds(self):
        start = time.process_time()
        procedural.generate(2000)
        assert time.process_time() - start < 30.0


@pytest.mark.parametrize("family", FAMILIES)
class TestMotion:
    def test_bones_keep_their_length(self, corpora, family):
        corpus = corpora[family]
        for i in range(len(corpus)):
            lengths = bone_lengths(corpus.clip(i))
            assert (lengths - lengths[0]).abs().max() < 1e-4, corpus.actions[i]

    def test_lowest_joint_is_on_the_floor(self, corpora, family):
        corpus = corpora[family]
        lowest = torch.stack([corpus.clip(i)[..., 1].min() for i in range(len(corpus))])
        assert lowest.abs().max() < 1e-5
        # In nearly every frame something stands on the floor; only flight lifts both feet.
        heights = torch.cat([corpus.clip(i)[..., 1].amin(-1) for i in range(len(corpus))])
        assert (heights < 0.03).float().mean() > 0.85

    def test_feet_stay_where_they_stand(self, corpora, family):
        corpus = corpora[family]
        skating = []
        for i in range(len(corpus)):
            feet = corpus.clip(i)[:, [J("left_foot"), J("right_foot")]]
            low = torch.maximum(feet[1:, :, 1], feet[:-1, :, 1]) < 0.05
            moved = feet.diff(dim=0)[..., [0, 2]].norm(dim=-1) > 0.025
            skating.append((low & moved).any(-1).float().mean())
        assert torch.stack(skating).mean() < 0.03 and max(skating) < 0.15

    def test_knees_bend_forward(self, corpora, family):
        """Knees lie before the line from hip to ankle, as the foot points."""
        corpus = corpora[family]
        for i in range(len(corpus)):
            clip = corpus.clip(i)
            for side in ("left_", "right_"):
                hip, knee, ankle, foot = (clip[:, J(side + j)] for j in ("hip", "knee", "ankle", "foot"))
                line = torch.nn.functional.normalize(ankle - hip, dim=-1)
                off = knee - hip - ((knee - hip) * line).sum(-1, keepdim=True) * line
                forward = (foot - ankle) * torch.tensor([1.0, 0.0, 1.0])
                clear = (forward.norm(dim=-1) > 0.08) & (hip[:, 1] - ankle[:, 1] > 0.15) & (off.norm(dim=-1) > 0.02)
                assert ((off * forward).sum(-1)[clear] > 0.0).all(), corpus.actions[i]

    def test_no_jumps(self, corpora, family):
        corpus = corpora[family]
        worst = max(float(corpus.clip(i).diff(dim=0).norm(dim=-1).max()) for i in range(len(corpus)))
        assert worst < 0.8  # metres per frame: a hand at 16 m/s would be one

    def test_headings_vary(self, corpora, family):
        first = corpora[family].joints[:, 0]
        across = first[:, J("left_hip")] - first[:, J("right_hip")]
        quadrant = (across[:, 0] > 0).long() * 2 + (across[:, 2] > 0).long()
        assert quadrant.bincount(minlength=4).min() > 40


class TestFamilies:
    def test_actions_are_disjoint_and_many(self, corpora):
        prior, teacher = set(procedural.PRIOR_ACTIONS), set(procedural.TEACHER_ACTIONS)
        assert len(prior) >= 14 and len(teacher) >= 8 and not prior & teacher
        assert set(corpora["prior"].actions) == prior and set(corpora["teacher"].actions) == teacher

    def test_bodies_are_disjoint(self, corpora):
        prior, teacher = (
            torch.tensor([leg_ratio(corpora[f].clip(i)) for i in range(len(corpora[f]))]) for f in FAMILIES
        )
        assert not ((teacher >= prior.min()) & (teacher <= prior.max())).any()
        assert prior.std() > 0.005 and teacher.std() > 0.02

    def test_ranges_do_not_overlap(self):
        ((low, high),) = LEG_RATIO["prior"]
        assert all(b < low or a > high for a, b in LEG_RATIO["teacher"])

    def test_bodies_have_human_sizes(self):
        lengths = draw_bodies(500, "prior", torch.Generator().manual_seed(0)).norm(dim=-1)
        mean = dict(zip(SMPL22.joints, lengths.mean(0).tolist(), strict=True))
        for joint, metres in {
            "left_knee": 0.39,
            "right_ankle": 0.43,
            "left_elbow": 0.26,
            "neck": 0.22,
        }.items():
            assert mean[joint] == pytest.approx(metres, abs=0.02)
        assert (lengths[:, J("left_knee")] == lengths[:, J("right_knee")]).all()


class TestCaptions:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_several_different_sentences(self, corpora, family):
        corpus = corpora[family]
        for captions in corpus.captions:
            assert len(captions) >= 3 and len(set(captions)) == len(captions)
            assert all(len(c.split()) >= 2 and "{" not in c and "  " not in c for c in captions)
        for action in set(corpus.actions):
            clips = clips_of(corpus, action)
            assert len({corpus.captions[i] for i in clips}) > min(2, len(clips) - 1)

    def test_named_hand_is_the_raised_one(self, corpora):
        corpus = corpora["prior"]
        seen = set()
        for i in clips_of(corpus, "wave_hand") + clips_of(corpus, "raise_hand"):
            text = " ".join(corpus.captions[i])
            side = "left" if "left" in text else "right"
            other = {"left": "right", "right": "left"}[side]
            assert other not in text
            clip = corpus.clip(i)
            top = {s: clip[:, J(s + "_wrist"), 1].max() for s in (side, other)}
            assert top[side] > clip[:, J(side + "_shoulder"), 1].max() and top[side] > top[other] + 0.2
            seen.add(side)
        assert seen == {"left", "right"}

    def test_left_is_left(self, corpora):
        """Left joints lie on +X when the body faces +Z: up x forward = left, and feet point forward."""
        first = corpora["prior"].joints[clips_of(corpora["prior"], "idle"), 0]
        left = first[:, J("left_shoulder")] - first[:, J("right_shoulder")]
        forward = first[:, J("left_foot")] - first[:, J("left_ankle")]
        up = torch.tensor([0.0, 1.0, 0.0]).expand_as(left)
        assert ((torch.linalg.cross(up, forward) * left).sum(-1) > 0).all()

    def test_curves_bend_to_the_named_side(self, corpora):
        corpus = corpora["prior"]
        for i in clips_of(corpus, "walk_curve") + clips_of(corpus, "run_curve"):
            path = corpus.clip(i)[:, 0][:, [0, 2]]
            v = path[10::10] - path[:-10:10]
            turning = (v[:-1, 1] * v[1:, 0] - v[:-1, 0] * v[1:, 1]).sum()  # about +Y: positive to the left
            assert (turning > 0) == ("left" in " ".join(corpus.captions[i]))

    def test_faster_captions_move_faster(self):
        corpus = procedural.generate(300, seed=1)
        pace = {"slow": [], "fast": []}
        for i in clips_of(corpus, "walk"):
            path = corpus.clip(i)[:, 0][:, [0, 2]]
            speed = float((path[-1] - path[0]).norm()) / (len(path) / 20.0)
            text = " ".join(corpus.captions[i])
            for word, marks in {
                "slow": ("slow", "leisurely"),
                "fast": ("fast", "quick", "brisk", "rapid"),
            }.items():
                if any(m in text for m in marks):
                    pace[word].append(speed)
        assert min(pace["fast"]) > max(pace["slow"])

    def test_counted_jumps(self):
        corpus = procedural.generate(300, seed=2)
        numbers = {
            "once": 1,
            "one time": 1,
            "single": 1,
            "twice": 2,
            "two": 2,
            "three": 3,
            "3 t": 3,
            "four": 4,
            "4 t": 4,
        }
        for i in clips_of(corpus, "jump_up"):
            text = " ".join(corpus.captions[i]).replace("both feet", "")
            counts = {n for word, n in numbers.items() if word in text.replace("someone", "")}
            height = corpus.clip(i)[:, [J("left_foot"), J("right_foot")], 1].amin(-1)
            air = (height > 0.05).int()
            assert counts == {int((air.diff() == 1).sum())}, text


class TestSplits:
    def test_disjoint_complete_and_stratified(self, corpora):
        corpus = corpora["prior"]
        parts = procedural.splits(corpus)
        names = [set(p.names) for p in parts.values()]
        assert sum(len(n) for n in names) == len(set.union(*names)) == len(corpus)
        assert set(parts["train"].actions) == set(corpus.actions)
        assert 0.75 < len(parts["train"]) / len(corpus) < 0.85

    def test_load_is_deterministic(self):
        a, b = (procedural.load("val", n_clips=100, seed=4) for _ in range(2))
        assert a.names == b.names and torch.equal(a.joints, b.joints)
        assert not set(a.names) & set(procedural.load("test", n_clips=100, seed=4).names)
        with pytest.raises(ValueError, match="'dev'"):
            procedural.load("dev")


class TestParts:
    def test_spline_passes_its_knots_and_flies_a_parabola(self):
        time_ = torch.linspace(0, 2, 41)[None]
        knots, values = torch.tensor([[0.0, 2.0]]), torch.tensor([[[0.0], [0.0]]])
        slopes = torch.tensor([[[2.0], [-2.0]]])
        expected = 2.0 * time_ - time_**2
        assert torch.allclose(curves.spline(time_, knots, values, slopes)[..., 0], expected, atol=1e-6)

    def test_when_inverts_lookup(self):
        curve = torch.tensor([[0.0, 1.0, 4.0, 9.0]])
        frames = curves.when(curve, torch.tensor([[0.5, 2.5, 9.0]]))
        assert torch.allclose(frames, torch.tensor([[0.5, 1.5, 3.0]]))
        assert torch.allclose(curves.lookup(curve[..., None], frames)[..., 0], torch.tensor([[0.5, 2.5, 9.0]]))

    def test_standing_still_stands_on_both_feet(self):
        generator = torch.Generator().manual_seed(0)
        offsets = draw_bodies(2, "prior", generator)
        take = Take(torch.tensor([40, 60]), offsets, generator)
        take.stand()
        joints = animate(offsets, take.pose)
        feet = joints[:, :, [J("left_foot"), J("right_foot")]]
        assert feet[..., 1].abs().max() < 2e-3 and (feet - feet[:, :1]).abs().max() < 1e-6
        assert joints.shape[1] == 60 + 2 * MARGIN

    def test_mirror_is_its_own_inverse_and_keeps_sides(self):
        joints = torch.randn(3, 22, 3)
        assert torch.equal(mirror(mirror(joints)), joints)
        assert torch.equal(mirror(joints)[:, J("left_wrist"), 0], -joints[:, J("right_wrist"), 0])
