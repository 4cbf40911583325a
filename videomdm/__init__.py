"""VideoMDM: 3-D human motion generation learned from 2-D keypoints."""

__version__ = "0.1.0"
