"""Write motions in another format: the .npz of generate or lift as .bvh, .mp4, .gif or .npz.
Of several motions each is a file of its own (wave-00.bvh, wave-01.bvh ...), but in an .npz.  A .bvh has bones of one
length, for a rig; beside it wave-exact.bvh has every joint where the motion has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from videomdm.parameters import argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=argument(Path), metavar="FILE.npz", help="motions of generate or lift")
    parser.add_argument(
        "--out", type=argument(Path), required=True, metavar="FILE",
        help="by its ending: .bvh (centimetres, Y up), .mp4, .gif or .npz (joints in metres, Y up)",
    )  # fmt: skip


def run(given: argparse.Namespace) -> None:
    """Read and write, and print the files; raises ``DataError`` for one that cannot be written."""
    from videomdm.export import files
    from videomdm.storage.files import check_output

    files.check_ending(given.out)
    check_output(given.out, [given.file])
    motions = files.read(given.file)
    for path in files.write(given.out, motions.clips, motions.captions, motions.skeleton, motions.fps):
        print(path)
