"""Measures of text encoders, by encoders whose answers are known."""

import json

import pytest
import torch
from torch.nn.functional import one_hot

from videomdm.conventions import DataError
from videomdm.evaluation import words

CLIPS = {f"clip{i:02}": [f"walks {i} times", f"he walks {i} times"] for i in range(40)}


def by_number(captions):
    """Captions with the same number have the same vector."""
    return torch.stack([one_hot(torch.tensor(int(next(filter(str.isdigit, c.split())))), 40) for c in captions]).float()


def blind(captions):
    return torch.ones(len(captions), 3)


class TestReadCaptions:
    def test_clips_with_several_captions_and_no_mirrored_twins(self, tmp_path):
        path = tmp_path / "captions.json"
        content = {f"{i:06}": {"0": [f"Walks {i} ", f"runs {i}", f"runs {i}"], "1.0-2.0": ["hops"]} for i in range(64)}
        path.write_text(json.dumps(content | {f"M{name}": segments for name, segments in content.items()}))
        clips = words.read_captions(path)
        assert len(clips) == 64 and clips["000003#0"] == ["walks 3", "runs 3"]

    @pytest.mark.parametrize("content", [None, "[]", "{", '{"a": {"0": ["x", "y"]}}'])
    def test_a_bad_file_is_named(self, tmp_path, content):
        path = tmp_path / "captions.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(DataError, match="captions.json: .*expected"):
            words.read_captions(path)


def test_halves_share_no_clip():
    chosen_on, reported = words.halves(CLIPS)
    assert len(chosen_on) == len(reported) == 20 and set(chosen_on) | set(reported) == set(CLIPS)


class TestPartners:
    def test_pools_are_of_different_clips(self):
        pairs = words.draw_pairs(CLIPS, 3)
        assert len(pairs) == 96 and pairs == words.draw_pairs(CLIPS, 3) != words.draw_pairs(CLIPS, 3, seed=1)
        for start in (0, 32, 64):
            numbers = [pair[0].split()[-2] for pair in pairs[start : start + 32]]
            assert len(set(numbers)) == 32
        assert all(first != second and first.split()[-2] == second.split()[-2] for first, second in pairs)

    def test_who_knows_finds_all(self):
        assert words.partners(by_number, words.draw_pairs(CLIPS, 3)) == {"partner_1": [1, 0], "partner_3": [1, 0]}

    def test_who_knows_nothing_finds_one_in_32(self):
        found = words.partners(blind, words.draw_pairs(CLIPS, 3))
        assert found["partner_1"][0] == pytest.approx(1 / 32) and found["partner_3"][0] == pytest.approx(3 / 32)


class TestContrasts:
    def test_the_deciding_word_is_exchanged(self):
        clips = {
            "a": ["turns left", "rotates left", "turns right"],
            "b": ["left and right", "left then right"],  # which of both is meant is not known
            "c": ["kicks with the left-hand side", "leftwards"],  # no word of its own
            "d": ["bows", "bends"],
        }
        (triple,) = words.draw_contrasts(clips, "sides")
        assert triple in [
            ("turns left", "rotates left", "rotates right"),
            ("rotates left", "turns left", "turns right"),
        ]

    def test_every_contrast_reaches_both_ways(self):
        for contrast, exchanged in words.CONTRASTS.items():
            for word, other in exchanged.items():
                for one, opposite in ((word, other), (other, word)):
                    triples = words.draw_contrasts({"a": [f"goes {one}", f"moves {one}"]}, contrast)
                    assert [t[2].split()[1] for t in triples] == [opposite]

    def test_told_apart(self):
        triples = [("walks 1 times", "he walks 1 times", "he walks 2 times"), ("a 3", "b 3", "b 3")]
        found = words.told_apart(by_number, triples)
        assert found == {"apart": 0.5, "opposites": 0.5}
        assert words.told_apart(blind, triples)["apart"] == 0


class TestVerbs:
    def test_who_knows_them_all(self):
        common = {verb: i for i, verb in enumerate(words.VERBS)}
        known = common | {rare: common[verb] for verb, rares in words.VERBS.items() for rare in rares.split()}
        places = len(common)

        def encode(captions):
            return one_hot(torch.tensor([known[c.split()[-1]] for c in captions]), places).float()

        assert words.verbs(encode) == {"verbs": 1.0, "verbs_unlisted": 1.0}
        first = len(words.VERBS["walks"].split()) / sum(len(rares.split()) for rares in words.VERBS.values())
        assert words.verbs(blind)["verbs"] == first  # to whom all are alike, all are the first

    def test_some_are_in_no_table_of_synonyms(self):
        """Otherwise hashed words would be asked for what they were told."""
        listed = {word for listed in words.SYNONYMS.values() for word in listed.split()}
        assert "stroll" in listed and not {"amble", "trudge", "hurl"} <= listed

    def test_no_verb_comes_twice(self):
        every = [*words.VERBS, *(rare for rares in words.VERBS.values() for rare in rares.split())]
        assert len(every) == len(set(every))
