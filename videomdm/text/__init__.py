"""Text encoders: captions to vectors, without a download unless CLIP is asked for."""

from videomdm.text.clip import CLIP_TOKENS, CLIP_VIT_B32, ClipText
from videomdm.text.encoders import NoText, TextEncoder, by_name, embed_cached
from videomdm.text.hashed import HashedText, features, foreign, stem, tokens
from videomdm.text.minilm import MiniLMText

__all__ = [
    "CLIP_TOKENS", "CLIP_VIT_B32", "ClipText", "HashedText", "MiniLMText", "NoText", "TextEncoder", "by_name",
    "embed_cached", "features", "foreign", "stem", "tokens",
]  # fmt: skip
