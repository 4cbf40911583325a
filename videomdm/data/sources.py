"""Where clips come from, by name: the one place that knows every source."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from videomdm import features
from videomdm.conventions import CENTRED, SPLITS, DataError
from videomdm.data import bandai, cmu_actors, fit3d_clips, humanml3d, nba, procedural
from videomdm.data.corpus import Corpus, joined
from videomdm.data.procedural.body import mean_body
from videomdm.data.tracks import Tracks

#: What reads a source's folder, called with the folder, a split and ``on_error``.  ``bandai-1`` and ``bandai-2`` are
#: the two sets of which ``bandai`` consists; ``cmu`` is a folder of :mod:`videomdm.data.cmu`, split by actor.
READERS = {
    "bandai": bandai.load,
    "bandai-1": partial(bandai.load, dataset=1),
    "bandai-2": partial(bandai.load, dataset=2),
    "humanml3d": humanml3d.load,
    "cmu": lambda root, split, on_error: cmu_actors.load(root, split, mirrored=split == "train"),
    "fit3d": fit3d_clips.load,
}
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
    base: str = "procedural",
    skeleton: str = "own",
) -> Corpus:
    """Clips of one split, cut to ``max_frames`` and canonical: origin at frame 0, facing +Z, robust floor.

    Args:
        source: ``"procedural"``, the built-in corpus, a key of :data:`READERS`, or several of these joined by ``+``,
            ``"procedural+humanml3d"``, whose clips make one corpus.
        root: folder of the data; the built-in corpus needs none.  Of several sources that need one, their folders in
            the same order, joined as in ``PATH`` (by ``:``, on Windows by ``;``).
        split: "train", "val" or "test".
        max_frames: longer clips are cut into equal pieces (the built-in corpus is made short enough).
        n_clips: size of the built-in corpus, all splits together.
        seed: seed of the built-in corpus.
        on_error: "raise", or "skip" to leave bad clips out and list them in ``corpus.skipped``.
        base: the source that an NBA-like one films, whose folder ``root`` is.
        skeleton: whose bones people have, one of :data:`videomdm.conventions.SKELETONS`.

    Raises:
        DataError: unknown source, a missing folder, whatever the source's reader finds wrong, or bones that
            :func:`check_skeleton` refuses.
    """
    check_skeleton(source, skeleton)
    if source == "nba-like":
        return nba.bodies(load(base, root, split, max_frames, n_clips, seed, on_error))
    if source == "nba":
        raise DataError("data 'nba' has pictures alone, no motions in 3-D, for which they were asked")
    if "+" in source:
        return joined([
            load(name, folder, split, max_frames, n_clips, seed, on_error, skeleton=skeleton)
            for name, folder in joined_sources(source, root)
        ])  # fmt: skip
    if source == "procedural":
        corpus = procedural.load(split, n_clips=n_clips, seed=seed, max_frames=max_frames)
    elif source not in READERS:
        raise DataError(f"data is {source!r}, expected one of procedural, {', '.join((*READERS, *CENTRED))}")
    else:
        corpus = READERS[source](_folder(source, root), split, on_error=on_error).cut(max_frames)
    return canonical(corpus, skeleton)


def check_skeleton(source: str, skeleton: str) -> None:
    """Refuse other bones than people's own for a source whose pictures show people as they are (``DataError``)."""
    if skeleton != "own" and source in (*CENTRED, *VIDEOS):
        raise DataError(
            f"data {source!r} with skeleton {skeleton!r}, expected 'own': its pictures show people as they are"
        )


def _folder(source: str, root: str | Path | None) -> Path:
    if root is None:
        raise DataError(f"data {source!r} needs data_root, the folder that holds it")
    return Path(root)


def tracks(
    source: str, root: str | Path | None, split: str, max_frames: int, n_clips: int = 2000, on_error: str = "raise",
    base: str = "procedural",
) -> Tracks:  # fmt: skip
    """Pictures of one split of a centred source (:mod:`videomdm.data.nba`); arguments and errors as of :func:`load`."""
    if source not in CENTRED:
        raise DataError(f"data is {source!r}, expected one of {', '.join(CENTRED)}: others have motions in 3-D")
    if source == "nba":
        return nba.load(_folder(source, root), split, max_frames, on_error)
    corpus = load(source, root, split, max_frames, n_clips, on_error=on_error, base=base)
    footage = nba.film(corpus, seed=SPLITS.index(split))
    if split == "train":
        return nba.tracks(corpus, footage)
    training = tracks(source, root, "train", max_frames, n_clips, on_error, base)
    return nba.tracks(corpus, footage, training.statistics)


def joined_sources(source: str, root: str | Path | None) -> list[tuple[str, str | None]]:
    """Each source of several joined by ``+``, or the one, with its folder.

    Raises:
        DataError: folders that are not one for each that needs one, or a source that cannot be joined.
    """
    names = source.split("+")
    if len(names) == 1:
        return [(source, root)]
    if filmed := sorted(set(names) & set(VIDEOS)):
        raise DataError(f"data {source!r}: {', '.join(filmed)} has footage of its own, expected it alone")
    need = [name for name in names if name != "procedural"]
    folders = str(root).split(os.pathsep) if root is not None else []
    if len(folders) != len(need):
        raise DataError(
            f"data {source!r} with data_root {root!r}, expected {len(need)} folders joined by {os.pathsep!r}, "
            f"of {' and '.join(need)}"
        )
    rest = iter(folders)
    return [(name, None if name == "procedural" else next(rest)) for name in names]


def parts(
    source: str, root: str | Path | None, split: str, size: int, max_frames: int, n_clips: int, on_error: str,
    skeleton: str = "own",
) -> list[Callable[[], Corpus]]:  # fmt: skip
    """The clips of :func:`load` in parts of at most ``size`` motions, each read when it is called for.

    HumanML3D's layout, which may hold any number of motions, is read part by part; the other sources are read at once.
    """
    if source == "humanml3d" and root is not None:
        names = humanml3d.names(root, split)
        return [
            partial(
                _some_of_humanml3d, Path(root), split, names[rows.start : rows.stop], max_frames, on_error, skeleton
            )
            for rows in pieces(len(names), size)
        ]
    corpus = load(source, root, split, max_frames, n_clips, on_error=on_error, skeleton=skeleton)
    return [partial(corpus.select, rows) for rows in pieces(len(corpus), size)]


def pieces(n: int, size: int) -> list[range]:
    """Equal consecutive pieces of ``range(n)``, as few of at most ``size`` as there can be."""
    count = -(-n // size)
    return [range(n * i // count, n * (i + 1) // count) for i in range(count)]


def _some_of_humanml3d(
    root: Path, split: str, names: list[str], max_frames: int, on_error: str, skeleton: str
) -> Corpus:
    return canonical(humanml3d.load(root, split, on_error, names).cut(max_frames), skeleton)


def canonical(corpus: Corpus, skeleton: str = "own") -> Corpus:
    """The same clips, each in its own canonical frame.

    With a ``"uniform"`` skeleton every person gets the bones of the built-in corpus' mean body, which turn as their own
    did, and a path that is scaled as their legs are (:func:`videomdm.skeletons.kinematics.uniform_skeleton`).

    Every motion of a run, true or estimated, gets the same robust floor (the median over frames of the lowest
    foot): with the lowest joint of the clip instead, noise alone lifts estimated motions off the ground and
    comparisons with them flatter the other side.
    """
    body = mean_body() if skeleton == "uniform" else None
    joints = features.canonicalise(corpus.joints, corpus.skeleton, body, floor="median", lengths=corpus.lengths)
    return dataclasses.replace(corpus, joints=joints)
