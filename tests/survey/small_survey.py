"""Motions of two methods, a little different, for a small survey, and how to wait for its page."""

import time

from videomdm import export
from videomdm.data import procedural
from videomdm.survey import scenes

#: Names that cannot stand in a page by chance.
METHODS = ("zebrafinch", "quokkamoth")
CAPTIONS = ("a person walks & waves <b>", "a person jumps", "a person kicks", "a person sits")
FRAMES = 8  # 0.4 s


def write_results(folder, methods=METHODS, captions=CAPTIONS, frames=FRAMES):
    """Motions of each method, a little different, as `videomdm generate` writes them."""
    corpus = procedural.generate(len(captions), 0)
    for k, method in enumerate(methods):
        (folder / method).mkdir(parents=True)
        clips = [corpus.clip(i)[:frames] * (1 + 0.05 * k) for i in range(len(captions))]
        export.to_npz(folder / method / "motions.npz", clips, captions=list(captions))
    return [scenes.read(str(folder / method)) for method in methods]


def until(page, condition, seconds=20):
    """Wait until a JavaScript expression is true; the page's own policy forbids Playwright's way, an eval."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        page.wait_for_timeout(20)
