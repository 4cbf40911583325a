"""Table 2 from end to end on a small corpus: a prior, its fine-tuning on the keypoints of videos, one JSON per row."""

import json
from dataclasses import replace

import pytest
import torch

from videomdm import sample, train
from videomdm.config import PROFILES
from videomdm.evaluation import pose
from videomdm.methods import METHODS
from videomdm.study import report, table2, video_tables
from videomdm.train import observe

pytestmark = pytest.mark.slow

ROWS = ["rays", "teacher", "prior", "videomdm-pnp/refined"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Runs and results of a table on the built-in corpus."""
    runs, results = (tmp_path_factory.mktemp(name) for name in ("runs", "results"))
    main(runs, results, *ROWS)
    return runs, results


def main(runs, results, *rows):
    """The command, on the smoke profile with fewer diffusion steps."""
    how = "--data procedural --source procedural --profile smoke --steps 4 --root-path bones"
    small = PROFILES["smoke"].but(n_steps=10, t_star=4, n_buckets=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, "smoke", small)
        assert table2.main([*how.split(), "--runs", str(runs), "--results", str(results), "--rows", *rows]) == 0


@pytest.fixture(scope="module")
def table(folders):
    _, corpora = report.find(folders[1], "table2")
    (rows,) = corpora.values()
    return rows


def test_a_row_has_the_table_for_both_sets_and_the_sweep(table):
    assert list(table) == ROWS
    for row, metrics in table.items():
        placed = () if row == "rays" else ("seen_placed", "held_out_placed")
        for name in ("seen", "held_out", *placed):
            assert metrics[f"{name}_absolute_pck_50"][0] <= metrics[f"{name}_absolute_pck_100"][0] <= 100
            assert metrics[f"{name}_absolute_acceleration_error"][0] > 0
            keys = ("mpjpe", "pa_mpjpe", "pck_50", "pck_100", "path", "pose", "absolute", "acceleration_error")
            mean, pa, near, nearer, path, pose, absolute, acceleration = (metrics[f"{name}_{key}"][0] for key in keys)
            assert 0 < pa < mean <= path + pose and path <= mean + pose
            assert near <= nearer <= 100 and absolute > 0 and acceleration > 0
            assert {f"{name}_kid", f"{name}_kid_std"} <= set(metrics)
        assert metrics["seen_clips"] == metrics["held_out_clips"] == 8  # the profile's lift_samples
        assert {f"noise_{n:g}_mpjpe" for n in table2.NOISES} <= set(metrics)


def test_the_truth_on_the_rays_errs_by_the_noise_alone(table):
    rays = table["rays"]
    assert rays["noise_0_mpjpe"][0] < 4 < rays["held_out_mpjpe"][0] < table["teacher"]["held_out_mpjpe"][0]  # smoothed
    errors = [rays[f"noise_{n:g}_acceleration_error"][0] for n in table2.NOISES]
    assert errors == sorted(errors) and errors[-1] > 2 * errors[1]
    assert errors[1] < rays["held_out_acceleration_error"][0] < errors[2]


def test_the_lifter_row_says_what_smoothing_its_depth_does(table):
    row = table["teacher"]
    assert row["lifter_naive_mpjpe"] == pytest.approx(row["held_out_mpjpe"], rel=1e-4)
    jitter, of_poses = (
        [row[f"lifter_{name}_acceleration_{what}"][0] for name in ("frame_by_frame", "alone", "naive")]
        for what in ("path", "pose")
    )
    assert jitter[0] > 2 * max(jitter[1:])
    assert of_poses[1] > 1.5 * max(of_poses[0], of_poses[2])


def test_a_frame_alone_knows_of_no_other(folders):
    run = next(folders[0].glob("*-pnp-*"))
    config = train.Config.from_json((run / "config.json").read_text())
    corpus, rows = observe.load(config, "test"), torch.tensor([0, 3])
    seen = observe.observe(config, corpus, "truth", "test").seen.select(rows, int(corpus.lengths[rows].max()))
    whole = table2.each_frame_alone(seen, config.data.lifter)
    turned = seen.keypoints.clone()
    turned[:, 20:] = turned[:, 20:].flip(1)
    other = table2.each_frame_alone(replace(seen, keypoints=turned), config.data.lifter)
    poses, again = (x - x[:, :, :1] for x in (whole, other))
    torch.testing.assert_close(again[:, :20], poses[:, :20], atol=1e-5, rtol=0)
    assert (again[:, 20:] - poses[:, 20:]).norm(dim=-1).max() > 0.01
    truth = corpus.select(rows)
    errors = pose.errors(whole, truth.joints, truth.lengths, align="root")["mpjpe"]
    assert errors.mean() < 200  # mm: it lifts a person all the same


def test_clips_that_were_trained_on_are_lifted_from_the_keypoints_of_training(folders):
    run = next(folders[0].glob("*-pnp-*"))
    config = train.Config.from_json((run / "config.json").read_text())
    corpus, rows = observe.load(config, "train"), torch.tensor([3, 40])
    trained = observe.observe(config, corpus, "truth")
    lifted, camera, _ = table2.motions(config, "rays", None, corpus, "train", rows)
    inside = torch.arange(lifted.shape[1]) < corpus.lengths[rows, None]
    seen = camera.project(lifted)[0]
    assert torch.allclose(seen[inside], trained.keypoints[rows, : lifted.shape[1]][inside], atol=1e-4)


def test_rows_start_from_one_prior_which_is_a_row_itself(folders, table):
    runs, results = folders
    prior = next(runs.glob("procedural-smoke-videomdm-s0-*"))
    made = {json.loads((run / "config.json").read_text())["method"] for run in runs.glob("procedural-*")}
    assert made == {"videomdm", "mdm-teacher", "videomdm-pnp/refined"}  # mdm-teacher: the prior's warm-up
    configs = [train.Config.from_json((r / "config.json").read_text()) for r in runs.glob("*-pnp-*")]
    assert [c.start for c in configs] == [str(prior)]
    assert configs[0].data.keypoint_smoothing and configs[0].data.keypoint_noise == 0.0017
    assert table["prior"] != table["videomdm-pnp/refined"]


def test_finished_rows_are_not_run_again(folders, monkeypatch):
    monkeypatch.setattr(table2, "evaluate", lambda *arguments: pytest.fail("evaluated again"))
    main(*folders, *ROWS)
    written = [json.loads(path.read_text()) for path in (folders[1] / "table2").glob("*.json")]
    assert len(written) == len(ROWS)
    assert all("--rows " + r["method"] in r["command"] and str(folders[0]) not in r["command"] for r in written)


def test_rows_are_methods_or_known_to_the_report():
    assert all(row in METHODS or row in report.ORDER for row in table2.ROWS)


def test_the_example_is_seen_by_its_own_camera(folders):
    found, _ = report.find(folders[1], "table2")
    example = table2.example(found, folders[0], "videomdm-pnp/refined")
    assert set(example.lifted) == {"teacher", "videomdm-pnp/refined"}
    assert all(x.shape == example.truth.shape and x.isfinite().all() for x in example.lifted.values())
    first = [(x[0] - example.truth[0]).norm(dim=-1).mean() for x in example.lifted.values()]
    assert max(first) < 0.3  # aligned there
    # What the camera sees is the truth turned to it: right stays right and up stays up.
    angle = torch.deg2rad(torch.tensor(example.azimuth))
    to_right = torch.stack([angle.cos(), torch.zeros(()), -angle.sin()])
    across = (example.truth[0] - example.truth[0, :1]) @ to_right
    seen = example.keypoints[0] - example.keypoints[0, :1]
    assert torch.corrcoef(torch.stack([across, seen[:, 0]]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([example.truth[0, :, 1], seen[:, 1]]))[0, 1] > 0.95
    assert table2.example(found, folders[1], "videomdm-pnp/refined") is None


def test_the_claims_are_ratios_to_the_lifter(table):
    goals = video_tables.goals(table)
    assert goals.count("\n") == 1 + 6  # one fine-tuned row, two sets, two claims, one of them by two protocols
    assert "appendix C.3: lifter over videomdm-pnp/refined" in goals
    ratio = table["teacher"]["seen_mpjpe"][0] / table["videomdm-pnp/refined"]["seen_mpjpe"][0]
    assert f"| {ratio:.2f} |" in goals or f"| {ratio:.3f} |" in goals


def test_placed_motions_are_rows_of_their_own(table):
    rows = video_tables.with_placed(table)
    assert list(rows)[:4] == ["rays", "teacher", "teacher, placed", "prior"]
    assert rows["prior"] == table["prior"]
    placed = rows["prior, placed"]
    assert placed["held_out_mpjpe"] == table["prior"]["held_out_placed_mpjpe"] and placed["seen_clips"] == 8
    assert placed["held_out_path"] == table["prior"]["held_out_placed_path"]
    assert video_tables.goals(rows).count("\n") == 1 + 12


def test_all_rows_lift_by_one_sampler_and_say_so(folders, monkeypatch):
    (run,) = folders[0].glob("*-pnp-*")
    prior, asked = sample.load(run), []
    monkeypatch.setattr(sample, "lift_footage", lambda *arguments, method, **how: asked.append(method))
    corpus = observe.load(prior.config, "test")
    for row in ("prior", "mdm-teacher", "videomdm"):
        table2.motions(prior.config, row, prior, corpus, "test", torch.tensor([0]))
    assert asked == ["ddpm"] * 3
    written = [json.loads(path.read_text()) for path in (folders[1] / "table2").glob("*.json")]
    assert all("--sampler ddpm " in result["command"] for result in written)
