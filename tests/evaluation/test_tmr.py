"""evaluation/tmr.py: the transformers against torch's own, the sphere, captions that are no negatives, training."""

import pytest
import torch
from torch import nn
from toy_motions import toy

from videomdm.conventions import DataError
from videomdm.denoiser import sinusoids
from videomdm.evaluation.contrastive import contrastive_loss
from videomdm.evaluation.text_motion import mm_distance
from videomdm.evaluation.tmr import POSITION_SCALE, TEMPERATURE, TMREvaluator, load_tmr, similar_captions, train_tmr
from videomdm.evaluation.vocabulary import GloveVocabulary, encode_captions, tokenize

pytestmark = pytest.mark.slow


def small() -> TMREvaluator:
    torch.manual_seed(0)
    return TMREvaluator(n_features=10, width=16, n_layers=2, n_heads=2, feedforward=24).eval()


def slow(encoder: nn.Module, sequence: torch.Tensor) -> torch.Tensor:
    """One sequence (L, n) without padding through torch's transformer layers."""
    tokens = torch.cat([encoder.first[None], encoder.embed(sequence)])
    tokens = tokens + POSITION_SCALE * sinusoids(len(sequence) + 1, 16)
    for layer in encoder.layers:
        theirs = nn.TransformerEncoderLayer(16, 2, 24, 0.0, "gelu", batch_first=True).eval()
        names = {"self_attn.in_proj_": "qkv.", "self_attn.out_proj.": "out.", "linear1.": "up.", "linear2.": "down."}
        own, state = layer.state_dict(), {}
        for name in theirs.state_dict():
            ours = name
            for a, b in names.items():
                ours = ours.replace(a, b)
            state[name] = own[ours]
        theirs.load_state_dict(state)
        tokens = theirs(tokens[None])[0]
    return tokens[0] / tokens[0].norm() / TEMPERATURE**0.5


class TestArchitecture:
    def test_motion(self):
        model, lengths = small(), torch.tensor([13, 40, 4, 27])
        features = torch.randn(4, 40, 10)
        with torch.no_grad():
            expected = [slow(model.motion_encoder, x[:n]) for x, n in zip(features, lengths, strict=True)]
            assert torch.allclose(model.encode_motion(features, lengths), torch.stack(expected), atol=1e-5)
        assert torch.allclose(model.encode_motions(features, lengths, batch_size=3), torch.stack(expected), atol=1e-5)

    def test_text(self):
        model, captions = small(), ["a person walks", "someone jumps up and down twice, then sits"]
        words, _, lengths = encode_captions(captions, model.vocabulary)
        with torch.no_grad():
            expected = [slow(model.text_encoder, x[:n]) for x, n in zip(words, lengths, strict=True)]
        assert torch.allclose(model.encode_texts(captions), torch.stack(expected), atol=1e-5)

    def test_feet_count(self):
        features, lengths = torch.randn(2, 16, 10), torch.tensor([16, 12])
        changed = features.clone()
        changed[..., -4:] = 7.0
        assert not torch.allclose(small().encode_motion(features, lengths), small().encode_motion(changed, lengths))

    def test_loss_is_info_nce_over_cosines(self):
        model = small()
        motion = model.encode_motion(torch.randn(5, 20, 10), torch.full((5,), 20))
        text = model.encode_texts([f"a person {verb}s" for verb in ("walk", "run", "jump", "sit", "kick")])
        cosines = nn.functional.cosine_similarity(text[:, None], motion[None], dim=-1) / TEMPERATURE
        target = torch.arange(5)
        expected = nn.functional.cross_entropy(cosines, target) + nn.functional.cross_entropy(cosines.T, target)
        loss = contrastive_loss(text, motion, torch.eye(5) > 0)
        assert loss.item() == pytest.approx(expected.item() / 2, rel=1e-5)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"shape \(2, 16, 9\), expected \(motions, frames, 10\)"):
            small().encode_motion(torch.zeros(2, 16, 9), torch.tensor([16, 16]))


def test_captions_that_say_the_same_are_no_negatives():
    captions = [
        "a person waves with the left hand.",
        "someone waves with the left hand.",
        "a person waves with the right hand.",
        "a person jumps twice.",
    ]
    expected = torch.eye(4, dtype=torch.bool)
    expected[0, 1] = expected[1, 0] = True
    assert torch.equal(similar_captions(captions), expected)
    tokens = [tokenize(caption) for caption in captions]
    assert torch.equal(similar_captions(tokens), expected)


class TestTraining:
    SIZES = dict(batch_size=32, learning_rate=4e-3, width=32, n_layers=1, progress=False)

    def test_learns_what_captions_say(self):
        model = train_tmr(*toy(256, 0), steps=160, **self.SIZES)
        features, lengths, captions = toy(256, 1)
        motion = model.encode_motions(features, lengths)
        kinds = sorted({c[0] for c in captions})
        true = torch.tensor([kinds.index(c[0]) for c in captions])
        assert (torch.cdist(motion, model.encode_texts(kinds)).argmin(1) == true).double().mean() > 0.9
        text = model.encode_texts([c[0] for c in captions])
        assert mm_distance(text, motion) < 0.8 * mm_distance(text, motion.roll(1, 0))

    def test_deterministic(self):
        data = toy(40, 0)
        first, again, other = (train_tmr(*data, steps=3, seed=s, **self.SIZES).state_dict() for s in (1, 1, 2))
        assert all(torch.equal(v, again[k]) for k, v in first.items())
        assert not torch.equal(first["motion_encoder.embed.weight"], other["motion_encoder.embed.weight"])


class TestFiles:
    def test_round_trip(self, tmp_path):
        model, path = small(), tmp_path / "tmr.safetensors"
        model.save(path)
        loaded = load_tmr(path)
        assert not loaded.training and loaded.sizes == model.sizes
        captions = ["a person walks", "a man runs in a circle"]
        assert torch.equal(loaded.encode_texts(captions), model.encode_texts(captions))

    def test_errors(self, tmp_path):
        path = tmp_path / "tmr.safetensors"
        with pytest.raises(DataError, match="no such weights file"):
            load_tmr(path)
        path.write_bytes(b"12345678 no safetensors")
        with pytest.raises(DataError, match="expected a TMR evaluator's"):
            load_tmr(path)
        small().save(path)
        with pytest.raises(DataError, match="trained with a HashedVocabulary, expected a GloveVocabulary"):
            load_tmr(path, GloveVocabulary.__new__(GloveVocabulary))
