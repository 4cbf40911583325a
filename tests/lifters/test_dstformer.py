import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from videomdm.lifters.dstformer import DSTformer, load_motionbert_checkpoint

SMALL = dict(n_joints=5, max_frames=9, width=8, representation=12, depth=2, n_heads=2, hidden=24)


def small(seed: int = 0) -> DSTformer:
    torch.manual_seed(seed)
    model = DSTformer(**SMALL)
    for parameter in model.parameters():  # biases and fusion away from their neutral start
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model.eval()


def save_official(model: DSTformer, path: Path, **others: object) -> Path:
    weights = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"model_pos": weights, **others}, path)
    return path


def by_hand(w: dict[str, Tensor], x: Tensor, n_heads: int) -> Tensor:
    """DSTformer written out token by token from MotionBERT's description, (T, J, 3) -> (T, J, 3)."""

    def linear(name: str, v: Tensor) -> Tensor:
        return v @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, v: Tensor) -> Tensor:
        v = v - v.mean(-1, keepdim=True)
        v = v / (v.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return v * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attention(name: str, tokens: Tensor) -> Tensor:
        q, k, v = linear(f"{name}.qkv", tokens).chunk(3, dim=-1)
        size = q.shape[-1] // n_heads
        heads = []
        for h in range(n_heads):
            part = slice(h * size, (h + 1) * size)
            scores = q[:, part] @ k[:, part].T / size**0.5
            heads.append(scores.softmax(-1) @ v[:, part])
        return linear(f"{name}.proj", torch.cat(heads, -1))

    def layer(name: str, axis: str, v: Tensor) -> Tensor:
        normed = norm(f"{name}.norm1_{axis}", v)
        sequences = normed.unbind(0 if axis == "s" else 1)
        v = v + torch.stack([attention(f"{name}.attn_{axis}", s) for s in sequences], 0 if axis == "s" else 1)
        hidden = torch.nn.functional.gelu(linear(f"{name}.mlp_{axis}.fc1", norm(f"{name}.norm2_{axis}", v)))
        return v + linear(f"{name}.mlp_{axis}.fc2", hidden)

    v = linear("joints_embed", x) + w["pos_embed"][0] + w["temp_embed"][0, : len(x)]
    for i in range(SMALL["depth"]):
        st = layer(f"blocks_st.{i}", "t", layer(f"blocks_st.{i}", "s", v))
        ts = layer(f"blocks_ts.{i}", "s", layer(f"blocks_ts.{i}", "t", v))
        share = linear(f"ts_attn.{i}", torch.cat([st, ts], -1)).softmax(-1)
        v = share[..., :1] * st + share[..., 1:] * ts
    return linear("head", torch.tanh(linear("pre_logits.fc", norm("norm", v))))


class TestNetwork:
    def test_full_size_is_the_public_models(self):
        model = DSTformer()
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        assert sum(p.numel() for p in model.parameters()) == 42_466_317
        assert len(shapes) == 260
        assert shapes["temp_embed"] == (1, 243, 1, 512) and shapes["pos_embed"] == (1, 17, 512)
        assert shapes["blocks_ts.4.mlp_t.fc1.weight"] == (1024, 512)
        assert shapes["ts_attn.2.weight"] == (2, 1024) and shapes["pre_logits.fc.weight"] == (512, 512)

    def test_agrees_with_the_equations(self):
        model = small().double()
        x = torch.randn(3, 7, 5, 3, dtype=torch.float64)
        expected = torch.stack([by_hand(model.state_dict(), clip, 2) for clip in x])
        torch.testing.assert_close(model(x), expected, rtol=1e-9, atol=1e-9)

    def test_streams_count_the_same_at_the_start(self):
        model = DSTformer(**SMALL)
        assert all(fuse.weight.eq(0).all() and fuse.bias.eq(0.5).all() for fuse in model.ts_attn)

    def test_padding_influences_no_valid_frame(self):
        model, x = small(), torch.randn(2, 9, 5, 3)
        valid = torch.arange(9) < torch.tensor([9, 4])[:, None]
        garbage = x.clone()
        garbage[1, 4:] = 1e3
        kept = model(x, valid)
        torch.testing.assert_close(model(garbage, valid)[valid], kept[valid])
        torch.testing.assert_close(kept[1, :4], model(x[1:, :4])[0])
        assert not torch.allclose(model(garbage)[1, :4], kept[1, :4], atol=1e-2)  # the mask does it

    def test_wrong_shapes_are_named(self):
        with pytest.raises(ValueError, match=r"\(1, 3, 4, 3\), expected \(batch, at most 9, 5, 3\)"):
            small()(torch.zeros(1, 3, 4, 3))
        with pytest.raises(ValueError, match="at most 9"):
            small()(torch.zeros(1, 10, 5, 3))
        with pytest.raises(ValueError, match="n_heads is 3"):
            DSTformer(width=8, n_heads=3)


class TestCheckpoint:
    def test_reads_sizes_and_weights(self, tmp_path):
        model = small(1)
        path = save_official(model, tmp_path / "best.bin", epoch=3, min_loss=np.float64(37.2), lr=2e-4)
        loaded, x = load_motionbert_checkpoint(path, n_heads=2), torch.randn(1, 6, 5, 3)
        assert not loaded.training
        assert torch.equal(loaded(x), model(x))

    def test_reads_what_numpy_1_pickled(self, tmp_path):
        path = save_official(small(), tmp_path / "new.bin", min_loss=np.float64(37.2))
        with zipfile.ZipFile(path) as new, zipfile.ZipFile(tmp_path / "old.bin", "w") as old:
            for name in new.namelist():
                content = new.read(name)
                old.writestr(name, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        assert b"numpy.core.multiarray" in (tmp_path / "old.bin").read_bytes()
        load_motionbert_checkpoint(tmp_path / "old.bin", n_heads=2)

    def test_pickled_code_does_not_run(self, tmp_path):
        class Malice:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "executed"),)

        path = save_official(small(), tmp_path / "bad.bin", min_loss=Malice())
        with pytest.raises(ValueError, match="bad.bin: refused"):
            load_motionbert_checkpoint(path)
        assert not (tmp_path / "executed").exists()

    def test_bad_files_are_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere.bin"):
            load_motionbert_checkpoint(tmp_path / "nowhere.bin")
        torch.save({"state_dict": {}}, tmp_path / "other.bin")
        with pytest.raises(ValueError, match="other.bin: found state_dict, expected .*model_pos"):
            load_motionbert_checkpoint(tmp_path / "other.bin")
        torch.save({"model_pos": {"module.conv.weight": torch.zeros(2)}}, tmp_path / "conv.bin")
        with pytest.raises(ValueError, match="conv.bin: no tensor module.pos_embed"):
            load_motionbert_checkpoint(tmp_path / "conv.bin")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: w.pop("module.ts_attn.1.bias"), r"module\.ts_attn\.1\.bias"),
            (lambda w: w.update({"module.extra": torch.zeros(1)}), r"module\.extra"),
            (lambda w: w.update({"module.norm.weight": torch.zeros(3)}), r"norm\.weight"),
            (lambda w: w["module.head.bias"].fill_(float("nan")), r"head\.bias"),
        ],
    )
    def test_tensors_that_do_not_fit_are_named(self, tmp_path, change, message):
        path = save_official(small(), tmp_path / "odd.bin")
        checkpoint = torch.load(path, weights_only=True)
        change(checkpoint["model_pos"])
        torch.save(checkpoint, path)
        with pytest.raises(ValueError, match=message):
            load_motionbert_checkpoint(path, n_heads=2)
