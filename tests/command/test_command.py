"""The door: which way a command ends, what it says, and that it opens at once."""

import errno
import importlib
import os
import resource
import signal
import subprocess
import sys
import time
import tomllib
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from videomdm import command
from videomdm.command import COMMANDS, main
from videomdm.export import files

ROOT = Path(__file__).parents[2]


def videomdm(*arguments, **how):
    return subprocess.run(
        [sys.executable, "-m", "videomdm", *map(str, arguments)], capture_output=True, text=True, timeout=300, **how
    )


def said(capsys) -> str:
    """What a command said on stderr, which is never a traceback."""
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return text


class TestHelp:
    def test_the_installed_command(self):
        scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
        assert scripts == {"videomdm": "videomdm.command:main"}

    @pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["lift", "--help"], ["export", "-h"]])
    def test_opens_at_once(self, arguments):
        """Importing torch takes seconds."""
        program = (
            "import sys; from videomdm.command import main\n"
            f"try: main({arguments})\n"
            "except SystemExit as end: print(end.code, [m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr

    def test_all_commands_are_listed(self, capsys):
        with pytest.raises(SystemExit) as end:
            main(["--help"])
        text = " ".join(capsys.readouterr().out.split())
        assert end.value.code == 0
        assert [name for name, own in COMMANDS.items() if f"{name} {own.summary}" not in text] == []

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("generate", "--seconds S in seconds --seed N default: 0 --run DIR newest metres centimetres"),
            ("lift", "--height M metres --field-of-view DEG degrees --caption TEXT --seed N --run DIR --out DIR"),
            ("export", "FILE.npz .bvh .mp4 .gif"),
            ("train", "--config FILE --profile smoke --set NAME=VALUE keypoint_noise"),
            ("prepare", "--profile --set"),
            ("study", "--rows ROW --data --profile"),
        ],
    )
    def test_what_a_command_takes(self, capsys, name, expected):
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        text = " ".join(capsys.readouterr().out.split())
        assert end.value.code == 0 and text.startswith(f"usage: videomdm {name} ")
        assert [word for word in expected.split() if word not in text] == []
        assert "--debug" in text

    def test_every_command_is_there(self):
        for own in COMMANDS.values():
            module = importlib.import_module(own.module)
            assert (
                module.__doc__ and callable(getattr(module, own.add_arguments)) and callable(getattr(module, own.run))
            )


class TestMistakes:
    """Exit status 2 and one sentence."""

    @pytest.mark.parametrize("arguments", [[], ["genrate"], ["export", "a.npz"], ["generate", "x", "--ou", "a.npz"]])
    def test_arguments_that_argparse_refuses(self, capsys, arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2 and "usage: videomdm" in said(capsys)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["generate", "x", "--seconds", "1,75"], "--seconds: '1,75', expected a number with a point, such as 1.75"),
            (["generate", "x", "--seconds", "nan"], "--seconds: 'nan', expected a number such as 1.75"),
            (["generate", "x", "--seed", "1.5"], "--seed: '1.5', expected a whole number such as 8"),
            (["lift", "x.mp4", "--height", "2024_06"], "--height: '2024_06', expected a number such as 1.75"),
            (["study", "t", "--seed", "true"], "--seed: 'true', expected a whole number"),
        ],
    )
    def test_values_of_another_type(self, capsys, arguments, message):
        with pytest.raises(SystemExit) as end:
            main([*arguments, *([] if arguments[0] == "study" else ["--out", "x"])])
        assert end.value.code == 2 and message in said(capsys)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["generate", "x", "--out", "a.avi"],
                "a.avi: a file of unknown kind, expected one that ends in .npz, .bvh",
            ),
            (["generate", " ", "--out", "a.npz"], "TEXT is empty"),
            (["generate", "x", "--seconds", "100", "--out", "a.npz"], "--seconds is 100, expected 0.1 to 2.2"),
            (["generate", "x", "--run", "nowhere", "--out", "a.npz"], "nowhere: no finished run there"),
            (["lift", "nothing.mp4", "--out", "d"], "nothing.mp4: no such video"),
            (["lift", "nothing", "--out", "d"], "nothing: no such video"),
            (["lift", "x.mp4", "--height", "175", "--out", "d"], "height is 175.0, expected metres"),
            (["lift", "x.mp4", "--caption", "", "--out", "d"], "--caption is empty"),
            (["export", "nothing.npz", "--out", "a.bvh"], "nothing.npz: no such file"),
            (["export", "nothing.npz", "--out", "a"], "a: a file of unknown kind"),
            (["train", "--config", "nothing.json"], "nothing.json: No such file"),
            (["train", "--profile", "smoke", "--set", "keypoint_smoothing=falsch"], "expected true or false"),
            (["train", "--profile", "smoke", "--set", "stpes=1"], "unknown setting stpes; known: "),
            (["train", "--profile", "smoke", "--set", "steps"], "--set 'steps', expected NAME=VALUE"),
            (["train", "--profile", "smoke", "--set", "steps=0"], "steps is 0, expected at least 1"),
            (["train", "--profile", "smoke", "--set", "data=humanml3d", "data_root=nowhere"], "nowhere"),
            (["prepare", "--profile", "smoke"], "expected --set shard_clips=N of at least 1"),
        ],
    )
    def test_what_is_wrong_is_said(self, here, capsys, arguments, message):
        assert main(arguments) == command.MISTAKE
        text = said(capsys)
        assert f"videomdm {arguments[0]}: " in text and message in text

    def test_a_folder_that_cannot_be_made(self, here, capsys, tmp_path):
        (tmp_path / "file").write_text("")
        assert main(["generate", "x", "--out", str(tmp_path / "file" / "a.npz")]) == command.MISTAKE
        assert "file" in said(capsys)
        assert main(["lift", "x.mp4", "--out", str(tmp_path / "file")]) == command.MISTAKE
        assert "is a file, expected a folder" in said(capsys)

    def test_debug_shows_where(self, here, capsys):
        assert main(["export", "nothing.npz", "--out", "a.bvh", "--debug"]) == command.MISTAKE
        text = capsys.readouterr().err
        assert text.startswith("Traceback") and text.splitlines()[-1].startswith(
            "videomdm export: nothing.npz: no such"
        )


class TestFailures:
    """Exit status 1, 130 after Ctrl-C; nothing half done stays."""

    @pytest.fixture
    def ends_with(self, here, monkeypatch):
        def run(error: BaseException) -> int:
            def write(*_):
                raise error

            monkeypatch.setattr(files, "write", write)
            return main(["generate", "a person walks", "--out", "a.npz"])

        return run

    def test_a_full_disk(self, ends_with, capsys):
        full = OSError(errno.ENOSPC, "No space left on device")
        assert ends_with(full) == command.FAILED
        assert said(capsys).splitlines()[-1] == "videomdm generate: No space left on device"
        full.filename = "a.npz"
        assert ends_with(full) == command.FAILED
        assert said(capsys).splitlines()[-1] == "videomdm generate: a.npz: No space left on device"

    def test_whatever_else(self, ends_with, capsys):
        assert ends_with(RuntimeError("out of memory")) == command.FAILED
        assert said(capsys).splitlines()[-1] == "videomdm generate: RuntimeError: out of memory"

    def test_an_extra_that_is_missing(self, ends_with, capsys):
        assert ends_with(ImportError("pip install 'videomdm[video]'")) == command.MISTAKE
        assert said(capsys).splitlines()[-1] == "videomdm generate: pip install 'videomdm[video]'"

    def test_interrupted(self, ends_with, capsys):
        assert ends_with(KeyboardInterrupt()) == command.INTERRUPTED
        assert said(capsys).splitlines()[-1] == "videomdm generate: interrupted"

    def test_what_is_said_where_stderr_is_closed_is_no_output(self, ends_with, capsys, monkeypatch):
        monkeypatch.setattr(sys, "stderr", None)
        assert ends_with(ValueError("text is empty")) == command.MISTAKE
        assert capsys.readouterr().out == ""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["a.npz", "a.bvh", "a.mp4", "a.gif"])
    def test_a_disk_that_fills_while_writing(self, run, tmp_path, name):
        """No file may be larger than 4 KiB: the operating system stops the writer in the middle."""
        kept = tmp_path / name
        kept.write_text("as it was")
        np.savez(tmp_path / "motions.npz", joints=np.random.default_rng(0).normal(size=(60, 22, 3)), fps=20.0)
        done = videomdm(
            "export", tmp_path / "motions.npz", "--out", kept,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )  # fmt: skip
        assert done.returncode == command.FAILED, done.stderr
        assert "Traceback" not in done.stderr and done.stderr.splitlines()[-1].startswith("videomdm export: ")
        assert {path.name for path in tmp_path.iterdir()} == {"motions.npz", name}
        assert kept.read_text() == "as it was"

    @pytest.mark.slow
    def test_control_c_while_training(self, tmp_path):
        """Interrupted by the signal itself; the same command goes on from the checkpoint."""
        arguments = ["train", "--profile", "smoke", "--set", "method=mdm-3d", "n_clips=40", "warmup_steps=0"]
        arguments += ["checkpoint_every=1", f"runs={tmp_path}"]
        program = [sys.executable, "-m", "videomdm", *arguments, "steps=100000"]
        heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a background job would ignore it
        options = {"text": True, "start_new_session": True, "preexec_fn": heeded}
        with subprocess.Popen(program, stderr=subprocess.PIPE, **options) as process:
            end = time.monotonic() + 240
            while not list(tmp_path.glob("*/checkpoints/*")) and time.monotonic() < end and process.poll() is None:
                time.sleep(0.1)
            os.kill(process.pid, signal.SIGINT)
            text = process.communicate(timeout=60)[1]
        assert process.returncode == command.INTERRUPTED
        assert "Traceback" not in text
        assert "\nvideomdm train: interrupted\n" in text
        assert list(tmp_path.glob("*/checkpoints/*"))


def test_warnings_are_notes(here, monkeypatch, capsys):
    monkeypatch.setattr(files, "write", lambda *_: warnings.warn("a foot slides", stacklevel=2) or [])
    assert main(["generate", "a person walks", "--out", "a.npz"]) == 0
    assert said(capsys).splitlines()[-1] == "note: a foot slides"
