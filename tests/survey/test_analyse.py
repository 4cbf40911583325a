"""What votes say: against values by hand, independent implementations, and voters whose preferences are known."""

import json
import math

import choix
import numpy as np
import pytest
from small_survey import METHODS

from videomdm.survey import analyse, design, simulate
from videomdm.survey.analyse import Votes
from videomdm.survey.simulate import Voters


def of(*votes, methods=("a", "b", "c")):
    """Votes from (participant, scene, winner, loser)."""
    return Votes(*np.array(votes).reshape(-1, 4).T, methods)


class TestShares:
    def test_wilson_by_its_formula(self):
        z, n, p = 1.959964, 200, 0.64
        centre, half = (p + z * z / 2 / n), z * math.sqrt(p * (1 - p) / n + z * z / 4 / n**2)
        want = [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]
        assert analyse.wilson(128, 200) == pytest.approx(want, abs=1e-6)
        assert analyse.wilson(0, 10)[0] == 0 and analyse.wilson(10, 10)[1] == 1

    @pytest.mark.parametrize("margin, share", [(0.05, 0.5), (0.1, 0.5), (0.05, 0.64), (0.02, 0.1)])
    def test_votes_for_a_margin_are_the_fewest(self, margin, share):
        def half(n):  # Wilson's formula again, at a share that is no whole number of votes
            z = 1.959964
            return z * math.sqrt(share * (1 - share) / n + z * z / 4 / n**2) / (1 + z * z / n)

        n = analyse.votes_for(margin, share)
        assert half(n) <= margin < half(n - 1)

    @pytest.mark.parametrize("margin, share", [(0, 0.5), (0.5, 0.5), (0.1, 1.0)])
    def test_impossible_margins(self, margin, share):
        with pytest.raises(ValueError, match="expected 0 to 0.5"):
            analyse.votes_for(margin, share)

    def test_detectable_by_simulation(self):
        """Of surveys with that true share, 80 % are significant."""
        share = analyse.detectable(200)
        wins = np.random.default_rng(0).binomial(200, share, 4000)
        found = np.array([analyse.stats.binomtest(int(k), 200).pvalue < 0.05 for k in range(201)])
        assert found[wins].mean() == pytest.approx(0.8, abs=0.02)
        assert math.isnan(analyse.detectable(5))


class TestStrengths:
    def test_against_choix(self):
        rng = np.random.default_rng(0)
        wins = rng.integers(1, 30, (5, 5)) * (1 - np.eye(5))
        found = analyse.bradley_terry(wins, prior=0)
        assert found == pytest.approx(choix.ilsr_pairwise_dense(wins), abs=1e-6)
        assert found.mean() == pytest.approx(0, abs=1e-9)

    def test_two_methods_are_the_log_odds(self):
        found = analyse.bradley_terry(np.array([[0, 30], [10, 0]]), prior=0)
        assert found[0] - found[1] == pytest.approx(math.log(3))

    def test_many_at_once_and_one_that_never_lost(self):
        wins = np.random.default_rng(1).integers(0, 9, (7, 3, 3)) * (1 - np.eye(3))
        wins[0, 1:, 0] = 0
        together = analyse.bradley_terry(wins)
        assert together == pytest.approx(np.stack([analyse.bradley_terry(one) for one in wins]), abs=1e-7)
        assert np.isfinite(together).all() and together[0].argmax() == 0

    def test_known_preferences_are_found(self):
        voters = Voters((0.0, 0.5, 1.2, -0.7), taste=0.3)
        votes = simulate.votes(design.balanced(4, 20, 400, 20), voters, "abcd")
        found, intervals = analyse.strengths(votes, n=500)
        true = np.array(voters.strengths) - np.mean(voters.strengths)
        # Averaging over tastes flattens the logistic a little: (1 + pi * (2 * 0.3^2) / 8) ** -0.5 = 0.97.
        assert found == pytest.approx(0.97 * true, abs=0.06)
        assert (np.diff(intervals, axis=0) < 0.2).all()

    @pytest.mark.slow
    def test_intervals_cover_what_is_true(self):
        """95 % intervals from participants hold the truth in about 95 % of surveys, where participants differ."""
        voters, hits, naive = Voters((0.0, 0.0), taste=1.0), 0, 0
        for seed in range(200):
            votes = simulate.votes(design.balanced(2, 10, 20, 10, seed), voters, "ab", seed)
            _, (low, high) = analyse.strengths(votes, n=300, seed=seed)
            hits += low[0] <= 0 <= high[0]
            wins = votes.wins().sum(0)
            low, high = analyse.wilson(wins[0, 1], wins[0, 1] + wins[1, 0])
            naive += low <= 0.5 <= high
        assert 0.88 <= hits / 200 <= 0.99
        assert naive < hits - 10  # Wilson's takes the ten votes of one person for those of ten

    def test_participants_are_drawn_whole(self):
        wins = np.zeros((3, 2, 2))
        wins[:, 0, 1] = [1, 10, 100]
        totals = analyse.resampled(wins, 500)[:, 0, 1]
        possible = {1 * i + 10 * j + 100 * (3 - i - j) for i in range(4) for j in range(4 - i)}
        assert set(totals) == possible


class TestAgreement:
    def test_by_hand(self):
        # Scene 0: a, a, b; scene 1: b, b; scene 2 was judged once and says nothing.
        votes = of((0, 0, 0, 1), (1, 0, 0, 1), (2, 0, 1, 0), (0, 1, 1, 0), (1, 1, 1, 0), (2, 2, 0, 1))
        same, alpha = analyse.agreement(votes)
        assert same == pytest.approx(1 - 4 / 8)  # of 3 * 2 + 2 * 1 ordered pairs, 4 disagree
        assert alpha == pytest.approx(1 - (5 - 1) * (4 / 2) / (2 * 2 * 3))  # Krippendorff: two a, three b

    def test_perfect_and_none(self):
        always = of(*[(k, s, s % 2, 1 - s % 2) for k in range(5) for s in range(6)])
        assert analyse.agreement(always) == (1.0, 1.0)
        voters = simulate.votes(design.balanced(2, 5, 200, 10), Voters((0, 0)), "ab")
        same, alpha = analyse.agreement(voters)
        assert same == pytest.approx(0.5, abs=0.02) and alpha == pytest.approx(0, abs=0.02)

    def test_more_methods_are_judged_pair_by_pair(self):
        """That everybody prefers a to b and b to c is no agreement on single clips."""
        votes = of(*[(k, s, *p) for k in range(4) for s in range(3) for p in ((0, 1), (1, 2))])
        same, alpha = analyse.agreement(votes)
        assert same == 1 and math.isnan(alpha)
        assert all(math.isnan(x) for x in analyse.agreement(of((0, 0, 0, 1))))


def answers(folder, slot, participant, choose):
    """A file as the static page hands it out: ``choose(left, right)`` of the key's clips is "left" or "right"."""
    survey = json.loads((folder / "public/survey.json").read_text())
    clips = json.loads((folder / "key.json").read_text())["clips"]
    votes = [
        {"trial": k, "left": t["left"], "right": t["right"], "seconds": 3.0, "replays": 0,
         "chosen": choose(clips[t["left"]], clips[t["right"]])}
        for k, t in enumerate(survey["slots"][slot])
    ]  # fmt: skip
    return {"survey": survey["survey"], "participant": participant, "slot": slot, "code": "ABC", "votes": votes}


def prefers(method):
    def choose(left, right):
        if left["shuffled"] or right["shuffled"]:
            return "left" if right["shuffled"] else "right"
        return "left" if left["method"] == method else "right"

    return choose


def careless(left, right):
    return "left" if left["shuffled"] else "right"


class TestFolder:
    def hand_in(self, folder, *files):
        (folder / "handed").mkdir()
        for k, content in enumerate(files):
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / "handed" / f"{k}.json").write_text(text)
        return [folder / "handed"]

    def test_votes_count_by_the_rules(self, survey):
        good = [answers(survey, k, f"p{k}", prefers(METHODS[0 if k else 1])) for k in range(4)]
        good[3]["votes"][0]["seconds"] = good[3]["votes"][1]["seconds"] = 0.3  # a clip lasts 0.4 s
        too_quick = sum(vote["seconds"] == 0.3 and not is_check(survey, vote) for vote in good[3]["votes"])
        files = self.hand_in(survey, *good, good[0], answers(survey, 4, "p4", careless))
        found = analyse.analyse(survey, files)
        counts, (pair,) = found["counts"], found["pairs"]
        assert counts["participants"] == 5 and counts["comparisons"] == 15 and counts["checks"] == 5
        assert counts["participants left out"] == 1 and counts["votes too quick"] == too_quick > 0
        assert counts["votes counted"] == 12 - too_quick == pair["votes"]
        assert pair["methods"] == list(METHODS) and pair["preferred"] == 9 - too_quick
        assert found["strengths"][0]["strength"] > 0 > found["strengths"][1]["strength"]

    def test_report_and_json(self, survey):
        files = self.hand_in(survey, *[answers(survey, k, f"p{k}", prefers(METHODS[0])) for k in range(6)])
        found = analyse.analyse(survey, files)
        analyse.write(found, survey / "analysis.json")
        read = json.loads((survey / "analysis.json").read_text())
        assert read["pairs"][0]["share"] == 1 and read["alpha"] is None  # all votes are the same
        text = analyse.report(found)
        assert "18 votes of 6 participants count" in text and f"{METHODS[0]} over {METHODS[1]}" in text

    def test_no_votes(self, survey, tmp_path):
        with pytest.raises(ValueError, match="no votes"):
            analyse.analyse(survey)
        with pytest.raises(ValueError, match="No such file .*expected a folder that .videomdm survey make. made"):
            analyse.analyse(tmp_path / "nothing")
        with pytest.raises(ValueError, match=r"torn\.json: no JSON .*expected answers that a participant handed in"):
            (tmp_path / "torn.json").write_text('{"survey": ')
            analyse.analyse(survey, [tmp_path / "torn.json"])
        with pytest.raises(ValueError, match="none of 3 votes counts"):
            analyse.analyse(survey, self.hand_in(survey, answers(survey, 0, "p", careless)))

    @pytest.mark.parametrize(
        "spoil, message",
        [
            (lambda a: a | {"survey": "other"}, "answers to survey 'other'"),
            (lambda a: a | {"slot": 99}, "not a file of answers"),
            (lambda a: a | {"votes": [a["votes"][0] | {"left": "c000", "right": "c000"}]}, "trial 0 shows"),
            (lambda a: a | {"votes": [a["votes"][0] | {"chosen": "both"}]}, "'left' or 'right'"),
            (lambda a: {}, "not a file of answers"),
            (lambda a: "not JSON", "Expecting value"),
        ],
    )
    def test_files_that_are_not_of_this_survey(self, survey, spoil, message):
        files = self.hand_in(survey, spoil(answers(survey, 0, "p", prefers(METHODS[0]))))
        with pytest.raises(ValueError, match=message) as caught:
            analyse.analyse(survey, files)
        assert "0.json" in str(caught.value)


def is_check(folder, vote):
    clips = json.loads((folder / "key.json").read_text())["clips"]
    return clips[vote["left"]]["shuffled"] or clips[vote["right"]]["shuffled"]
