"""Steps as graphs, with a recorder in place of CUDA's: the real one is checked by ``make gpu``."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from videomdm.storage import checkpoints
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


def test_a_checkpoint_keeps_the_rate_that_a_recorded_step_leaves(tmp_path):
    def made():
        model = torch.nn.Linear(3, 3)
        return {"model": model, "optimizer": torch.optim.AdamW(model.parameters(), lr=1e-3)}

    before, after = made(), made()
    before["model"](torch.ones(2, 3)).sum().backward()
    before["optimizer"].step()
    before["optimizer"].param_groups[0]["lr"] = torch.tensor(5e-4)
    checkpoints.save(tmp_path, 1, {name: part.state_dict() for name, part in before.items()})
    checkpoints.load_latest(tmp_path).restore(after)
    assert float(after["optimizer"].param_groups[0]["lr"]) == pytest.approx(5e-4)
    assert torch.equal(after["model"].weight, before["model"].weight)
