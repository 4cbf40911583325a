"""The sets of weights that come with the package: a lifter and a trajectory network each, and what they learned from.

``procedural`` learned from the built-in corpus' teacher family alone, ``real`` from CMU's motion capture too.  A
teacher that is used in a study must not have seen the study's corpus: :func:`check_unseen`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from videomdm.conventions import LIFTERS, SPLITS, DataError
from videomdm.data import cmu_actors, humanml3d
from videomdm.lifters.lifter import Lifter
from videomdm.lifters.trajectory import Trajectory

FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class WeightSet:
    """A folder with ``lifter`` and ``trajectory``, each a ``.safetensors`` file with a ``.json`` file about it.

    Attributes:
        name: by which settings and messages know it.
        folder: where it lies.
    """

    name: str
    folder: Path

    def lifter(self) -> Lifter:
        """The lifter, read anew; raises as :meth:`videomdm.lifters.lifter.Lifter.load` does."""
        return Lifter.load(self.folder / "lifter.safetensors")

    def trajectory(self) -> Trajectory:
        """The trajectory network, read anew."""
        return Trajectory.load(self.folder / "trajectory.safetensors")

    @cached_property
    def trained_on(self) -> dict[str, list]:
        """What the networks learned from: ``procedural`` -> families, ``cmu`` -> subjects' numbers.

        Raises:
            DataError: a file about the weights is missing or does not say.
        """
        found: dict[str, list] = {}
        for file in (self.folder / "lifter.json", self.folder / "trajectory.json"):
            try:
                own = json.loads(file.read_text(encoding="utf-8"))["trained_on"]
            except (OSError, KeyError, ValueError) as error:
                raise DataError(f"{file}: {error!r}, expected 'trained_on', what these weights learned from") from None
            for corpus, parts in own.items():
                found[corpus] = sorted({*found.get(corpus, []), *parts})
        return found

    def digest(self, network: str) -> str:
        """:func:`digest` of the weights of ``"lifter"`` or ``"trajectory"``."""
        return digest(self.folder / f"{network}.safetensors")


def digest(path: str | Path) -> str:
    """Eight hexadecimal digits that change with a file's content."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]


SETS = {name: WeightSet(name, FOLDER / name) for name in LIFTERS}


@cache
def loaded(name: str) -> tuple[Lifter, Trajectory]:
    """The networks of a set, read once; raises ``ValueError`` for an unknown one."""
    if name not in SETS:
        raise ValueError(f"lifter is {name!r}, expected one of {', '.join(SETS)}")
    return SETS[name].lifter(), SETS[name].trajectory()


def check_unseen(weights: WeightSet, source: str, root: str | Path | None) -> None:
    """Refuse a teacher that has learned from the corpus which it is to lift.

    The built-in corpus' prior family, bandai and Fit3D are in no training set.  HumanML3D is, in part: a fifth of its
    motions are CMU's.  A folder of CMU alone (``videomdm prepare-cmu``, its ``index.csv`` names trials) may be used
    where none of its motions is by an actor whom the teacher has seen; its training split (``cmu``) is of such actors.

    Args:
        weights: the teacher's.
        source: name of the corpus (:mod:`videomdm.data.sources`).
        root: its folder.

    Raises:
        DataError: names the teacher, the corpus and what to pass.
    """
    seen = set(weights.trained_on.get("cmu", []))
    if source not in ("humanml3d", "cmu") or not seen:
        return
    other = next((name for name, own in SETS.items() if "cmu" not in own.trained_on), None)
    advice = f"pass lifter={other!r}, which has not" if other else "no set of weights has not"
    if not cmu_actors.is_cmu(root):
        raise DataError(
            f"lifter {weights.name!r} has learned from CMU's motion capture, of which a fifth of HumanML3D ({root}) "
            f"consists; {advice}"
        )
    subjects = cmu_actors.subjects(root)
    listed = {name for split in SPLITS for name in humanml3d.names(root, split)}
    known = sorted({subjects[name] for name in listed if subjects.get(name) in seen})
    if known:
        raise DataError(
            f"lifter {weights.name!r} has learned from CMU's subjects {', '.join(map(str, known))}, who are in {root}; "
            f"{advice}, or keep to CMU's other actors"
        )
