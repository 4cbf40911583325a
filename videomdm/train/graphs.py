"""A training step as one CUDA graph, launched at once: launching kernels one by one takes longer than a GPU needs.

A graph repeats what was launched while it was recorded, on the same memory.  So there is one for every shape of a
batch and number of passes, what changes from step to step lies in tensors that are written before each launch, and
nothing in a step may wait for the GPU.  Random numbers are drawn anew: a graph continues the stream of the generator
that it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

EAGER = 3  # steps of each shape before it is recorded: compilers, libraries and the optimiser prepare themselves


class StepGraphs:
    """Carries a step out, recorded from the fourth of its kind on.

    Args:
        learn: the step, of tensors on the GPU; returns tensors by name.
    """

    def __init__(self, learn: Callable[..., dict[str, Tensor]]) -> None:
        self._learn = learn
        self._met: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, list[Tensor], dict[str, Tensor]]] = {}
        self._pool: tuple[int, int] | None = None  # memory of all graphs, of which one runs at a time
        self._stream = torch.cuda.Stream()  # gradients are to be added up where they were first

    def __call__(self, kind: Hashable, given: Sequence[Tensor]) -> dict[str, Tensor]:
        """One step.

        Args:
            kind: what decides which kernels are launched, and on what shapes; the first argument of ``learn``.
            given: its other arguments, on the GPU.
        """
        self._met[kind] += 1
        if self._met[kind] <= EAGER:
            return self._eagerly(kind, given)
        if kind not in self._recorded:
            self._recorded[kind] = self._record(kind, given)
        graph, places, found = self._recorded[kind]
        for place, value in zip(places, given, strict=True):
            place.copy_(value)
        graph.replay()
        return {name: value.clone() for name, value in found.items()}

    def _eagerly(self, kind: Hashable, given: Sequence[Tensor]) -> dict[str, Tensor]:
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            found = self._learn(kind, *given)
        here.wait_stream(self._stream)
        return found

    def _record(
        self, kind: Hashable, given: Sequence[Tensor]
    ) -> tuple[torch.cuda.CUDAGraph, list[Tensor], dict[str, Tensor]]:
        """The step is not carried out while it is recorded."""
        graph, places = torch.cuda.CUDAGraph(), [value.clone() for value in given]
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            found = self._learn(kind, *places)
        self._pool = graph.pool()
        return graph, places, found
