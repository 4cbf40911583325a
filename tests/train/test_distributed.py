"""Training on several processes: the curve of one, whoever started or goes on with the run."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from videomdm import losses, settings, train
from videomdm.data import observations, procedural
from videomdm.train import dataset, distributed
from videomdm.train.trainer import Trainer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WARMUP, STEPS, KILLED = 40, 20, 5

# Two processes from a notebook: they are forked, find the run that one process began, and only rank 0 may write.
# Sharded, each holds about half of the weights, of their average and of the optimiser's moments.
NOTEBOOK = """
import os, socket, sys
from pathlib import Path
from accelerate import notebook_launcher
from videomdm import train
from videomdm.storage import checkpoints
from videomdm.train import distributed
from videomdm.train.trainer import Trainer

def update(self, *arguments, own=Trainer._update):
    own(self, *arguments)
    moments = [m for state in self.optimizer.state.values() for m in (state["exp_avg"], state["exp_avg_sq"])]
    for tensors in (self.model.parameters(), self.average.parameters(), moments):
        tensors = list(tensors)
        held = sum(getattr(tensor, "_local_tensor", tensor).numel() for tensor in tensors)
        share = held / sum(tensor.numel() for tensor in tensors)
        assert abs(share - (0.5 if self.config.optimiser.shard_weights else 1)) < 0.02, share

Trainer._update = update

def refuse(*arguments, **named):
    raise AssertionError("a process that is not rank 0 writes")

def finish(path):
    if distributed.rank() == 1:
        checkpoints.save = checkpoints.write_tensors = Path.write_text = Path.mkdir = refuse
    train.fit(train.Config.from_json(Path(path).read_text()))

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
notebook_launcher(finish, (sys.argv[1],), num_processes=2, use_port=str(port))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Batches of an odd number of clips of unequal lengths."""
    return train.profile(
        "smoke", runs=str(tmp_path_factory.mktemp("one")), n_clips=24, max_frames=60, batch_size=7,
        warmup_steps=WARMUP, steps=STEPS, log_every=1, checkpoint_every=KILLED,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(config):
    """The log of one process."""
    train.fit(config)
    return train.history(config)


def environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE", "WORLD", "RANK"))}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    )


def wait_for(process, folder, pattern):
    deadline = time.time() + 120
    while process.poll() is None and time.time() < deadline and not list(folder.glob(pattern)):
        time.sleep(0.005)


def assert_same_curve(rows, whole):
    assert [(row["stage"], row["step"]) for row in rows] == [(row["stage"], row["step"]) for row in whole]
    for row, other in zip(rows, whole, strict=True):
        terms = [{k: v for k, v in r.items() if k not in ("seconds", "stage", "step")} for r in (row, other)]
        assert terms[0] == pytest.approx(terms[1], abs=1e-4, rel=1e-4)


def rank(process: psutil.Process) -> str | None:
    """Of a worker of a distributed run; None for others, such as those that are gone by now."""
    try:
        return process.environ().get("RANK")
    except psutil.NoSuchProcess:
        return None


@pytest.mark.parametrize("sharded", [False, True])
def test_launched_killed_and_finished_alone(config, whole, tmp_path, monkeypatch, sharded):
    """Two processes that stream their clips follow the curve of one that held them.

    When one of them dies both end, and one alone goes on.
    """
    ours = config.but(runs=str(tmp_path), shard_clips=100, shard_weights=sharded)
    shutil.copytree(config.cache, ours.cache)
    monkeypatch.chdir(ROOT)  # for the launched processes
    process = distributed.launch(ours, 2, cpu=True)
    wait_for(process, ours.folder, "config.json")
    victim = next(worker for worker in psutil.Process(process.pid).children(recursive=True) if rank(worker) == "1")
    wait_for(process, ours.folder / "checkpoints", "step-*")
    victim.kill()
    noise = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert list(ours.folder.glob("checkpoints/step-*")), noise
    assert not (ours.folder / "weights.safetensors").exists()
    assert len(re.findall(r"mdm-teacher: (\d+)/\1 \[", noise)) == 1, "one process shows its progress"
    began = train.history(ours)
    seen = len(began)
    assert seen >= WARMUP + KILLED
    assert_same_curve(began, whole[:seen])
    # Two halves do not sum up as the whole does: equal to the last bit would mean that there was one process only.
    assert [row["loss"] for row in began] != [row["loss"] for row in whole[:seen]]
    train.fit(ours)
    assert_same_curve(train.history(ours), whole)


@pytest.mark.parametrize("sharded", [False, True])
def test_begun_alone_and_finished_from_a_notebook(config, whole, tmp_path, monkeypatch, sharded):
    ours = config.but(runs=str(tmp_path), shard_weights=sharded)
    step = Trainer.step

    def interrupted(self, number, lr):
        if self.config.optimiser.warmup_steps and number == KILLED + 2:
            raise KeyboardInterrupt
        return step(self, number, lr)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "step", interrupted)
        train.fit(ours)
    for path in ours.cache.glob("[ot]*"):  # observations and text, which rank 0 has to make again, alone
        path.unlink()
    (tmp_path / "config.json").write_text(ours.to_json())
    (tmp_path / "notebook.py").write_text(NOTEBOOK)
    process = start(tmp_path / "notebook.py", tmp_path / "config.json")
    noise = process.communicate(timeout=120)[1]
    assert process.returncode == 0, noise
    rows = train.history(ours)
    assert_same_curve(rows, whole)
    resumed = WARMUP + KILLED
    assert rows[resumed - 1]["loss"] == whole[resumed - 1]["loss"]
    assert [row["loss"] for row in rows[resumed:]] != [row["loss"] for row in whole[resumed:]]
    assert (ours.folder / "weights.safetensors").exists()


class TestShares:
    """Gradients without processes: the mean over shares is the whole batch's."""

    @pytest.fixture
    def batch(self):
        config = train.profile("smoke", method="videomdm")
        corpus = procedural.generate(7, seed=3, max_frames=80)
        estimate = corpus.joints + 0.05 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
        observed = observations.observe(corpus, observations.film(corpus, 1, noise=0.01), estimate, "truth")
        data = dataset.training_set(config, observed)
        assert len(set(data.lengths.tolist())) > 3
        return data

    @staticmethod
    def terms(data, predicted, rows, shares=None):
        loss = losses.VideoMDM(losses.Weights(0.3, 16.0, 1.0), data.normaliser, data.skeleton)
        return loss(predicted[rows], data.features[rows], data.seen.select(rows), shares=shares)

    @pytest.mark.parametrize("weighted", [True, False])
    def test_terms_and_gradients(self, batch, weighted, n=3):
        noise = torch.randn(batch.features.shape, generator=torch.Generator().manual_seed(1))
        predicted = (batch.features + 0.3 * noise).requires_grad_()
        total, parts = self.terms(batch, predicted, slice(None))
        (gradient,) = torch.autograd.grad(total, predicted)
        totals, spread = [], []
        for rank in range(n):
            mine = slice(7 * rank // n, 7 * (rank + 1) // n)
            shares = losses.shares_of(batch.lengths, mine, n) if weighted else None
            one, own = self.terms(batch, predicted, mine, shares)
            totals.append(one / n)
            spread.append({name: part / n for name, part in own.items()})
        found = {name: float(sum(own[name] for own in spread)) for name in parts}
        close = {name: float(part) for name, part in parts.items()} == pytest.approx(found, rel=1e-5)
        assert close == weighted, "a mean of means is another number"
        (sums,) = torch.autograd.grad(sum(totals), predicted)
        assert torch.allclose(sums, gradient, rtol=1e-4, atol=1e-8) == weighted

    def test_alone_all_rows_are_ones_own(self):
        assert (distributed.rank(), distributed.world(), distributed.share(5)) == (0, 1, slice(0, 5))
        shares = losses.shares_of(torch.tensor([4, 9]), slice(0, 2), 1)
        assert {float(value) for value in shares.values()} == {1.0}

    def test_more_processes_than_rows(self, monkeypatch):
        monkeypatch.setattr(distributed, "world", lambda: 4)
        with pytest.raises(ValueError, match="batch_size is 3, expected at least one row for each of 4 processes"):
            distributed.share(3)


class TestCommand:
    def test_a_profile_and_a_file_with_changes(self, tmp_path):
        config = settings.config(["--profile", "smoke", "--set", "steps=7", "data=bandai", "compile=null"], "x", "y")
        assert config == train.profile("smoke", steps=7, data="bandai")
        (tmp_path / "c.json").write_text(config.to_json())
        again = settings.config(
            ["--config", str(tmp_path / "c.json"), "--set", 'weights={"velocity": 3.0}', "lr=1e-5"], "x", "y"
        )
        assert again == config.but(weights=losses.Weights(velocity=3.0), lr=1e-5)

    @pytest.mark.parametrize(
        "arguments, message",
        [
            (["--profile", "smoke", "--set", "stepz=7"], "unknown setting stepz"),
            (["--profile", "smoke", "--set", "steps"], "expected NAME=VALUE"),
            (["--config", "missing.json"], "missing.json"),
            ([], "one of the arguments --config --profile is required"),
        ],
    )
    def test_mistakes_end_with_a_message(self, arguments, message, capsys):
        with pytest.raises(SystemExit):
            settings.config(arguments, "x", "y")
        assert message in capsys.readouterr().err
