"""The prior that comes with the package: how a run becomes it, and what lies there."""

import json
import shlex
from pathlib import Path

import pytest
import torch

from videomdm import sample, train
from videomdm.conventions import DataError
from videomdm.sample.prior import WEIGHTS
from videomdm.storage import checkpoints
from videomdm.study import report, results, ship

RESULTS = Path(__file__).parents[2] / "results"
TEXTS = ["a person walks", "somebody jumps twice"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("a machine") / "runs"
    return train.fit(train.profile("smoke", warmup_steps=2, steps=2, method="mdm-teacher", runs=str(runs)))


@pytest.mark.slow
class TestMake:
    def test_motions_stay_and_paths_go(self, run, tmp_path):
        made = ship.make(run, tmp_path / "prior")
        own, other = (sample.generate(sample.load(folder), TEXTS, seconds=1.0) for folder in (run, made))
        assert float((own - other).norm(dim=-1).max()) < 5e-3  # metres: half precision
        for path in made.iterdir():
            assert b"a machine" not in path.read_bytes()
        assert b"a machine" in (run / "weights.safetensors").read_bytes()
        size, whole = ((folder / "weights.safetensors").stat().st_size for folder in (made, run))
        assert size < 0.6 * whole

    def test_training_goes_on_from_it(self, run, tmp_path):
        made = ship.make(run, tmp_path / "prior")
        config = sample.load(made).config.but(start=str(made), steps=1, runs=str(tmp_path / "runs"))
        tuned = checkpoints.read_tensors(train.fit(config) / "weights.safetensors")
        assert all(x.dtype == torch.float32 for x in tuned.values())

    def test_what_cannot_be(self, run, tmp_path):
        with pytest.raises(DataError, match="no finished run there"):
            ship.make(tmp_path, tmp_path / "out")
        tensors, about = (read(run / "weights.safetensors")
                          for read in (checkpoints.read_tensors, checkpoints.read_metadata))  # fmt: skip
        tensors["predict.bias"][0] = 1e6
        checkpoints.write_tensors(tmp_path / "weights.safetensors", tensors, about)
        with pytest.raises(DataError, match="predict.bias is past the range of half precision"):
            ship.make(tmp_path, tmp_path / "out")


@pytest.mark.slow
class TestMeasured:
    def test_a_run_is_chosen_and_the_stages_are_told(self, run, tmp_path, monkeypatch):
        first = sample.load(run).config
        tuned = train.fit(first.but(method="videomdm/teacher-above", start=str(run), steps=2))
        made = ship.make(tuned, tmp_path / "prior")
        assert json.loads((made / "about.json").read_text())["stages"] == [
            ["mdm-teacher", 2], ["videomdm/teacher-above", 2],
        ]  # fmt: skip
        fids = {"mdm-teacher": 3.0, "videomdm/teacher-above": 2.0}
        monkeypatch.setattr(ship, "evaluators", lambda config: [])
        monkeypatch.setattr(
            ship.protocol, "generation", lambda prior, *_, **options: {"fid": [fids[prior.config.method], 0.1]}
        )
        assert ship.choose([run, tuned], str(tmp_path), tmp_path / "results") == tuned
        with pytest.raises(DataError, match="2 runs, expected one of each method"):
            ship.choose([run, run], str(tmp_path), tmp_path / "results")
        assert {row["method"]: row["fid"][0] for row in ship.candidates(tmp_path / "results")} == fids
        assert {p.parent.name for p in (tmp_path / "results").rglob("*.json")} == {ship.CANDIDATES}

    def test_feet_are_judged_free_and_held(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # what is measured on the way goes to runs/
        monkeypatch.setattr(ship, "WEIGHTS", {"prior": ship.make(run, tmp_path / "prior")})
        monkeypatch.setattr(ship, "evaluators", lambda config: [])
        monkeypatch.setattr(ship.protocol, "real", lambda config: {"fid": [0.5, 0.1]})
        features = torch.zeros(2, 20, 263)

        def generation(prior, config, judges, folder, joints_of=None, sampled=None):
            held = joints_of is not None and joints_of(features, torch.tensor([20, 12])).shape == (2, 20, 22, 3)
            return {"fid": [1.0 if held else 2.0, 0.1], "fid_raw": [3.0, 0.1]}

        monkeypatch.setattr(ship.protocol, "generation", generation)
        files = ship.judge(str(tmp_path), tmp_path / "results")
        free, held, real = (json.loads(path.read_text())["metrics"] for path in files)
        assert [metrics["fid"][0] for metrics in (free, held, real)] == [2.0, 1.0, 0.5]
        assert "fid_raw" in free and "fid_raw" not in held
        for name in ship.OWN:
            assert len(free[name]) == len(held[name]) == 2 and held[name][0] >= 0
        for name in ("foot_speed", "sunken"):
            assert free[name][0] > held[name][0] and real[name] < 0.5

    def test_a_commands_line_for_every_stage(self):
        one, two = ship._commands([("mdm-teacher", 7)]), ship._commands([("mdm-teacher", 7), ("videomdm", 3)])
        assert len(one) == 1 and "start" not in one[0]
        assert "method=mdm-teacher steps=7" in two[0] and two[1].endswith("start=RUN")


def test_a_fall_that_goes_on_is_told(tmp_path):
    rows = [{"step": k, "loss": 20.0 - k} for k in range(20)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert ship._losses(tmp_path) == [1.5, 3.5]


def test_the_cards_figures_are_rounded_once():
    assert ship._figure(0.85546875) == "0.855"  # by way of .8555 it would be .856
    assert ship._figure([3.3e-5, 7e-7]) == "0 ± 0"


def test_the_cards_commands_are_commands():
    program = "python -m videomdm.study.ship "
    lines = [line.strip() for line in ship.CARD.splitlines() if line.strip().startswith(program)]
    assert [ship._parser().parse_args(shlex.split(line.removeprefix(program))).part for line in lines] == [
        "choose", "make", "feet", "judge", "card",
    ]  # fmt: skip


class TestShipped:
    def test_they_are_small_and_name_no_machine(self):
        sizes = 0
        for folder in WEIGHTS.values():
            sizes += (folder / "weights.safetensors").stat().st_size
            config = sample.load(folder).config
            assert (config.data.root, config.runs, config.data.source) == (None, "runs", "procedural+cmu")
            assert config.data.max_frames == 196
        assert sizes < 20e6

    def test_the_card_has_the_results(self):
        text = (sample.SHIPPED.parent / "README.md").read_text(encoding="utf-8")
        config = sample.load(sample.SHIPPED).config
        for row in (config.method, config.method + ship.HELD):
            path = results.path(RESULTS, ship.STUDY, config, row)
            metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
            for key in ship.TITLES:
                assert key not in metrics or ship._figure(metrics[key]) in text
        for row in ship.candidates(RESULTS):
            assert f"| {row['method']} | {ship._figure(row['fid'])} |" in text

        assert "CMU Graphics Lab" in text and "EIA-0196217" in text

    def test_held_feet_slide_less_and_sink_in_less(self):
        config = sample.load(sample.SHIPPED).config
        free, held = (
            json.loads(results.path(RESULTS, ship.STUDY, config, row).read_text(encoding="utf-8"))["metrics"]
            for row in (config.method, config.method + ship.HELD)
        )
        for key in ("skating", "foot_speed", "sunken"):
            assert held[key][0] < 0.5 * free[key][0]

    def test_held_motions_move_as_real_ones_do(self):
        """Within a quarter of real ones; knees are not jerked."""
        config = sample.load(sample.SHIPPED).config
        held, real = (
            json.loads(results.path(RESULTS, ship.STUDY, config, row).read_text(encoding="utf-8"))["metrics"]
            for row in (config.method + ship.HELD, "real")
        )
        for key in ("acceleration", "path_length", "skating", "root_height", "knees"):
            assert report.mean(held[key]) == pytest.approx(report.mean(real[key]), rel=0.25)

    def test_the_best_candidate_ships(self):
        best = min(ship.candidates(RESULTS), key=lambda row: row["fid"][0])
        assert sample.load(sample.SHIPPED).config.method == best["method"]
