import copy
import math
import os
import pickle

import pytest
import torch
from torch import nn

from videomdm.storage import checkpoints


class Run:
    """A small training run with everything that must survive: dropout, AdamW, averaging, own generator."""

    def __init__(self, width=4):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, width), nn.Dropout(0.3), nn.LayerNorm(width), nn.Linear(width, 1))
        self.average = copy.deepcopy(self.model)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 20)
        self.generator = torch.Generator().manual_seed(1)

    @property
    def parts(self):
        return vars(self)

    def steps(self, n):
        for _ in range(n):
            x = torch.randn(8, 3, generator=self.generator)
            loss = (self.model(x) - x.sum(1, keepdim=True)).square().mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            for mean, p in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.data.lerp_(p.data, 0.1)
        return self

    def weights(self):
        return [*self.model.state_dict().values(), *self.average.state_dict().values()]


def assert_bitwise(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "truncated":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    else:
        position = content.find(b"__metadata__") + 40 if how == "json" else len(content) - 5
        content[position] ^= 1
    path.write_bytes(content)


class TestResume:
    def test_bitwise_equal_to_an_uninterrupted_run(self, tmp_path):
        straight = Run().steps(13)
        checkpoints.save(tmp_path, 5, Run().steps(5).parts, extra={"log": 5})

        resumed = Run().steps(2)  # anything that the state does not overwrite would show
        checkpoint = checkpoints.load_latest(tmp_path)
        assert checkpoint.step == 5 and checkpoint.extra == {"log": 5}
        checkpoint.restore(resumed.parts)
        assert_bitwise(resumed.steps(8).weights(), straight.weights())

    def test_saving_changes_nothing(self, tmp_path):
        straight, saved = Run().steps(6), Run().steps(3)
        checkpoints.save(tmp_path, 3, saved.parts)
        assert_bitwise(Run().steps(6).weights(), straight.weights())
        torch.manual_seed(0)
        run = Run().steps(3)
        checkpoints.save(tmp_path, 3, run.parts)
        assert_bitwise(run.steps(3).weights(), straight.weights())

    def test_same_state_same_file(self, tmp_path):
        names = {checkpoints.save(tmp_path / d, 5, Run().steps(5).parts).name for d in "ab"}
        assert len(names) == 1

    @pytest.mark.parametrize("how", ["truncated", "empty", "json", "bit"])
    def test_damaged_last_checkpoint(self, tmp_path, how):
        run = Run()
        for step in (1, 2):
            last = checkpoints.save(tmp_path, step, run.steps(1).parts)
        damage(last, how)
        with pytest.warns(UserWarning, match=f"{last.name}: damaged checkpoint.*SHA-256"):
            checkpoint = checkpoints.load_latest(tmp_path)
        assert checkpoint.step == 1
        resumed = Run()
        checkpoint.restore(resumed.parts)
        assert checkpoints.save(tmp_path, 2, resumed.steps(1).parts) == last  # made good again
        assert checkpoints.load_latest(tmp_path).step == 2

    def test_all_damaged(self, tmp_path):
        damage(checkpoints.save(tmp_path, 1, Run().parts), "truncated")
        with pytest.warns(UserWarning), pytest.raises(ValueError, match="all 1 checkpoints are damaged"):
            checkpoints.load_latest(tmp_path)

    def test_right_digest_wrong_content(self, tmp_path):
        path = tmp_path / "x"
        path.write_bytes(b"no checkpoint")
        path.rename(tmp_path / f"step-00000009-{checkpoints.content_digest(path)}.safetensors")
        checkpoints.save(tmp_path, 3, Run().parts)
        with pytest.warns(UserWarning, match="step-00000009"):
            assert checkpoints.load_latest(tmp_path).step == 3

    def test_killed_while_writing(self, tmp_path, monkeypatch):
        run = Run()
        checkpoints.save(tmp_path, 1, run.parts)

        def killed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", killed)
            checkpoints.save(tmp_path, 2, run.parts)
        assert checkpoints.load_latest(tmp_path).step == 1
        checkpoints.save(tmp_path, 2, run.parts)
        assert sorted(p.name[:13] for p in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]

    def test_nothing_to_resume(self, tmp_path):
        assert checkpoints.load_latest(tmp_path / "never made") is None
        (tmp_path / "notes.safetensors").write_bytes(b"")
        assert checkpoints.load_latest(tmp_path) is None
        with pytest.raises(NotADirectoryError, match="notes.safetensors: is a file"):
            checkpoints.load_latest(tmp_path / "notes.safetensors")

    def test_other_model(self, tmp_path):
        checkpoints.save(tmp_path, 1, {"model": Run().model})
        checkpoint = checkpoints.load_latest(tmp_path)
        wider = Run(width=5).model
        with pytest.raises(ValueError, match=r"\(model\): 0.weight is \(4, 3\), expected \(5, 3\)"):
            checkpoint.restore({"model": wider})
        with pytest.raises(ValueError, match="holds no 'average', only model"):
            checkpoint.restore({"average": wider})


class TestFolder:
    def names(self, folder):
        return sorted(p.name.rsplit("-", 1)[0] for p in folder.iterdir())

    def test_keeps_the_last_two(self, tmp_path):
        for step in range(1, 6):
            checkpoints.save(tmp_path, step, {})
        assert self.names(tmp_path) == ["step-00000004", "step-00000005"]
        assert checkpoints.load_latest(tmp_path).step == 5

    def test_same_step_again_replaces(self, tmp_path):
        for value in (1, 2):
            checkpoints.save(tmp_path, 7, {}, extra={"value": value})
        assert self.names(tmp_path) == ["step-00000007"]
        assert checkpoints.load_latest(tmp_path).extra == {"value": 2}

    def test_damaged_later_file_does_not_push_out_good_ones(self, tmp_path):
        damage(checkpoints.save(tmp_path, 9, {}), "truncated")
        for step in (5, 6):
            checkpoints.save(tmp_path, step, {})
        assert self.names(tmp_path) == ["step-00000005", "step-00000006", "step-00000009"]


class TestState:
    def test_everything_comes_back_exactly(self, tmp_path):
        state = {
            "numbers": {0: 0.1, 1: math.inf, "pi": math.pi, "none": None, "yes": True},
            "nested": [(1, 2.5), [torch.tensor(3), torch.arange(4)[::2]], {"a/b": {"": torch.zeros(0, 2)}}],
            "a": {"b/c": torch.ones(1)}, "a/b": {"c": torch.zeros(1)},
            "half": torch.tensor([1e-8, 65504.0], dtype=torch.float16),
            "nan": torch.tensor([math.nan, -0.0]), "bytes": torch.tensor([0, 255], dtype=torch.uint8),
            "double": torch.tensor([1 / 3], dtype=torch.float64), "shared": torch.zeros(1).expand(3),
        }  # fmt: skip
        checkpoints.save(tmp_path, 0, state)
        assert same(checkpoints.load_latest(tmp_path).state, state)

    def test_what_cannot_be_saved(self, tmp_path):
        with pytest.raises(ValueError, match="state/bad/0: cannot save a set"):
            checkpoints.save(tmp_path, 1, {"bad": [{1, 2}]})
        assert not list(tmp_path.iterdir())

    def test_numbers_cannot_be_restored_into(self, tmp_path):
        checkpoints.save(tmp_path, 1, {"log": [1, 2]})
        with pytest.raises(ValueError, match="cannot restore into a list"):
            checkpoints.load_latest(tmp_path).restore({"log": []})


def same(a, b):
    if isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in b)
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


class TestWeights:
    metadata = {"skeleton": "smpl22", "width": 4, "sizes": (1, 2)}

    def test_round_trip(self, tmp_path):
        trained, fresh, path = Run().steps(3).model, Run().model, tmp_path / "run" / "weights.safetensors"
        checkpoints.save_weights(path, trained, self.metadata)
        checkpoints.load_weights(path, fresh)
        assert_bitwise(fresh.state_dict().values(), trained.state_dict().values())
        assert checkpoints.read_metadata(path) == {**self.metadata, "sizes": [1, 2]}
        assert [p.name for p in path.parent.iterdir()] == [path.name]

    def test_other_model(self, tmp_path):
        path, model = tmp_path / "w.safetensors", Run().model
        checkpoints.save_weights(path, Run().steps(1).model, self.metadata)
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(ValueError, match=r"3.weight is \(1, 4\), expected \(2, 4\) for Sequential"):
            checkpoints.load_weights(path, nn.Sequential(*model[:3], nn.Linear(4, 2)))
        with pytest.raises(ValueError, match=r"lacks 4.bias, 4.weight; expected the 8 tensors"):
            checkpoints.load_weights(path, model.append(nn.Linear(1, 1)))
        assert_bitwise(list(model.state_dict().values())[:6], before.values())

    def test_failed_write_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "w.safetensors"
        checkpoints.write_tensors(path, {"a": torch.ones(1)})

        def full(*_, **__):
            raise OSError("disk full")

        monkeypatch.setattr(checkpoints, "save_file", full)
        with pytest.raises(OSError, match="disk full"):
            checkpoints.write_tensors(path, {"a": torch.zeros(1)})
        assert checkpoints.read_tensors(path)["a"] == 1 and len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("read", [checkpoints.read_metadata, checkpoints.read_tensors])
    def test_missing_and_damaged(self, tmp_path, read):
        path = tmp_path / "w.safetensors"
        with pytest.raises(FileNotFoundError, match=r"w\.safetensors"):
            read(path)
        checkpoints.write_tensors(path, {"a": torch.ones(1)})
        assert checkpoints.read_metadata(path) == {}
        damage(path, "truncated")
        with pytest.raises(ValueError, match=r"w\.safetensors"):
            read(path)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_have_the_mode_of_any_new_file(tmp_path, umask, mode):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".staged.safetensors").touch(0o600)  # of a run that was killed
    former = os.umask(umask)
    try:
        checkpoints.write_tensors(tmp_path / "w.safetensors", {"a": torch.ones(1)})
        saved = checkpoints.save(tmp_path / "run", 1, {})
    finally:
        os.umask(former)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "w.safetensors", saved)] == [mode, mode]


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


class TestPickle:
    def test_never_executed(self, tmp_path):
        target, path = tmp_path / "executed", tmp_path / "weights.pt"
        torch.save({"a": Payload(target)}, path)
        with pytest.raises(ValueError, match=r"weights\.pt: refused"):
            checkpoints.read_tensors(path)
        bare = pickle.dumps(Payload(target))
        (tmp_path / "w.safetensors").write_bytes(bare)
        with pytest.raises(ValueError, match=r"w\.safetensors"):
            checkpoints.load_weights(tmp_path / "w.safetensors", nn.Linear(1, 1))
        run = tmp_path / "run"
        run.mkdir()
        (run / "p").write_bytes(bare)
        (run / "p").rename(run / f"step-00000001-{checkpoints.content_digest(run / 'p')}.safetensors")
        with pytest.warns(UserWarning), pytest.raises(ValueError, match="damaged"):
            checkpoints.load_latest(run)
        assert not target.exists()
        pickle.loads(bare)  # the trap itself works
        assert target.exists()


def test_a_torch_file_cut_in_half_is_named(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(64, 64)}, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"model\.pt: not a readable weights file"):
        checkpoints.read_tensors(path)
