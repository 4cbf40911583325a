"""A round: the training keypoints lifted by a trained prior, as the next teacher's motions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from videomdm import features, sample
from videomdm.cameras.placement import to_body_height
from videomdm.data.observations import Observations
from videomdm.methods import METHODS, Method
from videomdm.skeletons import kinematics
from videomdm.storage.cache import cached
from videomdm.train import distributed, provenance


def lift_observations(
    run: Path, observed: Observations, cache: Path, method: Method = METHODS["videomdm/round-1"]
) -> Observations:
    """The training keypoints lifted with a run's prior, as the next teacher's motions; cached on disk.

    Thousands of clips are lifted, so this goes the short way of :meth:`~videomdm.sample.prior.Prior.sampler`.
    Cameras are refined where the run's method refined them.  A camera that was given in the true motion's frame stays
    there; any other is expressed in the lifted motion's own.  ``method`` is that which the motions are for: it says
    whether frames are placed and which body is given; with bones of other lengths joints no longer lie exactly on
    their rays.  Where clips are centred, each lifted pose is put where the camera looks.
    """

    def motions() -> Tensor:
        prior = sample.load(run, distributed.device())
        own = prior.config.recipe
        how = sample.Lifting(own.refine, place=method.depth_from_scale, known_distance=own.known_height)
        texts = [clip[0] for clip in observed.captions]
        lifted = sample.lift_footage(prior, observed.seen, how, texts=texts, method="walk", progress=True)
        if prior.config.centred:
            lifted = lifted - lifted[:, :, :1] + observed.teacher[:, :1, :1]
        return lifted

    name = provenance.lifted(run, observed, method.depth_from_scale)
    world = _embodied(cached(cache / f"lifted-{name}.safetensors", motions), observed, method)
    teacher, camera = features.canonicalise_with_camera(world, observed.camera, observed.skeleton, observed.lengths)
    if observed.frame == "truth":
        camera = observed.camera
    return replace(observed, seen=observed.seen.by(camera), teacher=teacher)


def _embodied(world: Tensor, observed: Observations, method: Method) -> Tensor:
    """Lifted motions, in the world of their cameras, with the bodies that ``method`` gives them."""
    lengths, skeleton = observed.lengths, observed.skeleton
    sizes = None
    if method.known_height or method.body == "common":
        # A teacher whose person is of known body height has it.
        body_height = kinematics.body_height(observed.teacher if method.known_height else world, lengths, skeleton)
        body_height = body_height if method.known_height else body_height.median().expand_as(body_height)
        world = to_body_height(world, observed.camera, body_height, lengths, skeleton)
        if method.body == "common":
            proportions = kinematics.bone_lengths(world, lengths, skeleton) / body_height[:, None]
            sizes = body_height[:, None] * proportions.median(0).values
    if method.body == "free":
        return world
    return kinematics.constant_bones(world, lengths, skeleton, sizes)
