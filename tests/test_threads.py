"""How the threads of a process wait for each other, which OpenMP decides when torch is loaded."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="torch's wheels have GNU's OpenMP on Linux alone"),
]

TRAIN = """
import hashlib, sys
from videomdm import train
from videomdm.storage import checkpoints
import torch
assert torch.get_num_threads() == 2
config = train.profile("smoke", runs=sys.argv[1], n_clips=40, width=64, batch_size=32, steps=4, warmup_steps=4)
weights = checkpoints.read_tensors(train.fit(config) / "weights-last.safetensors")
digest = hashlib.sha256()
for name in sorted(weights):
    digest.update(weights[name].numpy().tobytes())
print(digest.hexdigest())
"""


def run(code, *arguments, **environment):
    given = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env={**given, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip


def openmp_says(code, **environment):
    """How torch's OpenMP was told to wait, by the variable's name."""
    said = run(code, OMP_DISPLAY_ENV="VERBOSE", **environment).stderr
    return dict(re.findall(r"(OMP_WAIT_POLICY|GOMP_SPINCOUNT) = '(\w+)'", said))


def test_they_turn_a_little_before_they_sleep():
    assert openmp_says("import videomdm.denoiser")["GOMP_SPINCOUNT"] == "1000"


def test_what_the_environment_says_counts():
    assert openmp_says("import videomdm.denoiser", OMP_WAIT_POLICY="passive")["GOMP_SPINCOUNT"] == "0"
    assert openmp_says("import videomdm.denoiser", GOMP_SPINCOUNT="2000")["GOMP_SPINCOUNT"] == "2000"


def test_two_threads_train_the_same_weights_however_they_wait(tmp_path):
    turning = run(TRAIN, tmp_path / "turning", OMP_NUM_THREADS="2").stdout
    sleeping = run(TRAIN, tmp_path / "sleeping", OMP_NUM_THREADS="2", OMP_WAIT_POLICY="passive").stdout
    assert len(sleeping.strip()) == 64 and sleeping == turning
