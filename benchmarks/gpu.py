"""``make gpu``: check, measure, train and evaluate on a machine with a GPU, in pieces that resume.

Every piece is a process of its own that leaves a file when it is done; a piece that runs out of time is killed and
goes on where it was in the next call (training from its last checkpoint).  Call it until it says that all is done::

    python -m benchmarks.gpu [--minutes 8] [--out FOLDER]

It needs no network, and of other packages and of the checkout no more than ``NEEDED`` and ``NOT_NEEDED`` say.
What is worth keeping is small and lies in ``--out``: results as JSON, and the averaged weights in bf16 in files below
16 MB.  Where the time on the GPU was too short to judge these, ``--judge FOLDER`` does it on any machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import __main__ as entry
from benchmarks import synthetic, timing
from videomdm import features, losses, study, train
from videomdm.config import Config, profile
from videomdm.denoiser import guided
from videomdm.diffusion import Multistep
from videomdm.evaluation import protocol
from videomdm.storage import checkpoints
from videomdm.study import results
from videomdm.train.trainer import Trainer

#: Packages that have to be there; such machines have them but for roma, a small wheel.
NEEDED = frozenset({"torch", "numpy", "scipy", "opencv-python", "safetensors", "tqdm", "tokenizers", "roma"})
#: Folders and files of weights that no piece reads, for where a checkout has to be small.
NOT_NEEDED = frozenset(
    {"blazepose_weights", "real", "twin", "elepose.safetensors", "elepose_flow.safetensors", "__pycache__"}
)
STUDY_ROWS = ("real", "teacher", "mdm-3d", "mdm-teacher", "videomdm")
FILE_LIMIT = 15 * 2**20  # bytes of a weights file
SHIPPED = profile("shipped")  # how the prior that comes with the package is made
TINY_BATCH = 4
FAST = ("--samplers", "bf16", "compiled")  # in float32, eagerly, a thousand samples take half a minute
COMMAND = "make gpu"


def base(given: argparse.Namespace, piece: str) -> Config:
    """For a piece: on the corpus that is named, else on the open one in ``VIDEOMDM_DATA``, else on the built-in one."""
    data, root = given.data, given.data_root
    folder, source = ("bandai", "bandai") if piece.startswith("study-") else ("cmu", "procedural+cmu")
    there = Path(os.environ.get("VIDEOMDM_DATA", "")) / folder
    if data is None:
        data, root = (source, str(there)) if there.is_dir() and not given.tiny else ("procedural", None)
    size = "smoke" if given.tiny else "paper"
    return profile(size, data=data, data_root=root, runs=given.runs, seed=given.seed)


def large(config: Config) -> Config:
    """The prior that comes with the package at the paper's full width, fast: of the same clips, measured as that is.

    All batches are padded to the longest clip: a shape more takes half a minute to compile.
    """
    own = config.but(method=SHIPPED.method, precision="bf16", warmup_steps=0, lr_decay=0.1)
    if config.profile == "smoke":
        return own
    alike = ("n_clips", "evaluator_steps", "evaluation_samples", "lift_samples", "repeats")
    own = own.but(**{name: SHIPPED.value(name) for name in alike})
    return own.but(compile="graphs", steps=20_000, checkpoint_every=2000, log_every=500)


# ---- pieces ----------------------------------------------------------------------------------------------


def check(config: Config, out: Path) -> None:
    """Losses, features and samples on this device equal those on the CPU; bf16 is near; a step never waits."""
    began, here = time.monotonic(), timing.device()
    there = {"cpu": torch.device("cpu"), "device": here}
    found = {name: numbers(config, device) for name, device in there.items()}
    metrics: timing.Metrics = {}
    for name, value in found["cpu"].items():
        difference = (found["device"][name].cpu() - value).norm() / value.norm()
        metrics[f"{name}_difference"] = float(difference)
        limit = 0.02 if name.startswith("bf16") else 1e-3
        if not difference < limit:
            raise SystemExit(f"{name}: {here} differs from the CPU by {difference:.2g}, expected below {limit}")
    metrics["waits_per_step"] = _waits(config, here)
    if here.type == "cuda":
        one_by_one, recorded = (_losses(config, here, compile) for compile in (None, "graphs"))
        metrics["graphs_difference"] = float(((recorded - one_by_one) / one_by_one).abs().max())
        if not metrics["graphs_difference"] < 0.02:
            raise SystemExit(f"recorded steps: losses {recorded.tolist()}, expected {one_by_one.tolist()}")
    print(json.dumps(metrics, indent=1))
    timing.write(out, "check", config, metrics, began)


@torch.no_grad()
def numbers(config: Config, device: torch.device) -> dict[str, Tensor]:
    """The same computations on any device, from the same numbers."""
    one = config.but(method="videomdm", batch_size=8, dropout=0.0, compile=None)
    data = synthetic.training_set(one, "humanml3d", device, n=8)
    prior = synthetic.prior(one, device)
    predicted = prior.model(data.features, 3, data.text, data.lengths)
    total, _ = losses.VideoMDM(losses.Weights(), data.normaliser, data.skeleton)(predicted, data.features, data.seen)
    joints = synthetic.motions(4, one.data.max_frames).to(device)
    encoded = features.encode(joints)
    denoise = guided(prior.model, one.evaluation.guidance)
    sampled = prior.diffusion.sample(
        lambda x, t: denoise(x, t, data.text, data.lengths), data.features.shape, method="ddim", n_steps=10,
        noise=data.features, device=device,
    )  # fmt: skip
    prior.model.precision = "bf16"
    return {
        "prediction": predicted, "loss": total, "x0_loss": losses.x0(predicted, data.features, data.lengths),
        "features": encoded, "joints": features.decode(encoded), "samples": sampled,
        "bf16_prediction": prior.model(data.features, 3, data.text, data.lengths),
    }  # fmt: skip


def _losses(config: Config, device: torch.device, compile: str | None) -> Tensor:
    """(10,) of the first steps of a training in which every batch makes four passes."""
    one = config.but(method="videomdm", precision="bf16", batch_size=8, dropout=0.0, length_buckets=1, compile=compile)
    trainer = Trainer(one, synthetic.training_set(one, "humanml3d", device, n=64))
    trainer.timesteps = Multistep(4 * trainer.timesteps.bucket_size, one.optimiser.t_star, 4)
    return torch.stack([trainer.step(i, 1e-4)["loss"] for i in range(10)]).cpu()


def _waits(config: Config, device: torch.device) -> int:
    """How often a multistep step makes the host wait for the device (0 is what is wanted), after a first one."""
    if device.type != "cuda":
        return 0
    one = large(config).but(method="videomdm", compile="default")
    trainer = Trainer(one, synthetic.training_set(one, "full", device, n=256))
    trainer.timesteps = Multistep(
        one.optimiser.n_buckets * trainer.timesteps.bucket_size, one.optimiser.t_star, one.optimiser.n_buckets
    )
    for i in range(3):
        trainer.step(i, 1e-4)
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.step(3, 1e-4)
    torch.cuda.set_sync_debug_mode("default")
    for warning in caught:
        print(warning.filename, warning.lineno, warning.message)
    return sum("synchroniz" in str(w.message) for w in caught)


def benchmark(*arguments: str) -> Callable[[Config, Path], None]:
    def run(config: Config, out: Path) -> None:
        entry.main([*arguments, "--profile", config.profile, "--results", str(out)])

    return run


def cost(config: Config, out: Path) -> None:
    """What fewer steps and bf16 cost the full-size model in FID."""
    few = ["--samples", "32", "--repeats", "2"] if config.profile == "smoke" else []
    benchmark("quality", "--run", str(large(config).folder), *few)(config, out)


def precise(config: Config, out: Path) -> None:
    """Losses of the full-size model in bf16 and compiled."""
    few = ["--train-steps", "20"] if config.profile == "smoke" else []
    benchmark("precision", "--runs", config.runs, *few)(config, out)


def fit(config: Config, out: Path) -> None:
    """The full-size prior: seconds per batch, what the loss still fell by, and its weights."""
    run = train.fit(large(config))
    last = train.history(large(config))[-1]
    metrics = {
        "batch": config.optimiser.batch_size, "loss": last["loss"],
        "seconds_per_batch": last["seconds"] / large(config).optimiser.steps,
    }  # fmt: skip
    print(json.dumps(metrics, indent=1))
    results.write(out, "benchmarks", large(config), COMMAND, last["seconds"], metrics, f"prior-{timing.device().type}")
    split(run / "weights.safetensors", out)


def evaluate(config: Config, out: Path) -> None:
    """The full-size prior's row, in the study ``gpu-prior``."""
    study.run(large(config), SHIPPED.method, "gpu-prior", out, COMMAND, protocol.evaluate)


def row(name: str) -> Callable[[Config, Path], None]:
    """A row of the study ``gpu``, as ``python -m videomdm.study`` makes it."""

    def run(config: Config, out: Path) -> None:
        arguments = ["gpu", "--rows", name, "--data", config.data.source, "--seed", str(config.seed)]
        arguments += ["--runs", config.runs]
        arguments += ["--results", str(out), "--profile", "smoke" if config.profile == "smoke" else "study"]
        status = study.main(arguments + (["--data-root", config.data.root] if config.data.root else []))
        if status:
            raise SystemExit(status)

    return run


def pieces(tiny: bool) -> dict[str, Callable[[Config, Path], None]]:
    """By name, in order."""
    sizes = ("--repeats", "1", "--batch", str(TINY_BATCH), "--samples", "2", "--clips", "8", "--embeddings", "64")
    few = sizes if tiny else ()
    once = ("--repeats", "3")
    steps = {
        f"step-{batch}-{kind}": benchmark("step", "--batch", str(batch), "--lengths", kind, "--steps", *names, *once)
        for batch, kind, names in (
            (64, "full", ("baseline", "bf16", "graphs")), (512, "full", ("graphs", "undropped")),
            (64, "humanml3d", ("baseline", "graphs")),
        )
    }  # fmt: skip
    if tiny:
        steps = {f"step-{TINY_BATCH}-full": benchmark("step", *few, "--lengths", "full", "--steps", "baseline", "bf16")}
    return {
        "check": check,
        **steps,
        "sampling": benchmark("sampling", *few, "--lengths", "full", *(() if tiny else (*FAST, "--repeats", "2"))),
        "features": benchmark("features", *few),
        "prior": fit,
        "evaluate": evaluate,
        "quality": cost,
        "metrics": benchmark("metrics", *few),
        "precision": precise,
        **{f"study-{name}": row(name) for name in STUDY_ROWS},
    }


# ---- weights in small files ------------------------------------------------------------------------------


def split(weights: Path, out: Path, limit: int = FILE_LIMIT) -> list[Path]:
    """A run's weights in bf16, in files ``weights-<i>.safetensors`` of at most ``limit`` bytes each."""
    files: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in checkpoints.read_tensors(weights).items():
        small = tensor.float() if name.startswith("normaliser.") else tensor.bfloat16()
        if files[-1] and size + small.nbytes > limit:
            files, size = [*files, {}], 0
        files[-1][name] = small.contiguous()
        size += small.nbytes
    about = checkpoints.read_metadata(weights)
    paths = [out / f"weights-{i}.safetensors" for i in range(len(files))]
    for path, tensors in zip(paths, files, strict=True):
        checkpoints.write_tensors(path, tensors, about)
    return paths


def join(folder: Path, run: Path) -> Path:
    """The files of :func:`split` as a run's folder, for :func:`videomdm.sample.load`.

    Raises:
        FileNotFoundError: there are none.
    """
    if not (paths := sorted(folder.glob("weights-*.safetensors"))):
        raise FileNotFoundError(f"{folder}: no weights-*.safetensors there, expected what the piece prior left")
    tensors = {name: t.float() for path in paths for name, t in checkpoints.read_tensors(path).items()}
    run.mkdir(parents=True, exist_ok=True)
    checkpoints.write_tensors(run / "weights.safetensors", tensors, checkpoints.read_metadata(paths[0]))
    return run


# ---- the pieces one after the other ----------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="of this call; the rest is for the next ones")
    parser.add_argument("--out", type=Path, default=Path("results"), help="for what is worth keeping")
    parser.add_argument("--runs", default="runs/gpu", help="for everything else, kept between calls")
    parser.add_argument("--data", help="corpus; default: those in VIDEOMDM_DATA, else procedural")
    parser.add_argument("--data-root")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pieces", nargs="+", help="these only")
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="measure the prior whose weights it holds")
    parser.add_argument("--piece", help=argparse.SUPPRESS)
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, on any machine: does it run?")
    given = parser.parse_args(arguments)
    if given.judge:
        config = base(given, "evaluate")
        join(given.judge, large(config).folder)
        evaluate(config, given.out)
        return 0
    if not (torch.cuda.is_available() or given.tiny):
        print("no GPU here: torch.cuda.is_available() is False; nothing was run (--tiny tries the pieces on a CPU)")
        return 1
    known = pieces(given.tiny)
    if given.piece:
        known[given.piece](base(given, given.piece), given.out)
        return 0
    if unknown := set(given.pieces or ()) - set(known):
        parser.error(f"no piece {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return _run([name for name in known if name in (given.pieces or known)], given, list(arguments or sys.argv[1:]))


def _run(names: list[str], given: argparse.Namespace, arguments: list[str]) -> int:
    """Whatever is left to do, until the time is over; 0 when all is done, 2 when there is more, 1 when some failed."""
    deadline, failed = time.monotonic() + 60 * given.minutes, []
    done = Path(given.runs) / "done"
    done.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (done / name).exists():
            continue
        left = deadline - time.monotonic()
        try:
            if left < 5:
                raise subprocess.TimeoutExpired(name, left)
            print(f"== {name} ({left:.0f} s left)", flush=True)
            code = subprocess.run(
                [sys.executable, "-m", "benchmarks.gpu", *arguments, "--piece", name], timeout=left
            ).returncode
        except subprocess.TimeoutExpired:
            print(f"time is over in {name}: run the same command again")
            return 2
        if code:
            failed.append(name)
        else:
            (done / name).touch()
    print(f"failed: {', '.join(failed)}" if failed else "all done")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
