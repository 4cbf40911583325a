"""Captions as sums of random directions of their words: needs neither weights nor a download."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


class HashedText:
    """Captions as sums of random directions, one per word, word pair, piece of a word and group of synonyms.

    Every feature of a caption owns a fixed +-1 vector (bits of its SHAKE-256 hash), so captions that share
    features are near each other and the expected product of unrelated ones is zero.  Words are stemmed;
    function words and the person who acts hardly count; words that decide between motions (sides, directions,
    counts, speeds) count double.  The sum is scaled to unit mean square, what a linear layer likes; a caption
    without any word gives zeros, the same as no condition.

    Args:
        width: channels of a vector.
    """

    def __init__(self, width: int = 512) -> None:
        self.width = width

    @property
    def name(self) -> str:
        """What caches of its vectors go by."""
        return f"hashed-v1:{self.width}"  # count up when a caption's vector changes: caches go by the name

    def encode(self, texts: list[str]) -> Tensor:
        """N captions -> (N, width) float32."""
        unread = [text for text in texts if text.strip() and not tokens(text)]
        if unread:
            warnings.warn(
                f"the text encoder reads the letters a to z and digits: {unread[0]!r} counts as no caption, as do "
                f"{len(unread) - 1} others",
                stacklevel=2,
            )
        vectors = np.zeros((len(texts), self.width), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for feature, weight in features(text).items():
                vector += weight * _direction(feature, self.width)
        scale = self.width**0.5 / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
        return torch.from_numpy(vectors * scale)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS = _words(
    """
    a an and are as at be been being by does each for from had has have having he her herself him himself his
    if in into is it its itself just like of on onto or our own she some something so than that the their them
    themselves then there these they this those through to upon was were what when where which while who whose
    will with without would you your
    person people man woman boy girl guy lady human figure someone somebody individual character subject body
    """
)

# Words that tell two motions apart although everything around them agrees; numbers do too.
CONTRASTS = _words("left right both forward backward sideways up down clockwise counter fast quick slow")

_DIGITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip

SPELLINGS = {word: str(i) for i, word in enumerate(_DIGITS)} | {
    "once": "1", "single": "1", "twice": "2", "double": "2", "thrice": "3", "ninety": "90",
    "counterclockwise": "counter clockwise", "anticlockwise": "counter clockwise", "anti": "counter",
    "bent": "bend", "fell": "fall", "feet": "foot", "gently": "gentle", "held": "hold", "knelt": "kneel",
    "lay": "lie", "leapt": "leap", "lying": "lie", "ran": "run", "sat": "sit", "spun": "spin",
    "stood": "stand", "struck": "strike", "swung": "swing", "threw": "throw", "thrown": "throw",
    "took": "take", "went": "go", "faster": "fast", "quicker": "quick", "slower": "slow",
}  # fmt: skip

# Words for one idea: the group counts beside the word itself, so that unseen phrasings are not foreign.
SYNONYMS = {
    "walk": "walk stroll stride pace amble wander saunter march",
    "run": "run jog sprint dash race trot",
    "jump": "jump hop leap bounce skip",
    "turn": "turn rotate spin pivot twirl whirl revolve",
    "circle": "circle circular loop arc curve curved",
    "squat": "squat crouch",
    "sit": "sit seat chair stool",
    "stand": "stand rise upright",
    "punch": "punch jab hit strike uppercut",
    "wave": "wave greet greeting hello goodbye beckon",
    "stretch": "stretch extend reach spread",
    "raise": "raise lift hoist elevate overhead",
    "lower": "lower drop descend",
    "throw": "throw toss pitch hurl lob",
    "bow": "bow lean stoop bend",
    "fall": "fall stumble trip collapse",
    "dance": "dance sway groove",
    "clap": "clap applaud",
    "arm": "arm hand wrist elbow fist",
    "leg": "leg foot knee ankle shin",
    "forward": "forward ahead onward",
    "backward": "backward reverse behind backpedal retreat",
    "sideways": "sideways sidestep lateral shuffle",
    "fast": "fast quick rapid brisk swift hurried haste hasty speedy",
    "slow": "slow leisurely gentle unhurried gradual calm lazy",
    "energetic": "energetic energy active lively vigorous spirited dynamic",
    "tired": "tired exhausted exhaustion weary fatigued drained worn sluggish",
    "sad": "sad dejected gloomy sorrowful downcast depressed",
    "happy": "happy cheerful joyful glad merry cheer joy",
    "angry": "angry furious mad rage irritated anger",
    "proud": "proud confident boastful swagger",
    "timid": "timid shy nervous hesitant unsure insecure",
    "old": "old elderly aged frail hunched age",
    "young": "young youthful youth teenager child kid childlike",
    "masculine": "masculine manly macho",
    "feminine": "feminine womanly graceful elegant",
    "normal": "normal neutral ordinary usual casual natural",
    "repeat": "repeat repeatedly several multiple keep continue continuous",
}


def stem(word: str) -> str:
    """A word without its inflection, good enough to make ``waves``, ``waved`` and ``waving`` one word."""
    word = re.sub("ically$", "ic", SPELLINGS.get(word, word))
    for suffix in ("ingly", "edly", "ing", "ed", "es", "s", "ly"):
        rest = word.removesuffix(suffix)
        if rest != word and len(rest) > 2 and re.search("[aeiouy]", rest) and not word.endswith(("eed", "ss")):
            word = rest
            break
    word = re.sub(r"([b-df-hj-np-tv-z])\1$", r"\1", word)  # stepp(ing) and step, roll and rol(l)ing
    return re.sub(r"[yi]$", "i", word.removesuffix("e") if len(word) > 3 else word)


_STEMMED_CONTRASTS = frozenset(map(stem, CONTRASTS))
_GROUP = {stem(word): group for group, words in SYNONYMS.items() for word in words.split()}


def tokens(text: str) -> list[str]:
    """Lower-case stems of a caption's words, numbers as digits."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"['’]\w*", "", text.lower()))
    words = " ".join(SPELLINGS.get(word, word) for word in words).split()
    return [word if word in FUNCTION_WORDS or word.isdigit() else stem(word) for word in words]


def foreign(text: str) -> float:
    """Share of a caption's letters that :func:`tokens` cannot read, which are all but a to z."""
    letters = [letter for letter in text.lower() if letter.isalpha()]
    return sum(not letter.isascii() for letter in letters) / max(len(letters), 1)


def features(text: str) -> dict[str, float]:
    """A caption's features (words, word pairs, pieces of words, groups of synonyms) and their weights."""
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for feature, weight in _weighted(tokens(text)):
        counts[feature] += 1
        weights[feature] = weight
    return {feature: weight * counts[feature] ** 0.5 for feature, weight in weights.items()}


def _weighted(words: list[str]) -> Iterator[tuple[str, float]]:
    content = [word for word in words if word not in FUNCTION_WORDS]
    for word in words:
        if word in FUNCTION_WORDS:
            yield f"word {word}", 0.1
    for word in content:
        yield f"word {word}", 2.0 if word in _STEMMED_CONTRASTS or word.isdigit() else 1.0
        if word in _GROUP:
            yield f"group {_GROUP[word]}", 1.0
        pieces = _pieces(word)
        for piece in pieces:
            yield f"piece {piece}", 0.5 / len(pieces) ** 0.5
    for first, second in zip(content, content[1:], strict=False):
        yield f"pair {first} {second}", 0.7


def _pieces(word: str) -> list[str]:
    """Character 3- and 4-grams of the word between its boundaries."""
    marked = f"<{word}>"
    return [marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1)]


@lru_cache(maxsize=100_000)
def _direction(feature: str, width: int) -> np.ndarray:
    """The feature's own +-1 vector, the same on every machine."""
    bits = np.frombuffer(hashlib.shake_256(feature.encode()).digest(-(-width // 8)), np.uint8)
    return np.unpackbits(bits)[:width].astype(np.float32) * 2 - 1
