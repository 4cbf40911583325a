"""Captions as the T2M evaluator reads them: a word vector and a part of speech per token.

Guo et al. (2022) tag captions with spaCy and look words up in GloVe.  :class:`GloveVocabulary` reads their
files; :class:`HashedVocabulary`, the default, needs none: vectors come from a hash of the word and of its
character n-grams, so related spellings are near each other and no word is unknown.

A token is written ``word/TAG`` as in HumanML3D's text files.  Where a caption is a plain sentence, the small
rules of :func:`tokenize` take spaCy's place.
"""

from __future__ import annotations

import hashlib
import pickletools
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.storage.arrays import read_npy
from videomdm.storage.text import read_json

WORD_WIDTH = 300
VECTOR_LENGTH = 6.0  # of hashed vectors, about that of GloVe's: shorter ones are learned from slowly
MAX_TOKENS = 20  # longer captions are cut; sos and eos come on top

#: T2M's classes, in the order of its one-hot vectors.  The five ``*_VIP`` hold words that matter for motion.
PARTS_OF_SPEECH = (
    "VERB", "NOUN", "DET", "ADP", "NUM", "AUX", "PRON", "ADJ", "ADV",
    "Loc_VIP", "Body_VIP", "Obj_VIP", "Act_VIP", "Desc_VIP", "OTHER",
)  # fmt: skip

_VIP_WORDS = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift "
    "lower raise wash stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb",
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_VIP = {word: tag for tag, words in _VIP_WORDS.items() for word in words.split()}

_CLOSED_CLASS_WORDS = {
    "DET": "a an the this that these those each every some any no both all",
    "ADP": "in on at to from with without of by for over under above below behind around across along "
    "through into onto off out towards toward against between near like as before after during",
    "NUM": "one two three four five six seven eight nine ten once twice",
    "AUX": "is are was were be been being has have had do does did can could will would may might must should",
    "PRON": "he she it they someone somebody him her them his hers its their himself herself itself "
    "themselves who which what",
}
_CLOSED_CLASS = {word: tag for tag, words in _CLOSED_CLASS_WORDS.items() for word in words.split()}
_ADJECTIVE_ENDINGS = ("ful", "ous", "ive", "less", "ish", "able", "al", "ic")


def tokenize(caption: str) -> tuple[str, ...]:
    """``word/TAG`` tokens of an English sentence, by rule.

    Words are lower-cased; a plural, third person, past tense or ``-ing`` of a word that T2M lists as
    important becomes that word.  Tags: T2M's list, else closed word classes, else by ending (-ly adverb, -ing
    and -ed verb, -ful, -ous ... adjective), else noun.

    Raises:
        ValueError: the caption holds no word.
    """
    words = re.findall(r"[a-z0-9]+", caption.lower())
    if not words:
        raise ValueError(f"caption {caption!r} holds no word")
    return tuple(f"{word}/{_tag(word)}" for word in map(_lemma, words))


class HashedVocabulary:
    """Vectors hashed from words and their character n-grams; every word is known.

    Args:
        width: of the vectors.
    """

    def __init__(self, width: int = WORD_WIDTH) -> None:
        self.width = width

    def look_up(self, token: str) -> tuple[np.ndarray, np.ndarray]:
        """Vector (width,) and part of speech (15,), both float32, of a ``word/TAG`` token."""
        word, tag = split_token(token)
        return hashed_vector(word, self.width), _one_hot(_VIP.get(word, tag))


class GloveVocabulary:
    """T2M's GloVe files: ``our_vab_data.npy`` (V, 300) and the row of each word.

    The rows come from ``our_vab_idx.json`` (an object word -> row) where there is one, else from the
    official ``our_vab_idx.pkl``.  That file is never unpickled: its opcodes are read as data, and any that is
    not a plain string, integer or dictionary is refused.  ``our_vab_words.pkl`` is not needed.

    Args:
        folder: where the files are.

    Raises:
        DataError: a missing file, an array of another shape or type, an index out of range, no ``unk`` word.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        self._vectors = _read_vectors(folder / "our_vab_data.npy")
        self._rows = _read_rows(folder)
        self.width = self._vectors.shape[1]
        n = len(self._vectors)
        bad = next(((w, i) for w, i in self._rows.items() if not 0 <= i < n), None)
        if bad:
            raise DataError(f"{folder}: word {bad[0]!r} has row {bad[1]}, expected within 0..{n - 1}")
        if "unk" not in self._rows:
            raise DataError(f"{folder}: no word 'unk', which stands for unknown words")

    def look_up(self, token: str) -> tuple[np.ndarray, np.ndarray]:
        """Vector (300,) and part of speech (15,), both float32; unknown words are ``unk/OTHER``."""
        word, tag = split_token(token)
        if word not in self._rows:
            word, tag = "unk", "OTHER"
        return self._vectors[self._rows[word]], _one_hot(_VIP.get(word, tag))


Vocabulary = HashedVocabulary | GloveVocabulary
Caption = str | Sequence[str]


def encode_captions(captions: Sequence[Caption], vocabulary: Vocabulary) -> tuple[Tensor, Tensor, Tensor]:
    """What :meth:`~videomdm.evaluation.text_motion.TextMotionEvaluator.encode_text_vectors` takes.

    Args:
        captions: N sentences, or N sequences of ``word/TAG`` tokens (HumanML3D's own tagging).
        vocabulary: gives vectors and tags.
    Returns:
        words (N, L, 300), parts of speech (N, L, 15), lengths (N,) with sos and eos, L = the longest.  Rows
        past a length are zero.
    """
    rows = []
    for caption in captions:
        tokens = tokenize(caption) if isinstance(caption, str) else tuple(caption)
        tokens = ("sos/OTHER", *tokens[:MAX_TOKENS], "eos/OTHER")
        rows.append([vocabulary.look_up(token) for token in tokens])
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    words = np.zeros((len(rows), longest, vocabulary.width), np.float32)
    tags = np.zeros((len(rows), longest, len(PARTS_OF_SPEECH)), np.float32)
    for i, row in enumerate(rows):
        words[i, : len(row)] = [word for word, _ in row]
        tags[i, : len(row)] = [tag for _, tag in row]
    return torch.from_numpy(words), torch.from_numpy(tags), lengths


@cache
def hashed_vector(word: str, width: int = WORD_WIDTH) -> np.ndarray:
    """Vector (width,) of length 6: half the word's own signs, half the mean signs of its 3- to 5-grams.

    The signs are bits of SHAKE-256, so they are the same on every machine and in every version.
    """
    marked = f"<{word}>"
    grams = {marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)}
    vector = _signs(word, width) * 0.5
    if grams:
        vector += sum(_signs("gram " + g, width) for g in sorted(grams)) / len(grams) ** 0.5 * 0.5
    return (VECTOR_LENGTH * vector / np.linalg.norm(vector)).astype(np.float32)


def split_token(token: str) -> tuple[str, str]:
    """Word and tag of ``word/TAG``; raises ``ValueError`` for another form."""
    word, slash, tag = token.rpartition("/")
    if not slash or not word:
        raise ValueError(f"token {token!r}, expected word/TAG")
    return word, tag


def _signs(text: str, width: int) -> np.ndarray:
    digest = hashlib.shake_256(text.encode()).digest(-(-width // 8))
    return np.unpackbits(np.frombuffer(digest, np.uint8))[:width] * 2.0 - 1.0


@cache
def _one_hot(tag: str) -> np.ndarray:
    vector = np.zeros(len(PARTS_OF_SPEECH), np.float32)
    vector[PARTS_OF_SPEECH.index(tag if tag in PARTS_OF_SPEECH else "OTHER")] = 1
    return vector


def _lemma(word: str) -> str:
    """The important word of which ``word`` is a form, else ``word``."""
    if word in _VIP or word in _CLOSED_CLASS:
        return word
    stems = [word.removesuffix(ending) for ending in ("s", "es", "ing", "ed", "d", "wards") if word.endswith(ending)]
    stems += [stem + "e" for stem in stems] + [s[:-1] for s in stems if len(s) > 2 and s[-1] == s[-2]]
    irregular = {
        "ran": "run",
        "stood": "stand",
        "sat": "sit",
        "threw": "throw",
        "swung": "swing",
        "bent": "bend",
    }
    return next((stem for stem in stems if stem in _VIP), irregular.get(word, word))


def _tag(word: str) -> str:
    listed = _VIP.get(word) or _CLOSED_CLASS.get(word)
    if listed:
        return listed
    if word in ("and", "or", "but", "then", "while", "if"):
        return "OTHER"
    if word.endswith("ly"):
        return "ADV"
    if len(word) > 4 and word.endswith(("ing", "ed")):
        return "VERB"
    if len(word) > 4 and word.endswith(_ADJECTIVE_ENDINGS):
        return "ADJ"
    return "NUM" if word.isdigit() else "NOUN"


def _read_vectors(path: Path) -> np.ndarray:
    vectors = read_npy(path, f"an array (words, {WORD_WIDTH})")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
        raise DataError(f"{path}: {vectors.dtype} {vectors.shape}, expected finite floats (words, {WORD_WIDTH})")
    return vectors.astype(np.float32)


def _read_rows(folder: Path) -> dict[str, int]:
    table, pickled = folder / "our_vab_idx.json", folder / "our_vab_idx.pkl"
    if table.exists():
        rows = read_json(table)
        if not isinstance(rows, dict) or not all(isinstance(i, int) for i in rows.values()):
            raise DataError(f"{table}: expected an object of word -> row number")
        return rows
    if pickled.exists():
        return _read_pickled_rows(pickled)
    raise DataError(f"{folder}: neither {table.name} nor {pickled.name}; one must give the row of each word")


_STRUCTURE = {
    "PROTO", "FRAME", "MARK", "STOP", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "MEMOIZE", "PUT", "BINPUT",
    "LONG_BINPUT",
}  # fmt: skip
_STRINGS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
_INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}


def _read_pickled_rows(path: Path) -> dict[str, int]:
    """A pickled ``{word: row}`` read from its opcodes, without building or calling anything."""
    words, rows = [], []
    try:
        for opcode, value, _ in pickletools.genops(path.read_bytes()):
            if opcode.name in _STRINGS:
                words.append(value)
            elif opcode.name in _INTEGERS:
                rows.append(int(value))
            elif opcode.name not in _STRUCTURE:
                raise DataError(f"{path}: pickle opcode {opcode.name}, expected only a dictionary of word -> row")
    except ValueError as error:
        raise error if isinstance(error, DataError) else DataError(f"{path}: {error}") from error
    if len(words) != len(rows):
        raise DataError(f"{path}: {len(words)} words and {len(rows)} rows, expected as many")
    return dict(zip(words, rows, strict=True))
