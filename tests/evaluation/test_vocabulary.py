"""evaluation/vocabulary.py: tokens, hashed vectors, the official files and hostile ones."""

import json
import os
import pickle

import numpy as np
import pytest
import torch

from videomdm.conventions import DataError
from videomdm.evaluation.vocabulary import (
    PARTS_OF_SPEECH,
    GloveVocabulary,
    HashedVocabulary,
    encode_captions,
    hashed_vector,
    tokenize,
)


class TestTokenize:
    def test_sentence(self):
        assert tokenize("A person walks forward, slowly raising both arms!") == (
            "a/DET", "person/NOUN", "walk/Act_VIP", "forward/Loc_VIP", "slowly/Desc_VIP", "raise/Act_VIP",
            "both/DET", "arm/Body_VIP",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("form", "word"),
        [("jumping", "jump"), ("running", "run"), ("danced", "dance"), ("ran", "run"), ("squats", "squat"),
         ("forwards", "forward"), ("stairs", "stair"), ("bus", "bus"), ("nothing", "nothing")],
    )  # fmt: skip
    def test_forms(self, form, word):
        assert tokenize(form)[0].split("/")[0] == word

    def test_no_word(self):
        with pytest.raises(ValueError, match=r"caption ' \.\.\.' holds no word"):
            tokenize(" ...")


class TestHashedVectors:
    def test_the_same_everywhere(self):
        """Pinned: an evaluator's weights mean nothing under other vectors."""
        vector = hashed_vector("walk")
        assert vector.dtype == np.float32 and vector.shape == (300,)
        assert np.linalg.norm(vector) == pytest.approx(6, rel=1e-6)
        assert vector[:4] == pytest.approx(PINNED, abs=1e-6)

    def test_spelling_decides_nearness(self):
        word, near, far = (hashed_vector(w) / 6 for w in ("zombielike", "zombie", "gracefully"))
        assert word @ near > 0.2
        assert abs(word @ far) < 0.2


PINNED = [0.824163, -0.329665, -0.329665, 0.0]


class TestEncode:
    def test_shapes_padding_and_classes(self):
        words, tags, lengths = encode_captions(["walk left", "a person runs to the left"], HashedVocabulary())
        assert words.shape == (2, 8, 300) and tags.shape == (2, 8, 15)
        assert lengths.tolist() == [4, 8]
        assert not words[0, 4:].any() and not tags[0, 4:].any()
        assert [PARTS_OF_SPEECH[i] for i in tags[0, :4].argmax(-1)] == [
            "OTHER",
            "Act_VIP",
            "Loc_VIP",
            "OTHER",
        ]
        assert torch.equal(words[0, 2], words[1, 6])  # "left" in both

    def test_given_tokens_and_the_limit(self):
        tokens = [f"word{i}/NOUN" for i in range(30)]
        words, tags, lengths = encode_captions([tokens], HashedVocabulary())
        assert lengths.tolist() == [22]
        assert torch.equal(words[0, 20], torch.from_numpy(hashed_vector("word19")))
        assert tags[0, 21].argmax() == PARTS_OF_SPEECH.index("OTHER")

    def test_bad_token(self):
        with pytest.raises(ValueError, match="token 'walk', expected word/TAG"):
            encode_captions([["walk"]], HashedVocabulary())


@pytest.fixture
def glove(tmp_path):
    words = ["unk", "sos", "eos", "walk", "person"]
    np.save(tmp_path / "our_vab_data.npy", np.arange(1500, dtype=np.float64).reshape(5, 300))
    (tmp_path / "our_vab_words.pkl").write_bytes(pickle.dumps(words))
    return tmp_path, {word: i for i, word in enumerate(words)}


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("executed",)


class TestGlove:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_official_files(self, glove, protocol):
        folder, rows = glove
        (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps(rows, protocol))
        vocabulary = GloveVocabulary(folder)
        vector, tag = vocabulary.look_up("person/NOUN")
        assert vector[0] == 1200 and vector.dtype == np.float32
        assert PARTS_OF_SPEECH[tag.argmax()] == "NOUN"
        assert PARTS_OF_SPEECH[vocabulary.look_up("walk/VERB")[1].argmax()] == "Act_VIP"
        vector, tag = vocabulary.look_up("pirouette/VERB")  # unknown
        assert vector[0] == 0 and PARTS_OF_SPEECH[tag.argmax()] == "OTHER"

    def test_many_words(self, glove):
        folder, _ = glove
        rows = {f"w{i}": i for i in range(70_000)} | {"unk": 2}
        np.save(folder / "our_vab_data.npy", np.zeros((70_000, 3), np.float32))
        (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps(rows))
        assert GloveVocabulary(folder)._rows == rows

    def test_json_instead(self, glove):
        folder, rows = glove
        (folder / "our_vab_idx.json").write_text(json.dumps(rows))
        assert GloveVocabulary(folder).look_up("walk/VERB")[0][0] == 900

    def test_hostile_pickle_is_refused_unexecuted(self, glove, monkeypatch):
        folder, rows = glove
        monkeypatch.chdir(folder)
        (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps(rows | {"walk": Hostile()}))
        with pytest.raises(DataError, match="our_vab_idx.pkl: pickle opcode .*GLOBAL"):
            GloveVocabulary(folder)
        assert not (folder / "executed").exists()

    def test_bad_files(self, glove):
        folder, rows = glove
        with pytest.raises(DataError, match=r"neither our_vab_idx.json nor our_vab_idx.pkl"):
            GloveVocabulary(folder)
        index = folder / "our_vab_idx.json"
        index.write_text(json.dumps(rows | {"far": 77}))
        with pytest.raises(DataError, match=r"word 'far' has row 77, expected within 0\.\.4"):
            GloveVocabulary(folder)
        index.write_text(json.dumps({"walk": 3}))
        with pytest.raises(DataError, match="no word 'unk'"):
            GloveVocabulary(folder)
        np.save(folder / "our_vab_data.npy", np.zeros(7))
        with pytest.raises(DataError, match=r"our_vab_data.npy: float64 \(7,\), expected finite floats"):
            GloveVocabulary(folder)
        (folder / "our_vab_idx.json").unlink()
        np.save(folder / "our_vab_data.npy", np.zeros((5, 3)))
        (folder / "our_vab_idx.pkl").write_bytes(b"not a pickle")
        with pytest.raises(DataError, match="our_vab_idx.pkl"):
            GloveVocabulary(folder)
