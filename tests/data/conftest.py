"""Rendered videos that several tests read."""

import math
from types import SimpleNamespace

import pytest
from rendered import RedShirt, panned

from videomdm import cameras
from videomdm.data import procedural
from videomdm.data.recordings import rendering
from videomdm.data.recordings.detections import Intrinsics


@pytest.fixture(scope="session")
def corpus():
    """One clip each of 16 actions: jump_up, jump_forward, jumping_jacks ... walk."""
    return procedural.generate(16)


@pytest.fixture(scope="session")
def scene(corpus):
    """A motion of 60 frames, a static camera, intrinsics."""
    clip = corpus.clip(corpus.actions.index("lunge"))
    camera = cameras.orbit(math.radians(30), math.radians(8), [0, 0.9, 0], 4.0)
    return SimpleNamespace(joints=clip[:60], camera=camera, intrinsics=Intrinsics.from_field_of_view(256, 192, 60))


@pytest.fixture(scope="session")
def clip_mp4(scene, tmp_path_factory):
    """The scene's video at 20 fps, by a static camera."""
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    rendering.film(path, [scene.joints], scene.camera, scene.intrinsics)
    return path


@pytest.fixture(scope="session")
def panned_mp4(scene, tmp_path_factory):
    """The same by a camera that turns by 4 degrees per second."""
    path = tmp_path_factory.mktemp("videos") / "panned.mp4"
    rendering.film(path, [scene.joints], panned(scene.camera, len(scene.joints), 4.0), scene.intrinsics)
    return path


@pytest.fixture
def detector():
    return RedShirt()
