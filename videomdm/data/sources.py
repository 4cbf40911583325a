"""Where clips come from, by name: the one place that knows every source."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from videomdm import features
from videomdm.data import bandai, fit3d_clips, humanml3d, procedural
from videomdm.data.corpus import Corpus, DataError

#: What reads a source's folder; ``bandai-1`` and ``bandai-2`` are the two sets of which ``bandai`` consists.
READERS = {
    "bandai": bandai.load,
    "bandai-1": partial(bandai.load, dataset=1),
    "bandai-2": partial(bandai.load, dataset=2),
    "humanml3d": humanml3d.load,
    "fit3d": fit3d_clips.load,
}
SOURCES = ("procedural", *READERS)
#: Sources of real footage, and what reads it; all others are filmed by simulated cameras.
VIDEOS = {"fit3d": fit3d_clips.footage}


def load(
    source: str,
    root: str | Path | None,
    split: str,
    max_frames: int,
    n_clips: int = 2000,
    seed: int = 0,
    on_error: str = "raise",
) -> Corpus:
    """Clips of one split, cut to ``max_frames`` and canonical: origin at frame 0, facing +Z, robust floor.

    Args:
        source: one of :data:`SOURCES`.
        root: folder of the data; the built-in corpus needs none.
        split: "train", "val" or "test".
        max_frames: longer clips are cut into equal pieces (the built-in corpus is made short enough).
        n_clips: size of the built-in corpus, all splits together.
        seed: seed of the built-in corpus.
        on_error: "raise", or "skip" to leave bad clips out and list them in ``corpus.skipped``.

    Raises:
        DataError: unknown source, a missing folder, or whatever the source's reader finds wrong.
    """
    if source not in SOURCES:
        raise DataError(f"data is {source!r}, expected one of {', '.join(SOURCES)}")
    if source == "procedural":
        corpus = procedural.load(split, n_clips=n_clips, seed=seed, max_frames=max_frames)
    elif root is None:
        raise DataError(f"data {source!r} needs data_root, the folder that holds it")
    else:
        corpus = READERS[source](Path(root), split, on_error=on_error).cut(max_frames)
    return canonical(corpus)


def canonical(corpus: Corpus) -> Corpus:
    """The same clips, each in its own canonical frame.

    Every motion of a run, true or estimated, gets the same robust floor (the median over frames of the lowest
    foot): with the lowest joint of the clip instead, noise alone lifts estimated motions off the ground and
    comparisons with them flatter the other side.
    """
    joints = features.canonicalise(corpus.joints, corpus.skeleton, floor="median", lengths=corpus.lengths)
    return dataclasses.replace(corpus, joints=joints)
