"""Files spoilt at random, read as people's files are: ``python tests/fuzz/fuzz.py --mutations 10000 --seed 0``.

A file may be refused by a ``DataError`` that names it, or be read.  It is a fault when

- another error comes out, or one that does not name the file;
- it is read as another motion without a word: a joint more than 5 cm off in more than every tenth frame, or more than
  half a body off in any (a single number that is off by less is what detectors do, too), two frames earlier or later
  counting as the same time;
- reading takes more than 10 s of processor time, or memory beyond twice the file's size and 32 MB, which a reader
  needs for any file (what is asked for and never used, as for an array that a pickle only announces, is none).

Everything is read in a process of its own, so that one that hangs is stopped and counted.

With seed 0, of files 1,600 to 10,000 5,373 were refused, 2,626 read alike, 399 noted, and two were faults, the last of
fifteen in all 10,000; their kinds were mended, and all fifteen are refused or noted since.  A single file is read again
with ``--first NUMBER --mutations 1``, and 10,000 may be read in parts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SLOW = 10.0  # seconds of processor time
MEMORY = 32_000_000  # bytes, beside twice the file's size
MOVED, OFTEN, JUMP = 0.05, 0.1, 0.85  # metres; share of the frames; metres
NEAR = 2  # frames


def run(mutations: int, seed: int = 0, first: int = 0) -> tuple[Counter, list[str]]:
    """Spoil and read so many files; returns how many were refused, noted and read alike, and the faults.

    A mutation is known by the seed and its number, which ``first`` begins with: a fault can be looked at alone.
    """
    outcomes, faults = Counter(), []
    for case, outcome, fault in _cases(first, first + mutations, seed):
        outcomes[outcome] += 1
        if fault:
            faults.append(f"{case}: {fault}")
            print(faults[-1], flush=True)
    return outcomes, faults


def _cases(first: int, end: int, seed: int) -> Iterator[tuple[str, str, str | None]]:
    """What became of each, one after the other; the reading process is started anew where it hangs or dies."""
    context, at = multiprocessing.get_context("spawn"), first
    while at < end:
        ours, theirs = context.Pipe()
        folder = tempfile.mkdtemp()  # removed here, as the reading process may be stopped
        process = context.Process(target=_read, args=(theirs, folder, at, end, seed), daemon=True)
        process.start()
        theirs.close()
        patience = 120.0  # until everything is imported
        try:
            while at < end:
                if not ours.poll(patience):
                    yield f"mutation {at}", "hangs", f"not read after {patience:.0f} s"
                    at += 1
                    break
                yield ours.recv()
                at, patience = at + 1, 12 * SLOW  # others may use the machine, too
        except EOFError:
            yield f"mutation {at}", "dies", "the process died"
            at += 1
        finally:
            process.kill()
            process.join()
            shutil.rmtree(folder)


def _read(pipe: multiprocessing.connection.Connection, folder: str, first: int, end: int, seed: int) -> None:
    from kinds import KINDS

    names, good, tempfile.tempdir = list(KINDS), {}, folder
    for k, (name, kind) in enumerate(KINDS.items()):
        written = Path(folder) / f"good{k}"
        written.mkdir()
        path = kind.write(written)
        shutil.copytree(written, written.with_name(f"pristine{k}"))
        good[name] = kind.read(path), path.name
    for i in range(first, end):
        k = i % len(names)
        pipe.send(_one(KINDS[names[k]], names[k], Path(folder) / f"pristine{k}", *good[names[k]], seed, i))


def _one(kind, name: str, pristine: Path, good, file: str, seed: int, i: int) -> tuple[str, str, str | None]:
    from mutations import mutate

    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "x"
        shutil.copytree(pristine, folder)
        path = folder / file
        case = f"{name}, {mutate(path, np.random.default_rng((seed, i)))}, mutation {i}"
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        began, before = time.process_time(), _resident()
        tracemalloc.start()
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                found = kind.read(path)
            outcome, fault = _accepted(good, found, [str(w.message) for w in warned])
        except Exception as error:
            outcome, fault = "refused", _complaint(error, path)
        used, took = tracemalloc.get_traced_memory()[1], time.process_time() - began
        tracemalloc.stop()
        if took > SLOW:
            fault = fault or f"took {took:.1f} s"
        if min(used, _resident() - before) > MEMORY + 2 * size:
            fault = fault or f"took {used / 1e6:.0f} MB for a file of {size / 1e6:.2f}"
        return case, outcome, fault


def _resident() -> int:
    """Bytes of memory that this process has used at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _complaint(error: Exception, path: Path) -> str | None:
    from videomdm.conventions import DataError

    if isinstance(error, DataError) and path.name.partition(".")[0] in str(error).replace(str(path.parent), ""):
        return None
    at = error.__traceback__
    while at.tb_next:
        at = at.tb_next
    return f"{type(error).__name__}: {str(error)[:200]} ({Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno})"


def _accepted(good, found, warned: list[str]) -> tuple[str, str | None]:
    if set(found.notes) - set(good.notes) or warned:
        return "noted", None
    far = moved(good.joints, found.joints)
    return "read alike" if far is None else "another motion", far


def moved(good: np.ndarray | None, found: np.ndarray | None) -> str | None:
    """How far joints (T', J, D) are from those of the good file (T, J, D); None where that is little."""
    if good is None:
        return None
    if good.shape[1:] != found.shape[1:]:
        return f"joints {found.shape}, not {good.shape}"
    frames = min(len(good), len(found))
    good, found = good[:frames], found[:frames]
    off = np.maximum(_apart(good, found), _apart(found, good))
    often = (off > MOVED).mean(0).max()
    if often > OFTEN or off.max() > JUMP:
        return f"a joint is {off.max():.2f} m off, without a word; more than 5 cm in {100 * often:.0f} % of the frames"
    return None


def _apart(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """(T, J) distance of these joints from where those are within :data:`NEAR` frames; 0 where either is not seen."""
    around = np.pad(those, ((NEAR, NEAR), (0, 0), (0, 0)), mode="edge")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing but NaN
        apart = [np.linalg.norm(around[k : k + len(these)] - these, axis=-1) for k in range(2 * NEAR + 1)]
        return np.nan_to_num(np.nanmin(apart, axis=0), nan=0.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    given = parser.parse_args()
    counts, found = run(given.mutations, given.seed, given.first)
    print(f"{sum(counts.values())} files: " + ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    raise SystemExit(bool(found))
