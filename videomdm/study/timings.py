"""Pages on speed, from the benchmarks' result files alone: gains, floors, and the goals that were set.

A benchmark's metrics are named ``<case>_<version>_<what>``; its gains are over the version ``baseline``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from videomdm.config import profile
from videomdm.plots import Table, metrics_table
from videomdm.study import results
from videomdm.study.report import mean

#: Benchmark -> what it is called in figures.
TITLES = {"step": "training step", "sampling": "sampling", "features": "encoder", "metrics": "metrics"}
#: Goals on a CPU: what is asked, the benchmark, the metrics of which the best counts, at least, at most.
GOALS = (
    ("step on clips of full length", "step-8-full", ("plain", "gain"), 1.3, None),
    ("multistep on clips of full length", "step-8-full", ("multistep", "gain"), 1.3, None),
    ("step on HumanML3D's lengths", "step-8-humanml3d", ("plain", "gain"), 1.8, None),
    ("multistep on HumanML3D's lengths", "step-8-humanml3d", ("multistep", "gain"), 1.8, None),
    ("sampling, equal steps", "sampling", ("full_bf16", "gain"), 1.3, None),
    ("sampling, ten steps", "sampling", ("full_bf16-ddim", "gain"), 5.0, None),
    ("encoder, per clip", "features", ("clip", "gain"), 40.0, None),
    ("losses, compiled bf16: largest deviation", "precision", ("compiled", "largest_deviation"),
     None, 0.01),
)  # fmt: skip

#: Goals on a GPU: what is asked, and the limit.
GPU_GOALS = {
    "step of 64 clips, times the baseline": (8.0, None),
    "multistep of 64 clips, times the baseline": (8.0, None),
    "step of 512 clips, % of the bf16 rate": (40.0, None),
    "the same without dropout, %": (None, None),
    "1,000 motions of 196 frames, seconds": (None, 8.0),
    "the paper's training, hours": (None, None),
}


def find(folder: str | Path) -> list[dict]:
    """All results of the benchmarks.

    Args:
        folder: the results folder, as seen from the repository's root or from the notebooks.

    Raises:
        FileNotFoundError: no benchmark has run.
    """
    places = [Path(folder), Path("..") / folder]
    found = next((r for p in places if (r := results.read(p, "benchmarks"))), [])
    if not found:
        raise FileNotFoundError(f"no benchmarks in {' or '.join(map(str, places))}; run python -m benchmarks")
    return found


def machines(found: Sequence[Mapping]) -> Table:
    """What each machine reaches, the best over its results: TFLOP/s of a large matrix product, GB/s of a copy."""
    rows = []
    for machine, (roofs, bandwidth) in roofs_of(found).items():
        row = {"machine": machine}
        rows.append(row | {f"{name} TFLOP/s": rate / 1e12 for name, rate in roofs.items()} | {"GB/s": bandwidth / 1e9})
    return metrics_table(rows)


def roofs_of(found: Sequence[Mapping]) -> dict[str, tuple[dict[str, float], float]]:
    """Machine -> FLOP/s by precision, and bytes per second; the best that any of its results measured."""
    rates: dict[str, dict[str, float]] = {}
    for result in found:
        best = rates.setdefault(result["machine"], {})
        for name in ("matmul_bf16", "matmul_float32", "bandwidth"):
            if name in result["metrics"]:
                best[name] = max(best.get(name, 0.0), result["metrics"][name])
    return {
        machine: ({name: best[f"matmul_{name}"] for name in ("bf16", "float32")}, best["bandwidth"])
        for machine, best in rates.items() if len(best) == 3
    }  # fmt: skip


def _timed(found: Sequence[Mapping], benchmark: str) -> Iterator[tuple[Mapping, str, str]]:
    """(result, case, version) of all that one benchmark timed."""
    for result in found:
        if result["method"].split("-")[0] == benchmark:
            for key in result["metrics"]:
                if key.endswith("_seconds"):
                    case, _, version = key.removesuffix("_seconds").rpartition("_")
                    if case:  # else a time of the benchmark itself
                        yield result, case, version


def gains(found: Sequence[Mapping], benchmark: str) -> Table | None:
    """Every version of a benchmark: milliseconds, gain over the baseline, and how many of the floor's times it takes.

    None where the benchmark has not run.
    """
    rows = []
    for result, case, version in _timed(found, benchmark):
        metrics, name = result["metrics"], f"{case}_{version}"
        seconds = metrics[f"{name}_seconds"]
        rows.append({
            "result": result["method"], "case": case, "version": version,
            "milliseconds": [1e3 * seconds[0], 1e3 * seconds[1]],
            "gain": metrics.get(f"{name}_gain", ""), "× floor": metrics.get(f"{name}_floors", ""),
        })  # fmt: skip
    return metrics_table(rows) if rows else None


def roofline_points(found: Sequence[Mapping], machine: str) -> dict[str, list[tuple[float, float]]]:
    """What :func:`videomdm.plots.roofline.roofline` draws of one machine: FLOP per byte and FLOP/s, by version.

    Only computations whose work is known in both are there, and none that takes fewer steps than the work counts.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for benchmark, title in TITLES.items():
        for result, case, version in _timed(found, benchmark):
            metrics = result["metrics"]
            flops, traffic = metrics.get(f"{case}_flops"), metrics.get(f"{case}_bytes")
            if result["machine"] == machine and flops and traffic and not version.endswith("-ddim"):
                rate = flops / mean(metrics[f"{case}_{version}_seconds"])
                points.setdefault(f"{title}, {version}", []).append((flops / traffic, rate))
    return points


def goals(found: Sequence[Mapping]) -> Table:
    """The goals set for two CPU cores: asked, measured and, where a mean lies on the right side, met.

    Of several versions (float32, bf16 ...) the best counts.  A goal whose benchmark has not run says so.
    """
    measured = {}
    for goal, benchmark, (start, end), low, high in GOALS:
        values = [
            value
            for result in found if result["method"].startswith(benchmark) and result["method"].endswith("-cpu")
            for key, value in result["metrics"].items() if key.startswith(f"{start}_") and key.endswith(f"_{end}")
        ]  # fmt: skip
        best = (max if high is None else min)(values, key=mean, default=None)
        measured[goal] = best, low, high
    return _goals(measured)


def gpu_goals(found: Sequence[Mapping]) -> Table:
    """The goals set for a GPU, of steps as graphs and of compiled sampling; as :func:`goals`."""
    metrics = {r["method"].removesuffix("-cuda"): r["metrics"] for r in found if r["method"].endswith("-cuda")}
    small, large, sampled = (metrics.get(name, {}) for name in ("step-64-full", "step-512-full", "sampling-1000"))
    rates = [_share_of_rate(large, f"plain_{version}_seconds") for version in ("graphs", "undropped")]
    values = (
        small.get("plain_graphs_gain"), small.get("multistep_graphs_gain"), *rates,
        sampled.get("full_compiled_seconds"), recipe_hours(small) if small else None,
    )  # fmt: skip
    return _goals({goal: (value, *GPU_GOALS[goal]) for goal, value in zip(GPU_GOALS, values, strict=True)})


def _share_of_rate(step: Mapping[str, object], seconds: str) -> float | None:
    """Per cent of the measured bf16 rate that a plain step reaches."""
    return 100 * step["plain_flops"] / mean(step[seconds]) / step["matmul_bf16"] if seconds in step else None


def recipe_hours(step: Mapping[str, object]) -> float:
    """Hours of the paper's training, 400,000 batches of MDM and 200,000 of VideoMDM, from what steps of 64 clips take.

    A batch of VideoMDM's counts a quarter of a multistep one for each of its passes (appendix G.1).
    """
    config = profile("paper")
    how, low = config.optimiser, config.multistep.probability
    plain, multistep = (mean(step[f"{case}_graphs_seconds"]) / step["steps_per_run"] for case in ("plain", "multistep"))
    passes = how.steps * (1 - low + low * how.n_buckets)
    return (how.warmup_steps * plain + passes * multistep / how.n_buckets) / 3600


def _goals(measured: Mapping[str, tuple]) -> Table:
    """Goal -> (value or [mean, half width], at least, at most): asked, measured and, where there is a limit, met.

    A goal whose value is None says that its benchmark has not run.
    """
    lines = []
    for goal, (value, low, high) in measured.items():
        line = {"goal": goal, "asked": f"≥ {low:g}" if low is not None else f"≤ {high:g}" if high is not None else ""}
        if value is None:
            lines.append(line | {"measured": "not run", "met": ""})
            continue
        met = (low or 0) <= mean(value) <= (high or float("inf"))
        asked = low is not None or high is not None
        lines.append(line | {"measured": value, "met": ("yes" if met else "no") if asked else ""})
    return metrics_table(lines)


def quality(found: Sequence[Mapping]) -> Table | None:
    """FID of one prior's motions, by sampler and precision, and how it compares with all steps in float32."""
    rows = []
    for result in found:
        metrics = result["metrics"]
        for key in metrics:
            if key.endswith("_fid_over_reference"):
                name = key.removesuffix("_fid_over_reference")
                ratio = metrics[key]
                same = abs(ratio[0] - 1) <= ratio[1]
                rows.append({
                    "prior": f"{result['data']}, {result['method']}", "sampler": name, "FID": metrics[f"{name}_fid"],
                    "over reference": ratio, "1 within the interval": "yes" if same else "no",
                    "ms per motion": 1e3 * mean(metrics[f"{name}_seconds_per_sample"]),
                })  # fmt: skip
    return metrics_table(rows) if rows else None


def curves(found: Sequence[Mapping]) -> dict[str, dict[str, list[float]]]:
    """Result -> version -> mean losses of consecutive windows, where training was compared."""
    return {
        f"{r['profile']}, {r['method']}": {
            key.removesuffix("_curve"): value for key, value in r["metrics"].items() if key.endswith("_curve")
        }
        for r in found if "float32_curve" in r["metrics"]
    }  # fmt: skip
