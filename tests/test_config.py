"""Settings: their names, what a run's key stands for, and the file that a run keeps."""

import dataclasses
import json
import re

import pytest

from videomdm import config as settings
from videomdm import train
from videomdm.allowed import CHOICES, RANGES
from videomdm.config import GROUPS, SETTINGS, TYPES, Config, profile
from videomdm.evaluation.protocol import PROTOCOLS
from videomdm.losses import Weights
from videomdm.methods import METHODS, ROWS, Method
from videomdm.parameters import LARGEST_SEED, optional


class TestNames:
    def test_unknown_names_and_values_are_named(self):
        with pytest.raises(ValueError, match="unknown setting stepz"):
            profile("smoke", stepz=3)
        with pytest.raises(ValueError, match="profile is 'huge'"):
            profile("huge")
        for name, value in {"method": "gan", "precision": "half", "root_path": "oracle", "skeleton": "mine"}.items():
            with pytest.raises(ValueError, match=f"{name} is '{value}', expected one of "):
                profile("smoke", **{name: value})
        with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
            profile("smoke", batch_size=0)

    def test_every_field_of_every_group_has_one_flat_name(self):
        fields = sum(len(dataclasses.fields(kind)) for kind in (Config, *GROUPS.values())) - len(GROUPS)
        assert len(SETTINGS) == fields

    def test_flat_names_reach_their_group(self):
        changed = profile("smoke", data="bandai", data_root="x", evaluation_samples=5, lr=2.0, width=8, seed=3)
        assert (changed.data.source, changed.data.root, changed.evaluation.samples) == ("bandai", "x", 5)
        assert (changed.optimiser.lr, changed.model.width, changed.seed) == (2.0, 8, 3)
        assert changed.value("data_root") == "x" and changed.value("width") == 8

    def test_paths_are_kept_as_text(self, tmp_path):
        config = profile("smoke", runs=tmp_path, data="bandai", data_root=tmp_path)
        assert config.runs == config.data.root == str(tmp_path)
        assert Config.from_json(config.to_json()) == config


#: Values that no run can have, with what is said of them, by setting.
OUT_OF_RANGE = [
    *((name, -1, "-1, expected at least 0") for name in ("warmup_steps", "t_star", "shard_clips", "skip")),
    *((name, -0.5, "-0.5, expected at least 0") for name in ("keypoint_noise", "guidance")),
    *(
        (name, value, f"{value}, expected at least 1")
        for name in (
            "n_clips", "max_frames", "width", "n_layers", "n_heads", "feedforward", "steps", "batch_size",
            "length_buckets", "evaluation_samples", "lift_samples", "repeats", "evaluator_steps", "log_every",
            "checkpoint_every",
        )
        for value in (0, -1)
    ),
    *((name, 1, "1, expected at least 2") for name in ("n_steps", "n_buckets")),
    *((name, value, f"{value}, expected above 0") for name in ("lr", "clip_norm", "tau") for value in (0.0, -1.0)),
    *((n, value, f"{value}, expected 0 to 1") for n in ("lr_decay", "condition_drop") for value in (-1.0, 2.0)),
    *(
        (name, value, f"{value}, expected 0 or more and below 1")
        for name in ("dropout", "ema", "keypoint_missing")
        for value in (-1.0, 1.0, 2.0)
    ),
    *(("seed", value, f"{value}, expected 0 to {LARGEST_SEED}") for value in (-1, LARGEST_SEED + 1)),
    ("runs", "", "'', expected a folder"),
    ("on_error", "ignore", "'ignore', expected one of raise, skip"),
    ("sampler", "nope", "'nope', expected one of '', ddpm, ddim"),
    ("protocol", "nope", "'nope', expected one of '', quick, full"),
    ("weights", Weights(velocity=-1.0), "weights.velocity is -1.0, expected at least 0"),
    ("weights", Weights(weighting="far"), "weights.weighting is 'far', expected one of depth, exact, none, clip"),
]  # fmt: skip
#: Group in a file, field there, and a value that is none of its setting's.
OF_ANOTHER_TYPE = [
    ("optimiser", "steps", "3", "steps is '3', expected a whole number"),
    ("optimiser", "steps", 2.5, "steps is 2.5, expected a whole number"),
    ("optimiser", "batch_size", None, "batch_size is None, expected a whole number"),
    ("optimiser", "lr", "1e-4", "lr is '1e-4', expected a number"),
    ("optimiser", "weights", {"velocity": "fast"}, "weights.velocity is 'fast', expected a number"),
    ("data", "n_clips", 40.0, "n_clips is 40.0, expected a whole number"),
    ("data", "keypoint_smoothing", "false", "keypoint_smoothing is 'false', expected true or false"),
    ("data", "keypoint_smoothing", 0, "keypoint_smoothing is 0, expected true or false"),
    ("data", "source", None, "data is None, expected text"),
    ("data", "root", 3, "data_root is 3, expected text, or none"),
    ("model", "dropout", float("nan"), "dropout is nan, expected a number"),
    ("evaluation", "guidance", float("inf"), "guidance is inf, expected a number"),
    (None, "seed", True, "seed is True, expected a whole number"),
    (None, "runs", None, "runs is None, expected text"),
]


class TestRanges:
    @pytest.mark.parametrize(("name", "value", "message"), OUT_OF_RANGE)
    def test_a_value_that_no_run_can_have_is_refused_by_name(self, name, value, message):
        expected = message if message.startswith("weights.") else f"{name} is {message}"
        with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
            profile("smoke", **{name: value})

    def test_every_number_has_a_range_and_every_entry_a_setting(self):
        numbers = {name for name, kind in TYPES.items() if (optional(kind) or kind) in (int, float)}
        parts = {f"weights.{field.name}" for field in dataclasses.fields(Weights)}
        assert numbers <= set(RANGES) and {*RANGES, *CHOICES} <= {*SETTINGS, *parts}
        assert {name for name, *_ in OUT_OF_RANGE} >= numbers

    def test_the_ends_of_ranges_can_be_had(self):
        least = {"warmup_steps": 0, "t_star": 0, "shard_clips": 0, "skip": 0, "dropout": 0, "ema": 0, "guidance": 0}
        most = {"lr_decay": 1, "condition_drop": 1, "seed": LARGEST_SEED}
        made = profile("smoke", **least, **most)
        assert {name: made.value(name) for name in {**least, **most}} == {**least, **most}

    def test_protocols_are_those_that_are_measured(self):
        assert CHOICES["protocol"] == ("", *PROTOCOLS)

    @pytest.mark.parametrize(("group", "field", "value", "message"), OF_ANOTHER_TYPE)
    def test_a_file_with_a_value_of_another_type(self, group, field, value, message):
        values = json.loads(profile("smoke").to_json())
        own = values[group] if group else values
        own[field] = {**own[field], **value} if isinstance(value, dict) else value
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            Config.from_json(json.dumps(values))

    @pytest.mark.parametrize("text", ["[]", "3", "null", '"x"'])
    def test_a_file_that_holds_no_settings(self, text):
        with pytest.raises(ValueError, match="the configuration is .*, expected a JSON object"):
            Config.from_json(text)


class TestKey:
    @pytest.fixture
    def config(self):
        return profile("smoke")

    def test_what_changes_the_outcome_counts(self, config):
        others = {"lr": 1e-5, "data": "bandai", "seed": 1, "precision": "bf16", "root_path": "network", "t_star": 9}
        keys = {config.key(), *(config.but(**{name: value}).key() for name, value in others.items())}
        assert len(keys) == 1 + len(others)

    def test_how_a_run_is_carried_out_or_measured_does_not(self, config):
        free = {
            "runs": "x",
            "profile": "x",
            "log_every": 9,
            "checkpoint_every": 9,
            "shard_weights": True,
            "guidance": 1.0,
        }
        assert {config.but(**{name: value}).key() for name, value in free.items()} == {config.key()}
        assert config.but(guidance=1.0).evaluation_key() != config.evaluation_key()

    def test_a_default_that_was_another_leaves_results_their_keys(self, monkeypatch):
        """Rows of before `minilm` read captions are found by the keys that they have: "hashed" is not counted."""
        hashed, now = profile("study"), profile("paper")
        assert (hashed.model.text, now.model.text, settings.KEYED["text"]) == ("hashed", "minilm", "hashed")
        before = hashed.key(), now.key(), now.but(text="hashed").key()
        assert len(set(before)) == 3
        monkeypatch.setitem(settings.KEYED, "text", "minilm")
        assert (now.but(text="hashed").key(), now.key()) != before[1:] and hashed.key() != before[0]
        assert now.key() == before[2]  # what is not counted makes no difference

    def test_a_uniform_skeleton_counts_where_it_is_asked_for(self, config, monkeypatch):
        own, uniform = config, config.but(skeleton="uniform")
        before = own.key(), uniform.key()
        assert before[0] != before[1]
        monkeypatch.setitem(settings.STAGES, "uniform", 99)
        assert own.key() == before[0] and uniform.key() != before[1]

    def test_all_methods_differ(self, config):
        assert len({config.but(method=name).key() for name in METHODS}) == len(METHODS)

    def test_a_stage_that_changed_counts_for_the_runs_that_go_through_it(self, config, monkeypatch):
        names = ("mdm-3d", "videomdm", "videomdm-pnp/refined", "videomdm-pnp/round-1", "videomdm-pnp/sized-round-1")
        before = [config.but(method=name).key() for name in names]
        monkeypatch.setitem(settings.STAGES, "refine", 99)
        after = [config.but(method=name).key() for name in names]
        assert [a != b for a, b in zip(after, before, strict=True)] == [False, False, True, True, True]

    def test_the_built_in_corpus_counts_for_the_runs_that_learn_from_it(self, config, monkeypatch):
        configs = [config.but(data=name) for name in ("procedural", "humanml3d")]
        before = [one.key() for one in configs]
        monkeypatch.setitem(settings.STAGES, "corpus", 99)
        assert [one.key() != key for one, key in zip(configs, before, strict=True)] == [True, False]

    def test_new_weights_of_the_real_teacher_count_for_the_runs_that_have_them(self, config, monkeypatch):
        configs = [config.but(lifter=name) for name in ("procedural", "real")]
        before = [one.key() for one in configs]
        monkeypatch.setitem(settings.STAGES, "real_teacher", 99)
        assert [one.key() != key for one, key in zip(configs, before, strict=True)] == [False, True]

    def test_a_method_counts_by_what_it_does(self, config, monkeypatch):
        before = config.but(method="videomdm/round-1").key()
        monkeypatch.setitem(METHODS, "videomdm", Method("teacher", "truth", camera_noise=1.0))
        assert config.but(method="videomdm/round-1").key() != before

    def test_a_start_counts_by_its_weights(self, config, tmp_path):
        for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "weights-last.safetensors").write_bytes(content)
        a, b, c = (config.but(start=str(tmp_path / name)).key() for name in "abc")
        assert a == b != c
        with pytest.raises(FileNotFoundError, match="expected the weights of a finished run"):
            config.but(start=str(tmp_path / "d")).key()

    def test_a_lifter_counts_by_its_place_among_the_runs(self):
        """A run is the same wherever its folder is moved; another lifter, or one from elsewhere, makes another run."""
        here = profile("smoke", lifter="runs/cache/elepose-1/elepose.safetensors")
        assert here.but(runs="/a", lifter="/a/cache/elepose-1/elepose.safetensors").key() == here.key()
        others = ("runs/cache/elepose-2/elepose.safetensors", "cache/elepose-1/elepose.safetensors", "real")
        assert here.key() not in {here.but(lifter=other).key() for other in others}
        assert profile("smoke", runs=".").key() == profile("smoke").key()


class TestFile:
    def test_round_trip(self):
        config = train.profile("laptop", weights=Weights(1.0, 2.0, 3.0), data="bandai", data_root="x")
        again = Config.from_json(config.to_json())
        assert again == config and again.folder == config.folder

    def test_settings_that_came_later_may_be_missing(self):
        """Runs of before the teacher could be chosen were made by the only one there was."""
        values = json.loads(profile("smoke").to_json())
        del values["data"]["lifter"]
        assert Config.from_json(json.dumps(values)) == profile("smoke")
        assert profile("smoke", lifter="real").key() != profile("smoke").key()

    def test_a_file_of_another_version_is_refused_by_name(self):
        values = json.loads(profile("smoke").to_json())
        with pytest.raises(ValueError, match="model: .*missing or unknown"):
            Config.from_json(json.dumps(values | {"model": {"width": 3}}))
        with pytest.raises(ValueError, match="configuration: .*'teacher'.*is it of an earlier version"):
            Config.from_json(json.dumps(values | {"teacher": "naive"}))


def test_rows_are_methods_and_know_their_warmup():
    assert sum(len(rows) for rows in ROWS.values()) == len(METHODS)
    assert METHODS["videomdm-pnp/unlevel"].warmup == METHODS["mdm-teacher/unlevel"] != METHODS["mdm-teacher"]
    assert METHODS["videomdm-pnp/sized-unrefined"].warmup == METHODS["mdm-teacher/sized"]
    assert METHODS["videomdm-pnp/error-0.5"].warmup == METHODS["mdm-teacher/error-0.5"]
    assert [len(METHODS[m].chain) for m in ("mdm-3d", "videomdm/round-1", "videomdm/round-2")] == [1, 2, 3]


def test_settings_that_came_later_have_their_defaults_in_older_files():
    values = json.loads(profile("laptop").to_json())
    del values["model"]["skip"], values["evaluation"]["split"]
    assert Config.from_json(json.dumps(values)) == profile("laptop")
    assert profile("laptop", skip=2.0).key() != profile("laptop").key()
