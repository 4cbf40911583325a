"""study/training.py: the schedule, and a run that is killed and goes on."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch import nn

from videomdm.study import training


class Stop(Exception):
    pass


def run(out, steps: int = 7, stop: int | None = None, seed: int = 0, **about) -> tuple[nn.Module, list[float]]:
    """A linear network with dropout, trained; ``stop`` breaks in at that call."""
    torch.manual_seed(seed)
    network, seen = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)), []

    def terms(generator: torch.Generator) -> dict[str, torch.Tensor]:
        if len(seen) == stop:
            raise Stop
        x = torch.randn(4, 3, generator=generator)
        seen.append(x.sum().item())
        return {"total": (network(x) - x.sum(1, keepdim=True)).square().mean()}

    training.train(network, terms, out, steps, 0.01, seed, about)
    return network, seen


class TestTrain:
    def test_killed_and_resumed_is_the_same(self, tmp_path, monkeypatch):
        monkeypatch.setattr(training, "CHECKPOINT_EVERY", 3)
        whole, _ = run(tmp_path / "whole")
        with pytest.raises(Stop):
            run(tmp_path / "killed", stop=5)
        resumed, seen = run(tmp_path / "killed")
        assert len(seen) == 4  # from step 3 on
        for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(a, b)
        assert not resumed.training

    def test_finished_is_not_trained_again(self, tmp_path):
        first, _ = run(tmp_path)
        second, seen = run(tmp_path)
        assert seen == [] and torch.equal(first[0].weight, second[0].weight)
        assert training.seconds(tmp_path) > 0
        assert training.seconds(tmp_path / "none") == 0

    def test_other_settings_are_refused(self, tmp_path):
        run(tmp_path, width=8)
        with pytest.raises(ValueError, match="'width': 8.*expected.*'width': 9"):
            run(tmp_path, width=9)


def test_schedule():
    rates = [training.cosine(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert max(rates) == max(rates[95:105])
    assert rates[-1] == pytest.approx(0.01, rel=0.01)
    assert rates[550] == pytest.approx(0.5, abs=0.1)


def test_command_names_no_place():
    given = Namespace(out=Path("/home/me/out"), root=Path("/data/bandai"), debug=False, rooted=True, seed=3)
    expected = "python -m x --out OUT --root $VIDEOMDM_DATA/bandai --rooted --seed 3"
    assert training.command("python -m x", given) == expected
