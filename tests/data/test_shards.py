"""Shards: the same clips and statistics as in memory, and memory that does not grow with the corpus."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from videomdm import prepare, train
from videomdm.conventions import DataError
from videomdm.data import observations, procedural, shards
from videomdm.data.observations import Observations
from videomdm.features.normaliser import Moments
from videomdm.storage import checkpoints
from videomdm.train import dataset, distributed, observe, streaming

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return train.profile("smoke", runs=str(tmp_path_factory.mktemp("runs")), shard_clips=16)


@pytest.fixture(scope="module")
def observed():
    """40 clips of unequal lengths with a teacher that errs by 3 cm: shards of 13, 13 and 14."""
    corpus = procedural.generate(40, seed=2, max_frames=70)
    error = 0.03 * torch.randn(corpus.joints.shape, generator=torch.Generator().manual_seed(0))
    return observations.observe(corpus, observations.film(corpus, 1, 0.002), corpus.joints + error, "truth")


@pytest.fixture(scope="module")
def held(config, observed):
    return dataset.training_set(config, observed)


@pytest.fixture(scope="module")
def streamed(config, observed):
    return streaming.streamed(config, observed)


class TestSameClips:
    rows = torch.tensor([39, 0, 13, 12, 25, 26, 0])

    def test_statistics_are_those_of_the_whole(self, held, streamed):
        for name in ("mean", "std"):
            whole, parts = (getattr(data.normaliser, name) for data in (held, streamed))
            torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-7)

    def test_moments_of_parts_far_from_zero(self):
        """Sums of squares would lose all digits of a deviation of 1 about a mean of 1e8."""
        values = 1e8 + torch.randn(1000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        parts = sum((Moments.of(part) for part in values.split(7)[1:]), Moments.of(values[:7]))
        assert parts.n == 1000
        torch.testing.assert_close((parts.squares / 999).sqrt(), values.std(0), rtol=1e-7, atol=0)

    def test_a_batch_is_the_same(self, held, streamed):
        caption = torch.rand(len(self.rows), generator=torch.Generator().manual_seed(3))
        frames = int(held.lengths[self.rows].max())
        one, other = (data.batch(self.rows, caption, frames) for data in (held, streamed))
        inside = torch.arange(frames) < one.lengths[:, None]
        assert torch.equal(one.lengths, other.lengths) and torch.equal(one.text, other.text)
        torch.testing.assert_close(other.features[inside], one.features[inside], rtol=1e-5, atol=1e-5)
        for name in ("keypoints", "confidence"):
            assert torch.equal(getattr(other.seen, name)[inside], getattr(one.seen, name)[inside])
        assert torch.equal(other.seen.camera.rotation, one.seen.camera.rotation)
        assert torch.equal(other.seen.camera.translation, one.seen.camera.translation)
        assert (held.n_frames, held.n_features, held.text_width) == (
            streamed.n_frames, streamed.n_features, streamed.text_width,
        )  # fmt: skip

    def test_what_was_expected_is_what_is_read(self, streamed):
        caption = torch.zeros(len(self.rows))
        plain = streamed.batch(self.rows, caption, 69)
        for expected in (self.rows, self.rows.flip(0)):  # the thread read these, or others
            streamed.expect(expected, 69)
            again = streamed.batch(self.rows, caption, 69)
            assert torch.equal(again.features, plain.features)
            assert torch.equal(again.seen.keypoints, plain.seen.keypoints)

    def test_every_caption_of_a_clip_is_drawn(self, observed, streamed, held):
        n = 64
        rows, caption = torch.full((n,), 20), torch.arange(n) / n
        assert len(observed.captions[20]) > 1
        assert torch.equal(streamed.batch(rows, caption, 69).text, held.batch(rows, caption, 69).text)
        assert len(streamed.batch(rows, caption, 69).text.unique(dim=0)) == len(set(observed.captions[20]))

    def test_training_follows_that_in_memory(self, config, observed, tmp_path):
        """The padding differs and counts for nothing."""
        curves = []
        for clips in (0, 16):
            ours = config.but(runs=str(tmp_path), shard_clips=clips, log_every=1, length_buckets=3)
            train.fit(ours, observed)
            curves.append([row["loss"] for row in train.history(ours)])
        assert len(curves[0]) == 30
        assert curves[1] == pytest.approx(curves[0], rel=1e-4)


# A process of its own: what others freed in this one, it would take first.
TRAIN = """
import json, sys, time
from pathlib import Path
from videomdm import train
from videomdm.data.shards import Shards
from videomdm.train.trainer import Trainer

def private():  # MB that no file backs: pages of a mapped file are the system's to drop
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

config = train.Config.from_json(Path(sys.argv[1]).read_text())
memory, began = [private()], time.monotonic()
trainer = Trainer(config, Shards(Path(sys.argv[2]), two_d=True))
trainer.step(0, 1e-3)
seconds = time.monotonic() - began
for step in range(1, 111):
    if step in (1, 11):
        memory.append(private())
    loss = float(trainer.step(step, 1e-3)["loss"])
memory.append(private())
print(json.dumps({"seconds": seconds, "memory": memory, "loss": loss, "open": len(trainer.data._open)}))
"""


class TestLarge:
    CLIPS, SIZE = 1_000_000, 400

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, config, observed):
        """A million clips: an index that names two shards again and again."""
        few = streaming.streamed(config.but(shard_clips=cls.SIZE), observed.select([*range(40)] * 20))
        shards.write_index(few.folder, few.files * (cls.CLIPS // 2 // cls.SIZE))
        return few.folder

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc/self/status")
    def test_a_million_clips_train_in_flat_memory(self, config, folder, tmp_path):
        (tmp_path / "config.json").write_text(config.but(t_star=0).to_json())
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", TRAIN, tmp_path / "config.json", folder]
        found = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
        idle, started, early, late = found["memory"]
        assert started - idle < 100  # 8 bytes a clip, a few times over, and what PyTorch takes at its first step
        assert late - early < 20
        assert found["open"] == 2 and math.isfinite(found["loss"])
        assert found["seconds"] < 20  # on a busy core

    def test_no_clip_is_held(self, config, folder):
        """The same clips held would take a terabyte; the index of all takes megabytes."""
        data = shards.Shards(folder, two_d=True)
        held = data.lengths.sum() * 4 * (data.n_features + 3 * len(data.skeleton))
        assert held > 5e10
        assert (folder / shards.INDEX).stat().st_size < 12e6


class TestPreparation:
    def test_killed_it_goes_on_with_the_next_part(self, config, observed, tmp_path, monkeypatch):
        ours, written = config.but(runs=str(tmp_path)), []
        write = shards.write

        def interrupted(file, *arguments):
            if len(written) == 2:
                raise KeyboardInterrupt
            write(file, *arguments)
            written.append(file.name)

        with monkeypatch.context() as patch:
            patch.setattr(shards, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                streaming.streamed(ours, observed)
            assert not list(tmp_path.rglob(shards.INDEX))
            patch.setattr(shards, "write", lambda file, *a: (write(file, *a), written.append(file.name)))
            data = streaming.streamed(ours, observed)
            streaming.streamed(ours, observed)
        assert written == [f"shard-{n:05d}.safetensors" for n in range(3)]  # each once
        assert len(data) == 40 and not list(data.folder.glob(".*"))

    def test_processes_prepare_parts_of_their_own(self, config, observed, tmp_path, monkeypatch):
        ours = config.but(runs=str(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(distributed, "rank", lambda: 1)
            patch.setattr(distributed, "world", lambda: 2)
            with pytest.raises(DataError, match="no index"):  # rank 0 writes it, and is not there
                streaming.streamed(ours, observed)
        assert [file.name for file in tmp_path.rglob("*.safetensors")] == ["shard-00001.safetensors"]
        assert len(streaming.streamed(ours, observed)) == 40

    def test_a_corpus_is_filmed_and_lifted_part_by_part(self, config, tmp_path, capsys):
        """One part sees what is seen in memory; two have cameras of their own, and are lifted once for all methods."""
        ours = config.but(runs=str(tmp_path), n_clips=20)
        held = dataset.training_set(ours, observe.observe(ours, observe.load(ours, "train"), "truth"))
        one = streaming.streamed(ours.but(shard_clips=100))
        rows, caption = torch.arange(len(held)), torch.zeros(len(held))
        assert torch.equal(
            one.batch(rows, caption, 44).seen.keypoints[:, :39], held.batch(rows, caption, 43).seen.keypoints[:, :39]
        )
        lifted = set(ours.cache.glob("teacher-*"))
        arguments = ["--profile", "smoke", "--set", f"runs={tmp_path}", "n_clips=20", "shard_clips=10"]
        assert prepare.main(arguments) == 0
        assert f"{len(held)} clips in 2 shards" in capsys.readouterr().out
        assert len(set(ours.cache.glob("teacher-*")) - lifted) == 2
        assert prepare.main([*arguments, "method=videomdm-frame"]) == 0
        assert len(set(ours.cache.glob("teacher-*")) - lifted) == 2 and len(list(ours.cache.glob("shards-*"))) == 3
        two = streaming.streamed(ours.but(shard_clips=10)).batch(rows, caption, 44)
        assert not torch.allclose(two.seen.camera.rotation[10:], two.seen.camera.rotation[: len(held) - 10])

    def test_a_round_is_streamed_too(self, config, observed, tmp_path):
        few = config.but(runs=str(tmp_path), method="videomdm/round-1", warmup_steps=2, steps=2)
        assert (train.fit(few, observed) / "weights.safetensors").exists()
        assert len(list(few.cache.glob("lifted-*"))) == 3

    @pytest.mark.parametrize("settings", [["shard_clips=0"], ["shard_clips=10", "method=videomdm/round-1"]])
    def test_command_refuses_what_it_cannot_prepare(self, settings, capsys):
        assert prepare.main(["--profile", "smoke", "--set", *settings]) == 2
        message = "expected --set shard_clips=N of at least 1 and a method without a lifter"
        assert message in capsys.readouterr().err

    def test_a_folder_of_observations(self, config, observed, streamed, tmp_path):
        for name, rows in (("a", range(25)), ("b", range(25, 40))):
            observed.select(rows).save(tmp_path / f"{name}.safetensors")
        data = streaming.streamed(config, tmp_path)
        assert len(data.files) == 2 and torch.equal(data.lengths, streamed.lengths)
        torch.testing.assert_close(data.normaliser.std, streamed.normaliser.std, rtol=1e-6, atol=0)
        with pytest.raises(ValueError, match="expected a configuration with shard_clips"):
            train.fit(config.but(shard_clips=0), tmp_path)
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="empty: no observations, expected .safetensors"):
            streaming.streamed(config, tmp_path / "empty")

    def test_selected_observations_are_these(self, observed):
        chosen = observed.select([3, 30])
        assert isinstance(chosen, Observations) and chosen.names == [observed.names[3], observed.names[30]]
        assert chosen.teacher.shape[1] == int(chosen.lengths.max())
        assert torch.equal(chosen.teacher[1, :40], observed.teacher[30, :40])
        assert torch.equal(chosen.seen.camera.rotation[1], observed.camera.rotation[30])

    def test_methods_on_the_same_footage_share_shards(self, config, observed):
        folders = {
            method: streaming.streamed(config.but(method=method), observed).folder
            for method in ("videomdm", "mdm-teacher", "videomdm/no-rays", "videomdm-pnp")
        }
        assert folders["videomdm"] == folders["mdm-teacher"] == folders["videomdm/no-rays"]
        assert folders["videomdm-pnp"] != folders["videomdm"]

    def test_nan_is_named_and_earlier_parts_stay(self, config, observed, tmp_path):
        bad = observed.select(range(40))
        bad.teacher[20, 3, 1] = float("nan")
        with pytest.raises(DataError, match="NaN or infinite"):
            streaming.streamed(config.but(runs=str(tmp_path)), bad)
        assert [file.name for file in tmp_path.rglob("shard-*")] == ["shard-00000.safetensors"]


class TestBadFiles:
    @pytest.fixture
    def copy(self, streamed, tmp_path):
        for file in streamed.folder.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        return tmp_path

    def test_no_index(self, tmp_path):
        with pytest.raises(DataError, match="no index of shards"):
            shards.Shards(tmp_path, two_d=False)

    def test_truncated_shard(self, copy):
        file = shards.path(copy, 1)
        file.write_bytes(file.read_bytes()[:-5])
        data = shards.Shards(copy, two_d=True)
        with pytest.raises(DataError, match="shard-00001.safetensors: no shard of training data"):
            data.batch(torch.tensor([20]), torch.zeros(1), 69)

    def test_another_shard_in_its_place(self, copy):
        shards.path(copy, 1).write_bytes(shards.path(copy, 2).read_bytes())
        with pytest.raises(DataError, match="14 clips, expected the 13"):
            shards.Shards(copy, two_d=True).batch(torch.tensor([20]), torch.zeros(1), 69)

    def test_shards_of_two_kinds(self, copy):
        file = shards.path(copy, 1)
        tensors, about = checkpoints.read_tensors(file), checkpoints.read_metadata(file)
        checkpoints.write_tensors(file, tensors, {**about, "fps": 30.0})
        with pytest.raises(DataError, match=r"shard-00001.*'fps': 30.0.*expected as in"):
            shards.write_index(copy, [shards.path(copy, n).name for n in range(3)])

    def test_without_keypoints(self, config, tmp_path):
        data = streaming.streamed(config.but(method="mdm-3d", n_clips=20, runs=str(tmp_path)))
        assert data.batch(torch.tensor([0]), torch.zeros(1), 60).seen is None
        with pytest.raises(DataError, match="hold no keypoints"):
            shards.Shards(data.folder, two_d=True)
