"""Text encoders side by side: ``python -m videomdm.study.words --data DATA``.

Asks each what it makes of HumanML3D's test captions (:mod:`videomdm.evaluation.words`), how large it is and how fast,
and writes ``results/words``.  Where an encoder cannot be had, its result says why.  ``--choose`` instead measures which
share the hashed words should have in ``minilm``'s vectors, on the other half of the clips.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videomdm import programs, text
from videomdm.evaluation import words
from videomdm.storage.checkpoints import read_tensors
from videomdm.storage.files import write_json
from videomdm.storage.progress import Bar
from videomdm.study import results
from videomdm.text import minilm

PROGRAM = "python -m videomdm.study.words"
POOLS = 100
SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
CAPTIONS = Path("cmu/captions/humanml3d_test.json")


@dataclass(frozen=True)
class Candidate:
    """An encoder to be measured.

    Attributes:
        title: what it is, in a table.
        load: gives the encoder; raises ``ImportError`` or ``FileNotFoundError`` where it cannot be had.
        files: folder or file of its weights, if it has any.
    """

    title: str
    load: Callable[[], words.Encode]
    files: Callable[[], Path] | None = None


def wordllama() -> words.Encode:
    """Static vectors of word pieces, averaged over a caption; those of 256 channels lie in the package's wheel."""
    from tokenizers import Tokenizer

    folder = _wordllama()
    table = read_tensors(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"].float()
    pieces = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    pieces.no_padding()

    def encode(captions: list[str]) -> Tensor:
        found = pieces.encode_batch(captions, add_special_tokens=False)
        return torch.stack([table[torch.tensor(one.ids)].mean(0) for one in found])

    return encode


def _wordllama() -> Path:
    found = importlib.util.find_spec("wordllama")
    if found is None:
        raise ImportError("wordllama is not installed: pip install wordllama")
    return Path(found.origin).parent


def sentence() -> words.Encode:
    """MiniLM as sentence-transformers uses it: the mean over all tokens."""
    model, _ = minilm.network()

    def encode(captions: list[str]) -> Tensor:
        vectors = torch.zeros(len(captions), minilm.WIDTH)
        for rows, ids in minilm.equally_long(minilm.token_ids(captions)):
            vectors[rows] = model(ids).mean(1)
        return vectors

    return encode


CANDIDATES = {
    "hashed": Candidate("hashed words", lambda: text.HashedText().encode),
    "wordllama": Candidate("static word vectors (WordLlama)", wordllama, _wordllama),
    "sentence": Candidate("MiniLM-L6, mean of all tokens", sentence, lambda: minilm.WEIGHTS),
    "pooled": Candidate(
        "MiniLM-L6 without function words, centred", lambda: minilm.sentence_vectors, lambda: minilm.WEIGHTS
    ),
    "minilm": Candidate(
        "minilm: the same beside hashed words", lambda: text.by_name("minilm").encode, lambda: minilm.WEIGHTS
    ),
    "clip": Candidate("CLIP ViT-B/32", lambda: text.by_name("clip").encode),
}  # fmt: skip


def measure(name: str, clips: words.Clips, n_pools: int = POOLS) -> dict[str, object]:
    """All figures of a candidate; ``not_measured`` says why there are none.

    ``partner_1`` and ``partner_3``, ``<contrast>_apart`` and ``_opposites``, ``verbs`` and ``verbs_unlisted`` are of
    :mod:`videomdm.evaluation.words`; ``width``; ``megabytes`` of its files.  Seconds are the processor's, so that
    nothing else that runs counts: ``load_cpu_seconds`` from a fresh process' imports to the first vector, and
    ``captions_per_cpu_second``.
    """
    candidate = CANDIDATES[name]
    try:
        encode = candidate.load()
    except (ImportError, FileNotFoundError) as error:
        return {"not_measured": str(error)}
    pairs = words.draw_pairs(clips, n_pools)
    captions = [caption for pair in pairs[: 10 * words.POOL] for caption in pair]
    started = time.process_time()
    width = encode(captions).shape[1]
    speed = len(captions) / (time.process_time() - started)
    found = words.partners(encode, pairs) | words.verbs(encode)
    for contrast in words.CONTRASTS:
        triples = words.draw_contrasts(clips, contrast)
        found |= {f"{contrast}_{key}": value for key, value in words.told_apart(encode, triples).items()}
        found[f"{contrast}_captions"] = len(triples)
    return {
        **found, "width": width, "megabytes": _megabytes(candidate), "load_cpu_seconds": _load_seconds(name),
        "captions_per_cpu_second": round(speed),
    }  # fmt: skip


def _megabytes(candidate: Candidate) -> float:
    if candidate.files is None:
        return 0.0
    files = [file for file in candidate.files().rglob("*") if file.suffix in (".safetensors", ".txt", ".json")]
    return round(sum(file.stat().st_size for file in files) / 1e6, 1)


def _load_seconds(name: str) -> float:
    """From nothing but torch and the package's modules to the first vector, in a process of its own."""
    code = f"""
import time
from videomdm.study.words import CANDIDATES
started = time.process_time()
CANDIDATES[{name!r}].load()(["a person walks"])
print(time.process_time() - started)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return round(float(found), 2)


def choose(clips: words.Clips, n_pools: int = POOLS) -> dict[str, dict[str, object]]:
    """What ``minilm`` gives with other shares of hashed words, by share."""
    pairs = words.draw_pairs(clips, n_pools)
    triples = {contrast: words.draw_contrasts(clips, contrast) for contrast in ("sides", "directions")}
    meaning, hashed = _remembering(minilm.sentence_vectors), _remembering(text.HashedText().encode)
    found = {}
    for share in Bar(SHARES, "shares"):

        def encode(captions: list[str], share: float = share) -> Tensor:
            return minilm.shared(meaning(captions), hashed(captions), share)

        own = words.partners(encode, pairs) | words.verbs(encode)
        for contrast, drawn in triples.items():
            own |= {f"{contrast}_{key}": value for key, value in words.told_apart(encode, drawn).items()}
        found[str(share)] = own
    return found


def _remembering(encode: words.Encode) -> words.Encode:
    """The encoder, which encodes no caption twice."""
    known: dict[str, Tensor] = {}

    def remembered(captions: list[str]) -> Tensor:
        new = [caption for caption in captions if caption not in known]
        known.update(zip(new, encode(new), strict=True))
        return torch.stack([known[caption] for caption in captions])

    return remembered


def row(name: str, command: str, seconds: float, metrics: dict[str, object]) -> dict[str, object]:
    """One result, with the keys of all results."""
    return {
        "study": "words", "data": "humanml3d", "method": name, "profile": "full", "seed": 0, "command": command,
        **results.provenance("torch", "tokenizers"),
        "seconds": round(seconds, 1), "metrics": metrics,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure encoders, and return the exit status (:mod:`videomdm.programs`)."""
    return programs.main(conduct, PROGRAM, arguments)


def conduct(arguments: Sequence[str]) -> None:
    """Write a result for each encoder, or for the shares of hashed words."""
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    programs.add_debug(parser)
    parser.add_argument("--data", type=Path, required=True, help=f"folder of the open data, which holds {CAPTIONS}")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of results")
    parser.add_argument("--encoders", nargs="*", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--choose", action="store_true", help="measure shares of hashed words, on clips for choices")
    parser.add_argument("--pools", type=int, default=POOLS, help="of 32 pairs of captions")
    args = parser.parse_args(arguments)
    chosen_on, reported = words.halves(words.read_captions(args.data / CAPTIONS))
    command = f"{PROGRAM} --data $VIDEOMDM_DATA"
    if args.choose:
        started = time.monotonic()
        found = choose(chosen_on, args.pools)
        kept = row("share-of-hashed", f"{command} --choose", time.monotonic() - started, found)
        write_json(args.out / "words" / "choice.json", kept)
        print(json.dumps(found, indent=1))
        return
    for name in Bar(args.encoders, "encoders"):
        started = time.monotonic()
        found = measure(name, reported, args.pools)
        write_json(args.out / "words" / f"{name}.json", row(name, command, time.monotonic() - started, found))
        print(name, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    sys.exit(main())
