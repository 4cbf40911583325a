"""What a text encoder makes of how people speak of motions, asked without any motion.

- :func:`partners`: two people describe one clip; is the other's caption the nearest of 32?
- :func:`told_apart`: is the other's caption nearer than the same caption with left and right exchanged?
- :func:`verbs`: of the verbs that everybody uses, is the right one nearest to one that hardly anybody uses?
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from videomdm.conventions import DataError
from videomdm.evaluation.measures import POOL, mean_interval
from videomdm.evaluation.text_motion import r_precision
from videomdm.text.hashed import SYNONYMS, stem

Clips = Mapping[str, Sequence[str]]  # a clip's name -> its captions, each by another person
Encode = Callable[[list[str]], Tensor]  # N captions -> (N, width)

#: Words that decide between two motions -> the words that they are exchanged for.
CONTRASTS = {
    "sides": {"left": "right"},
    "directions": {
        "forward": "backward", "forwards": "backwards", "clockwise": "counterclockwise", "up": "down",
        "upwards": "downwards",
    },
    "amounts": {"once": "twice", "one": "two", "three": "four", "slowly": "quickly", "slow": "fast"},
}  # fmt: skip

#: Verbs that everybody uses -> rarer ones for much the same motion.
VERBS = {
    "walks": "strolls saunters ambles marches trudges struts wanders paces",
    "jumps": "hops leaps bounces vaults skips springs",
    "runs": "jogs sprints dashes gallops races",
    "turns": "rotates pivots twirls swivels spins",
    "throws": "hurls tosses lobs flings pitches",
    "squats": "crouches hunkers",
    "punches": "jabs boxes",
    "falls": "collapses tumbles topples stumbles",
    "lifts": "hoists raises elevates",
    "claps": "applauds",
    "waves": "greets beckons",
    "dances": "waltzes tangos boogies",
    "crawls": "creeps slithers",
    "sits": "perches lounges",
    "bows": "curtsies",
    "stretches": "extends reaches",
}


def read_captions(path: Path) -> dict[str, list[str]]:
    """The captions of each clip that has several, from a JSON file ``name -> segment -> captions``.

    Names beginning with M are left out: HumanML3D's mirrored twins say the same with sides exchanged.

    Raises:
        DataError: no such file, or another content.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        clips = {
            f"{name}#{segment}": list(dict.fromkeys(caption.strip().lower() for caption in captions))
            for name, segments in content.items()
            if not name.startswith("M")
            for segment, captions in segments.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: {error!r}, expected JSON: name -> segment -> captions") from error
    clips = {name: captions for name, captions in clips.items() if len(captions) > 1}
    if len(clips) < 2 * POOL:
        raise DataError(f"{path}: {len(clips)} clips with two captions, expected at least {2 * POOL}")
    return clips


def halves(clips: Clips) -> tuple[dict[str, Sequence[str]], dict[str, Sequence[str]]]:
    """Clips on which choices are made, and clips that are reported: every other one."""
    names = sorted(clips)
    return tuple({name: clips[name] for name in names[start::2]} for start in (0, 1))


def draw_pairs(clips: Clips, n_pools: int, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs of captions of one clip, 32 clips after another that differ, ``n_pools`` times."""
    draw, names = random.Random(seed), sorted(clips)
    drawn = [name for _ in range(n_pools) for name in draw.sample(names, POOL)]
    return [tuple(draw.sample(clips[name], 2)) for name in drawn]


def partners(encode: Encode, pairs: Sequence[tuple[str, str]]) -> dict[str, list[float]]:
    """``partner_1`` and ``partner_3``: how often the other person's caption is the nearest, or one of three, of 32.

    Args:
        encode: the encoder.
        pairs: of :func:`draw_pairs`, pool after pool.

    Returns:
        [mean, half width of the 95 % interval over pools]; vectors are compared by their cosine.
    """
    first, second = normalize(_encoded(encode, pairs), dim=-1).unbind(1)
    pools = zip(first.split(POOL), second.split(POOL), strict=True)
    found = [r_precision(a, b, top_k=3, pool=POOL) for a, b in pools]
    return {f"partner_{k}": mean_interval(float(top[k - 1]) for top in found) for k in (1, 3)}


def draw_contrasts(clips: Clips, contrast: str, seed: int = 0) -> list[tuple[str, str, str]]:
    """Of each clip two captions with the same deciding word, and the second with that word exchanged.

    Captions with several deciding words of a kind are left out: what they say of both may be another order.
    """
    exchanged = CONTRASTS[contrast] | {other: word for word, other in CONTRASTS[contrast].items()}
    word = re.compile(rf"(?<![\w-])({'|'.join(exchanged)})(?![\w-])")
    draw, found = random.Random(seed), []
    for name in sorted(clips):
        by_word: dict[str, list[str]] = {}
        for caption in clips[name]:
            deciding = word.findall(caption)
            if len(deciding) == 1:
                by_word.setdefault(deciding[0], []).append(caption)
        same = [captions for captions in by_word.values() if len(captions) > 1]
        if same:
            first, second = draw.sample(draw.choice(same), 2)
            found.append((first, second, word.sub(lambda match: exchanged[match[0]], second)))
    return found


def told_apart(encode: Encode, triples: Sequence[tuple[str, str, str]]) -> dict[str, float]:
    """Of :func:`draw_contrasts`: ``apart``, the share of captions that are nearer to their like than to its opposite.

    ``opposites`` is the mean cosine of two captions that are the same but for the deciding word.
    """
    first, like, opposite = _encoded(encode, triples).unbind(1)
    nearer = cosine_similarity(first, like, dim=1) > cosine_similarity(first, opposite, dim=1)
    return {"apart": float(nearer.double().mean()), "opposites": float(cosine_similarity(like, opposite, dim=1).mean())}


def verbs(encode: Encode) -> dict[str, float]:
    """Share of rare verbs whose nearest common verb is the right one (:data:`VERBS`), in "a person strolls".

    ``verbs`` is of all, ``verbs_unlisted`` of those that no table of synonyms in this package lists.
    """
    pairs = [(rare, common) for common, rares in VERBS.items() for rare in rares.split()]
    common = normalize(encode([f"a person {verb}" for verb in VERBS]), dim=1)
    rare = normalize(encode([f"a person {verb}" for verb, _ in pairs]), dim=1)
    nearest = [list(VERBS)[i] for i in (rare @ common.T).argmax(1).tolist()]
    right = [found == verb for found, (_, verb) in zip(nearest, pairs, strict=True)]
    listed = {stem(word) for words in SYNONYMS.values() for word in words.split()}
    unlisted = [one for one, (verb, _) in zip(right, pairs, strict=True) if stem(verb) not in listed]
    return {"verbs": sum(right) / len(right), "verbs_unlisted": sum(unlisted) / len(unlisted)}


def _encoded(encode: Encode, groups: Sequence[tuple[str, ...]]) -> Tensor:
    """Vectors (N, k, width) of N groups of k captions; each distinct caption is encoded once."""
    distinct = sorted({caption for group in groups for caption in group})
    row = {caption: i for i, caption in enumerate(distinct)}
    return encode(distinct)[torch.tensor([[row[caption] for caption in group] for group in groups])]
