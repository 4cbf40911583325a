"""Captions for the Bandai-Namco files, whose names say no more than an action and a style."""

from __future__ import annotations

_ACTIONS = {
    "bow": ("bows", "bends forward in a bow and straightens up again", "greets with a bow"),
    "bye": ("waves goodbye with the right hand", "raises the right hand to say goodbye", "waves bye"),
    "byebye": (
        "waves goodbye with both hands",
        "raises both hands and waves goodbye",
        "says bye with both arms",
    ),
    "call": (
        "calls out through both hands",
        "shouts with the hands at the mouth",
        "calls to someone far away",
    ),
    "dance-long": ("dances", "performs a long dance", "is dancing"),
    "dance-short": ("dances", "performs a short dance", "is dancing"),
    "dash": ("dashes forward", "sprints ahead", "runs forward fast"),
    "guide": ("shows the way with the right arm", "directs someone with one hand", "points the way"),
    "kick": ("kicks with the right leg", "turns and kicks high", "performs a kick"),
    "punch": ("punches the air", "stands like a boxer and throws punches", "is boxing"),
    "respond": ("raises the left arm as an answer", "responds to a call", "lifts one arm to respond"),
    "run": ("runs forward", "runs straight ahead", "is running"),
    "slash": ("swings a sword with both hands", "slashes downwards", "cuts with a sword"),
    "walk": ("walks forward", "walks straight ahead", "is walking"),
    "walk-back": ("walks backwards", "steps back several times", "backs away step by step"),
    "walk-left": ("walks forward to the left", "moves diagonally to the left", "steps ahead and leftwards"),
    "walk-right": (
        "walks forward to the right",
        "moves diagonally to the right",
        "steps ahead and rightwards",
    ),
    "walk-turn-left": ("walks and turns left", "turns to the left while walking", "takes a left turn"),
    "walk-turn-right": ("walks and turns right", "turns to the right while walking", "takes a right turn"),
    "raise-up-both-hands": ("raises both hands", "lifts both arms and lowers them", "puts both hands up"),
    "raise-up-left-hand": (
        "raises the left hand",
        "lifts the left arm and lowers it",
        "puts the left hand up",
    ),
    "raise-up-right-hand": (
        "raises the right hand",
        "lifts the right arm and lowers it",
        "puts the right hand up",
    ),
    "wave-both-hands": ("waves both hands", "waves with both arms in the air", "is waving with both hands"),
    "wave-left-hand": (
        "waves the left hand",
        "waves with the left arm in the air",
        "is waving with the left hand",
    ),
    "wave-right-hand": (
        "waves the right hand",
        "waves with the right arm in the air",
        "is waving with the right hand",
    ),
}

_STYLES = {
    "normal": "",
    "active": "with lots of energy",
    "angry": "angrily",
    "childish": "like a small child",
    "chimpira": "with a cocky street swagger",
    "elderly": "like an elderly person",
    "exhausted": "as if exhausted",
    "feminine": "in a feminine way",
    "giant": "heavily, like a giant",
    "happy": "happily",
    "masculine": "in a masculine way",
    "masculinity": "in a masculine way",
    "musical": "as if moving to music",
    "not-confident": "timidly",
    "old": "like an old person",
    "proud": "proudly",
    "sad": "sadly",
    "tired": "tiredly",
    "youthful": "in a youthful way",
}

_SUBJECTS = ("a person", "someone", "a figure")


def captions(content: str, style: str) -> tuple[str, ...]:
    """Three captions from a file name's action and style; unknown ones are quoted by their own words."""
    words = content.replace("-", " ")
    actions = _ACTIONS.get(content, (f"performs {words}", f"shows the motion {words}", f"does {words}"))
    manner = _STYLES.get(style, f"in the style {style.replace('-', ' ')}")
    return tuple(f"{who} {does} {manner}".rstrip() + "." for who, does in zip(_SUBJECTS, actions, strict=True))
