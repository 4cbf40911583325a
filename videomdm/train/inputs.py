"""What a run learns from, written down when it begins, so that data which change under it are noticed.

A run's folder goes by its settings, and these name a folder of data, not what is in it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from videomdm.config import Config
from videomdm.conventions import DataError
from videomdm.data import sources
from videomdm.data.observations import Observations
from videomdm.storage.files import digest, write_json
from videomdm.storage.text import read_json

FILE = "data.json"
SYSTEMS_OWN = ("thumbs.db", "desktop.ini")  # files that Windows puts into folders; those of other systems are hidden
log = logging.getLogger(__name__)


def described(config: Config, observations: Observations | Path | None = None) -> dict[str, object]:
    """What a run learns from, as far as it can change: observations that are given, or the files of its corpus.

    Files count by their paths and sizes, not by what is in them, which would have to be read each time; hidden ones,
    and the folder of runs, do not count.

    Args:
        config: names the corpus.
        observations: as for :func:`videomdm.train.fit`.

    Returns:
        ``what`` in words and a ``digest``; nothing for the built-in corpus, and where the data are gone.
    """
    if isinstance(observations, Observations):
        return {"what": f"{len(observations)} observed clips", "digest": observations.fingerprint()}
    if observations is not None:
        folders = [observations]
    else:
        folders = [Path(root) for _, root in sources.joined_sources(config.data.source, config.data.root) if root]
    listed = [_sizes(folder, Path(config.runs)) for folder in folders]
    if not listed or not all(listed):
        return {}
    count, size = sum(map(len, listed)), sum(sum(sizes.values()) for sizes in listed)
    where = " and ".join(map(str, folders))
    return {"what": f"{count:,} files of {size:,} bytes in {where}", "digest": digest(listed)}


def _sizes(folder: Path, left_out: Path) -> dict[str, int]:
    """Relative path -> bytes of every file in a folder, in order; links are followed, broken ones do not count."""
    sizes, seen = {}, {folder.resolve(), left_out.resolve()}  # links that lead back end
    for place, folders, names in os.walk(folder, followlinks=True):
        inner = {Path(place, name).resolve(): name for name in sorted(folders) if not name.startswith(".")}
        folders[:] = [name for where, name in inner.items() if where not in seen]
        seen |= inner.keys()
        for name in sorted(n for n in names if not n.startswith(".") and n.lower() not in SYSTEMS_OWN):
            file = Path(place, name)
            if file.is_file():
                sizes[file.relative_to(folder).as_posix()] = file.stat().st_size
    return sizes


def check(config: Config, observations: Observations | Path | None = None) -> None:
    """Compare what a run is to learn from with what it was begun with.

    A finished run on a corpus whose files have changed is what it was, which a warning says.

    Raises:
        DataError: a run that is not finished would go on with other data, or other observations are given.
    """
    path = config.folder / FILE
    now = described(config, observations)
    if not now or not path.exists():
        return
    before = read_json(path, "what the run learns from")
    if before == now:
        return
    finished = (config.folder / "weights.safetensors").exists()
    told = f"{config.folder}: {'was trained on' if finished else 'began with'} {before['what']}, now there are others"
    told += "" if before["what"] == now["what"] else f", {now['what']}"
    if finished and not isinstance(observations, Observations):
        log.warning("%s; the run is what it was: remove its folder to train it anew", told)
        return
    raise DataError(f"{told}, expected the same; remove the run's folder to train it anew, or choose other runs")


def note(config: Config, observations: Observations | Path | None = None) -> None:
    """Write down what a run begins to learn from; nothing where that was done."""
    path = config.folder / FILE
    if (now := described(config, observations)) and not path.exists():
        write_json(path, now)
