"""Recordings of people: videos and keypoint files, who is in them, and whether the camera stood still."""

from videomdm.data.recordings.folder import (
    MOST_FILLED,
    Recordings,
    footage,
    level_camera,
    load,
    load_one,
    persons,
    track,
)

__all__ = [
    "footage",
    "level_camera",
    "load",
    "load_one",
    "MOST_FILLED",
    "persons",
    "Recordings",
    "track",
]
