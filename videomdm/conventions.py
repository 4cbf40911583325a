"""What every room of the package agrees on: frame rate, lengths of clips, and how bad input is reported."""

from __future__ import annotations

MIN_FRAMES, MAX_FRAMES = 40, 196  # HumanML3D's limits at 20 fps: 2 s to 9.8 s
FPS = 20.0
#: How a teacher finds the root's path: from how long bones look (appendix D), or by a network that sees the whole clip.
ROOT_PATHS = ("bones", "network")


class DataError(ValueError):
    """Bad input: the message names the file or clip, the value found and what was expected."""
