import json
import warnings

import pytest
import torch
from torch.nn.functional import cosine_similarity

from videomdm.text import HashedText, MiniLMText, by_name, minilm

CAPTIONS = ["a person walks forward", "he jumps", "someone raises the left arm"]


def cosine(first, second):
    return float(cosine_similarity(*MiniLMText().encode([first, second]), dim=0))


class TestNetwork:
    def test_close_to_the_original(self):
        """The stored numbers are sentence-transformers' own, by another implementation, in float32."""
        originals = json.loads((minilm.WEIGHTS / "original.json").read_text())
        model, _ = minilm.network()
        for sentence, original in originals.items():
            ids = torch.tensor(minilm.token_ids([sentence]))
            found = model(ids)[0].mean(0)
            assert cosine_similarity(found, torch.tensor(original), dim=0) > 0.99, sentence

    def test_reading_the_weights_draws_no_random_numbers(self):
        minilm.network.cache_clear()
        before = torch.get_rng_state()
        model, centre = minilm.network()
        assert torch.equal(torch.get_rng_state(), before)
        assert not any(p.requires_grad for p in model.parameters()) and not model.training and centre.shape == (384,)

    def test_size_of_the_files(self):
        assert sum(file.stat().st_size for file in minilm.WEIGHTS.iterdir()) < 17.5e6


class TestMiniLMText:
    def test_shape_scale_and_empty_caption(self):
        vectors = MiniLMText().encode(["a person walks", "", "the", " ?!"])
        assert vectors.shape == (4, 896) and vectors.dtype == torch.float32 and not vectors.requires_grad
        torch.testing.assert_close(vectors.square().mean(1), torch.tensor([1.0, 0.0, 1.0, 0.0]))
        assert MiniLMText().encode([]).shape == (0, 896)

    def test_shares_of_the_two_parts(self):
        vectors, hashed = MiniLMText().encode(CAPTIONS), HashedText().encode(CAPTIONS)
        torch.testing.assert_close(vectors[:, 384:], hashed * (896 * 0.4 / 512) ** 0.5)
        torch.testing.assert_close(vectors[:, :384].square().sum(1), torch.full((3,), 896 * 0.6))

    def test_rows_do_not_depend_on_the_batch(self):
        captions = [*CAPTIONS, "kick", *("a man walks " + "slowly " * n for n in range(1, 9))]
        alone = torch.cat([MiniLMText().encode([caption]) for caption in captions])
        torch.testing.assert_close(MiniLMText().encode(captions), alone, atol=1e-4, rtol=1e-4)
        assert torch.equal(MiniLMText().encode(captions), MiniLMText().encode(captions))

    @pytest.mark.parametrize(
        ("caption", "alike", "other"),
        [
            ("a person strolls through the park", "someone is walking", "someone is jumping"),
            ("a person hops", "someone jumps", "someone kicks"),
            ("he hurls a ball", "a person throws a ball", "a person kicks a ball"),
            ("a person waltzes", "someone is dancing", "someone is sitting down"),
            ("a person raises the left arm", "the man lifts his left arm", "a person raises the right arm"),
            ("a person walks backwards", "somebody is walking in reverse", "a person walks forwards"),
            ("a man jumps twice", "someone leaps two times", "a man jumps three times"),
            ("turns clockwise", "a person is turning clockwise", "turns counterclockwise"),
        ],
    )
    def test_alike_is_nearer_than_other(self, caption, alike, other):
        assert cosine(caption, alike) > cosine(caption, other) + 0.02

    @pytest.mark.parametrize(
        ("first", "second"),
        [("raises the left arm", "raises the right arm"), ("walks forward", "walks backward"),
         ("jumps 2 times", "jumps 3 times"), ("turns clockwise", "turns counterclockwise")],
    )  # fmt: skip
    def test_contrasts_stay_apart(self, first, second):
        assert cosine(first, second) < 0.9

    def test_a_caption_that_cannot_be_read_is_said_and_is_no_condition(self):
        with pytest.warns(UserWarning, match="letters a to z and digits: '歩く' counts as no caption"):
            vectors = MiniLMText().encode(["歩く", "walks"])
        assert not vectors[0].any() and vectors[1].any()

    def test_long_captions_are_cut_with_a_warning(self):
        long = "step " * 200
        with pytest.warns(UserWarning, match="caption cut to 128 tokens, as are 0 others: 'step step"):
            MiniLMText().encode([long, "walks"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            MiniLMText().encode(["step " * 126])

    def test_by_name(self):
        encoder = by_name("minilm")
        assert encoder.name == "minilm-v1" and by_name("minilm-v1").name == encoder.name and encoder.width == 896
