"""A prior and recordings that all commands share, made once by the commands themselves."""

from pathlib import Path

import pytest

from videomdm.command import main
from videomdm.data.recordings import demonstration


@pytest.fixture(scope="session")
def settings() -> list[str]:
    """Of a run that takes seconds."""
    return ["method=mdm-3d", "n_clips=40", "warmup_steps=0", "steps=4", "checkpoint_every=2"]


@pytest.fixture(scope="session")
def runs(tmp_path_factory, settings) -> Path:
    """A folder ``runs`` with one finished run, trained by the command."""
    folder = tmp_path_factory.mktemp("door") / "runs"
    assert main(["train", "--profile", "smoke", "--set", *settings, f"runs={folder}"]) == 0
    return folder


@pytest.fixture(scope="session")
def run(runs) -> Path:
    (found,) = runs.glob("procedural-smoke-mdm-3d-*")
    return found


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, dict[str, demonstration.Scene]]:
    """A folder with one good recording and two unfit ones, and the truth behind the good one."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, demonstration.write(folder, 1, unfit=True)


@pytest.fixture
def here(runs, monkeypatch) -> Path:
    """Beside the folder of runs, as a user is."""
    monkeypatch.chdir(runs.parent)
    return runs.parent
