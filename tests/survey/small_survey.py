"""Motions of two methods, a little different, for a small survey."""

from videomdm import export
from videomdm.data import procedural
from videomdm.survey import scenes

#: Names that cannot stand in a page by chance.
METHODS = ("zebrafinch", "quokkamoth")
CAPTIONS = ("a person walks & waves <b>", "a person jumps", "a person kicks", "a person sits")
FRAMES = 16  # 0.8 s


def write_results(folder, methods=METHODS, captions=CAPTIONS, frames=FRAMES):
    """Motions of each method, a little different, as `videomdm generate` writes them."""
    corpus = procedural.generate(len(captions), 0)
    for k, method in enumerate(methods):
        (folder / method).mkdir(parents=True)
        clips = [corpus.clip(i)[:frames] * (1 + 0.05 * k) for i in range(len(captions))]
        export.to_npz(folder / method / "motions.npz", clips, captions=list(captions))
    return [scenes.read(str(folder / method)) for method in methods]
