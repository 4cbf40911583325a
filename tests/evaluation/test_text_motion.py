"""evaluation/text_motion.py: the architecture against a slow reference, checkpoints, training, retrieval."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from toy_motions import toy

from videomdm.conventions import DataError
from videomdm.evaluation.contrastive import contrastive_loss
from videomdm.evaluation.text_motion import (
    TextMotionEvaluator,
    load_evaluator,
    load_t2m_checkpoint,
    mm_distance,
    r_precision,
    train_evaluator,
)
from videomdm.evaluation.vocabulary import GloveVocabulary

pytestmark = pytest.mark.slow


def small(**sizes: int) -> TextMotionEvaluator:
    torch.manual_seed(0)
    model = TextMotionEvaluator(
        **(dict(n_features=23, movement_hidden=9, movement_width=8, motion_hidden=7, text_hidden=6, width=5) | sizes)
    )
    with torch.no_grad():  # biases and norms away from their initial zeros and ones
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def slow_gru(state: dict, part: str, inputs: torch.Tensor) -> torch.Tensor:
    """One sequence (L, n) through the co-embedding GRU, step by step."""
    last = []
    for direction, suffix in enumerate(("", "_reverse")):
        w_i, w_h, b_i, b_h = (
            state[f"{part}.gru.{name}_l0{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = state[f"{part}.hidden"][direction, 0]
        for x in inputs if direction == 0 else inputs.flip(0):
            reset_i, update_i, new_i = (w_i @ x + b_i).chunk(3)
            reset_h, update_h, new_h = (w_h @ hidden + b_h).chunk(3)
            update = torch.sigmoid(update_i + update_h)
            new = torch.tanh(new_i + torch.sigmoid(reset_i + reset_h) * new_h)
            hidden = (1 - update) * new + update * hidden
        last.append(hidden)
    x = linear(state, f"{part}.output_net.0", torch.cat(last))
    x = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
    x = x * state[f"{part}.output_net.1.weight"] + state[f"{part}.output_net.1.bias"]
    return linear(state, f"{part}.output_net.3", functional.leaky_relu(x, 0.2))


def linear(state: dict, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def slow_motion(state: dict, features: torch.Tensor, length: int) -> torch.Tensor:
    x = features[:, :-4].T[None]
    for layer in (0, 3):
        weight, bias = (state[f"movement_encoder.main.{layer}.{name}"] for name in ("weight", "bias"))
        x = functional.leaky_relu(functional.conv1d(functional.pad(x, (1, 1)), weight, bias, stride=2), 0.2)
    movements = linear(state, "movement_encoder.out_net", x[0].T)[: length // 4]
    return slow_gru(state, "motion_encoder", linear(state, "motion_encoder.input_emb", movements))


class TestArchitecture:
    def test_motion(self):
        model, lengths = small(), torch.tensor([13, 40, 4, 27])
        features = torch.randn(4, 40, 23)
        expected = [slow_motion(model.state_dict(), x, int(n)) for x, n in zip(features, lengths, strict=True)]
        assert torch.allclose(model.encode_motion(features, lengths), torch.stack(expected), atol=1e-5)

    def test_text(self):
        model, lengths = small(), torch.tensor([3, 7, 1])
        words, pos = torch.randn(3, 7, 300), functional.one_hot(torch.randint(15, (3, 7)), 15).float()
        state = model.state_dict()
        expected = []
        for w, p, n in zip(words, pos, lengths, strict=True):
            x = linear(state, "text_encoder.input_emb", w + linear(state, "text_encoder.pos_emb", p))
            expected.append(slow_gru(state, "text_encoder", x[:n]))
        assert torch.allclose(model.encode_text_vectors(words, pos, lengths), torch.stack(expected), atol=1e-5)

    def test_feet_do_not_count(self):
        features, lengths = torch.randn(2, 16, 23), torch.tensor([16, 12])
        changed = features.clone()
        changed[..., -4:] = 7.0
        assert torch.equal(small().encode_motion(features, lengths), small().encode_motion(changed, lengths))

    def test_many_motions_in_batches_and_without_padding(self):
        model, lengths = small(), torch.tensor([16, 8, 11, 15, 5])
        features = torch.randn(5, 16, 23)
        got = model.train().encode_motions(features, lengths, batch_size=2)
        assert model.training  # left as it was, though embedding needs no dropout
        for i, n in enumerate(lengths):
            features[i, n:] = 0
        assert torch.allclose(got, model.eval().encode_motion(features, lengths), atol=1e-6)

    def test_errors(self):
        model = small()
        with pytest.raises(ValueError, match=r"shape \(2, 16, 19\), expected \(motions, frames, 23\)"):
            model.encode_motion(torch.zeros(2, 16, 19), torch.tensor([16, 16]))
        with pytest.raises(ValueError, match=r"lengths: 3\.\.16 frames, expected within 4\.\.16"):
            model.encode_motion(torch.zeros(2, 16, 23), torch.tensor([16, 3]))
        with pytest.raises(ValueError, match="captions: none"):
            model.encode_texts([])


#: The published checkpoint's keys and shapes: (part, sizes of its inputs, hidden, output).
def official_layout() -> dict[str, tuple[int, ...]]:
    layout = {
        "movement_encoder.main.0.weight": (512, 259, 4), "movement_encoder.main.0.bias": (512,),
        "movement_encoder.main.3.weight": (512, 512, 4), "movement_encoder.main.3.bias": (512,),
        "movement_encoder.out_net.weight": (512, 512), "movement_encoder.out_net.bias": (512,),
        "text_encoder.pos_emb.weight": (300, 15), "text_encoder.pos_emb.bias": (300,),
    }  # fmt: skip
    for part, inputs, hidden in (("text_encoder", 300, 512), ("motion_encoder", 512, 1024)):
        layout |= {
            f"{part}.hidden": (2, 1, hidden),
            f"{part}.input_emb.weight": (hidden, inputs), f"{part}.input_emb.bias": (hidden,),
            f"{part}.output_net.0.weight": (hidden, 2 * hidden), f"{part}.output_net.0.bias": (hidden,),
            f"{part}.output_net.1.weight": (hidden,), f"{part}.output_net.1.bias": (hidden,),
            f"{part}.output_net.3.weight": (512, hidden), f"{part}.output_net.3.bias": (512,),
        }  # fmt: skip
        for suffix in ("l0", "l0_reverse"):
            layout |= {f"{part}.gru.weight_{side}_{suffix}": (3 * hidden, hidden) for side in ("ih", "hh")}
            layout |= {f"{part}.gru.bias_{side}_{suffix}": (3 * hidden,) for side in ("ih", "hh")}
    return layout


def nested(state: dict) -> dict:
    content = {"epoch": 12, "iter": 345}
    for key, tensor in state.items():
        part, name = key.split(".", 1)
        content.setdefault(part, {})[name] = tensor
    return content


class TestCheckpoints:
    def test_official_layout(self):
        with torch.device("meta"):
            state = TextMotionEvaluator().state_dict()
        assert {key: tuple(tensor.shape) for key, tensor in state.items()} == official_layout()

    @pytest.mark.data
    def test_official_layout_as_published(self, data_root: Path):
        path = data_root.parent / "checkpoint_layouts.json"
        if not path.exists():
            pytest.skip(f"needs {path.name} beside the data folder")
        published = json.loads(path.read_text())["t2m_text_mot_match_finest"]
        assert {key: tuple(shape) for key, shape in published.items()} == official_layout()

    @pytest.mark.parametrize("form", [nested, dict])
    def test_round_trip(self, tmp_path, form):
        model = small()
        torch.save(form(model.state_dict()), tmp_path / "finest.tar")
        loaded = load_t2m_checkpoint(tmp_path / "finest.tar")
        assert not loaded.training and loaded.n_features == 23
        features, lengths = torch.randn(3, 20, 23), torch.tensor([20, 9, 14])
        assert torch.equal(loaded.encode_motion(features, lengths), model.encode_motion(features, lengths))
        assert torch.equal(
            loaded.encode_texts(["walk", "a person runs"]), model.encode_texts(["walk", "a person runs"])
        )

    def test_other_layouts(self, tmp_path):
        path, state = tmp_path / "finest.tar", small().state_dict()

        def message(content: object) -> str:
            torch.save(content, path)
            with pytest.raises(DataError) as error:
                load_t2m_checkpoint(path)
            return str(error.value)

        assert "no 'movement_encoder'; its keys are model, epoch" in message({"model": {}, "epoch": 1})
        assert "holds a list" in message([1, 2])
        key = "motion_encoder.input_emb.weight"
        assert f"key '{key}' (7, 8) is missing" in message({k: v for k, v in state.items() if k != key})
        assert f"'{key}' has shape (7, 9), expected (7, 8)" in message(state | {key: torch.zeros(7, 9)})
        key = "movement_encoder.main.0.weight"
        assert f"'{key}' is (9, 4), expected a tensor of 3 dimensions" in message(state | {key: torch.zeros(9, 4)})
        assert "unknown key 'text_encoder.extra' (3,)" in message(state | {"text_encoder.extra": torch.zeros(3)})

    def test_hostile_pickle_is_not_executed(self, tmp_path, monkeypatch):
        class Hostile:
            def __reduce__(self):
                return os.mkdir, ("executed",)

        monkeypatch.chdir(tmp_path)
        torch.save({"movement_encoder": Hostile()}, "finest.tar")
        with pytest.raises(DataError, match=r"finest.tar: not a readable weights-only checkpoint"):
            load_t2m_checkpoint("finest.tar")
        assert not Path("executed").exists()

    def test_save_and_load(self, tmp_path):
        model = small()
        model.save(tmp_path / "evaluator.safetensors")
        loaded = load_evaluator(tmp_path / "evaluator.safetensors")
        assert loaded.state_dict().keys() == model.state_dict().keys()
        assert all(torch.equal(v, model.state_dict()[k]) for k, v in loaded.state_dict().items())
        assert not loaded.training

    def test_load_errors(self, tmp_path):
        path = tmp_path / "evaluator.safetensors"
        with pytest.raises(DataError, match="evaluator.safetensors"):
            load_evaluator(path)
        path.write_bytes(b"12345678 no safetensors")
        with pytest.raises(DataError, match="expected an evaluator's safetensors file"):
            load_evaluator(path)
        state = small().state_dict()
        save_file(state, path, metadata={"vocabulary": GloveVocabulary.__name__})
        with pytest.raises(DataError, match="trained with a GloveVocabulary, expected a HashedVocabulary"):
            load_evaluator(path)


class TestTraining:
    SIZES = dict(batch_size=32, learning_rate=3e-3, movement_width=32, hidden=32, width=24, progress=False)

    def test_learns_what_captions_say(self):
        model = train_evaluator(*toy(256, 0), steps=120, **self.SIZES)
        features, lengths, captions = toy(256, 1)
        motion = model.encode_motions(features, lengths)
        kinds = sorted({c[0] for c in captions})
        true = torch.tensor([kinds.index(c[0]) for c in captions])
        names = model.encode_texts(kinds)  # 12 kinds: motions and the other phrasing find their own
        matched = torch.cdist(motion, names).argmin(1)
        rephrased = torch.cdist(model.encode_texts([c[1] for c in captions]), names).argmin(1)
        assert (matched == true).double().mean() > 0.9
        assert (rephrased == true).double().mean() > 0.9
        text = model.encode_texts([c[0] for c in captions])
        assert mm_distance(text, motion) < 0.8 * mm_distance(text, motion.roll(1, 0))

    def test_deterministic_and_leaves_the_global_generator_alone(self):
        data, state = toy(40, 0), torch.get_rng_state()
        first, again, other = (train_evaluator(*data, steps=3, seed=s, **self.SIZES) for s in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), state)
        pairs = [(first.state_dict()[k], again.state_dict()[k], other.state_dict()[k]) for k in first.state_dict()]
        assert all(torch.equal(a, b) for a, b, _ in pairs)
        assert not any(torch.equal(a, c) for a, _, c in pairs if a.ndim > 1)

    def test_padding_is_never_seen(self):
        features, lengths, captions = toy(40, 0)
        poisoned = features.clone()
        for i, n in enumerate(lengths):
            poisoned[i, n:] = float("nan")
        clean, same = (train_evaluator(x, lengths, captions, steps=3, **self.SIZES) for x in (features, poisoned))
        assert all(torch.equal(v, same.state_dict()[k]) for k, v in clean.state_dict().items())

    def test_errors(self):
        features, lengths, captions = toy(10, 0)
        with pytest.raises(ValueError, match="captions: of 9 clips, expected 10"):
            train_evaluator(features, lengths, captions[:9], steps=1)
        with pytest.raises(ValueError, match=r"captions: \(\) for clip 9"):
            train_evaluator(features, lengths, [*captions[:9], ()], steps=1)
        features[4, 2, 1] = float("nan")
        with pytest.raises(ValueError, match="features: clip 4 is not finite"):
            train_evaluator(features, lengths, captions, steps=1)


class TestContrastiveLoss:
    def test_hand_computed(self):
        # distances: own 0, other 2 -> scores 0 and -2
        x = torch.tensor([[0.0], [2.0]])
        expected = -torch.log_softmax(torch.tensor([0.0, -2.0]), 0)[0]
        assert contrastive_loss(x, x, torch.eye(2) > 0).item() == pytest.approx(expected.item())

    def test_identical_captions_are_no_negatives(self):
        text, motion = torch.randn(3, 4), torch.randn(3, 4)
        same = torch.ones(3, 3, dtype=torch.bool)
        assert contrastive_loss(text, motion, same).item() == 0


class TestRetrieval:
    @staticmethod
    def slow(text: torch.Tensor, motion: torch.Tensor, top_k: int, pool: int) -> list[float]:
        hits, pools = [0] * top_k, len(text) // pool
        for i in range(pools * pool):
            start = i // pool * pool
            distances = [float((text[i] - motion[j]).norm()) for j in range(start, start + pool)]
            rank = sorted(range(pool), key=distances.__getitem__).index(i - start)
            hits = [h + (rank <= k) for k, h in enumerate(hits)]
        return [h / (pools * pool) for h in hits]

    def test_slow_reference_without_the_remainder(self):
        generator = torch.Generator().manual_seed(0)
        motion = torch.randn(100, 6, generator=generator, dtype=torch.float64)
        text = motion + torch.randn(100, 6, generator=generator, dtype=torch.float64)
        expected = self.slow(text, motion, 3, 32)
        assert 0 < expected[0] < expected[2] < 1
        assert r_precision(text, motion).tolist() == pytest.approx(expected)
        text[96:] = 100.0  # rows 96..99 fill no pool
        assert r_precision(text, motion).tolist() == pytest.approx(expected)

    def test_perfect_and_collapsed(self):
        motion = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
        assert r_precision(motion, motion).tolist() == [1, 1, 1]
        # all motions the same: ties go by order, which is chance
        assert r_precision(motion, torch.zeros(64, 6)).tolist() == pytest.approx([1 / 32, 2 / 32, 3 / 32])

    def test_shuffled_pools(self):
        motion = torch.arange(64.0)[:, None].repeat(1, 2)
        text = motion + 0.6  # in pools of neighbours mostly the next motion is nearest
        shuffled = r_precision(text, motion, generator=torch.Generator().manual_seed(0))
        assert r_precision(text, motion)[0] < 0.1 < shuffled[0]

    def test_mm_distance(self):
        text = torch.tensor([[0.0, 0], [1, 1]])
        assert mm_distance(text, torch.tensor([[3.0, 4], [1, 1]])) == pytest.approx(2.5)

    def test_errors(self):
        x = torch.randn(31, 4)
        with pytest.raises(ValueError, match="text: 31 rows, top_k 3; expected at least 32 rows"):
            r_precision(x, x)
        with pytest.raises(ValueError, match="motion: 30 rows, expected 31"):
            mm_distance(x, x[:30])
        x[7, 1] = float("inf")
        with pytest.raises(ValueError, match=r"motion: inf at \(7, 1\)"):
            mm_distance(x.nan_to_num(posinf=0), x)
