import math
import os
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from videomdm.denoiser import MDM, UNKNOWN, _Dropped, guided, load_mdm_checkpoint, low_pass, sinusoids, skip_gain

SIZES = {"width": 16, "n_layers": 2, "n_heads": 4, "feedforward": 24, "text_width": 6}
D, B, T = 7, 3, 5


class PublishedMDM(nn.Module):
    """MDM from torch's own transformer, tokens first, with the module names of public checkpoints."""

    def __init__(self, features=D, width=16, n_layers=2, n_heads=4, feedforward=24, text_width=6):
        super().__init__()
        self.input_process = nn.ModuleDict({"poseEmbedding": nn.Linear(features, width)})
        layer = nn.TransformerEncoderLayer(width, n_heads, feedforward, dropout=0.0, activation="gelu")
        self.seqTransEncoder = nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)
        self.embed_timestep = nn.Module()
        self.embed_timestep.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.embed_text = nn.Linear(text_width, width)
        self.output_process = nn.ModuleDict({"poseFinal": nn.Linear(width, features)})
        for p in self.parameters():  # biases and norms away from 0 and 1, layers unlike each other
            nn.init.normal_(p, std=0.3)

    def forward(self, x, t, text, lengths=None):
        pe = table(40, self.embed_text.out_features).to(x)
        token = self.embed_text(text) + self.embed_timestep.time_embed(pe[t])
        h = torch.cat([token[None], self.input_process["poseEmbedding"](x.transpose(0, 1))])
        h = h + pe[: len(h), None]
        padding = None if lengths is None else torch.arange(len(h)) > lengths[:, None]
        h = self.seqTransEncoder(h, src_key_padding_mask=padding)[1:]
        return self.output_process["poseFinal"](h).transpose(0, 1)


def table(n, width):
    rows = [[i / 10000 ** (2 * (k // 2) / width) for k in range(width)] for i in range(n)]
    return torch.tensor([[math.sin(a) if k % 2 == 0 else math.cos(a) for k, a in enumerate(row)] for row in rows])


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    x, text = torch.randn(B, T, D, generator=g), torch.randn(B, 6, generator=g)
    return x, torch.tensor([0, 12, 33]), text, torch.tensor([5, 2, 4])


@pytest.fixture
def model():
    torch.manual_seed(1)
    return MDM(D, **SIZES).eval()


@pytest.fixture
def checkpoint(tmp_path):
    """A published model and its state dict as public files hold it."""
    torch.manual_seed(2)
    published = PublishedMDM().eval()
    state = published.state_dict()
    state["sequence_pos_encoder.pe"] = torch.zeros(9, 1, 16)
    state["embed_timestep.sequence_pos_encoder.pe"] = torch.zeros(9, 1, 16)
    state["clip_model.visual.proj"] = torch.zeros(2)

    def write(change=None, name="model.pt"):
        content = change(dict(state)) if change else state
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return published, write


class TestParity:
    def test_published_model_with_padding_attended(self, checkpoint, batch):
        published, write = checkpoint
        x, t, text, lengths = batch
        ours = load_mdm_checkpoint(write())
        ours.mask_padding = False
        torch.testing.assert_close(ours(x, t, text, lengths), published(x, t, text), atol=2e-6, rtol=1e-5)

    def test_masked_padding_and_gradients_in_float64(self, checkpoint, batch):
        published, write = checkpoint
        x, t, text, lengths = batch
        x, text = x.double(), text.double()
        ours, published = load_mdm_checkpoint(write()).double(), published.double().train()
        valid = torch.arange(T) < lengths[:, None]
        a, b = ours(x, t, text, lengths)[valid], published(x, t, text, lengths)[valid]
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)  # the table of positions is float32
        a.square().sum().backward()
        b.square().sum().backward()
        mine = ours.layers[0].qkv.weight.grad
        theirs = published.seqTransEncoder.layers[0].self_attn.in_proj_weight.grad
        assert theirs.norm() > 0.1
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)

    def test_size_of_the_real_model(self):
        model = MDM(263)
        assert sum(p.numel() for p in model.parameters()) == 17_880_327
        assert len(model.state_dict()) == 106  # public files hold two tables of positions more

    def test_positions(self):
        torch.testing.assert_close(sinusoids(40, 16), table(40, 16), atol=1e-5, rtol=0)


class TestForward:
    def test_padding_does_not_matter(self, model, batch):
        x, t, text, lengths = batch
        valid = torch.arange(T) < lengths[:, None]
        other = torch.where(valid[..., None], x, 100.0)
        torch.testing.assert_close(
            model(x, t, text, lengths)[valid], model(other, t, text, lengths)[valid], atol=1e-6, rtol=1e-5
        )
        model.mask_padding = False
        assert not torch.allclose(model(x, t, text, lengths)[1, :2], model(other, t, text, lengths)[1, :2])

    def test_padded_clip_equals_cut_clip(self, model, batch):
        x, t, text, lengths = batch
        alone = model(x[1:2, :2], t[1:2], text[1:2])
        torch.testing.assert_close(model(x, t, text, lengths)[1:2, :2], alone, atol=1e-6, rtol=1e-5)

    def test_training_mode_without_dropout_gives_the_same_numbers(self, batch):
        x, t, text, lengths = batch
        model = MDM(D, **SIZES, dropout=0.0)
        trained, evaluated = model.train()(x, t, text, lengths), model.eval()(x, t, text, lengths)
        torch.testing.assert_close(trained, evaluated, atol=1e-6, rtol=1e-5)

    def test_dropout_only_in_training(self, model, batch):
        assert torch.equal(model(*batch), model(*batch))
        model.train()
        assert not torch.equal(model(*batch), model(*batch))

    @pytest.mark.parametrize("t", [4, torch.tensor(4), torch.tensor([4])])
    def test_one_step_for_all(self, model, batch, t):
        x, _, text, lengths = batch
        assert torch.equal(model(x, t, text, lengths), model(x, torch.full((B,), 4), text, lengths))

    def test_steps_differ(self, model, batch):
        x, _, text, lengths = batch
        assert not torch.allclose(model(x, 4, text, lengths), model(x, 5, text, lengths), atol=1e-4)

    def test_dropped_condition_is_a_zero_vector(self, model, batch):
        x, t, text, lengths = batch
        drop = torch.tensor([True, False, True])
        mixed = model(x, t, text, lengths, drop)
        without = model(x, t, None, lengths)
        assert torch.equal(mixed[drop], without[drop])
        assert torch.equal(mixed[1], model(x, t, text, lengths)[1])
        assert torch.equal(without, model(x, t, torch.zeros_like(text), lengths))
        with torch.no_grad():  # the bias of the text's Linear stays without a condition
            model.embed_text.bias += 1
        assert not torch.allclose(without, model(x, t, None, lengths), atol=1e-3)

    def test_no_value_is_read_back(self, batch):
        """Meta tensors have no values: anything that would wait for the device raises."""
        x, t, text, lengths = (a.to("meta") for a in batch)
        model = MDM(D, **SIZES).to("meta")
        out = guided(model, 2.5)(x, t, text, lengths)
        assert out.shape == (B, T, D) and model(x, t, text, lengths, lengths > 2).shape == (B, T, D)

    @pytest.mark.slow
    def test_compiles_into_one_graph(self, model, batch):
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(*batch), model(*batch))

    def test_bad_shapes(self, model, batch):
        x, t, text, _ = batch
        with pytest.raises(ValueError, match=r"\(3, 5, 6\), expected .* 7\)"):
            model(x[..., :6], t, text)
        with pytest.raises(ValueError, match=r"\(2, 6\), expected \(3, 6\)"):
            model(x, t, text[:2])
        with pytest.raises(ValueError, match="width 10"):
            MDM(D, width=10, n_heads=4)


class TestPrecision:
    @pytest.fixture
    def pair(self):
        """The same model in both precisions."""
        models = []
        for precision in ("float32", "bf16"):
            torch.manual_seed(1)
            models.append(MDM(D, **SIZES, dropout=0.0, precision=precision))
        return models

    def test_bf16_output_and_gradients_are_close_and_float32(self, pair, batch):
        x, t, text, lengths = batch
        outputs = [model(x, t, text, lengths) for model in pair]
        for output in outputs:
            output.square().sum().backward()
        assert outputs[1].dtype == torch.float32
        assert 0 < (outputs[1] - outputs[0]).norm() / outputs[0].norm() < 0.01
        for exact, rounded in zip(*(model.parameters() for model in pair), strict=True):
            assert rounded.dtype == rounded.grad.dtype == torch.float32
            assert (rounded.grad - exact.grad).norm() < 0.03 * exact.grad.norm() + 1e-4

    def test_bf16_does_not_see_padding(self, pair, batch):
        x, t, text, lengths = batch
        for model in pair[1].train(), pair[1].eval():
            predicted = model(x, t, text, lengths)
            x2 = x.clone()
            x2[1, 2:] = 100.0
            assert torch.equal(model(x2, t, text, lengths)[1, :2], predicted[1, :2])

    def test_dropout_on_attention_in_bf16(self, batch):
        x, t, text, lengths = batch
        model = MDM(D, **SIZES, dropout=0.5, precision="bf16")
        assert not torch.equal(model(x, t, text, lengths), model(x, t, text, lengths))
        model.eval()
        assert torch.equal(model(x, t, text, lengths), model(x, t, text, lengths))

    @pytest.mark.parametrize("compiled", [False, True])
    def test_dropout_that_compilers_leave_alone(self, compiled):
        """What a GPU's compiled steps take: entries are kept or not alike in both passes."""
        drop = torch.compile(_Dropped.apply, fullgraph=True, backend="aot_eager") if compiled else _Dropped.apply
        x = torch.ones(50, 8, 20, requires_grad=True)
        dropped = drop(x, 0.2)
        dropped.sum().backward()
        torch.testing.assert_close(dropped.unique(), torch.tensor([0.0, 1.25]))
        assert torch.equal(x.grad, dropped) and (dropped == 0).float().mean().sub(0.2).abs() < 0.02

    @pytest.mark.slow
    def test_a_processor_without_bf16_gives_the_same(self, batch):
        """Its libraries are told that they run on an older one."""
        script = (
            "import torch; from videomdm.denoiser import MDM; torch.manual_seed(1);"
            f"model = MDM({D}, **{SIZES}, dropout=0.0, precision='bf16');"
            f"y = model(torch.linspace(-1, 1, {B * T * D}).view({B}, {T}, {D}), 3);"
            "y.square().sum().backward(); print(float(y.norm()), float(model.layers[0].qkv.weight.grad.norm()))"
        )
        old = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
        runs = [
            subprocess.run(
                [sys.executable, "-c", script], env=os.environ | e, capture_output=True, check=True, text=True
            )
            for e in ({}, old)
        ]
        new, old = ([float(x) for x in run.stdout.split()] for run in runs)
        assert old == pytest.approx(new, rel=0.01)


class TestGuided:
    def test_two_passes_in_one(self, model, batch):
        x, t, text, lengths = batch
        calls = []
        model.register_forward_hook(lambda _, args, out: calls.append(len(args[0])))
        guided_once = guided(model, 2.5)(x, t, text, lengths)
        assert calls == [2 * B]
        c, u = model(x, t, text, lengths), model(x, t, None, lengths)
        torch.testing.assert_close(guided_once, u + 2.5 * (c - u), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(guided_once, c, atol=1e-3)

    def test_scale_one_is_the_model(self, model):
        assert guided(model, 1) is model and guided(model, 1.0) is model

    def test_scale_zero_is_unconditional(self, model, batch):
        x, t, text, lengths = batch
        torch.testing.assert_close(guided(model, 0)(x, t, text, lengths), model(x, t, None, lengths))

    @pytest.mark.parametrize("t", [3, torch.tensor(3), torch.tensor([3])])
    def test_one_step_and_no_text(self, model, batch, t):
        x, _, text, lengths = batch
        denoise, steps = guided(model, 2.0), torch.full((B,), 3)
        torch.testing.assert_close(denoise(x, t, text), denoise(x, steps, text))
        assert torch.equal(denoise(x, t, None, lengths), model(x, t, None, lengths))


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


class TestLoadCheckpoint:
    def test_sizes_are_read(self, checkpoint):
        _, write = checkpoint
        model = load_mdm_checkpoint(write(), n_features=D)
        assert (model.n_features, model.width, model.text_width, len(model.layers)) == (D, 16, 6, 2)
        assert model.layers[0].up.out_features == 24 and not model.training

    def test_safetensors_and_averaged_weights(self, checkpoint, batch, tmp_path):
        published, write = checkpoint
        x, t, text, _ = batch
        save_file(published.state_dict(), tmp_path / "m.safetensors")
        noise = {"model": {"a": torch.zeros(1)}}
        for path in (tmp_path / "m.safetensors", write(lambda s: {"model_avg": s, **noise}, "avg.pt")):
            ours = load_mdm_checkpoint(path)(x, t, text)
            torch.testing.assert_close(ours, published(x, t, text), atol=2e-6, rtol=1e-5)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: without(s, "embed_text.bias"), "lacks embed_text.bias"),
            (lambda s: without(s, "embed_text.weight"), "no matrix embed_text.weight"),
            (lambda s: without(s, "seqTransEncoder.layers.0.norm1.weight"), "lacks .*layers.0.norm1.weight"),
            (lambda s: s | {"embed_action.weight": torch.zeros(1)}, "unknown embed_action.weight"),
            (
                lambda s: s | {"embed_text.bias": torch.zeros(5)},
                r"embed_text.bias is \(5,\), expected \(16,\)",
            ),
            (lambda s: s | {"embed_text.bias": torch.full((16,), math.nan)}, "embed_text.bias holds NaN"),
            (lambda s: {"epoch": 3}, "no matrix input_process.poseEmbedding.weight"),
            (lambda s: [1, 2], "holds a list, expected a state dict"),
        ],
    )
    def test_what_does_not_fit(self, checkpoint, change, message):
        path = checkpoint[1](change)
        with pytest.raises(ValueError, match=rf"model\.pt: .*{message}"):
            load_mdm_checkpoint(path)

    def test_another_skeleton(self, checkpoint):
        with pytest.raises(ValueError, match=r"model\.pt: made for 7 features per frame, expected 263"):
            load_mdm_checkpoint(checkpoint[1](), n_features=263)

    def test_malicious_pickle_is_not_executed(self, checkpoint, tmp_path):
        target = tmp_path / "executed"
        path = checkpoint[1](lambda s: s | {"embed_text.bias": Payload(target)})
        bare = tmp_path / "bare.pt"
        bare.write_bytes(pickle.dumps(Payload(target), protocol=2))
        for file in (path, bare):
            with pytest.raises(ValueError, match=rf"{file.name}: refused.*state dict"):
                load_mdm_checkpoint(file)
        assert not target.exists()
        torch.load(path, weights_only=False)  # the trap itself works
        assert target.exists()

    def test_missing_and_unreadable_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere.pt"):
            load_mdm_checkpoint(tmp_path / "nowhere.pt")
        for name in ("noise.pt", "noise.safetensors"):
            (tmp_path / name).write_bytes(b"\x13\x37" * 50)
            with pytest.raises(ValueError, match=name):
                load_mdm_checkpoint(tmp_path / name)


def without(state, name):
    del state[name]
    return state


class TestSkip:
    """x0 = gain(t) smooth(x_t) + F."""

    @pytest.fixture
    def skipping(self):
        torch.manual_seed(1)  # as ``model``
        return MDM(D, **SIZES, skip=1.5, signal=torch.linspace(1, 0.1, 50)).eval()

    def test_weights_are_those_of_the_form_without(self, model, skipping):
        assert skipping.state_dict().keys() == model.state_dict().keys()
        skipping.load_state_dict(model.state_dict())

    def test_adds_the_smoothed_input_by_its_gain(self, model, skipping, batch):
        x, t, text, lengths = batch
        added = skipping(x, t, text, lengths) - model(x, t, text, lengths)
        for i, n in enumerate(lengths):
            expected = skipping.gain[t[i]] * low_pass(x[i : i + 1, :n], 1.5)[0]
            torch.testing.assert_close(added[i, :n], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            skipping(x, 12, text, lengths)[1], skipping(x, torch.full((3,), 12), text, lengths)[1]
        )

    def test_padding_says_nothing(self, skipping, batch):
        x, t, text, lengths = batch
        other = x.clone()
        other[1, 2:], other[2, 4:] = 1e3, -1e3
        valid = torch.arange(T) < lengths[:, None]
        torch.testing.assert_close(
            skipping(x, t, text, lengths)[valid], skipping(other, t, text, lengths)[valid], atol=1e-4, rtol=1e-4
        )

    def test_gain_is_the_least_squares_one(self):
        generator = torch.Generator().manual_seed(0)
        signal = torch.tensor([0.99, 0.7, 0.1])
        still = UNKNOWN**0.5 * torch.randn(20_000, 1, 1, generator=generator).expand(-1, 80, 1)  # what is not known
        for s, g in zip(signal, skip_gain(signal, 2.0), strict=True):
            noisy = s * still + (1 - s**2).sqrt() * torch.randn(still.shape, generator=generator)
            smooth = low_pass(noisy, 2.0)[:, 20:-20]  # away from the ends, where fewer frames are averaged
            best = (smooth * still[:, 20:-20]).mean() / smooth.square().mean()
            assert float(g) == pytest.approx(float(best), rel=0.1)

    def test_frames_far_past_the_end_are_finite(self):
        """Losses mask them by a product, through which what is not a number would pass."""
        assert low_pass(torch.ones(1, 200, 3), 2.0, torch.tensor([40])).isfinite().all()

    def test_what_does_not_move_passes_and_noise_hardly(self):
        still = torch.randn(1, 1, 3, generator=torch.Generator().manual_seed(0)).expand(1, 40, 3)
        torch.testing.assert_close(low_pass(still, 2.0, torch.tensor([30]))[:, :30], still[:, :30])
        noise = torch.randn(1, 4000, 3, generator=torch.Generator().manual_seed(0))
        # The squares of a gaussian kernel of deviation s add up to 1 / (2 s sqrt(pi)).
        assert float(low_pass(noise, 2.0).var()) == pytest.approx(1 / (4 * math.sqrt(math.pi)), rel=0.1)

    @pytest.mark.parametrize("how", [{"skip": -1.0, "signal": torch.ones(3)}, {"skip": 1.0}])
    def test_what_cannot_be(self, how):
        with pytest.raises(ValueError, match="expected at least 0, and the steps' sqrt"):
            MDM(D, **SIZES, **how)
