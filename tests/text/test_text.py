import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videomdm.text import ClipText, HashedText, by_name, embed_cached, stem, tokens


def cosine(a, b):
    a, b = HashedText().encode([a, b]).double()
    return float(a @ b / (a.norm() * b.norm()))


class TestStem:
    @pytest.mark.parametrize(
        "family",
        ["wave waves waved waving", "step steps stepped stepping", "roll rolls rolling", "run ran runs",
         "jog jogging jogs", "punch punches punched", "kneel knelt kneeling", "hurry hurried hurriedly",
         "carry carries", "energetic energetically", "turn turning", "sit sat sits sitting", "cross crosses",
         "lunge lunges lunging", "foot feet", "angry angrily", "gentle gently"],
    )  # fmt: skip
    def test_one_word(self, family):
        assert len({stem(word) for word in family.split()}) == 1

    @pytest.mark.parametrize("pair", ["left leg", "swing sing", "clap clasp", "walk wall", "right raise", "bend bow"])
    def test_different_words(self, pair):
        first, second = map(stem, pair.split())
        assert first != second

    def test_tokens(self):
        assert tokens("Someone's hand waves 3 times, anti-clockwise!") == [
            "someone", "hand", "wav", "3", "tim", "counter", "clockwis",
        ]  # fmt: skip
        assert tokens("counterclockwise") == tokens("counter-clockwise") == tokens("anticlockwise")
        assert tokens("twice") == tokens("two") == ["2"] and tokens(" ?!") == []


class TestHashedText:
    def test_shape_scale_and_empty_caption(self):
        vectors = HashedText(512).encode(["a person walks", "", "the"])
        assert vectors.shape == (3, 512) and vectors.dtype == torch.float32
        torch.testing.assert_close(vectors.square().mean(1), torch.tensor([1.0, 0.0, 1.0]))
        assert HashedText(10).encode([]).shape == (0, 10)

    def test_direction_by_hand(self):
        digest = hashlib.shake_256(b"word the").digest(2)
        bits = "".join(f"{byte:08b}" for byte in digest)[:12]
        expected = torch.tensor([1.0 if bit == "1" else -1.0 for bit in bits])
        torch.testing.assert_close(HashedText(12).encode(["the"])[0], expected)

    @pytest.mark.slow
    def test_same_in_another_process_and_without_transformers(self):
        """Python's own hash differs between processes; ours may not.  CLIP is imported only when used."""
        code = """
import json, sys
from videomdm.text import HashedText
print(json.dumps([HashedText(64).encode(["a man kicks"]).tolist(), "transformers" in sys.modules]))
"""
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        vectors, imported = json.loads(out)
        np.testing.assert_allclose(vectors, HashedText(64).encode(["a man kicks"]).numpy(), rtol=1e-6)
        assert not imported

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.text(max_size=40), max_size=4))
    def test_any_text(self, captions):
        vectors = HashedText(32).encode(captions)
        assert vectors.shape == (len(captions), 32) and vectors.isfinite().all()

    @given(st.permutations(["a man walks", "he jumps twice", "wave"]))
    def test_rows_do_not_depend_on_the_batch(self, captions):
        alone = torch.cat([HashedText(32).encode([caption]) for caption in captions])
        assert torch.equal(HashedText(32).encode(captions), alone)

    @pytest.mark.parametrize(
        ("caption", "alike", "other"),
        [
            ("a person walks forward", "someone is walking ahead", "a person kicks with the leg"),
            ("a man jumps twice", "someone leaps two times", "a man jumps three times"),
            ("a person raises the left arm", "the man lifts his left hand", "a person raises the right arm"),
            ("a person walks slowly", "a woman strolls at a slow pace", "a person walks quickly"),
            ("turns clockwise", "a person is turning clockwise", "turns counterclockwise"),
            ("a person walks backwards", "somebody is walking in reverse", "a person sits down"),
            ("The man WAVES.", "the men, waving", "a person crawls"),
        ],
    )
    def test_alike_is_nearer_than_other(self, caption, alike, other):
        assert cosine(caption, alike) > cosine(caption, other) + 0.02

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("raises the left arm", "raises the right arm"),
            ("walks forward", "walks backward"),
            ("jumps 2 times", "jumps 3 times"),
            ("turns clockwise", "turns counterclockwise"),
            ("waves the left hand then the right foot", "waves the right hand then the left foot"),
        ],
    )
    def test_contrasts_stay_apart(self, first, second):
        assert cosine(first, second) < 0.9

    def test_the_actor_hardly_counts(self):
        assert cosine("a person walks in a circle", "the woman is walking in circles") > 0.97

    def test_unrelated_captions_are_orthogonal(self):
        assert abs(cosine("kicks", "waving")) < 0.15


class TestByName:
    def test_names_lead_back(self):
        for encoder in (by_name("hashed"), by_name("hashed:64")):
            assert by_name(encoder.name).name == encoder.name
            assert encoder.encode(["x"]).shape == (1, encoder.width)
        assert by_name("hashed").width == 512 and by_name("hashed:64").width == 64

    @pytest.mark.parametrize("name", ["bert", "", "hashed:wide", "hashed:0"])
    def test_unknown(self, name):
        with pytest.raises(ValueError, match=f"text encoder '{name}', expected one of minilm, hashed"):
            by_name(name)


class Counting(HashedText):
    def __init__(self, width=8):
        super().__init__(width)
        self.encoded = []

    def encode(self, texts):
        self.encoded += texts
        return super().encode(texts)


class TestCache:
    captions = ("b walks", "a runs", "b walks")

    def test_computed_once(self, tmp_path):
        encoder = Counting()
        first = embed_cached(encoder, self.captions, tmp_path / "cache")
        second = embed_cached(encoder, list(self.captions), tmp_path / "cache")
        assert sorted(encoder.encoded) == ["a runs", "b walks"]
        expected = HashedText(8).encode(list(self.captions))
        assert torch.equal(first, expected) and torch.equal(second, expected)

    def test_order_does_not_matter_to_the_cache(self, tmp_path):
        encoder = Counting()
        embed_cached(encoder, self.captions, tmp_path)
        again = embed_cached(encoder, ["a runs", "b walks"], tmp_path)
        assert len(encoder.encoded) == 2 and torch.equal(again, HashedText(8).encode(["a runs", "b walks"]))

    def test_other_captions_and_encoders_have_their_own(self, tmp_path):
        for encoder, captions in [
            (Counting(), ["a"]),
            (Counting(), ["b"]),
            (Counting(16), ["a"]),
            (Counting(), []),
        ]:
            assert torch.equal(embed_cached(encoder, captions, tmp_path), encoder.encode(captions))
        assert len(list(tmp_path.iterdir())) == 4

    def test_damaged_cache_is_made_anew(self, tmp_path):
        expected = embed_cached(HashedText(8), self.captions, tmp_path)
        (path,) = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:20])
        encoder = Counting()
        assert torch.equal(embed_cached(encoder, self.captions, tmp_path), expected) and encoder.encoded
        assert torch.equal(embed_cached(HashedText(8), self.captions, tmp_path), expected)


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """A folder with a tiny randomly initialised CLIP text model and a byte-level tokenizer without merges."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'clip'")
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("clip")
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=16, intermediate_size=32, projection_dim=12, num_hidden_layers=2,
        num_attention_heads=2, bos_token_id=len(tokens) - 2, eos_token_id=len(tokens) - 1,
    )  # fmt: skip
    transformers.CLIPTextModelWithProjection(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
class TestClipText:
    def test_vectors(self, tiny_clip):
        encoder = by_name(f"clip:{tiny_clip}")
        assert encoder.width == 12 and encoder.name == f"clip:{tiny_clip}"
        vectors = encoder.encode(["walks", "a man runs", "walks"])
        assert vectors.shape == (3, 12) and vectors.dtype == torch.float32 and not vectors.requires_grad
        assert torch.equal(vectors[0], vectors[2]) and not torch.allclose(vectors[0], vectors[1])
        assert encoder.encode([]).shape == (0, 12)

    def test_neither_padding_nor_batches_change_a_vector(self, tiny_clip):
        encoder, captions = ClipText(str(tiny_clip)), ["walks", "a man runs fast", "up"]
        alone = torch.cat([encoder.encode([caption]) for caption in captions])
        torch.testing.assert_close(encoder.encode(captions, batch_size=2), alone, atol=1e-6, rtol=1e-5)

    def test_pooled_at_the_end_mark_and_projected(self, tiny_clip):
        encoder = ClipText(str(tiny_clip))
        ids = encoder._tokenizer(["runs"], return_tensors="pt")
        assert ids.input_ids[0, -1] == encoder._model.config.eos_token_id
        hidden = encoder._model.text_model(**ids).last_hidden_state[:, -1]
        torch.testing.assert_close(encoder.encode(["runs"]), hidden @ encoder._model.text_projection.weight.T)

    def test_long_captions_are_cut_with_a_warning(self, tiny_clip):
        encoder = ClipText(str(tiny_clip), max_tokens=6)
        with pytest.warns(UserWarning, match="cut to 6 of 12 tokens: 'abcdefghij'"):
            cut = encoder.encode(["abcdefghij"])
        torch.testing.assert_close(cut, encoder.encode(["abcd"]), atol=1e-2, rtol=1e9)

    def test_missing_weights_say_how_to_place_them(self, tmp_path):
        pytest.importorskip("transformers", reason="needs the extra 'clip'")
        with pytest.raises(FileNotFoundError, match="nowhere.*hf download openai/clip-vit-base-patch32.*clip:/"):
            by_name(f"clip:{tmp_path / 'nowhere'}")

    def test_missing_transformers(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(ImportError, match=r"pip install 'videomdm\[clip\]'"):
            ClipText()
