"""Kinds of action: what makes one, and the two families they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from videomdm.data.procedural.take import Take

Slots = dict[str, list[str]]


@dataclass(frozen=True)
class Action:
    """One kind of action.

    Attributes:
        name: label in the corpus.
        perform: fills the pose of a take and returns the captions' attributes, one value per clip.
        captions: sentence templates; ``{side}`` is the left or right side of the clip, ``{other}`` the other.
        shortest, longest: seconds that the action may take, where the corpus limits allow it.
        weight: how many clips relative to other actions.
    """

    name: str
    perform: Callable[[Take], Slots]
    captions: tuple[str, ...]
    shortest: float
    longest: float
    weight: int


FAMILIES: dict[str, dict[str, Action]] = {"prior": {}, "teacher": {}}


def action(
    family: str, captions: tuple[str, ...], shortest: float = 2.0, longest: float = 9.8, weight: int = 2
) -> Callable[[Callable[[Take], Slots]], Callable[[Take], Slots]]:
    """Decorator: enter a function as an action of ``family`` under its own name."""

    def enter(perform: Callable[[Take], Slots]) -> Callable[[Take], Slots]:
        FAMILIES[family][perform.__name__] = Action(perform.__name__, perform, captions, shortest, longest, weight)
        return perform

    return enter
