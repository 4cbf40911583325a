"""Give results that were measured under earlier settings the keys of today's: ``python results/migrate_keys.py``.

Run once, when settings were nested and keys came to stand for what the code does too.  A row's settings are read from
its command.  Whether its cameras were refined by fitting the image or, before, the keypoints' rays, is known from the
commit that it ran at, so that rows of both kinds have different keys.  Benchmarks have no row to be held against, and
lose a key that cannot be made again.
"""

import argparse
import json
import shlex
import subprocess
from pathlib import Path

from videomdm import config as settings
from videomdm.config import Config, profile
from videomdm.methods import METHODS
from videomdm.storage.files import digest, write_json

IMAGE_FITTED = "7f7c57e"  # the first commit whose refined cameras fit the image
SETTINGS = ("data", "teacher", "seed", "precision", "protocol", "sampler", "profile")
_NAMES = {"judges": "evaluators"}  # metrics that are called otherwise now
TABLE2 = ("source", "source-steps", "steps", "noise", "judge-steps")


def main() -> None:
    for path in sorted(Path("results").glob("*/*.json")):
        result = json.loads(path.read_text())
        if result["study"] in ("benchmarks", "cost"):
            result.pop("config", None)
            result.pop("evaluation", None)
        else:
            settings.STAGES["refine"] = 2 if _is_before(IMAGE_FITTED, result["commit"]) else 1
            result["config"], result["evaluation"] = _keys(result)
        result["metrics"] = {_NAMES.get(name, name): value for name, value in result["metrics"].items()}
        write_json(path, result)


def _keys(result: dict) -> tuple[str, str]:
    parser = argparse.ArgumentParser()
    for name in (*SETTINGS, *TABLE2):
        parser.add_argument(f"--{name}")
    given, _ = parser.parse_known_args(shlex.split(result["command"]))
    own = {name: value for name in SETTINGS[2:] if (value := getattr(given, name))} | {"seed": int(given.seed)}
    own["root_path"] = "network" if given.teacher == "trajectory" else "bones"
    if given.source is None:
        config = profile(**_named(own), data=given.data)
        key = _of(config, result["method"]).key()
    else:
        source = profile(**_named(own), data=given.source, steps=int(given.source_steps))
        detector = {"keypoint_noise": float(given.noise), "keypoint_smoothing": True}
        config = profile(**_named(own), data=given.data, steps=int(given.steps), **detector)
        config = config.but(evaluator_steps=int(given.judge_steps))
        key = digest(_of(config, result["method"]).key(), source.key())
    return key, config.evaluation_key()


def _named(values: dict) -> dict:
    return {k: v for k, v in values.items() if k != "profile"} | {"name": values["profile"]}


def _of(config: Config, method: str) -> Config:
    return config.but(method=method) if method in METHODS else config


def _is_before(first: str, second: str) -> bool:
    """Whether ``second`` has ``first`` in its history; a commit with changes of its own counts as the one before."""
    command = ["git", "merge-base", "--is-ancestor", first, second.rstrip("+")]
    return subprocess.run(command, capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
