"""Lifters: 2-D keypoints to 3-D motions, the package's own and readers of other lifters' results."""
