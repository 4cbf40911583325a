"""Natural captions: each action has several sentence templates, and each attribute several wordings."""

from __future__ import annotations

import re

import torch

_WHO = ("a person", "someone", "the person", "a man", "a woman", "a figure", "a human")

#: Wordings of attribute values; a value that is not listed here is used as it is.
WORDS: dict[str, tuple[str, ...]] = {
    "slow": ("slowly", "at a slow pace", "in a leisurely way", "without hurry"),
    "medium": ("", "at a normal pace", "steadily", "at a moderate speed"),
    "fast": ("quickly", "at a fast pace", "briskly", "rapidly"),
    "plain": ("", "", "normally", "in a relaxed way"),
    "tired": ("tiredly", "with a slumped posture", "as if exhausted", "with a hanging head"),
    "proud": ("proudly", "with the chest out", "confidently", "with an upright posture"),
    "happy": ("happily", "with a bounce", "cheerfully", "with springy movements"),
    "slight": ("a little", "slightly"),
    "deep": ("deeply", "all the way down"),
    "x1": ("once", "one time", "a single time"),
    "x2": ("twice", "two times"),
    "x3": ("three times", "3 times"),
    "x4": ("four times", "4 times"),
    "x5": ("five times", "several times"),
    "x6": ("six times", "again and again", "several times"),
    "quarter": ("90 degrees", "a quarter of the way"),
    "half": ("180 degrees", "halfway around"),
    "full": ("360 degrees", "all the way around"),
}


def count_words(count: torch.Tensor) -> list[str]:
    """Attribute values for numbers of repetitions (n,): "x1" .. "x6"."""
    return [f"x{min(int(c), 6)}" for c in count]


class Writer:
    """Writes captions from templates with a seeded generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def _pick(self, options: tuple[str, ...]) -> str:
        return options[int(torch.randint(len(options), (), generator=self.generator))]

    def write(self, templates: tuple[str, ...], slots: dict[str, str], n: int = 4) -> tuple[str, ...]:
        """``n`` (or as many as there are) captions, each from another template."""
        captions: list[str] = []
        for k in torch.randperm(len(templates), generator=self.generator).tolist():
            words = {name: self._pick(WORDS.get(value, (value,))) for name, value in slots.items()}
            text = templates[k].format(who=self._pick(_WHO), **words)
            text = re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,.") + "."
            if text not in captions:
                captions.append(text)
            if len(captions) == n:
                break
        return tuple(captions)
