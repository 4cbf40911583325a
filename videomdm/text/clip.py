"""CLIP's text vectors, which published MDM models expect."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

CLIP_VIT_B32 = "openai/clip-vit-base-patch32"
CLIP_TOKENS = 22  # MDM cuts captions to 20 tokens and CLIP's two marks


class ClipText:
    """CLIP's text vectors through ``transformers`` (extra ``clip``), as published MDM models expect them.

    Nothing is downloaded: the weights must lie in transformers' cache or in a folder.

    Args:
        model: a model's name on the hub, or a folder with its weights and tokenizer.
        max_tokens: longer captions are cut, with a warning.

    Raises:
        ImportError: transformers is not installed.
        FileNotFoundError: the weights are not there; the message says how to place them.
    """

    def __init__(self, model: str = CLIP_VIT_B32, max_tokens: int = CLIP_TOKENS) -> None:
        try:
            from transformers import AutoTokenizer, CLIPTextModelWithProjection
        except ImportError as error:
            raise ImportError("CLIP needs transformers: pip install 'videomdm[clip]'") from error
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
            self._model = CLIPTextModelWithProjection.from_pretrained(
                model, local_files_only=True, weights_only=True, dtype=torch.float32
            ).eval()
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"CLIP's weights {model!r} are not on this machine. With a network, fetch them once with "
                f"'hf download {CLIP_VIT_B32}'; without one, copy that folder here and give its path, "
                "'clip:/path/to/folder'; or use the encoder 'hashed', which needs no weights."
            ) from error
        self._max_tokens = max_tokens
        self.name = f"clip:{model}"
        self.width: int = self._model.config.projection_dim

    @torch.no_grad()
    def encode(self, texts: list[str], batch_size: int = 64) -> Tensor:
        """N captions -> (N, width) float32, CLIP's projected text vectors without normalisation."""
        vectors = []
        for start in range(0, len(texts), batch_size):
            batch = list(texts[start : start + batch_size])
            self._warn_if_cut(batch)
            ids = self._tokenizer(
                batch, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt"
            )
            vectors.append(self._model(**ids).text_embeds)
        return torch.cat(vectors) if vectors else torch.zeros(0, self.width)

    def _warn_if_cut(self, texts: list[str]) -> None:
        for text, ids in zip(texts, self._tokenizer(texts).input_ids, strict=True):
            if len(ids) > self._max_tokens:
                warnings.warn(f"caption cut to {self._max_tokens} of {len(ids)} tokens: {text!r}", stacklevel=3)
