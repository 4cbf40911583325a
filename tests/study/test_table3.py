"""study/table3.py: rows are drawn and sampled as they should be; the whole table in small."""

import json

import pytest
import torch

from videomdm import sample, train
from videomdm.evaluation import unconditional
from videomdm.evaluation.unconditional import Motions
from videomdm.methods import METHODS
from videomdm.study import report, table3
from videomdm.train import observe


def test_a_repeat_is_made_once():
    calls = []

    def source(repeat, lengths):
        calls.append(repeat)
        return Motions(torch.full((len(lengths), 2, 16, 2), float(repeat)), lengths)

    make, lengths = table3.cache_by_repeat(source), torch.tensor([2, 2])
    first = [make(repeat, lengths) for repeat in (0, 1, 0)]
    assert calls == [0, 1] and first[0] is first[2] and first[1].points.unique().tolist() == [1.0]


def test_training_data_are_drawn_from_the_pictures():
    config = train.profile("smoke", data="nba-like", method="videomdm-frame", **table3.REGIME)
    pictures = observe.tracks(config, "train")
    draw = table3.drawn(Motions(pictures.seen.keypoints, pictures.lengths))
    drawn = draw(3, torch.full((9,), 20))
    assert drawn.points.shape[-1] == 2 and len(drawn) == 9
    own = {tuple(x) for x in pictures.seen.keypoints[:, 0, 5].tolist()}
    assert all(tuple(x) in own for x in drawn.points[:, 0, 5].tolist())
    assert not torch.equal(drawn.points, draw(4, torch.full((9,), 20)).points)


@pytest.mark.slow
def test_table(tmp_path, monkeypatch):
    pytest.importorskip("FrEIA", reason="needs the extra elepose")
    monkeypatch.setitem(unconditional.PROTOCOLS, "quick", unconditional.MotionProtocol(samples=12, repeats=2))
    folders = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")]
    arguments = ["--profile", "smoke", "--budget", "smoke", *folders]
    assert table3.main(arguments) == 0
    files = sorted((tmp_path / "results" / "table3-procedural").glob("*.json"))
    found = {r["method"]: r["metrics"] for r in (json.loads(file.read_text()) for file in files)}
    assert set(found) == set(table3.ROWS)
    for row, metrics in found.items():
        wanted = {f"{prefix}{name}" for prefix in ("", "side_", "hybrid_") for name in ("fid", "kid", "recall_dagger")}
        assert wanted <= set(metrics)
        assert ("seconds_per_100" in metrics) == (row in METHODS)
        assert ("pa_mpjpe" in metrics) == (row in ("elepose", "package"))
    assert 0 < found["training-data"]["judge_still"] < 1 and found["elepose"]["true_jitter"] > 0
    fid = {row: metrics["fid"][0] for row, metrics in found.items()}
    assert fid["training-data"] < min(fid["mdm-2d"], fid["videomdm-frame"])
    _, corpora = report.find(tmp_path / "results", "table3-procedural")
    assert [list(rows) for rows in corpora.values()] == [
        [*table3.ROWS[:3], "mdm-teacher", "mdm-2d", "videomdm-frame", table3.ROUND]
    ]
    assert list(corpora) == ["nba-like of procedural (smoke, quick protocol, elepose teacher)"]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert table3.main(arguments) == 0  # all rows are there
    assert [file.stat().st_mtime_ns for file in files] == stamps


def test_a_teacher_that_is_named_takes_the_place_of_elepose(tmp_path):
    smoke = train.profile("smoke", n_clips=60, runs=str(tmp_path))
    assert table3.configuration(smoke, "smoke", lifter="procedural").data.lifter == "procedural"
    assert not list(tmp_path.iterdir()), "nothing was trained"


@pytest.mark.slow
def test_motions_of_a_repeat_are_kept_with_their_seconds(tmp_path, monkeypatch):
    regime = {**table3.REGIME, "data": "nba-like", "lifter": "procedural", "method": "mdm-teacher"}
    config = train.profile("smoke", **regime, warmup_steps=0, steps=1, n_clips=60, runs=str(tmp_path))
    run, lengths, spent = train.fit(config), torch.tensor([20, 30]), {"seconds": 0.0, "motions": 0}
    first = table3.generated(run, spent)(0, lengths)
    once = dict(spent)
    monkeypatch.setattr(sample, "generate", lambda *_, **__: pytest.fail("made again"))
    again = table3.generated(run, spent)(0, lengths)
    assert torch.equal(first.points, again.points) and once["seconds"] > 0
    assert spent == {"seconds": pytest.approx(2 * once["seconds"]), "motions": 4}
