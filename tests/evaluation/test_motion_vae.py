"""evaluation/motion_vae.py: the transformers written out by hand, MAS's layout, padding, training, bad files."""

import math
import pickle

import pytest
import torch
from torch import Tensor

from videomdm.conventions import DataError
from videomdm.evaluation.motion_vae import (
    KL_WEIGHT,
    MotionVAE,
    load_mas_evaluator,
    load_motion_vae,
    loss_terms,
    official_name,
)

HEADS = 4


def official_state(n_layers: int = 2, feedforward: int = 48, width: int = 256, joints: int = 16) -> dict[str, Tensor]:
    """Random weights under the names and in the shapes of MAS's checkpoints, position tables included."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "encoder.mu_query": (width,), "encoder.sigma_query": (width,),
        "encoder.input_process.poseEmbedding": (width, 2 * joints),
        "decoder.output_process.poseFinal": (2 * joints, width),
    }  # fmt: skip
    for kind, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "multihead_attn"])):
        for n in range(n_layers):
            layer = f"{kind}.seqTrans{kind.title()}.layers.{n}"
            shapes |= {f"{layer}.linear1": (feedforward, width), f"{layer}.linear2": (width, feedforward)}
            shapes |= {f"{layer}.norm{k + 1}": (width,) for k in range(len(attentions) + 1)}
            for attention in attentions:
                shapes[f"{layer}.{attention}.in_proj"] = (3 * width, width)
                shapes[f"{layer}.{attention}.out_proj"] = (width, width)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("query"):
            state[name] = torch.randn(shape, generator=generator)
            continue
        weight, bias = (f"{name}_weight", f"{name}_bias") if "in_proj" in name else (f"{name}.weight", f"{name}.bias")
        state[weight] = torch.randn(shape, generator=generator) / shape[-1] ** 0.5 + ("norm" in name)
        state[bias] = 0.1 * torch.randn(shape[0], generator=generator)
    tables = {f"{kind}.sequence_pos_encoder.pe": torch.zeros(5000, 1, width) for kind in ("encoder", "decoder")}
    return {**state, **tables}


class ByHand:
    """One motion through MAS's evaluator, from the tensors of its checkpoint, in float64."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = {name: tensor.double() for name, tensor in state.items()}

    def encode(self, frames: Tensor) -> Tensor:
        """(T, 16, 2) -> (width,)."""
        tokens = self.linear("encoder.input_process.poseEmbedding", frames.double().reshape(len(frames), -1))
        tokens = torch.cat([self.state[f"encoder.{name}_query"][None] for name in ("mu", "sigma")] + [tokens])
        tokens = tokens + positions(len(tokens))
        for n in range(2):
            layer = f"encoder.seqTransEncoder.layers.{n}"
            tokens = self.norm(f"{layer}.norm1", tokens + self.attend(f"{layer}.self_attn", tokens, tokens))
            tokens = self.norm(f"{layer}.norm2", tokens + self.hidden(layer, tokens))
        return tokens[0]

    def decode(self, embedding: Tensor, n_frames: int) -> Tensor:
        tokens = positions(n_frames)
        for n in range(2):
            layer = f"decoder.seqTransDecoder.layers.{n}"
            tokens = self.norm(f"{layer}.norm1", tokens + self.attend(f"{layer}.self_attn", tokens, tokens))
            looked = self.attend(f"{layer}.multihead_attn", tokens, embedding[None])
            tokens = self.norm(f"{layer}.norm2", tokens + looked)
            tokens = self.norm(f"{layer}.norm3", tokens + self.hidden(layer, tokens))
        return self.linear("decoder.output_process.poseFinal", tokens).reshape(n_frames, 16, 2)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def norm(self, name: str, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return x * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def hidden(self, layer: str, x: Tensor) -> Tensor:
        up = self.linear(f"{layer}.linear1", x)
        return self.linear(f"{layer}.linear2", up * 0.5 * (1 + torch.erf(up / math.sqrt(2))))

    def attend(self, name: str, x: Tensor, memory: Tensor) -> Tensor:
        width = x.shape[-1]
        size = width // HEADS
        weight, bias = self.state[f"{name}.in_proj_weight"], self.state[f"{name}.in_proj_bias"]
        q, k, v = (
            s @ weight[i * width : (i + 1) * width].T + bias[i * width : (i + 1) * width]
            for i, s in enumerate((x, memory, memory))
        )
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            heads.append((q[:, part] @ k[:, part].T / math.sqrt(size)).softmax(-1) @ v[:, part])
        return self.linear(f"{name}.out_proj", torch.cat(heads, dim=1))


def positions(n: int, width: int = 256) -> Tensor:
    table = torch.zeros(n, width, dtype=torch.float64)
    for i in range(0, width, 2):
        angle = torch.arange(n).double() / 10000 ** (i / width)
        table[:, i], table[:, i + 1] = angle.sin(), angle.cos()
    return table


def saved(path, content: object):
    torch.save(content, path)
    return path


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A checkpoint in MAS's layout, as its trainer writes it, and its tensors."""
    state = official_state()
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(3))])
    content = {"model": state, "optimizer": optimizer.state_dict(), "step": 1_000_000}
    return saved(tmp_path_factory.mktemp("mas") / "checkpoint.pth", content), state


class TestMasEvaluator:
    def test_embedding_and_reconstruction(self, published):
        path, state = published
        model, by_hand = load_mas_evaluator(path), ByHand(state)
        keypoints, lengths = torch.randn(3, 24, 16, 2), torch.tensor([24, 9, 1])
        with torch.no_grad():
            found = model.encode(keypoints, lengths)
            decoded = model.decode(found, lengths)
        expected = torch.stack([by_hand.encode(x[:n]) for x, n in zip(keypoints, lengths, strict=True)])
        assert found.shape == (3, 256)
        assert torch.allclose(found.double(), expected, atol=1e-4)
        for embedding, frames, n in zip(expected, decoded, lengths.tolist(), strict=True):
            assert torch.allclose(frames[:n].double(), by_hand.decode(embedding, n), atol=1e-4)

    def test_reads_a_bare_state_dict(self, published, tmp_path):
        path, state = published
        bare = load_mas_evaluator(saved(tmp_path / "bare.pth", state))
        x, n = torch.randn(1, 5, 16, 2), torch.tensor([5])
        assert torch.equal(bare.encode(x, n), load_mas_evaluator(path).encode(x, n))

    def test_names_cover_the_layout(self, published):
        _, state = published
        names = {official_name(name) for name in MotionVAE(16, 256, 2, HEADS, 48).state_dict()}
        assert names == {name for name in state if "sequence_pos_encoder" not in name}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"model": official_state(width=128)}, r"poseEmbedding.weight is \(128, 32\), expected \(256, 32\)"),
            ({"model": official_state(joints=17)}, r"poseEmbedding.weight is \(256, 34\), expected \(256, 32\)"),
            ({"model": [1]}, "'model' is a list, expected a state dict"),
            ({"step": 3}, "no matrix encoder.input_process.poseEmbedding.weight"),
        ],
        ids=["width", "joints", "no state", "no weights"],
    )
    def test_another_network(self, tmp_path, content, message):
        path = saved(tmp_path / "other.pth", content)
        with pytest.raises(DataError, match=message) as error:
            load_mas_evaluator(path)
        assert str(path) in str(error.value)

    @pytest.mark.parametrize("name", ["encoder.mu_query", "decoder.seqTransDecoder.layers.1.linear2.bias"])
    def test_lacks_a_tensor(self, tmp_path, name):
        state = official_state()
        del state[name]
        with pytest.raises(DataError, match=f"lacks {name}"):
            load_mas_evaluator(saved(tmp_path / "part.pth", {"model": state}))

    def test_runs_no_pickle(self, tmp_path):
        class Harm:
            def __reduce__(self):
                return (tmp_path / "harm").touch, ()

        path = tmp_path / "harm.pth"
        path.write_bytes(pickle.dumps({"model": Harm()}))
        with pytest.raises(DataError, match="harm.pth"):
            load_mas_evaluator(path)
        torch.save({"model": Harm()}, path)
        with pytest.raises(DataError, match="more than tensors"):
            load_mas_evaluator(path)
        assert not (tmp_path / "harm").exists()

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="none.pth"):
            load_mas_evaluator(tmp_path / "none.pth")


def small() -> MotionVAE:
    torch.manual_seed(0)
    return MotionVAE(n_joints=5, width=16, n_layers=1, n_heads=2, feedforward=24)


class TestMotionVAE:
    def test_padding_changes_nothing(self):
        model, x = small().eval(), torch.randn(2, 12, 5, 2)
        short = model.encode(x[:, :7], torch.tensor([7, 4]))
        x[0, 7:], x[1, 4:] = torch.nan, 1e6
        assert torch.allclose(model.encode(x, torch.tensor([7, 4])), short, atol=1e-6)

    def test_embeddings_in_batches(self):
        model, x, lengths = small().train(), torch.randn(7, 12, 5, 2), torch.tensor([12, 3, 7, 5, 1, 2, 12])
        found = model.embeddings(x, lengths, batch_size=3)
        assert model.training
        assert torch.allclose(found, model.eval().encode(x, lengths), atol=1e-6)

    @pytest.mark.parametrize(
        ("shape", "lengths", "message"),
        [
            ((2, 9, 6, 2), [9, 9], "keypoints: shape"),
            ((2, 9, 5, 3), [9, 9], "keypoints: shape"),
            ((2, 9, 5, 2), [9], "lengths: shape"),
            ((2, 9, 5, 2), [9, 10], r"lengths: 9\.\.10 frames, expected within 1\.\.9"),
            ((2, 9, 5, 2), [0, 9], r"lengths: 0\.\.9"),
        ],
    )
    def test_bad_input(self, shape, lengths, message):
        with pytest.raises(ValueError, match=message):
            small().encode(torch.zeros(shape), torch.tensor(lengths))

    def test_losses(self, monkeypatch):
        model, x, lengths = small().eval(), torch.randn(2, 6, 5, 2), torch.tensor([6, 2])
        monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # the latent is the mean
        terms = loss_terms(model, x, lengths)
        mean, log_variance = model.posterior(x, lengths)
        error = (model.decode(mean, lengths) - x).square()
        assert terms["reconstruction"].item() == pytest.approx((error[0].sum() + error[1, :2].sum()).item() / 80, 1e-5)
        normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
        divergence = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum()
        assert terms["kl"].item() == pytest.approx(divergence.item(), rel=1e-4)
        assert terms["total"].item() == pytest.approx((terms["reconstruction"] + KL_WEIGHT * divergence).item())

    def test_saved_and_loaded(self, tmp_path):
        model, mean, std = small(), torch.randn(5, 2), torch.rand(5, 2) + 1
        model.save(tmp_path / "vae.safetensors", mean, std)
        loaded, *statistics = load_motion_vae(tmp_path / "vae.safetensors")
        x, n = torch.randn(1, 4, 5, 2), torch.tensor([4])
        assert torch.equal(loaded.encode(x, n), model.eval().encode(x, n))
        assert torch.equal(statistics[0], mean) and torch.equal(statistics[1], std)

    def test_load_refuses_others(self, tmp_path):
        with pytest.raises(DataError, match="vae.pt"):
            load_motion_vae(saved(tmp_path / "vae.pt", {"a": torch.zeros(2)}))
