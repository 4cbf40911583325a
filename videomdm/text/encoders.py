"""What a text encoder is, each by its name, and their vectors kept on disk."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from videomdm.storage.cache import cached
from videomdm.text.clip import ClipText
from videomdm.text.hashed import HashedText
from videomdm.text.minilm import MiniLMText


class TextEncoder(Protocol):
    """What a text encoder offers.

    Attributes:
        name: ``by_name(name)`` gives the same encoder, and equal names mean equal vectors.
        width: channels of a vector.
    """

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...

    def encode(self, texts: list[str]) -> Tensor:
        """N captions -> (N, width) float32 on the CPU."""
        ...


class NoText:
    """No text: for data without captions.  Every vector is one zero, the same as no condition."""

    name, width = "none", 1

    def encode(self, texts: list[str]) -> Tensor:
        """N empty captions -> (N, 1) zeros; raises ``ValueError`` for a caption that says something."""
        if said := [text for text in texts if text.strip()]:
            raise ValueError(f"caption {said[0]!r}, expected none: this prior was trained without text")
        return torch.zeros(len(texts), self.width)


NAMES = "minilm, hashed, hashed:WIDTH, clip, clip:FOLDER, none"


def by_name(name: str) -> TextEncoder:
    """The encoder called ``minilm``, ``hashed``, ``hashed:WIDTH``, ``clip``, ``clip:MODEL-OR-FOLDER`` or ``none``.

    Raises:
        ValueError: no such encoder; lists the known ones.
    """
    if name in ("minilm", MiniLMText.name):
        return MiniLMText()
    kind, _, argument = name.partition(":")
    if kind in ("hashed", "hashed-v1") and re.fullmatch(r"([1-9]\d*)?", argument):
        return HashedText(int(argument)) if argument else HashedText()
    if kind == "clip":
        return ClipText(argument) if argument else ClipText()
    if name == NoText.name:
        return NoText()
    raise ValueError(f"unknown text encoder {name!r}, expected one of {NAMES}")


def embed_cached(encoder: TextEncoder, texts: Sequence[str], cache_dir: str | Path) -> Tensor:
    """Vectors of captions, computed once and kept on disk.

    Args:
        encoder: any text encoder; the cache goes by its name and width.
        texts: N captions; equal ones are encoded once.
        cache_dir: folder for the cache, made if missing.  A damaged file in it is made anew, with a warning.

    Returns:
        (N, width) float32.
    """
    distinct = sorted(set(texts))
    key = hashlib.sha256(json.dumps([encoder.name, encoder.width, distinct]).encode()).hexdigest()[:16]
    vectors = cached(Path(cache_dir) / f"text-{key}.safetensors", lambda: encoder.encode(distinct))
    row = {text: i for i, text in enumerate(distinct)}
    return vectors[torch.tensor([row[text] for text in texts], dtype=torch.long)]
