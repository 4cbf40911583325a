"""Ways to train a prior: rows of the book's tables, each by its name.

What a row is told of its camera is more than its name says.  A teacher lifts in camera axes, and the true camera turns
its motion upright before it is moved to its own origin and heading; keypoints are divided by the true focal length.  So
rows in the teacher's frame and with cameras by PnP do not know where the camera stands, but they know gravity, the
camera's roll and its focal length, which a video does not tell.  Only *unlevel* rows know none of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Method:
    """How a prior is trained: which motions are diffused, and what the prediction is compared with.

    Attributes:
        motions: ``"truth"`` (3-D supervision, the upper bound), ``"teacher"`` (the lifter's 3-D), ``"lifted"``
            (the training keypoints lifted by another method's prior, see ``lifter``) or ``"keypoints"`` (the pictures
            themselves: a 2-D prior, from which :mod:`videomdm.sample.multiview` samples motions in 3-D).
        frame: for the 2-D losses, the coordinate frame of the given cameras, which says where they are from:
            ``"truth"``, ``"teacher"`` or ``"pnp"`` (see :class:`videomdm.data.observations.Observations`); None trains
            plain MDM: x0-MSE on ``motions``.  Without ``level=False`` even the latter two know which way is up.
        lifter: the method whose prior lifts the training keypoints.
        refine: whether cameras are refined (:mod:`videomdm.cameras.refinement`), in training and in lifting for a
            round.
        multistep: whether low timesteps are visited one after the other (appendix G.1).
        weights: changes to the configuration's :class:`videomdm.losses.Weights`, for the ablations.
        teacher_error: factor on the teacher's error, 0 for a perfect one (for the sweep; the truth is read).
        camera_noise: degrees by which every camera is turned, about an axis and the subject's place of its own.
        keypoint_noise: of the simulated detector, added to the configuration's.
        level: whether the teacher's motions are upright by the true camera; otherwise up is where their own standing
            feet and balance say (:func:`videomdm.data.observations.levelled`), as for recordings.  A camera in the
            truth's frame gives up away all the same.
        focal_error: standard deviation of the logarithm of the focal length that is believed over the true one, drawn
            for each clip, in training and where keypoints are lifted to be measured.
        known_height: whether each person's body height is known: the teacher's motions and lifted ones are scaled to it
            (:func:`videomdm.cameras.placement.to_body_height`), and refined cameras keep their distance.
        body: of lifted motions: ``"free"`` as lifted, ``"constant"`` (bones of a clip keep their length,
            :func:`videomdm.skeletons.kinematics.constant_bones`), or ``"common"`` (all clips have the same proportions,
            and the same body height where it is not known, as after HumanML3D's first step; their medians).
        depth_from_scale: whether lifted motions are put at every frame where their size says
            (:func:`videomdm.cameras.placement.place`).
        rays_between_steps: whether predictions are moved onto the observed rays between the steps of a multistep batch.
        teacher_above: whether batches of multistep training whose noise hides the teacher's errors are compared with
            the teacher's motion itself, as in plain MDM, and only those below the threshold with the picture (ours,
            :doc:`/notebooks/explain_diversity`).
    """

    motions: str
    frame: str | None = None
    lifter: str | None = None
    refine: bool = False
    multistep: bool = True
    weights: Mapping[str, object] = field(default_factory=dict)
    teacher_error: float = 1.0
    camera_noise: float = 0.0
    keypoint_noise: float = 0.0
    level: bool = True
    focal_error: float = 0.0
    known_height: bool = False
    body: str = "free"
    depth_from_scale: bool = False
    rays_between_steps: bool = False
    teacher_above: bool = False

    @property
    def chain(self) -> tuple[Method, ...]:
        """This method, the one that lifts for it, the one that lifts for that one, and so on."""
        return (self, *(METHODS[self.lifter].chain if self.lifter else ()))

    @property
    def camera_source(self) -> str | None:
        """Where the cameras of the 2-D losses are from (``frame``), in this method or before it; None without these."""
        return next((m.frame for m in self.chain if m.frame), None)

    def stages(self, versions: Mapping[str, int]) -> dict[str, int]:
        """The stages that a run of this method goes through, with their versions."""
        passed = {
            "train": True,
            "observe": self.motions in ("teacher", "lifted"),
            "refine": any(m.refine for m in self.chain),
            "place": any(m.depth_from_scale for m in self.chain),
        }
        return {name: versions[name] for name, is_passed in passed.items() if is_passed}

    @property
    def needs(self) -> str | None:
        """What a method asks for that pictures centred on the hip do not tell; None where it asks for nothing."""
        for method in self.chain:
            if method.motions == "truth" or method.teacher_error != 1.0:
                return "true motions in 3-D"
            if method.keypoint_noise:
                return "a detector whose error can be chosen"
            if method.frame == "truth":
                return "true cameras"
            if not method.level or method.focal_error:
                return "cameras whose up and focal length are known, to hide them"
            if method.frame == "pnp":
                return "cameras by PnP, impossible where scale and path are lost"
            if method.refine or method.depth_from_scale or method.known_height:
                return "a root path"
        return None

    @property
    def warmup(self) -> Method:
        """Plain MDM on the same motions, which a 2-D stage goes on from."""
        return dataclasses.replace(
            self,
            frame=None,
            refine=False,
            multistep=True,
            weights={},
            camera_noise=0.0,
            rays_between_steps=False,
            teacher_above=False,
        )


_UNLEVEL = {"level": False, "focal_error": 0.1}
_SIZED = {"known_height": True, "depth_from_scale": True, "body": "common"}
#: The rows of the book's tables, by the question that they belong to.
ROWS: dict[str, dict[str, Method]] = {
    "supervision": {
        "mdm-3d": Method("truth"),
        "mdm-teacher": Method("teacher"),
        "mdm-2d": Method("keypoints"),
    },
    "cameras": {
        "videomdm": Method("teacher", "truth"),
        "videomdm-frame": Method("teacher", "teacher"),
        "videomdm-pnp": Method("teacher", "pnp"),
    },
    "gap": {
        # Unknown cameras, refined during training.
        "videomdm-frame/refined": Method("teacher", "teacher", refine=True),
        "videomdm-pnp/refined": Method("teacher", "pnp", refine=True),
        # Rounds: plain MDM on the motions that VideoMDM lifted; VideoMDM with these as its teacher lifts for the next.
        "videomdm/round-1": Method("lifted", lifter="videomdm"),
        "videomdm/lifter-2": Method("lifted", "truth", lifter="videomdm"),
        "videomdm/round-2": Method("lifted", lifter="videomdm/lifter-2"),
        "videomdm-frame/round-1": Method("lifted", lifter="videomdm-frame/refined"),
        "videomdm-pnp/round-1": Method("lifted", lifter="videomdm-pnp/refined"),
        "videomdm-pnp/lifter-2": Method("lifted", "pnp", lifter="videomdm-pnp/refined", refine=True),
        "videomdm-pnp/round-2": Method("lifted", lifter="videomdm-pnp/lifter-2"),
        # What else might close the gap: rays between the steps, bones of constant length, every frame placed by
        # its size, one body for all, a height that is known.
        "videomdm/projected": Method("teacher", "truth", rays_between_steps=True),
        "videomdm/round-1-rigid": Method("lifted", lifter="videomdm", body="constant"),
        "videomdm-pnp/round-1-rigid": Method("lifted", lifter="videomdm-pnp/refined", body="constant"),
        "videomdm/round-1-placed": Method("lifted", lifter="videomdm", depth_from_scale=True),
        "videomdm-pnp/round-1-common": Method(
            "lifted", lifter="videomdm-pnp/refined", depth_from_scale=True, body="common"
        ),
        "mdm-teacher/sized": Method("teacher", known_height=True),
        "videomdm-pnp/sized": Method("teacher", "pnp", refine=True, known_height=True),
        "videomdm-pnp/sized-round-1": Method("lifted", lifter="videomdm-pnp/sized", **_SIZED),
        "videomdm-pnp/sized-lifter-2": Method("lifted", "pnp", lifter="videomdm-pnp/sized", refine=True, **_SIZED),
        "videomdm-pnp/sized-round-2": Method("lifted", lifter="videomdm-pnp/sized-lifter-2", **_SIZED),
    },
    "diversity": {
        # The mean that a loss in the picture asks for is not the mean that sampling needs, where noise is high.
        "videomdm/teacher-above": Method("teacher", "truth", teacher_above=True),
    },
    "controls": {
        # What else could explain a row: the refined cameras, the teacher's error, what the true camera gives away.
        "videomdm-pnp/sized-unrefined": Method("teacher", "pnp", known_height=True),
        "videomdm-pnp/error-0.5": Method("teacher", "pnp", teacher_error=0.5),
        "mdm-teacher/unlevel": Method("teacher", **_UNLEVEL),
        "videomdm-pnp/unlevel": Method("teacher", "pnp", **_UNLEVEL),
    },
    "centred": {
        # Pictures centred on the hip: nothing tells more of their cameras than what is assumed of them.
        "videomdm-frame/round-1-assumed": Method("lifted", lifter="videomdm-frame"),
    },
    "ablations": {
        # Those of figure 6(b), and the exact weights of appendix A.
        "videomdm/no-depth": Method("teacher", "truth", weights={"weighting": "none"}),
        # The same with the lambdas of its two image terms raised by what the weights would be on average: the mean
        # squared depth of bandai's joints is 14 m^2.
        "videomdm/no-depth-raised": Method(
            "teacher", "truth", weights={"weighting": "none", "reprojection": 14 * 0.3, "velocity": 14 * 30.0}
        ),
        "videomdm/no-multistep": Method("teacher", "truth", multistep=False),
        "videomdm/no-velocity": Method("teacher", "truth", weights={"velocity": 0.0}),
        "videomdm/no-representation": Method("teacher", "truth", weights={"representation": 0.0}),
        "videomdm/no-rays": Method("teacher", "truth", weights={"ray_projection": False}),
        "videomdm/exact": Method("teacher", "truth", weights={"weighting": "exact"}),
    },
    "sweeps": {  # the teacher's error, the cameras', the keypoints'
        **{f"mdm-teacher/error-{e}": Method("teacher", teacher_error=e) for e in (0.0, 0.5, 1.5)},
        **{f"videomdm/error-{e}": Method("teacher", "truth", teacher_error=e) for e in (0.0, 0.5, 1.5)},
        **{f"videomdm/camera-{d}": Method("teacher", "truth", camera_noise=d) for d in (5.0, 10.0, 20.0)},
        **{f"mdm-teacher/keypoints-{n}": Method("teacher", keypoint_noise=n) for n in (0.01, 0.02)},
        **{f"videomdm/keypoints-{n}": Method("teacher", "truth", keypoint_noise=n) for n in (0.01, 0.02)},
    },
}
METHODS = {name: method for rows in ROWS.values() for name, method in rows.items()}
