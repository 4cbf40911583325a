"""A folder in the layout of HumanML3D's published evaluator, with small random weights."""

import json
from pathlib import Path

import numpy as np
import torch

from videomdm.evaluation import evaluators
from videomdm.evaluation.text_motion import TextMotionEvaluator

WORDS = ["unk", "sos", "eos", "walk", "person", "jump", "a"]


def write(folder: Path) -> Path:
    """Weights, statistics and word vectors where the published ones lie; returns ``folder``."""
    weights, statistics, glove = (folder / part.replace("*", "01") for part in evaluators.PUBLISHED)
    for path in (weights.parent, statistics, glove):
        path.mkdir(parents=True)
    torch.manual_seed(0)
    parts: dict[str, dict] = {}
    for key, tensor in TextMotionEvaluator(263, 8, 8, 12, 12, 8).state_dict().items():
        part, name = key.split(".", 1)
        parts.setdefault(part, {})[name] = tensor
    torch.save({"epoch": 1, **parts}, weights)
    np.save(statistics / "mean.npy", np.linspace(-1, 1, 263).astype("f4"))
    np.save(statistics / "std.npy", np.linspace(0.5, 2, 263).astype("f4"))
    np.save(glove / "our_vab_data.npy", np.random.default_rng(0).normal(size=(len(WORDS), 300)))
    (glove / "our_vab_idx.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}))
    return folder
