"""Steps as graphs, with a recorder in place of CUDA's: the real one is checked by ``make gpu``."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from videomdm.train.graphs import EAGER, StepGraphs


@pytest.fixture
def learnt(monkeypatch):
    """What was carried out: (kind, value, "eagerly" or "recorded"); a graph repeats what was recorded on its places."""
    done, recording = [], []

    class Graph:
        pool = staticmethod(lambda: (0, 1))

        def replay(self):
            kind, place, out = self.calls
            done.append((kind, float(place), "recorded"))
            out.copy_(2 * place)

    @contextmanager
    def record(graph, pool, stream):
        recording.append(graph)
        yield
        recording.pop()

    def learn(kind, value):
        out = 2 * value
        if recording:
            recording[-1].calls = kind, value, out
        else:
            done.append((kind, float(value), "eagerly"))
        return {"loss": out}

    stream = SimpleNamespace(wait_stream=lambda other: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", contextmanager(lambda stream: iter([None])))
    return learn, done


def test_every_step_is_carried_out_once_on_what_it_was_given(learnt):
    learn, done = learnt
    graphs = StepGraphs(learn)
    found = [graphs("a" if i % 2 else "b", [torch.tensor(float(i))])["loss"] for i in range(12)]
    assert [float(loss) for loss in found] == [2.0 * i for i in range(12)], "earlier results stay as they were"
    assert [(kind, value) for kind, value, _ in done] == [("a" if i % 2 else "b", float(i)) for i in range(12)]
    for kind in "ab":
        assert [how for k, _, how in done if k == kind] == ["eagerly"] * EAGER + ["recorded"] * (6 - EAGER)
