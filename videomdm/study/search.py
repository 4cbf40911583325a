"""Search for settings (appendix F): the method is trained with many, and each is measured on the validation split.

The paper chose t*, the number of buckets and the losses' weights by Bayesian search over the validation FID on
HumanML3D, and by random search on NBA, and found FID to depend little on them.  Here as there: a tree-structured
Parzen estimator, or chance, by optuna (extra ``search``).

A trial trains a third of the 2-D stage's batches first and is given up where its FID there is worse than the median
of those before it.  All that is known lies in one SQLite file: a search that was killed goes on from it, trials that
were running are begun anew and resume from their checkpoints, and several processes may work on one file.
Test data are never read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from videomdm import settings, train
from videomdm.config import Config
from videomdm.conventions import TRIAL, DataError
from videomdm.evaluation import protocol
from videomdm.losses import Weights
from videomdm.parameters import argument
from videomdm.storage.cache import one_at_a_time
from videomdm.storage.files import write_json
from videomdm.study import report, results

if TYPE_CHECKING:
    import optuna

SAMPLERS = ("tpe", "random")
OBJECTIVES = ("fid_raw", "fid")  # the paper's reading of FID, and joints encoded anew
#: Metrics of :func:`confirm`.
CONFIRMED = ("fid_raw", "fid", "recall", "r_precision_3")
RUNGS = 1 / 3, 1.0  # shares of the 2-D stage's batches after which a trial is measured
STARTUP = 8  # trials that chance draws before the estimator knows enough, and before any is given up
HEARTBEAT = 60  # seconds after which a trial whose process says nothing is taken for killed, times two
RETRIES = 3  # of a trial that was killed


def space(trial: optuna.Trial, base: Config) -> Config:
    """The configuration that a trial asks for.

    t* is searched as a share of the diffusion's steps; lambda_2D and lambda_vel on a logarithmic scale, as multiples of
    the base's.  lambda_repr stays, as a factor common to all three changes little under AdamW.
    The learning rate is one of three, so that trials share their warm-ups.
    """
    steps, weights = base.model.n_steps, base.optimiser.weights
    n_buckets = trial.suggest_int("n_buckets", 2, 8)
    t_star = round(trial.suggest_float("t_star_share", 0.1, 0.6) * steps)
    t_star = min(t_star, (n_buckets - 1) * (steps // n_buckets))  # else the last bucket would pass the last step
    return base.but(
        t_star=t_star, n_buckets=n_buckets,
        weights=Weights(
            weights.reprojection * trial.suggest_float("lambda_2d_times", 0.1, 10.0, log=True),
            weights.velocity * trial.suggest_float("lambda_vel_times", 0.1, 10.0, log=True),
            weights.representation,
        ),
        lr=base.optimiser.lr * trial.suggest_categorical("lr_times", [0.5, 1.0, 2.0]),
        guidance=trial.suggest_float("guidance", 1.0, 4.0),
        evaluation_split="val",
    )  # fmt: skip


def _searched(config: Config) -> dict[str, object]:
    """The settings that :func:`space` decides, by the names that ``--set`` and ``Config.but`` know."""
    own = config.optimiser
    return {"t_star": own.t_star, "n_buckets": own.n_buckets, "weights": vars(own.weights), "lr": own.lr,
            "guidance": config.evaluation.guidance}  # fmt: skip


def _own(base: Config) -> dict[str, float]:
    """The parameters of :func:`space` that ask for the base itself."""
    own = base.optimiser
    return {"n_buckets": own.n_buckets, "t_star_share": own.t_star / base.model.n_steps, "lambda_2d_times": 1.0,
            "lambda_vel_times": 1.0, "lr_times": 1.0, "guidance": base.evaluation.guidance}  # fmt: skip


def objective(base: Config, metric: str, trial: optuna.Trial) -> float:
    """FID on the validation split of a prior trained as the trial asks; the base itself is trained to the end.

    Raises:
        optuna.TrialPruned: worse than the median of earlier trials after a share of the batches.
    """
    config, value = space(trial, base), float("nan")
    trial.set_user_attr("settings", _searched(config))
    for rung, share in enumerate(RUNGS):
        own = config.but(steps=max(1, round(share * config.optimiser.steps)))
        asked_for = own.folder == base.folder or (own.folder / "weights.safetensors").exists()
        run = train.fit(own)
        if not asked_for:
            (run / TRIAL).touch()  # no prior to generate with
        value = report.mean(protocol.evaluate(own, own.method, run)[metric])
        trial.report(value, rung)
        if rung + 1 < len(RUNGS) and not trial.user_attrs.get("own", False) and trial.should_prune():
            raise _optuna().TrialPruned
    return value


def search(
    base: Config, storage: Path, out: Path, trials: int, sampler: str = "tpe", metric: str = "fid_raw",
    command: str = "",
) -> Path:  # fmt: skip
    """Search until the file holds ``trials`` finished ones, whoever ran them; writes ``out`` after each.

    What ``out`` holds of :func:`confirm` is kept; records that do not say what they are of lose it.

    Args:
        base: what is not searched; its method is what is trained.
        storage: the SQLite file, made where there is none.
        out: JSON of all trials (:func:`summary`).
        trials: finished or given up, in all.
        sampler: one of ``SAMPLERS``.
        metric: one of ``OBJECTIVES``.
        command: for the record.

    Raises:
        ImportError: optuna is not installed.
        DataError: ``out`` is damaged, or the validation clips are.
        ValueError: an unknown sampler or metric, or a file, ``storage`` or ``out``, that holds another search.
    """
    for name, given, known in (("sampler", sampler, SAMPLERS), ("objective", metric, OBJECTIVES)):
        if given not in known:
            raise ValueError(f"{name} is {given!r}, expected one of {', '.join(known)}")
    measured = base.but(evaluation_split="val")
    about = {"config": results.key(measured), "evaluation": measured.evaluation_key(), "objective": metric}
    _confirmed(out, about)  # this and the clips, before any trial
    protocol.held_out(measured)

    def write(study: optuna.Study, _: object) -> None:
        write_json(out, {"command": command, "commit": results.commit(), "machine": results.machine(),
                         "data": base.data.source, "method": base.method, "profile": base.profile,
                         "sampler": sampler, **about, **summary(study, metric), **_confirmed(out, about)})  # fmt: skip

    with one_at_a_time(storage.with_name(f"{storage.name}.lock"), storage):
        study = _open(storage, sampler, {"base": measured.key(), "evaluation": about["evaluation"], "metric": metric})
        left = trials - len(study.get_trials(deepcopy=False, states=_ended()))
        if left > 0:
            _enqueue_own(study, base)
    if left > 0:
        enough = _optuna().study.MaxTrialsCallback(trials, states=_ended())
        study.optimize(lambda trial: objective(base, metric, trial), n_trials=left, callbacks=[write, enough])
    write(study, None)
    return out


def _confirmed(out: Path, about: Mapping[str, str]) -> dict[str, object]:
    """What a record holds of :func:`confirm`; raises ``ValueError`` where it is of another search."""
    former = results.load(out) if out.exists() else {}
    for name, value in about.items():
        if former.get(name, value) != value:
            raise ValueError(
                f"{out}: holds a search with {name} {former[name]}, expected {value}; name another folder of results "
                f"(it is of: {former.get('command')})"
            )
    known = all(name in former for name in about)
    return {"confirmed": former["confirmed"]} if known and "confirmed" in former else {}


def _enqueue_own(study: optuna.Study, base: Config) -> None:
    """Make the base the next trial, marked ``own``, unless one is complete or on its way: a search says its gain.

    One that failed or was interrupted is begun anew.
    """
    states = _optuna().trial.TrialState
    alive = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.RUNNING, states.WAITING))
    if not any(trial.user_attrs.get("own", False) for trial in alive):
        study.enqueue_trial(_own(base), user_attrs={"own": True})


def _ended() -> tuple[optuna.trial.TrialState, ...]:
    """States of trials that count: others failed or are not over."""
    states = _optuna().trial.TrialState
    return states.COMPLETE, states.PRUNED


def summary(study: optuna.Study, metric: str) -> dict[str, object]:
    """What a search found, as JSON keeps it.

    Returns:
        ``objective``; ``trials``, complete or given up, each with its number, state, whether it is of the base's own
        settings, parameters, settings, FID after each rung and at its end; ``importance`` of each parameter for FID
        (functional ANOVA on a forest; shares of 1, where at least 4 trials are complete), and ``spread``: the best,
        median and worst FID of complete trials.
    """
    states = _optuna().trial.TrialState
    trials = [
        {
            "number": t.number, "state": t.state.name.lower(), "own": t.user_attrs.get("own", False),
            "parameters": t.params,
            "settings": t.user_attrs.get("settings", {}), "rungs": [t.intermediate_values[i] for i in
            sorted(t.intermediate_values)], "value": t.value if t.state == states.COMPLETE else None,
        }
        for t in study.get_trials(deepcopy=False, states=_ended())
    ]  # fmt: skip
    values = sorted(t["value"] for t in trials if t["value"] is not None)
    judge = _optuna().importance
    evaluator = judge.FanovaImportanceEvaluator(seed=0)
    importance = judge.get_param_importances(study, evaluator=evaluator) if len(values) >= 4 else {}
    spread = [values[0], values[len(values) // 2], values[-1]] if values else []
    return {"objective": metric, "trials": trials, "importance": importance, "spread": spread}


def best(found: Mapping[str, object]) -> Mapping[str, object]:
    """The settings of the complete trial of lowest FID in what :func:`search` wrote.

    Raises:
        ValueError: no trial is complete.
    """
    complete = [t for t in found["trials"] if t["value"] is not None]
    if not complete:
        raise ValueError("the search has no complete trial yet")
    return min(complete, key=lambda t: t["value"])["settings"]


def confirm(base: Config, found: Mapping[str, object], seeds: int) -> dict[str, dict[str, list[float]]]:
    """What the settings in use and the best ones measure with training seeds that the search did not see.

    The best of many trials is lucky as well as good; this tells the two apart.  Validation data too.

    Returns:
        ``"own"`` and ``"best"`` -> metric (:data:`CONFIRMED`) -> a value for each seed.
    """
    best_settings = best(found)
    chosen = {"own": base, "best": base.but(**best_settings | {"weights": Weights(**best_settings["weights"])})}
    values: dict[str, dict[str, list[float]]] = {}
    for who, config in chosen.items():
        rows = values.setdefault(who, {metric: [] for metric in CONFIRMED})
        for seed in range(base.seed + 1, base.seed + 1 + seeds):
            own = config.but(seed=seed, evaluation_split="val")
            metrics = protocol.evaluate(own, own.method, train.fit(own))
            for metric, row in rows.items():
                row.append(report.mean(metrics[metric]))
    return values


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ImportError("a search needs optuna; install it by pip install 'videomdm[search]'") from None
    return optuna


def _open(storage: Path, sampler: str, about: Mapping[str, str]) -> optuna.Study:
    optuna = _optuna()
    kept = optuna.storages.RDBStorage(
        f"sqlite:///{storage}", heartbeat_interval=HEARTBEAT, grace_period=2 * HEARTBEAT,
        heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
    )  # fmt: skip
    choose = {
        "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=STARTUP, multivariate=True, constant_liar=True),
        "random": lambda: optuna.samplers.RandomSampler(),
    }[sampler]()
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP)
    study = optuna.create_study(
        storage=kept, study_name="search", sampler=choose, pruner=pruner, load_if_exists=True, direction="minimize"
    )
    for name, value in about.items():
        if study.user_attrs.get(name, value) != value:
            raise ValueError(
                f"{storage}: holds a search with {name} {study.user_attrs[name]}, expected {value}; name another file"
            )
        study.set_user_attr(name, value)
    return study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``videomdm search``."""
    settings.add_arguments(parser)
    parser.add_argument("--trials", type=argument(int), default=56, help="finished ones, in all (default %(default)s)")
    parser.add_argument("--search-sampler", choices=SAMPLERS, default="tpe", help="default %(default)s")
    parser.add_argument(
        "--objective", choices=OBJECTIVES, default="fid_raw", help="FID as the paper reads it, or of joints"
    )
    parser.add_argument(
        "--confirm", type=argument(int), default=0, metavar="SEEDS",
        help="train the settings in use and the best ones with so many other seeds as well, 2 or more",
    )  # fmt: skip
    parser.add_argument("--storage", type=Path, help="SQLite file of the search (default: in the runs' folder)")
    parser.add_argument("--results", type=Path, default=Path("results"))


def run(given: argparse.Namespace) -> None:
    """Search, and print the best settings found; raises ``DataError`` where seeds are too few to confirm them."""
    if given.confirm and given.confirm < 2:
        raise DataError(f"--confirm is {given.confirm}, expected at least 2 seeds: an interval needs two")
    base = settings.read(given)
    name = f"{base.data.source}-{base.profile}-{base.method.replace('/', '-')}-{given.search_sampler}"
    storage = given.storage or Path(base.runs) / f"search-{name}.db"
    command = " ".join([
        "videomdm", "search", f"--config={given.config}" if given.config else f"--profile={given.profile}",
        *_portable(given.set), f"--trials={given.trials}",
        f"--search-sampler={given.search_sampler}", f"--objective={given.objective}",
        *([f"--confirm={given.confirm}"] if given.confirm else []),
    ])  # fmt: skip
    out = given.results / "search" / f"{name}.json"
    search(base, storage, out, given.trials, given.search_sampler, given.objective, command)
    found = results.load(out)
    if given.confirm:
        write_json(out, found | {"confirmed": confirm(base, found, given.confirm)})
    print(json.dumps(best(found), indent=1))


def _portable(settings: Sequence[str]) -> list[str]:
    """Settings as the record has them: where data and runs lie on this machine is nobody else's path."""
    kept = [text for text in settings if not text.startswith("runs=")]
    named = [f"data_root=$VIDEOMDM_DATA/{Path(t).name}" if t.startswith("data_root=") else t for t in kept]
    return ["--set", *named] if named else []
