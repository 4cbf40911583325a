"""VideoMDM: 3-D human motion generation learned from 2-D keypoints."""

import os

__version__ = "0.1.0"

# OpenMP's threads wait for each other at the end of every parallel loop.  By default they keep a core busy meanwhile,
# which on a machine that others use is the core that the late one needs: training took several times as long
# (`python -m benchmarks busy`).  Threads that sleep at once are slow to wake, where nobody else is; so they turn a
# thousand times first.  OpenMP reads this when torch is loaded, so it counts where this package is imported first, as
# its programs and papermill do; where torch comes first, set the variable in the environment.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
