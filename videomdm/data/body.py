"""Is it a body?  What every 3-D input is checked for: bones, size, sides, and which way is up.

Corpora, BVH files and what other lifters found come in any units, axes and orders of joints, and a network learns from
all of them without complaint.  A body gives each mistake away:

- its bones keep their lengths and are alike on both sides (else: another order of joints, or lost frames);
- ankle to head, bone by bone, it measures .5 to 2.5 m (else: centimetres, feet, units of an image);
- its knees bend, and its toes point, to where it faces (else: left and right exchanged, or one axis mirrored);
- most people of a corpus have their heads above their feet along +Y (else: Z up, or Y down).

The first three hold for people who crawl, lie or stand on their hands, so they are asked of every clip.  Which way is
up, one clip cannot tell: it is asked of a corpus (:func:`check_corpus`), and of a lifted motion against the keypoints
that it was made from (:func:`check_upright`).

Motions are joints (T, 22, 3) of SMPL-22.  Nothing is corrected here: messages say what to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from videomdm.conventions import DataError
from videomdm.skeletons.definitions import SMPL22
from videomdm.skeletons.kinematics import bone_vectors

BODY_HEIGHT = (0.5, 2.5)  # metres from ankle to head, bone by bone
VARYING = 0.35  # of their median, by which limbs vary in 80 % of frames: no body (corpora have .01)
UNEVEN = 1.6  # left limb bone to right one, or the reverse; corpora have up to 1.13
LEG = 2.0  # thigh to shin, or the reverse; corpora have up to 1.35
BACKWARDS = -0.2  # knees and toes together; corpora have at least +.6
#: A joint jumps where a bone changes from one frame to the next by so many ankle-to-head lengths, and by so many times
#: what the bone that changes most does in the median frame.  No corpus comes near a tenth of the first, no detection in
#: 3-D of real films near both (``TestJumps`` in tests/data/test_body.py holds them to it).
TORN = (0.1, 12.0)
SPIKE = (1.0, 0.25)  # ankle-to-head lengths that a joint is off for a single frame, while its neighbours are so near
LOST = 0.1  # of its usual extent, below which a body has collapsed into a point: a lost frame
UPRIGHT = 0.5  # cosine to an axis from which a body is said to stand along it
CLIMBS = 0.7  # of its ankle-to-head length, by which nobody who lies or crawls rises or sinks
ENOUGH = 5  #: clips from which a corpus tells which way is up
_SAMPLED = 32  # frames of a clip that are measured, evenly spread
_CHUNK = 512  # clips measured at once

_SIDES = ("left", "right")
_DOWN = 4  # of the directions +x +y +z -x -y -z
_UNITS = {"centimetres": 100.0, "millimetres": 1000.0, "inches": 39.37, "feet": 3.281}
_PERSON = (1.1, 1.9)  # metres from ankle to head of most people


def check(joints: Tensor, name: str) -> None:
    """Refuse one motion that is no body in metres; which way is up is not asked.

    Args:
        joints: (T, 22, 3) metres.
        name: of the motion, for messages.

    Raises:
        DataError: bones vary, are uneven or too long or short, sides are exchanged, a frame is lost.
    """
    measures = _measure([joints])
    fault = _varying(measures, 0) if measures.varying[0] > VARYING else _fault(measures, 0)
    if fault:
        raise DataError(f"{name}: {fault}")


def check_corpus(clips: Sequence[Tensor], names: Sequence[str], source: str) -> list[tuple[int, str]]:
    """The clips of a corpus that are no bodies in metres: (index, reason).

    Args:
        clips: (T_i, 22, 3) metres, Y up.
        names: of the clips.
        source: of the corpus, for messages.

    Raises:
        DataError: most people lie along another axis than +Y, or stand on their heads: nobody's fault but the axes'.

    Warns:
        UserWarning: bones that vary in length, for such clips cannot be measured; people along another axis in fewer
            than :data:`ENOUGH` clips, or who may all be lying, for nobody moves along Y.
    """
    if not clips:
        return []
    measured = [_measure(clips[start : start + _CHUNK]) for start in range(0, len(clips), _CHUNK)]
    measures = _Measures(*(torch.cat(parts) for parts in zip(*measured, strict=True)))
    _check_axes(measures, source)
    varying = (measures.varying > VARYING).nonzero()[:, 0].tolist()
    if varying:
        warnings.warn(
            f"{source}: {len(varying)} of {len(clips)} clips are no bodies of constant bones, the first is "
            f"{names[varying[0]]}: {_varying(measures, varying[0])}",
            stacklevel=3,
        )
    faults = ((i, _fault(measures, i)) for i in range(len(clips)))
    return [(i, f"{names[i]}: {fault}") for i, fault in faults if fault]


def check_upright(joints: Tensor, keypoints: Tensor, confidence: Tensor, name: str) -> list[str]:
    """Hold a lifted motion's up against the keypoints that it is from.

    Args:
        joints: (T, 22, 3), Y up.
        keypoints: (T, 22, 2) of the same frames, any units, y down.
        confidence: (T, 22).
        name: of the motion, for messages.

    Returns:
        A note where somebody who is upright in the picture lies in 3-D: filmed from above that may be right.

    Raises:
        DataError: somebody who is upright in the picture stands on the head in 3-D.
    """
    pelvis, neck = SMPL22.index("pelvis"), SMPL22.index("neck")
    seen = confidence[:, [pelvis, neck]].amin(-1) > 0
    if not seen.any():
        return []
    in_image = -normalize(keypoints[seen][:, neck] - keypoints[seen][:, pelvis], dim=-1)[:, 1].mean()
    in_world = normalize(joints[seen][:, neck] - joints[seen][:, pelvis], dim=-1)[:, 1].mean()
    if in_image < 0.7 or in_world > 0.3:
        return []
    if in_world < -UPRIGHT:
        raise DataError(f"{name}: upright in the picture but head down in 3-D: Y points down, expected up")
    return [f"{name}: upright in the picture but lying in 3-D; unless it was filmed from above, Y is not up"]


class _Measures(NamedTuple):
    """What is measured of clips, each (C,) but ``upward``.

    Attributes:
        varying: see :func:`_variation`.
        tall: metres from ankle to head, bone by bone.
        uneven, leg: largest factor between left and right bones; thigh over shin.
        facing: see :func:`_knees_and_toes`.
        hips: cosine between right-to-left at the hips and at the shoulders.
        lost: the first frame in which the body has collapsed into a point, -1 where there is none.
        jump: the first frame at which a joint or the body jumps (:data:`TORN`, :data:`SPIKE`), -1 where none does.
        upward: (C, 3) direction from the ankles to the head, mean over frames.
        climbs: how far the root travels along Y, in lengths from ankle to head.
    """

    varying: Tensor
    tall: Tensor
    uneven: Tensor
    leg: Tensor
    facing: Tensor
    hips: Tensor
    lost: Tensor
    jump: Tensor
    upward: Tensor
    climbs: Tensor

    @property
    def ordered(self) -> Tensor:
        """(C,) bool: the joints are those of a body."""
        even = (self.uneven <= UNEVEN) & (self.leg < LEG) & (self.leg > 1 / LEG)
        return (self.varying <= VARYING) & even & (self.hips > 0)


def _measure(clips: Sequence[Tensor]) -> _Measures:
    samples = _sampled(clips)
    sizes = bone_vectors(samples, SMPL22).norm(dim=-1).median(1).values
    tall, heights = sizes[:, _UPWARDS].sum(-1), samples[:, :, 0, 1]
    ankles = samples[..., [SMPL22.index(f"{side}_ankle") for side in _SIDES], :].mean(-2)
    return _Measures(
        varying=_variation(samples), tall=tall, uneven=_unevenness(sizes),
        leg=_thigh_to_shin(sizes), facing=_knees_and_toes(samples),
        hips=(_leftwards(samples, "hip") * _leftwards(samples, "shoulder")).sum(-1).mean(1),
        lost=_lost(clips), jump=_jump(clips, tall),
        upward=normalize(samples[..., SMPL22.index("head"), :] - ankles, dim=-1).mean(1),
        climbs=(heights.amax(1) - heights.amin(1)) / tall.clamp(min=1e-9),
    )  # fmt: skip


def _fault(measures: _Measures, i: int) -> str | None:
    """What is certainly wrong with a clip; None where nothing is, or where bones vary too much to tell."""
    varying, tall, uneven, leg, facing, hips, lost, jump = (float(x[i]) for x in measures[:8])
    if lost >= 0:
        return f"all joints lie in one place at frame {lost:.0f}: a lost frame, expected a body in every one"
    if jump >= 0:
        return f"a joint jumps at frame {jump:.0f}: a damaged frame, expected a motion"
    if varying > VARYING:
        return None
    if uneven > UNEVEN or not 1 / LEG < leg < LEG:
        return (
            f"bones of left and right differ by a factor of {uneven:.2f}, thighs are {leg:.2f} shins: no body; "
            f"expected joints in the order {', '.join(SMPL22.joints[:6])} ..."
        )
    if not BODY_HEIGHT[0] <= tall <= BODY_HEIGHT[1]:
        return f"{tall:.3g} from ankle to head, expected {BODY_HEIGHT[0]} to {BODY_HEIGHT[1]} metres{_unit(tall)}"
    if hips < 0:
        return "left and right of the hips are exchanged against the shoulders, expected both named alike"
    if facing < BACKWARDS:
        return (
            "knees bend backwards and toes point backwards: left and right are exchanged, or one axis is mirrored "
            "(a left-handed system); joints * (-1, 1, 1) mirrors it back"
        )
    return None


def _unit(tall: float) -> str:
    likely = [unit for unit, scale in _UNITS.items() if _PERSON[0] <= tall / scale <= _PERSON[1]]
    return f"; are these {likely[0]}?  Divide by {_UNITS[likely[0]]:g}" if likely else ""


def _varying(measures: _Measures, i: int) -> str:
    return (
        f"limbs change their length by {100 * measures.varying[i]:.0f} % from frame to frame, expected constant ones: "
        "joints in another order, or noise; what else may be wrong (size, sides, up) cannot be told"
    )


def _sampled(clips: Sequence[Tensor]) -> Tensor:
    """(C, 32, 22, 3) evenly spread frames of clips (T_i, 22, 3), repeated in short ones."""
    return torch.stack([clip[torch.linspace(0, len(clip) - 1, _SAMPLED).round().long()].float() for clip in clips])


def _variation(samples: Tensor) -> Tensor:
    """(C,) range of 80 % of a limb's lengths over their median, mean over the limbs' bones."""
    sizes = bone_vectors(samples, SMPL22)[..., _LIMBS, :].norm(dim=-1).sort(dim=1).values
    low, middle, high = (sizes[:, round(q * (_SAMPLED - 1))] for q in (0.1, 0.5, 0.9))
    return ((high - low) / middle.clamp(min=1e-9)).mean(-1)


def _lost(clips: Sequence[Tensor]) -> Tensor:
    first = []
    for clip in clips:
        extent = (clip.amax(1) - clip.amin(1)).amax(-1)
        gone = (extent < LOST * extent.median()).nonzero()
        first.append(int(gone[0]) if len(gone) else -1)
    return torch.tensor(first)


def _jump(clips: Sequence[Tensor], tall: Tensor) -> Tensor:
    first = []
    for clip, size in zip(clips, tall, strict=True):
        frames = torch.cat([_torn(clip, size), _elsewhere(clip, size)])
        first.append(int(frames.min()) if len(frames) else -1)
    return torch.tensor(first)


def _torn(clip: Tensor, size: Tensor) -> Tensor:
    """Frames of a clip (T, 22, 3) at which a bone's length changes at once (:data:`TORN`).

    Of the two frames between which it does, the one whose bone is farther from its usual length is at fault.
    """
    lengths = bone_vectors(clip, SMPL22).norm(dim=-1) / size.clamp(min=1e-9)
    change = lengths.diff(dim=0).abs()
    if not len(change):
        return torch.tensor([], dtype=torch.long)
    limit = max(TORN[0], TORN[1] * float(change.amax(-1).median()))
    before, bone = (change > limit).nonzero().T
    unusual = (lengths - lengths.median(0).values).abs()
    return before + (unusual[before + 1, bone] >= unusual[before, bone])


def _elsewhere(clip: Tensor, size: Tensor) -> Tensor:
    """Frames of a clip (T, 22, 3) in which a joint is elsewhere for this frame alone (:data:`SPIKE`)."""
    before, here, after = clip[:-2], clip[1:-1], clip[2:]
    off = (here - (before + after) / 2).norm(dim=-1) > SPIKE[0] * size
    return (off & ((after - before).norm(dim=-1) < SPIKE[1] * size)).any(-1).nonzero()[:, 0] + 1


#: Bones, by the index of the joint where they end less one, from the right ankle up to the head.
_UPWARDS = [SMPL22.index(j) - 1 for j in ("right_hip", "right_knee", "right_ankle", "spine1", "spine2", "spine3",
            "neck", "head")]  # fmt: skip
_LIMBS = [SMPL22.index(f"{side}_{j}") - 1 for side in _SIDES for j in ("knee", "ankle", "elbow", "wrist")]


def _unevenness(sizes: Tensor) -> Tensor:
    """(C,) largest factor between a limb's bone, of (C, 21), and that of the other side."""
    other = [SMPL22.mirrored[bone + 1] - 1 for bone in _LIMBS]
    return (sizes[:, _LIMBS] / sizes[:, other].clamp(min=1e-9)).amax(-1)


def _thigh_to_shin(sizes: Tensor) -> Tensor:
    thigh, shin = (sizes[:, [SMPL22.index(f"{s}_{j}") - 1 for s in _SIDES]].mean(-1) for j in ("knee", "ankle"))
    return thigh / shin.clamp(min=1e-9)


def _leftwards(samples: Tensor, joint: str) -> Tensor:
    left, right = (samples[..., SMPL22.index(f"{side}_{joint}"), :] for side in _SIDES)
    return normalize(left - right, dim=-1)


def _knees_and_toes(samples: Tensor) -> Tensor:
    """(C,) how far knees are before the line from hip to ankle, in fifths of a leg, plus how far toes point ahead.

    Mean over frames and sides.  Ahead is across the leg and the line between the hips, which holds for people who lie
    too.
    """
    left = _leftwards(samples, "hip")
    total = samples.new_zeros(len(samples))
    for side in _SIDES:
        hip, knee, ankle, toe = (samples[..., SMPL22.index(f"{side}_{j}"), :] for j in ("hip", "knee", "ankle", "foot"))
        ahead_of_leg = torch.linalg.cross(left, normalize(hip - ankle, dim=-1), dim=-1)
        ahead_of_shin = torch.linalg.cross(left, normalize(knee - ankle, dim=-1), dim=-1)
        length = (hip - knee).norm(dim=-1) + (knee - ankle).norm(dim=-1)
        bend = ((knee - (hip + ankle) / 2) * ahead_of_leg).sum(-1) / length.clamp(min=1e-9)
        point = (normalize(toe - ankle, dim=-1) * ahead_of_shin).sum(-1)
        total = total + (5 * bend + point).mean(1) / len(_SIDES)
    return total


def _check_axes(measures: _Measures, source: str) -> None:
    """Refuse a corpus whose people stand along another axis than +Y."""
    upward = measures.upward[measures.ordered]
    if not len(upward):
        return
    # what looks like a crowd of lying people is one where somebody walks up the Y axis: another axis is up
    share = (torch.cat((upward, -upward), dim=-1) > UPRIGHT).float().mean(0)  # of +x +y +z -x -y -z
    axis = int(share.argmax())
    if axis == 1 or share[axis] == 0:
        return
    sign = "+" if axis < 3 else "-"
    said = (
        f"{source}: heads are above feet along {sign}{'XYZ'[axis % 3]} in {100 * share[axis]:.0f} % of {len(upward)} "
        f"clips and along +Y in {100 * share[1]:.0f} %"
    )
    lying = axis != _DOWN and not (measures.climbs[measures.ordered] > CLIMBS).any()
    if len(upward) < ENOUGH or lying:
        warnings.warn(f"{said}: people who lie or crawl, or another axis is up", stacklevel=4)
        return
    mirrored = float(measures.facing[measures.ordered].median()) < BACKWARDS
    raise DataError(f"{said}, expected Y up; {_turn(axis, mirrored)} turns them")


def _turn(axis: int, mirrored: bool) -> str:
    """The expression that brings an axis (+x +y +z -x -y -z) up, and mirrors where that is wanted."""
    order = {0: (1, 0, 2), 1: (0, 1, 2), 2: (0, 2, 1)}[axis % 3]
    signs = [1, 1 if axis < 3 else -1, 1]
    swapped = axis % 3 != 1
    if swapped ^ (signs[1] < 0) ^ mirrored:  # exchanging two axes mirrors, and so does turning one round: undo it
        signs[0 if axis % 3 == 0 else 2] = -1
    return f"joints[..., {list(order)}] * {tuple(signs)}"
